//! Counts the instructions of the hot kernels and holds them against `costs/instructions.txt`.
//!
//! Seconds on a shared machine are noise; instructions under callgrind are the same each time. valgrind shows programs no
//! AVX-512, so what is counted are the portable kernels, and for hashes and bit matrices the versions below AVX-512. Counts of
//! another compiler, target or set of vector extensions say nothing: then the comparison is printed and nothing fails.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools::{cargo, succeed};

const FILE: &str = "costs/instructions.txt";
/// The function of the example whose callees are counted.
const COUNTED: &str = "*hot_kernels*measured*";
/// Per cent more that is a failure, and fewer that wants an update.
const TOLERANCE: u64 = 5;

const FRONT: &str = "\
# Instructions of the hot kernels (crates/protocols/examples/hot_kernels.rs) under callgrind.
# Written by `cargo xtask instructions --update`; `cargo xtask instructions` fails when one has grown by more than 5 %.
";

/// Counts, and compares or writes anew.
pub(crate) fn run(root: &Path, update: bool) -> Result<()> {
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("instructions: skipped, valgrind is not installed (`apt-get install valgrind`)");
        return Ok(());
    }
    let program = build(root)?;
    let measured = measure(root, &program)?;
    let path = root.join(FILE);
    if update {
        fs::write(&path, measured.text())?;
        println!("instructions: {} kernels written to {FILE}", measured.counts.len());
        return Ok(());
    }
    let text = fs::read_to_string(&path)
        .with_context(|| format!("{FILE} is missing; `cargo xtask instructions --update` writes it"))?;
    judge(&Counts::parse(&text)?, &measured)
}

/// Prints the comparison; an error when a kernel has grown.
fn judge(expected: &Counts, measured: &Counts) -> Result<()> {
    let findings = compare(&expected.counts, &measured.counts);
    for finding in &findings {
        println!("instructions: {}", finding.text);
    }
    if expected.made_with != measured.made_with {
        println!(
            "instructions: not held, for {FILE} was made with [{}] and this is [{}]",
            expected.made_with.join("; "),
            measured.made_with.join("; ")
        );
        return Ok(());
    }
    let failures = findings.iter().filter(|finding| finding.fails).count();
    if failures > 0 {
        bail!(
            "instructions: {failures} kernels differ; make them cheaper, or say why and run it with --update"
        );
    }
    println!("instructions: {} kernels within {TOLERANCE} %", measured.counts.len());
    Ok(())
}

/// Instructions by kernel, and what they depend on besides the code.
#[derive(Debug, PartialEq)]
struct Counts {
    /// Compiler, target, vector extensions.
    made_with: Vec<String>,
    counts: BTreeMap<String, u64>,
}

impl Counts {
    /// Lines `made with WORDS` and `KERNEL COUNT`; `#` begins a remark.
    fn parse(text: &str) -> Result<Self> {
        let mut counts = Self { made_with: Vec::new(), counts: BTreeMap::new() };
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            if let Some(words) = line.strip_prefix("made with ") {
                counts.made_with.push(words.to_owned());
                continue;
            }
            let entry =
                line.split_once(' ').and_then(|(name, count)| Some((name, count.trim().parse().ok()?)));
            let (name, count) =
                entry.with_context(|| format!("{FILE}: expected `KERNEL COUNT`, found `{line}`"))?;
            counts.counts.insert(name.to_owned(), count);
        }
        Ok(counts)
    }

    fn text(&self) -> String {
        let mut text = FRONT.to_owned();
        for words in &self.made_with {
            let _ = writeln!(text, "made with {words}");
        }
        for (name, count) in &self.counts {
            let _ = writeln!(text, "{name} {count}");
        }
        text
    }
}

/// A kernel that is not as the file says.
#[derive(Debug, PartialEq)]
struct Finding {
    text: String,
    fails: bool,
}

fn compare(expected: &BTreeMap<String, u64>, measured: &BTreeMap<String, u64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, &count) in measured {
        let Some(&before) = expected.get(name) else {
            findings.push(Finding { text: format!("{name} is new: {count}; --update adds it"), fails: true });
            continue;
        };
        if count.abs_diff(before) * 100 > before * TOLERANCE {
            let change = (count as f64 / before as f64 - 1.0) * 100.0;
            let advice = if count > before { "too many" } else { "fewer: --update keeps the gain" };
            let text = format!("{name} {count} where {before} were expected ({change:+.1} %), {advice}");
            findings.push(Finding { text, fails: count > before });
        }
    }
    for name in expected.keys().filter(|name| !measured.contains_key(*name)) {
        findings
            .push(Finding { text: format!("{name} is no kernel any more; --update drops it"), fails: true });
    }
    findings
}

fn build(root: &Path) -> Result<PathBuf> {
    let mut command = cargo(root);
    command.args(["build", "--quiet", "--release", "--package", "blindscan-protocols"]);
    command.args(["--features", "dealer", "--example", "hot_kernels"]);
    // Flags of the caller would change what is counted.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    succeed("instructions: build", &mut command)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/examples/hot_kernels"))
}

