//! A look at shares is for who holds both parties' files anyway: only `compare` and tests say `tap` beside the name of the
//! crate that has it.

use super::Violation;
use super::rust_text::{code_only, lines_with_word};
use crate::workspace::{TextFile, Workspace};

const HOME: &str = "crates/inference/src/";
const CRATE: &str = "blindscan_inference";

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
    code.contains(CRATE) && lines_with_word(&code, "tap").next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPORTS: [&str; 3] = [
        "use blindscan_inference::tap::{self, Tap};",
        "use blindscan_inference::{AssignedPlan, tap};",
        "use blindscan_inference as i; fn f() { i::tap::image_owner_online() }",
    ];

    /// Imports that are found in a file at `path`.
    fn found(path: &str) -> usize {
        let finds = |import: &&&str| {
            let text = format!("//! x\n{import}\n");
            !check(&Workspace::made_up(&[], &[(path, text.as_str())])).is_empty()
        };
        IMPORTS.iter().filter(finds).count()
    }

    #[test]
    fn compare_and_tests_may_look_and_nobody_else() {
        for path in ["crates/workflow/src/compare/private.rs", "crates/inference/tests/erasure.rs"] {
            assert_eq!(found(path), 0, "{path}");
        }
        for path in
            ["crates/workflow/src/serve.rs", "crates/session/src/job/server.rs", "apps/a/src/compared.rs"]
        {
            assert_eq!(found(path), IMPORTS.len(), "{path}");
        }
    }
}
