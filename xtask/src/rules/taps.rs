//! A look at shares is for who holds both parties' files anyway: only `compare` and tests name `inference::tap`.

use super::Violation;
use super::rust_text::code_only;
use crate::workspace::{TextFile, Workspace};

const HOME: &str = "crates/inference/src/";
/// How another crate names it: by its path, or in a list.
const NAMES: [&str; 2] = ["inference::tap", "tap::{self"];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let files = workspace.rust_files().filter(|file| !may(&file.path) && looks(file));
    files.map(|file| Violation::new(&file.path, "only `compare` and tests may look at shares")).collect()
}

fn may(path: &str) -> bool {
    let named = |folder: &str| path.split('/').any(|part| part.trim_end_matches(".rs") == folder);
    path.starts_with(HOME) || path.starts_with("xtask/") || named("compare") || named("tests")
}

fn looks(file: &TextFile) -> bool {
    let code = code_only(&file.text);
    NAMES.iter().any(|name| code.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> usize {
        let text = "//! x\nuse blindscan_inference::tap::{self, Tap};\n";
        check(&Workspace::made_up(&[], &[(path, text)])).len()
    }

    #[test]
    fn compare_and_tests_may_look_and_nobody_else() {
        for path in ["crates/workflow/src/compare/private.rs", "crates/inference/tests/erasure.rs"] {
            assert_eq!(found(path), 0, "{path}");
        }
        for path in
            ["crates/workflow/src/serve.rs", "crates/session/src/job/server.rs", "apps/a/src/compared.rs"]
        {
            assert_eq!(found(path), 1, "{path}");
        }
    }
}
