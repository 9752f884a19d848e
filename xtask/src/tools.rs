//! The rules that other programs check: formatting, clippy, docs, licences.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Runs all of them; one result each.
pub(crate) fn run(root: &Path) -> Vec<Result<()>> {
    vec![formatting(root), clippy(root), docs(root), licences(root)]
}

fn formatting(root: &Path) -> Result<()> {
    succeed("formatting", cargo(root).args(["fmt", "--all", "--check"]))?;
    succeed("formatting of fuzz", cargo(root).args(["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"]))
}

fn clippy(root: &Path) -> Result<()> {
    succeed(
        "clippy",
        cargo(root).args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    )
}

fn docs(root: &Path) -> Result<()> {
    let mut command = cargo(root);
    command.args(["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"]);
    succeed("docs", command.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"))
}

/// The parts of cargo-deny that need no network. The tool is not part of a Rust toolchain, so its absence is said, not failed.
fn licences(root: &Path) -> Result<()> {
    let installed =
        cargo(root).args(["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if !installed {
        println!("licences: skipped, cargo-deny is not installed (`cargo install cargo-deny --locked`)");
        return Ok(());
    }
    let arguments = ["deny", "--offline", "--workspace", "check", "licenses", "bans", "sources"];
    succeed("licences", cargo(root).args(arguments))
}

/// The cargo that runs us, in the root.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs a command with its output shown; anything but success is an error that bears `name`.
pub(crate) fn succeed(name: &str, command: &mut Command) -> Result<()> {
    println!("{name}: running");
    let status =
        command.status().with_context(|| format!("{name}: cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_fails_or_is_absent_is_an_error_with_its_name() {
        let root = crate::workspace::root();
        let failed = succeed("a rule", cargo(&root).arg("no-such-subcommand")).unwrap_err();
        assert!(failed.to_string().starts_with("a rule failed"));
        let absent = succeed("a rule", &mut Command::new("no-such-program-here")).unwrap_err();
        assert!(absent.to_string().contains("cannot start"));
    }

    #[test]
    fn a_tool_that_passes_is_no_error() {
        succeed("version", cargo(&crate::workspace::root()).arg("--version")).unwrap();
    }
}
