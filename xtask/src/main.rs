//! The project's own rules and chores: `cargo xtask check`, `tidy`, `fuzz`, `costs` and `instructions`.
#![forbid(unsafe_code)]

mod costs;
mod fuzz;
mod instructions;
mod rules;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use workspace::Workspace;

const USAGE: &str = "\
cargo xtask check            every rule: tidy, then formatting, clippy, docs and licences
cargo xtask tidy             the rules that read text alone; takes a second
cargo xtask fuzz [seconds]   builds the fuzz targets and runs each for so long (default 10)
cargo xtask costs            writes the cost snapshots in costs/ anew
cargo xtask instructions     counts the hot kernels' instructions against costs/instructions.txt; --update writes it";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check"] => check(),
        ["tidy"] => tidy(),
        ["fuzz"] => fuzz::run(&workspace::root(), fuzz::DEFAULT_SECONDS),
        ["fuzz", seconds] => {
            fuzz::run(&workspace::root(), seconds.parse().context("`fuzz` takes a whole number of seconds")?)
        }
        ["costs"] => costs::regenerate(&workspace::root()),
        ["instructions"] => instructions::run(&workspace::root(), false),
        ["instructions", "--update"] => instructions::run(&workspace::root(), true),
        _ => bail!("expected one of\n{USAGE}"),
    }
}

/// All rules. Every failure is reported, not only the first.
fn check() -> Result<()> {
    let root = workspace::root();
    let failures: Vec<String> = std::iter::once(tidy())
        .chain(tools::run(&root))
        .filter_map(Result::err)
        .map(|e| e.to_string())
        .collect();
    if failures.is_empty() {
        println!("check: every rule is kept");
        return Ok(());
    }
    bail!("check: {}", failures.join("; "))
}

/// The rules on text: prints each place where one is broken.
fn tidy() -> Result<()> {
    let workspace = Workspace::read(&workspace::root())?;
    let violations = rules::violations(&workspace);
    for violation in &violations {
        println!("{violation}");
    }
    if violations.is_empty() {
        println!("tidy: {} rules kept by {} files", rules::RULES.len(), workspace.files.len());
        return Ok(());
    }
    bail!("tidy: {} places break a rule", violations.len())
}
