//! `check`: every node of an ONNX model as supported, folded or refused, all problems at once.

use anyhow::{Context, Result};
use blindscan_graph::onnx;

use super::{Outcome, print_json};
use crate::cli::CheckArgs;

pub(crate) fn run(args: &CheckArgs) -> Result<Outcome> {
    let import = onnx::read(&args.model, &onnx::Options::default())
        .with_context(|| format!("{}", args.model.display()))?;
    if args.json {
        print_json(&import.report)?;
    } else {
        let report = &import.report;
        report.problems.iter().for_each(|problem| say!("file: {problem}"));
        report.rows.iter().for_each(|row| say!("{row}"));
        report.notes.iter().for_each(|note| say!("note: {note}"));
    }
    Ok(if import.report.accepted() { Outcome::Done } else { Outcome::No })
}