fn measure(root: &Path, program: &Path) -> Result<Counts> {
    let listed = output(&mut Command::new(program))?.0;
    let mut counts = BTreeMap::new();
    for name in listed.lines() {
        let (_, report) = output(&mut callgrind(program, name))?;
        let count = collected(&report)
            .with_context(|| format!("callgrind counted nothing for {name}; its report was:\n{report}"))?;
        counts.insert(name.to_owned(), count);
    }
    let (processor, _) = output(&mut callgrind(program, "processor"))?;
    let (compiler, _) = output(Command::new("rustc").arg("-vV").current_dir(root))?;
    let (release, host) = compiler_named(&compiler).context("`rustc -vV` names no release and no host")?;
    let made_with =
        vec![format!("rustc {release}"), format!("target {host}"), format!("vectors {}", processor.trim())];
    Ok(Counts { made_with, counts })
}

fn callgrind(program: &Path, argument: &str) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(format!("--toggle-collect={COUNTED}")).arg(program).arg(argument);
    command
}

/// What a program prints to standard output and to standard error.
fn output(command: &mut Command) -> Result<(String, String)> {
    let output = command.output().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let texts =
        (String::from_utf8_lossy(&output.stdout).into(), String::from_utf8_lossy(&output.stderr).into());
    if !output.status.success() {
        bail!("{command:?} failed ({}):\n{}", output.status, texts.1);
    }
    Ok(texts)
}

/// The count of instructions in callgrind's closing lines; none when it is zero.
fn collected(report: &str) -> Option<u64> {
    let count = report.lines().find_map(|line| line.split_once("Collected :"))?.1.trim().parse().ok()?;
    (count > 0).then_some(count)
}

fn compiler_named(words: &str) -> Option<(&str, &str)> {
    let of = |key| words.lines().find_map(|line| line.strip_prefix(key));
    Some((of("release: ")?, of("host: ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(compiler: &str, entries: &[(&str, u64)]) -> Counts {
        Counts {
            made_with: vec![compiler.into()],
            counts: entries.iter().map(|(name, count)| ((*name).into(), *count)).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let written = counts("rustc 1.95.0", &[("ntt", 1_000_000), ("hash", 7)]);
        assert_eq!(Counts::parse(&written.text()).unwrap(), written);
        assert!(Counts::parse("ntt many").unwrap_err().to_string().contains("ntt many"));
    }

    #[test]
    fn a_kernel_that_grew_by_more_than_five_per_cent_fails() {
        let expected = counts("a", &[("ntt", 1000), ("hash", 1000)]);
        let error = judge(&expected, &counts("a", &[("ntt", 1051), ("hash", 1049)])).unwrap_err();
        assert!(error.to_string().contains("1 kernels differ"), "{error}");
        judge(&expected, &counts("a", &[("ntt", 1050), ("hash", 960)])).unwrap();
    }

    #[test]
    fn a_kernel_that_shrank_is_told_and_does_not_fail() {
        let expected = counts("a", &[("ntt", 1000)]);
        let measured = counts("a", &[("ntt", 900)]);
        let findings = compare(&expected.counts, &measured.counts);
        assert!(findings.len() == 1 && findings[0].text.contains("-10.0 %") && !findings[0].fails);
        judge(&expected, &measured).unwrap();
    }

    #[test]
    fn counts_of_another_compiler_are_reported_and_not_held() {
        judge(&counts("rustc 1", &[("ntt", 1000)]), &counts("rustc 2", &[("ntt", 2000)])).unwrap();
    }

    #[test]
    fn a_kernel_without_a_line_and_a_line_without_a_kernel_fail() {
        let expected = counts("a", &[("old", 1)]);
        assert_eq!(compare(&expected.counts, &counts("a", &[("new", 1)]).counts).len(), 2);
        assert!(judge(&expected, &counts("a", &[("new", 1)])).is_err());
    }

    #[test]
    fn the_count_is_read_from_the_closing_lines() {
        assert_eq!(collected("==1== Events    : Ir\n==1== Collected : 1234\n"), Some(1234));
        assert_eq!(collected("==1== Collected : 0"), None, "a toggle that never matched");
        assert_eq!(collected("nothing"), None);
    }

    #[test]
    fn the_tree_has_a_line_for_what_the_example_lists() {
        let root = crate::workspace::root();
        let text = fs::read_to_string(root.join(FILE)).unwrap();
        let kernels = Counts::parse(&text).unwrap();
        let example = fs::read_to_string(root.join("crates/protocols/examples/hot_kernels.rs")).unwrap();
        assert_eq!(kernels.made_with.len(), 3);
        assert!(kernels.counts.keys().all(|name| example.contains(&format!("(\"{name}\", "))));
    }
}
