//! Builds the fuzz targets on the stable compiler and runs each for a while.
//!
//! libFuzzer needs coverage counters in the code. They are an LLVM pass that the stable compiler can be told to run, so
//! neither cargo-fuzz nor a nightly toolchain is needed. Sanitizers would need nightly; crates that forbid `unsafe` gain little
//! from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools::{cargo, succeed};

/// How long each target runs when nothing is said.
pub(crate) const DEFAULT_SECONDS: u64 = 10;
/// The decoders that read what strangers wrote.
const TARGETS: [&str; 6] = ["frame", "ciphertext", "onnx", "nifti", "dicom", "plan"];
/// An input that takes longer is a finding.
const SLOWEST_INPUT_SECONDS: u64 = 5;
/// A target that needs more memory is a finding.
const MEMORY_MIB: u64 = 1024;

const COVERAGE_FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Builds once, then runs target after target; the first crash ends it.
pub(crate) fn run(root: &Path, seconds: u64) -> Result<()> {
    let binaries = build(root)?;
    for target in TARGETS {
        smoke(root, &binaries, target, seconds)?;
    }
    Ok(())
}

fn build(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target").join("fuzz");
    let mut command = cargo(root);
    command.args([
        "build",
        "--quiet",
        "--release",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--target",
        &host()?,
    ]);
    command.arg("--target-dir").arg(&folder).env("RUSTFLAGS", COVERAGE_FLAGS);
    succeed("fuzz build", &mut command)?;
    Ok(folder.join(host()?).join("release"))
}

/// With an explicit target, the flags above reach the fuzzed code and spare build scripts and macros.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let words = String::from_utf8(output.stdout)?;
    let host =
        words.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    Ok(host.to_owned())
}

/// Found inputs go to a folder of their own under `target`; seeds in the repository stay as they are.
fn smoke(root: &Path, binaries: &Path, target: &str, seconds: u64) -> Result<()> {
    let found = root.join("target").join("fuzz").join("found").join(target);
    let artifacts = root.join("target").join("fuzz").join("crashes").join(target);
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&artifacts)?;
    let seeds = root.join("fuzz").join("corpus").join(target);
    if !seeds.is_dir() {
        bail!("fuzz: {} is missing; each target needs a seed to start from", seeds.display());
    }

    let mut command = Command::new(binaries.join(target));
    command.arg(&found).arg(&seeds).arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={SLOWEST_INPUT_SECONDS}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB}")).arg("-print_final_stats=1");
    let output = command.output().with_context(|| format!("fuzz {target}: cannot start"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("{words}");
        bail!(
            "fuzz {target} failed ({}); the input that did it lies in {}",
            output.status,
            artifacts.display()
        );
    }
    println!("fuzz {target}: {} inputs, no crash", executed(&words).unwrap_or("some"));
    Ok(())
}

/// The number of inputs, from libFuzzer's closing lines.
fn executed(words: &str) -> Option<&str> {
    words.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_program_and_a_seed() {
        let fuzz = crate::workspace::root().join("fuzz");
        for target in TARGETS {
            assert!(fuzz.join("targets").join(format!("{target}.rs")).is_file(), "{target}");
            assert!(fs::read_dir(fuzz.join("corpus").join(target)).unwrap().count() > 0, "{target}");
        }
    }

    #[test]
    fn the_number_of_inputs_is_read_from_the_closing_lines() {
        assert_eq!(executed("Done\nstat::number_of_executed_units: 12\nstat::x: 1"), Some("12"));
        assert_eq!(executed("Done"), None);
    }

    #[test]
    fn the_compiler_names_its_host() {
        assert!(host().unwrap().contains('-'));
    }
}
