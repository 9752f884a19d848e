//! Protocols show their messages: who sends a message stands under a table that lists it.
//!
//! A file of `protocols` that sends or receives has a table with a `message` column on its own front page or on that of its
//! folder, `mod.rs`. A folder's front page without such a table lists its files instead, or says that it sends nothing.

use super::Violation;
use super::rust_text::code_only;
use crate::workspace::{TextFile, Workspace};

const FOLDER: &str = "crates/protocols/src/";
/// Files that never run inside a deployed role.
const WITHOUT_ROLES: [&str; 3] = ["tests.rs", "ideal.rs", "dealer.rs"];
const TALK: [&str; 3] = ["channel.send(", "channel.receive(", "channel.exchange("];
const SILENT: [&str; 2] = ["no messages", "sends nothing"];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let protocols =
        workspace.rust_files().filter(|file| file.path.starts_with(FOLDER) && has_roles(&file.path));
    protocols.filter_map(|file| front_page(file).or_else(|| talk(file, workspace))).collect()
}

fn has_roles(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !WITHOUT_ROLES.contains(&name) && !path.contains("/tests/")
}

fn front_page(file: &TextFile) -> Option<Violation> {
    let is_page = file.path.ends_with("/mod.rs");
    let says_enough = lists_messages(&file.text) || lists_files(&file.text) || is_silent(&file.text);
    (is_page && !says_enough).then(|| {
        Violation::new(
            &file.path,
            "the front page needs a table with a `message` column, or one of its files, or the words `no messages`",
        )
    })
}

fn talk(file: &TextFile, workspace: &Workspace) -> Option<Violation> {
    let code = code_only(before_tests(&file.text));
    let talks = TALK.iter().any(|call| code.contains(call));
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let page = workspace.text(&format!("{folder}/mod.rs")).unwrap_or_default();
    let shown = lists_messages(&file.text) || lists_messages(page);
    (talks && !shown).then(|| {
        Violation::new(
            &file.path,
            "sends or receives: list its messages in a table here or in the folder's mod.rs",
        )
    })
}

fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

fn front_lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.trim().to_lowercase())
}

fn lists_messages(text: &str) -> bool {
    front_lines(text).any(|line| line.starts_with('|') && line.contains("message"))
}

fn lists_files(text: &str) -> bool {
    front_lines(text).any(|line| line.starts_with("| file"))
}

fn is_silent(text: &str) -> bool {
    front_lines(text).any(|line| SILENT.iter().any(|words| line.contains(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "//! Multiplies.\n//!\n//! | step | who | message | bytes |\n";
    const TALKS: &str = "//! The sender.\nfn f() { channel.send(&x)?; }\n";

    fn found(files: &[(&str, &str)]) -> usize {
        let files: Vec<_> = files.iter().map(|(name, text)| (format!("{FOLDER}{name}"), *text)).collect();
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        check(&Workspace::made_up(&[], &files)).len()
    }

    #[test]
    fn a_table_in_the_folder_serves_its_roles() {
        assert_eq!(found(&[("share/mod.rs", TABLE), ("share/sender.rs", TALKS)]), 0);
    }

    #[test]
    fn a_folder_may_list_its_files_when_they_list_their_messages() {
        let overview = "//! Non-linear steps.\n//!\n//! | file | ideal |\n";
        let with_table = format!("{TABLE}fn f() {{ channel.send(&x)?; }}\n");
        assert_eq!(found(&[("steps/mod.rs", overview), ("steps/sign.rs", &with_table)]), 0);
        assert_eq!(found(&[("steps/mod.rs", overview), ("steps/sign.rs", TALKS)]), 1);
    }

    #[test]
    fn a_front_page_that_tells_nothing_is_found() {
        assert_eq!(found(&[("share/mod.rs", "//! Multiplies.\n")]), 1);
        assert_eq!(found(&[("share/mod.rs", "//! Multiplies.\n\n/// | message |\n")]), 1);
        assert_eq!(found(&[("share/mod.rs", "//! Helpers; no messages of its own.\n")]), 0);
    }

    #[test]
    fn tests_and_dealers_may_talk_without_a_table() {
        let in_tests = "//! The arithmetic.\n#[cfg(test)]\nmod tests { fn f() { channel.send(&x); } }\n";
        assert_eq!(
            found(&[("share/tests.rs", TALKS), ("share/dealer.rs", TALKS), ("share/sum.rs", in_tests)]),
            0
        );
    }

    #[test]
    fn other_crates_need_no_table() {
        assert_eq!(check(&Workspace::made_up(&[], &[("crates/wire/src/a.rs", TALKS)])), []);
    }
}
