//! Words that must not stand: unfinished code, paths of somebody's own machine, and counting "a channel" for "per channel".

use super::Violation;
use super::rust_text::{code_only, lines_with_word};
use crate::workspace::{TextFile, Workspace};

/// Macros of code that is not finished.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];
/// Notes of work that is not finished. Written in two parts, for this file is read as well.
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
/// Roots of paths that exist on one machine only.
const MACHINE_ROOTS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/tm", "p/")];

/// What is counted, and per what, in the idiom that reads like a slip.
const COUNTED: [&str; 7] = ["one", "once", "bits", "bytes", "ns", "us", "entry"];
const COUNTED_PER: [&str; 16] = [
    "channel",
    "layer",
    "tensor",
    "image",
    "element",
    "stock",
    "chunk",
    "direction",
    "connection",
    "transfer",
    "tree",
    "axis",
    "level",
    "query",
    "slice",
    "input",
];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let unfinished = workspace.rust_files().flat_map(unfinished_code);
    unfinished.chain(workspace.files.iter().flat_map(words_in_text)).collect()
}

fn unfinished_code(file: &TextFile) -> Vec<Violation> {
    let code = code_only(&file.text);
    let lines_with_macro = |name: &'static str| {
        let text = &code;
        lines_with_word(text, name).filter(move |line| {
            text.lines().nth(line - 1).is_some_and(|line| line.contains(&format!("{name}!")))
        })
    };
    UNFINISHED
        .into_iter()
        .flat_map(|name| lines_with_macro(name).map(move |line| (name, line)))
        .map(|(name, line)| {
            Violation::new(format!("{}:{line}", file.path), format!("finish what `{name}!` stands for"))
        })
        .collect()
}

fn words_in_text(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let place = format!("{}:{}", file.path, index + 1);
        if let Some(root) = MACHINE_ROOTS.into_iter().find(|root| names_root(line, root)) {
            found.push(Violation::new(&place, format!("a path under {root} exists on one machine only")));
        }
        if let Some(counted) = counted_without_per(line) {
            found.push(Violation::new(&place, format!("\"{counted}\": say `per`")));
        }
        if let Some(note) = NOTES.into_iter().find(|note| line.contains(note)) {
            found.push(Violation::new(&place, format!("{note}: finish it, or open an issue")));
        }
    }
    found
}

/// What a line counts by "a" for "per".
fn counted_without_per(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is = |word: &str, of: &[&str]| {
        let plain = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        of.contains(&plain.as_str())
    };
    let three = words.windows(3).find(|three| {
        is(three[0], &COUNTED)
            && three[0].ends_with(char::is_alphanumeric)
            && ["a", "an"].contains(&three[1])
            && is(three[2], &COUNTED_PER)
    })?;
    Some(three.join(" "))
}

/// Whether an absolute path begins with `root`: what stands before it is not the rest of a longer path.
fn names_root(line: &str, root: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '}' | ')' | '$');
    line.match_indices(root).any(|(at, _)| !line[..at].chars().next_back().is_some_and(continues))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Workspace::made_up(&[], &[(path, text)])).len()
    }

    #[test]
    fn finished_code_and_relative_paths_pass() {
        assert_eq!(found("a.rs", "//! todo! in words\nfn f() { let todo = \"todo!()\"; }\n"), 0);
        assert_eq!(found("a.md", "see ../shared/home/x and https://example.org/home/x\n"), 0);
    }

    #[test]
    fn each_unfinished_macro_is_found() {
        for name in UNFINISHED {
            assert_eq!(found("a.rs", &format!("//! x\nfn f() {{ {name}!() }}\n")), 1, "{name}");
        }
    }

    #[test]
    fn what_is_counted_is_counted_per_something() {
        assert_eq!(found("a.md", concat!("One ", "a channel.\n")), 1);
        assert_eq!(found("a.rs", concat!("//! 31 bits ", "a transfer, least work\n")), 1);
        assert_eq!(found("a.md", "One per channel; it takes one, a channel is wide.\n"), 0);
    }

    #[test]
    fn each_note_and_each_machine_path_is_found_in_any_text() {
        for word in NOTES.into_iter().chain(MACHINE_ROOTS) {
            assert_eq!(found("a.md", &format!("see `{word}x`\n")), 1, "{word}");
        }
    }
}
