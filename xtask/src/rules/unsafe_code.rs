//! `unsafe` stands in `arith` alone: every other crate's root forbids it, and a reading of the text stands behind that.

use super::Violation;
use super::rust_text::{code_only, lines_with_word};
use crate::workspace::Workspace;

const EXEMPT_PACKAGE: &str = "blindscan-arith";
/// Its targets are exported to the fuzzer by a macro that the compiler counts as unsafe; the text is read all the same.
const WITHOUT_FORBID: [&str; 2] = [EXEMPT_PACKAGE, "blindscan-fuzz"];
const FORBID: &str = "#![forbid(unsafe_code)]";

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    roots_without_forbid(workspace).into_iter().chain(unsafe_words(workspace)).collect()
}

fn roots_without_forbid(workspace: &Workspace) -> Vec<Violation> {
    let packages =
        workspace.packages.iter().filter(|package| !WITHOUT_FORBID.contains(&package.name.as_str()));
    let mut found = Vec::new();
    for package in packages {
        let source = format!("{}/src/", package.folder);
        for file in workspace.rust_files() {
            let Some(inside) = file.path.strip_prefix(&source) else { continue };
            let is_root = inside == "lib.rs" || inside == "main.rs" || inside.starts_with("bin/");
            if is_root && !code_only(&file.text).contains(FORBID) {
                found.push(Violation::new(&file.path, format!("add `{FORBID}`")));
            }
        }
    }
    found
}

fn unsafe_words(workspace: &Workspace) -> Vec<Violation> {
    let exempt = workspace.packages.iter().find(|package| package.name == EXEMPT_PACKAGE);
    let exempt = exempt.map(|package| format!("{}/", package.folder));
    let read = workspace
        .rust_files()
        .filter(|file| !exempt.as_ref().is_some_and(|folder| file.path.starts_with(folder)));
    read.flat_map(|file| {
        let code = code_only(&file.text);
        let lines: Vec<usize> = lines_with_word(&code, "unsafe").collect();
        lines.into_iter().map(|line| {
            Violation::new(
                format!("{}:{line}", file.path),
                "`unsafe` belongs in arith, behind a safe function",
            )
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARITH: (&str, &str) = ("crates/arith", "package.name = 'blindscan-arith'");
    const WIRE: (&str, &str) = ("crates/wire", "package.name = 'blindscan-wire'");

    #[test]
    fn arith_may_and_a_root_that_forbids_passes() {
        let files = [
            ("crates/arith/src/lib.rs", "//! a\nunsafe fn f() {}"),
            ("crates/wire/src/lib.rs", "//! unsafe in words only\n#![forbid(unsafe_code)]\n"),
        ];
        assert_eq!(check(&Workspace::made_up(&[ARITH, WIRE], &files)), []);
    }

    #[test]
    fn a_root_that_does_not_forbid_is_found() {
        for root in ["crates/wire/src/lib.rs", "crates/wire/src/main.rs", "crates/wire/src/bin/tool.rs"] {
            let commented_out = [(root, "//! w\n// #![forbid(unsafe_code)]")];
            assert_eq!(check(&Workspace::made_up(&[WIRE], &commented_out)).len(), 1, "{root}");
        }
    }

    #[test]
    fn the_word_in_code_is_found_with_its_line() {
        let files = [("crates/wire/tests/t.rs", "//! t\nfn f() { unsafe { g() } }")];
        let found = check(&Workspace::made_up(&[WIRE], &files));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "crates/wire/tests/t.rs:2");
    }
}
