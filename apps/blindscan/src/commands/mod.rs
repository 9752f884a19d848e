//! One file per command.

pub(crate) mod bench;
pub(crate) mod canaries;
pub(crate) mod check;
pub(crate) mod classify;
pub(crate) mod compare;
pub(crate) mod demo;
pub(crate) mod estimate;
pub(crate) mod keys;
pub(crate) mod look;
pub(crate) mod peers;
pub(crate) mod plan;
pub(crate) mod prepare;
pub(crate) mod segment;
pub(crate) mod serve;

use std::io::Write;

use anyhow::Context;
use blindscan_workflow::report::JobReport;
use serde::Serialize;

use crate::screen;

/// How a command ended: what the process's exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done: 0.
    Done,
    /// Done, and the answer is no: a model that cannot be run, an answer that differs: 3.
    No,
    /// Done, and the server gave a wrong answer where the right one was known: 4.
    Untrusted,
}

impl Outcome {
    /// What a report says of its answers; loud when they are not to be trusted.
    pub(crate) fn of(report: &JobReport) -> Self {
        match (&report.untrusted, report.equals_reference) {
            (Some(reason), _) => {
                eprintln!("error: {reason}");
                Self::Untrusted
            }
            (None, Some(false)) => Self::No,
            (None, _) => Self::Done,
        }
    }
}

/// Prints a structure as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    writeln!(std::io::stdout(), "{text}").context("the report could not be printed")
}

/// Prints a report, for people or for programs.
fn show(report: &JobReport, layers: bool, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(report);
    }
    say_part!("{}", screen::report::words(report, layers));
    Ok(())
}
