//! Every package takes the workspace's lints, so that a warning means the same everywhere.

use toml::Value;

use super::Violation;
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    workspace
        .packages
        .iter()
        .filter(|package| package.name != "blindscan-fuzz") // outside the workspace: it is built with other flags
        .filter(|package| {
            let lints = package.manifest.get("lints").and_then(|lints| lints.get("workspace"));
            lints.and_then(Value::as_bool) != Some(true)
        })
        .map(|package| {
            Violation::new(format!("{}/Cargo.toml", package.folder), "add `[lints] workspace = true`")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_with_the_lints_passes_and_one_without_is_found() {
        let with = ("crates/a", "package.name = 'a'\nlints.workspace = true");
        let without = ("crates/b", "package.name = 'b'");
        let found = check(&Workspace::made_up(&[with, without], &[]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "crates/b/Cargo.toml");
    }
}
