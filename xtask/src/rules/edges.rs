//! Which crate may depend on which: the map of ARCHITECTURE.md, and nothing beside it.
//!
//! The map's rows are read: the folder of a package, and in the last column the short names of the crates of ours that it may name.
//! Tests obey the same map, but for a dependency that brings a test dealer (see the rule on features).

use super::Violation;
use super::dependencies::{self, Kind};
use super::features::TEST_FEATURES;
use crate::workspace::{Package, Workspace};

const MAP: &str = "ARCHITECTURE.md";
/// The head of the map's table.
const HEAD: &str = "| folder | what it is about | may depend on |";

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let rows: Vec<Row> = workspace.text(MAP).map(rows).unwrap_or_default();
    let gone = rows
        .iter()
        .filter(|row| row.names_package(workspace))
        .filter(|row| !workspace.packages.iter().any(|package| package.folder == row.folder));
    let gone =
        gone.map(|row| Violation::new(MAP, format!("the map names {}, where no package is", row.folder)));
    workspace.packages.iter().flat_map(|package| forbidden_edges(package, &rows)).chain(gone).collect()
}

/// A row of the map.
struct Row<'a> {
    folder: &'a str,
    may_name: Vec<&'a str>,
}

impl Row<'_> {
    /// Whether the row is of a package, and not of a folder of other things.
    fn names_package(&self, workspace: &Workspace) -> bool {
        self.folder.starts_with("crates/") || self.folder.starts_with("apps/") || {
            let manifest = format!("{}/Cargo.toml", self.folder);
            workspace.text(&manifest).is_some()
        }
    }
}

fn rows(map: &str) -> Vec<Row<'_>> {
    let table = map.lines().skip_while(|line| *line != HEAD).skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &'_ str| -> Option<(usize, usize)> { Some((line.find('`')?, line.rfind('|')?)) };
    table
        .filter_map(|line| {
            let (open, end) = row(line)?;
            let folder = line[open + 1..].split('`').next()?;
            let last = line[..end].rsplit('|').next()?;
            let may_name = last.split(',').map(str::trim).filter(|name| !["", "-"].contains(name)).collect();
            Some(Row { folder, may_name })
        })
        .collect()
}

fn forbidden_edges(package: &Package, rows: &[Row<'_>]) -> Vec<Violation> {
    let place = format!("{}/Cargo.toml", package.folder);
    let Some(row) = rows.iter().find(|row| row.folder == package.folder) else {
        return vec![Violation::new(
            place,
            format!(
                "{} has no row in the map of {MAP}; add one, and a page in docs/decisions",
                package.folder
            ),
        )];
    };
    let may = |name: &str| name.strip_prefix("blindscan-").is_some_and(|short| row.may_name.contains(&short));
    let brings_dealer = |dependency: &dependencies::Dependency| {
        dependency.kind == Kind::Dev
            && dependency.features.iter().any(|f| TEST_FEATURES.contains(&f.as_str()))
    };
    dependencies::ours(package)
        .into_iter()
        .filter(|dependency| !may(&dependency.name) && !brings_dealer(dependency))
        .map(|dependency| {
            Violation::new(&place, format!("the map of {MAP} has no edge to {}", dependency.name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| folder | what it is about | may depend on |\n|---|---|---|\n\
        | `crates/arith` | numbers | - |\n| `crates/x` | a | b | arith, rlwe |\n| `docs` | pages | |\n\n\
        | `crates/y` | of another table | arith |\n";

    fn violations_of(manifest: &str) -> Vec<String> {
        let packages = [("crates/arith", "package.name = 'blindscan-arith'"), ("crates/x", manifest)];
        let found = check(&Workspace::made_up(&packages, &[(MAP, TABLE)]));
        found.into_iter().map(|violation| violation.problem).collect()
    }

    #[test]
    fn an_edge_of_the_map_passes() {
        let manifest = "package.name = 'blindscan-x'\ndependencies.blindscan-arith.workspace = true";
        assert!(violations_of(manifest).is_empty());
    }

    #[test]
    fn an_edge_beside_the_map_is_found_in_every_kind_of_table() {
        for table in
            ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"]
        {
            let manifest = format!("package.name = 'blindscan-x'\n{table}.blindscan-wire.workspace = true");
            assert_eq!(
                violations_of(&manifest),
                ["the map of ARCHITECTURE.md has no edge to blindscan-wire"]
            );
        }
    }

    #[test]
    fn a_renamed_dependency_is_found() {
        let manifest =
            "package.name = 'blindscan-x'\ndependencies.hidden = { package = 'blindscan-session' }";
        assert_eq!(violations_of(manifest).len(), 1);
    }

    #[test]
    fn tests_may_borrow_a_dealer_from_elsewhere() {
        let manifest = "package.name = 'blindscan-x'\n\
                        dev-dependencies.blindscan-session = { workspace = true, features = ['testing'] }";
        assert!(violations_of(manifest).is_empty());
    }

    #[test]
    fn a_package_without_a_row_and_a_row_without_a_package_are_found() {
        let packages =
            [("crates/arith", "package.name = 'blindscan-arith'"), ("crates/y", "package.name = 'y'")];
        let found = check(&Workspace::made_up(&packages, &[(MAP, TABLE)]));
        let problems: Vec<&str> = found.iter().map(|violation| violation.problem.as_str()).collect();
        assert!(problems[0].starts_with("crates/y has no row"), "{problems:?}");
        assert_eq!(problems[1], "the map names crates/x, where no package is");
        assert_eq!(problems.len(), 2);
    }
}
