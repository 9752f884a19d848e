//! Every Rust file opens with `//!` and a sentence that says what it is for.

use super::Violation;
use crate::workspace::Workspace;

/// A front line shorter than this says nothing.
const LEAST_CHARACTERS: usize = 12;

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    workspace
        .rust_files()
        .filter(|file| !says_something(&file.text))
        .map(|file| Violation::new(&file.path, "open the file with `//!` and what it is for"))
        .collect()
}

fn says_something(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("//! ").is_some_and(|words| words.trim().len() >= LEAST_CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(text: &str) -> bool {
        check(&Workspace::made_up(&[], &[("crates/x/src/a.rs", text)])).is_empty()
    }

    #[test]
    fn a_front_line_passes() {
        assert!(passes("//! Bytes between parties.\n"));
    }

    #[test]
    fn no_front_line_a_late_one_and_an_empty_one_are_found() {
        assert!(!passes("use std::fmt;\n"));
        assert!(!passes("#![forbid(unsafe_code)]\n//! Bytes between parties.\n"));
        assert!(!passes("//! placeholder\n"));
        assert!(!passes(""));
    }
}
