//! `look`: what a scan is, and whether it fits a model, said on this machine alone: nothing is sent.

use anyhow::{Context, Result};
use blindscan_imaging::Axis;
use blindscan_workflow::card::Card;
use blindscan_workflow::connection::kept_card;
use blindscan_workflow::study::{Found, Study, StudyContent};
use serde::Serialize;

use super::{Outcome, print_json};
use crate::cli::LookArgs;

/// What is printed as JSON.
#[derive(Serialize)]
struct Looked {
    input: Found,
    /// What the model takes, in words; null when there was no card.
    takes: Option<String>,
    /// Whether the scan fits; null when there was no card.
    fits: Option<bool>,
    /// Why it does not.
    reason: Option<String>,
    notes: Vec<String>,
}

pub(crate) fn run(args: &LookArgs) -> Result<Outcome> {
    let card = card(args)?;
    let mut study = Study::open(&args.study, args.options.unit)?;
    let looked = look(&mut study, card.as_ref());
    match args.json {
        true => print_json(&looked)?,
        false => print(&looked),
    }
    Ok(if looked.fits == Some(false) { Outcome::No } else { Outcome::Done })
}

/// The card to judge by: one that was given, or the one kept of a server.
fn card(args: &LookArgs) -> Result<Option<Card>> {
    if let Some(path) = &args.options.card {
        return Ok(Some(Card::read(path)?));
    }
    let Some(server) = &args.server else { return Ok(None) };
    let (card, _) = kept_card(server, &args.keys)?.with_context(|| {
        format!(
            "{} keeps no card of this server yet; `blindscan estimate --server` asks it for what it takes",
            args.keys.display()
        )
    })?;
    Ok(Some(card))
}

fn look(study: &mut Study, card: Option<&Card>) -> Looked {
    let read = match &study.content {
        StudyContent::Scan(scan) => scan.notes().to_vec(),
        StudyContent::Tensor(_) => Vec::new(),
    };
    let (fits, reason, notes) = match card.map(|card| study.fit(card)) {
        None => (None, None, read),
        Some(Ok(fit)) => (Some(true), None, fit.notes),
        Some(Err(error)) => (Some(false), Some(error.one_line()), read),
    };
    Looked {
        input: study.found(card.map_or(Axis::Axial, |card| card.input.axis)),
        takes: card.map(Card::words),
        fits,
        reason,
        notes,
    }
}

fn print(looked: &Looked) {
    match (looked.fits, &looked.reason) {
        (Some(true), _) => say!("the scan fits the model"),
        (_, Some(reason)) => say!("NO: {reason}"),
        _ => say!("no card was given: whether it fits a model is not judged"),
    }
    if let Some(takes) = &looked.takes {
        say!("the model takes: {takes}");
    }
    looked.input.lines().iter().for_each(|line| say!("{line}"));
    looked.notes.iter().for_each(|note| say!("note: {note}"));
    say!("digest of the grey values: {}", looked.input.digest);
    if let Some(axis) = &looked.input.axis {
        say!("{axis} slices, counted from 0:");
    }
    for slice in &looked.input.slices {
        say!("{:>6}  {}", slice.number, slice.words());
    }
}
