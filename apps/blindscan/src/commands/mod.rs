//! One file a command.

pub(crate) mod bench;
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
use serde::Serialize;

/// How a command ended: what the process's exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done: 0.
    Done,
    /// Done, and the answer is no: a model that cannot be run, an answer that differs: 3.
    No,
}

/// Prints a structure as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    writeln!(std::io::stdout(), "{text}").context("the report could not be printed")
}
