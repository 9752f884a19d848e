//! `check`: what of an ONNX model stands in the way, all of it at once and by kind, and a verdict at the end.
//!
//! A model that is accepted is accepted by `plan`, `estimate` and `serve` too: the plan is made dry, on no samples.

use anyhow::Result;
use blindscan_graph::ir::{Classes, Graph};
use blindscan_graph::onnx::{Import, ImportReport, Obstacle, Status};
use blindscan_workflow::model;
use serde::Serialize;

use super::{Outcome, print_json};
use crate::cli::CheckArgs;

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    accepted: bool,
    verdict: String,
    counts: Counts,
    kinds: Vec<Obstacle>,
    #[serde(flatten)]
    report: &'a ImportReport,
}

/// Nodes by what became of them.
#[derive(Serialize)]
struct Counts {
    supported: usize,
    folded: usize,
    refused: usize,
    unchecked: usize,
}

pub(crate) fn run(args: &CheckArgs) -> Result<Outcome> {
    let Import { report, graph } = &model::inspect(&args.model, &args.import.parsed()?)?;
    let (counts, kinds) = (Counts::of(report), report.kinds());
    let verdict = verdict(report, graph.as_ref(), &counts, kinds.len());
    let accepted = report.accepted();
    if args.json {
        print_json(&Printed { accepted, verdict, counts, kinds, report })?;
    } else {
        report.problems.iter().for_each(|problem| say!("file: {problem}"));
        kinds.iter().for_each(|kind| say!("{kind}"));
        if args.all {
            report.rows.iter().for_each(|row| say!("{row}"));
        }
        report.notes.iter().for_each(|note| say!("note: {note}"));
        say!("{verdict}");
    }
    Ok(if accepted { Outcome::Done } else { Outcome::No })
}

impl Counts {
    fn of(report: &ImportReport) -> Self {
        let count = |status| report.rows.iter().filter(|row| row.status == status).count();
        Counts {
            supported: count(Status::Supported),
            folded: count(Status::Folded),
            refused: count(Status::Refused),
            unchecked: count(Status::Unchecked),
        }
    }
}

/// The last line.
fn verdict(report: &ImportReport, graph: Option<&Graph>, counts: &Counts, kinds: usize) -> String {
    let Some(graph) = graph else {
        let nodes = report.rows.len();
        let Counts { refused, unchecked, .. } = counts;
        return format!(
            "refused: {refused} of {nodes} nodes refused and {unchecked} unchecked, in {kinds} kinds; {} problems of the file",
            report.problems.len()
        );
    };
    let shape: Vec<String> = graph.values[graph.output].shape.iter().map(usize::to_string).collect();
    let classes = match graph.classes {
        Classes::Along(axis) => format!("classes along axis {axis}"),
        Classes::Single => "each value for itself".into(),
        Classes::Unknown => "its values are opened".into(),
    };
    format!(
        "accepted: {} nodes computed, {} folded; answer of {}, {classes}",
        counts.supported,
        counts.folded,
        shape.join("x")
    )
}
