//! No Rust file is longer than what one sitting can read.

use super::Violation;
use crate::workspace::Workspace;

const MOST_LINES: usize = 900;

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    workspace
        .rust_files()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(file, lines)| {
            Violation::new(&file.path, format!("{lines} lines; split it, {MOST_LINES} is the most"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_file_passes_and_one_line_more_is_found() {
        let of = |lines: usize| {
            let text = "//! x\n".repeat(lines);
            check(&Workspace::made_up(&[], &[("crates/x/src/a.rs", &text)])).len()
        };
        assert_eq!((of(MOST_LINES), of(MOST_LINES + 1)), (0, 1));
    }
}
