//! `clients` and `servers`: peers that have failed consistency checks, and how one is let in again.

use anyhow::Result;
use blindscan_session::failed_checks::{FailedChecks, MOST, Peers};
use serde::Serialize;

use super::{Outcome, print_json};
use crate::cli::{PeersAction, PeersArgs};

#[derive(Serialize)]
struct Shown {
    fingerprint: String,
    failures: u32,
    refused: bool,
}

pub(crate) fn run(args: &PeersArgs, peers: Peers, keys: &str) -> Result<Outcome> {
    let keys = args.keys.clone().unwrap_or_else(|| keys.into());
    let failed = FailedChecks::of(&keys, peers);
    match &args.action {
        PeersAction::List { json } => list(&failed, *json),
        PeersAction::Lift { fingerprint } => match failed.lift(fingerprint)? {
            true => {
                say!("{fingerprint} is let in again; its failed checks are counted from none");
                Ok(Outcome::Done)
            }
            false => {
                eprintln!("{fingerprint} has failed no check here; nothing is changed");
                Ok(Outcome::No)
            }
        },
    }
}

fn list(failed: &FailedChecks, json: bool) -> Result<Outcome> {
    let shown: Vec<Shown> = failed
        .entries()?
        .into_iter()
        .map(|entry| Shown {
            refused: entry.is_refused(),
            fingerprint: entry.fingerprint,
            failures: entry.failures,
        })
        .collect();
    if json {
        print_json(&shown)?;
        return Ok(Outcome::Done);
    }
    if shown.is_empty() {
        say!("no peer has failed a check");
    }
    for peer in shown {
        let word = if peer.refused { "refused" } else { "still let in" };
        say!("{} {} of {MOST} failed checks, {word}", peer.fingerprint, peer.failures);
    }
    Ok(Outcome::Done)
}
