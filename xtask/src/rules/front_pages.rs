//! A protocol's front page, `mod.rs` of a folder of `protocols`, has the table of its messages or says there are none.

use super::Violation;
use crate::workspace::Workspace;

const FOLDER: &str = "crates/protocols/src/";
const NONE: [&str; 2] = ["no messages", "sends nothing"];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    workspace
        .rust_files()
        .filter(|file| file.path.starts_with(FOLDER) && file.path.ends_with("/mod.rs"))
        .filter(|file| !tells_messages(&file.text))
        .map(|file| {
            Violation::new(
                &file.path,
                "the front page needs a table with a `message` column, or the words `no messages` where the folder has none",
            )
        })
        .collect()
}

fn tells_messages(text: &str) -> bool {
    let mut front = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::to_lowercase);
    front.any(|line| {
        let is_heading = line.trim_start().starts_with('|') && line.contains("message");
        is_heading || NONE.iter().any(|words| line.contains(words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(path: &str, text: &str) -> bool {
        check(&Workspace::made_up(&[], &[(path, text)])).is_empty()
    }

    #[test]
    fn a_table_passes_and_so_does_a_folder_that_says_it_has_none() {
        let table = "//! Multiplies.\n//!\n//! | step | who | message | bytes |\n";
        assert!(passes("crates/protocols/src/share/mod.rs", table));
        assert!(passes(
            "crates/protocols/src/ot/mod.rs",
            "//! A group of protocols; no messages of its own.\n"
        ));
    }

    #[test]
    fn a_front_page_without_a_table_is_found() {
        assert!(!passes("crates/protocols/src/share/mod.rs", "//! Multiplies.\n"));
        assert!(!passes("crates/protocols/src/a/b/mod.rs", "//! Multiplies.\n\n/// | message |\n"));
    }

    #[test]
    fn other_crates_and_other_files_need_none() {
        assert!(passes("crates/graph/src/onnx/mod.rs", "//! Reads models.\n"));
        assert!(passes("crates/protocols/src/share/ideal.rs", "//! The product.\n"));
    }
}
