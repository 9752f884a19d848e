//! `keys`: make an identity, or show its fingerprint.

use std::path::Path;

use anyhow::Result;
use blindscan_session::keys;
use blindscan_wire::tls::Identity;
use serde::Serialize;

use super::{Outcome, print_json};
use crate::cli::{KeysAction, KeysArgs};

#[derive(Serialize)]
struct Shown<'a> {
    directory: &'a Path,
    fingerprint: String,
}

pub(crate) fn run(args: &KeysArgs) -> Result<Outcome> {
    match &args.action {
        KeysAction::New { dir, json } => show(dir, &keys::create(dir)?, *json),
        KeysAction::Show { dir, json } => show(dir, &keys::load(dir)?, *json),
    }
}

fn show(directory: &Path, identity: &Identity, json: bool) -> Result<Outcome> {
    let fingerprint = identity.fingerprint().to_string();
    if json {
        print_json(&Shown { directory, fingerprint })?;
    } else {
        say!("identity in {}", directory.display());
        say!("fingerprint {fingerprint}");
        say!("give the fingerprint to the server's operator; the folder stays here");
    }
    Ok(Outcome::Done)
}
