//! The tests that the ledger and the pages on security name exist: a claim stands only where something holds it.

use std::collections::HashSet;

use super::Violation;
use crate::workspace::{TextFile, Workspace};

/// A name in backquotes with so many underscores is a test's.
const UNDERSCORES: usize = 3;

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let functions: HashSet<&str> = workspace.rust_files().flat_map(|file| functions(&file.text)).collect();
    let pages = workspace.files.iter().filter(|file| names_evidence(&file.path));
    pages.flat_map(|page| missing(page, &functions)).collect()
}

fn names_evidence(path: &str) -> bool {
    path == "docs/audit-ledger.md" || path.starts_with("docs/security/")
}

/// The names behind `fn`.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ").skip(1).map(|rest| rest.split(|c: char| !is_of_name(c)).next().unwrap_or_default())
}

fn missing(page: &TextFile, functions: &HashSet<&str>) -> Vec<Violation> {
    let lines = page.text.lines().enumerate();
    lines
        .flat_map(|(index, line)| tests_named(line).map(move |name| (index + 1, name)))
        .filter(|(_, name)| !functions.contains(name))
        .map(|(line, name)| {
            Violation::new(
                format!("{}:{line}", page.path),
                format!("no test is called `{name}`: name the one that holds the claim"),
            )
        })
        .collect()
}

/// What stands between backquotes and reads like a test's name.
fn tests_named(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.chars().all(is_of_name) && name.matches('_').count() >= UNDERSCORES)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: (&str, &str) = ("a.rs", "//! x\n#[test]\nfn a_lie_is_found_at_once() {}\n");

    fn found(page: &str, text: &str) -> usize {
        check(&Workspace::made_up(&[], &[TEST, (page, text)])).len()
    }

    #[test]
    fn named_tests_that_exist_and_other_words_pass() {
        let text = "| 1 | `a_lie_is_found_at_once`, `e2e/kills`, `failed_checks.rs`, `off_by_one_log2` |";
        assert_eq!(found("docs/audit-ledger.md", text), 1, "three underscores make a test's name");
        assert_eq!(found("docs/audit-ledger.md", &text.replace("off_by_one_log2", "off_by_one")), 0);
        assert_eq!(found("docs/deploying.md", "`a_lie_is_found_some_time`"), 0, "no page of claims");
    }

    #[test]
    fn a_test_that_is_gone_is_found_on_every_page_of_claims() {
        for page in ["docs/audit-ledger.md", "docs/security/malicious.md"] {
            assert_eq!(found(page, "held by\n`a_lie_is_found_some_time`"), 1, "{page}");
        }
    }
}
