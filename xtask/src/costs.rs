//! Writes the cost snapshots anew: bytes, turns and stock of each model, one file each in `costs/`.
//!
//! The test that compares them lives in `inference` and runs with all others; told so by a variable, it writes instead.

use std::path::Path;

use anyhow::Result;

use crate::tools::{cargo, succeed};

/// The variable that the snapshot test reads.
const UPDATE_VARIABLE: &str = "BLINDSCAN_UPDATE_COSTS";

/// Runs the snapshot test in writing mode. What changed is then seen by `git diff costs`.
pub(crate) fn regenerate(root: &Path) -> Result<()> {
    let mut command = cargo(root);
    command.args(["test", "--package", "blindscan-inference", "--test", "costs"]).env(UPDATE_VARIABLE, "1");
    succeed("cost snapshots", &mut command)?;
    println!("costs: written; read `git diff costs` before you commit");
    Ok(())
}
