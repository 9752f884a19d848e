//! Every dependency is named by the code that it is listed for.
//!
//! A `[dependencies]` entry must be named in the package's `src` outside of tests, or it belongs to `[dev-dependencies]`; one of
//! those must be named anywhere in the package. An entry of the workspace must be taken by some package. A feature of ours must be asked
//! for by its package's code. What features of others bring is not looked at.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Violation;
use super::rust_text::{code_only, lines_with_word};
use crate::workspace::{Package, TextFile, Workspace};

/// Where the section of a file begins that is compiled for tests alone: the last of it, by this project's habit.
const TESTS_BEGIN: &str = "#[cfg(test)]\nmod tests {";

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let in_packages = workspace.packages.iter().flat_map(|package| in_package(workspace, package));
    in_packages.chain(in_root(workspace)).collect()
}

fn in_package(workspace: &Workspace, package: &Package) -> Vec<Violation> {
    let folder = format!("{}/", package.folder);
    let files: Vec<(&TextFile, String)> = workspace
        .rust_files()
        .filter(|file| file.path.starts_with(&folder))
        .map(|file| (file, code_only(&file.text)))
        .collect();
    let place = format!("{}/Cargo.toml", package.folder);
    let named = |key: &str, code: &str| is_named(code, &key.replace('-', "_"));
    let anywhere = |key: &str| files.iter().any(|(_, code)| named(key, code));
    let in_use = |key: &str| {
        let outside = files.iter().filter(|(file, _)| !is_for_tests(&file.path[folder.len()..]));
        outside.into_iter().any(|(_, code)| named(key, code.split(TESTS_BEGIN).next().unwrap_or(code)))
    };
    let mut found = Vec::new();
    for key in keys(&package.manifest, "dependencies") {
        if !anywhere(&key) {
            found.push(Violation::new(&place, format!("{key} is named nowhere in this package; remove it")));
        } else if !in_use(&key) {
            found.push(Violation::new(
                &place,
                format!("only tests name {key}; move it to [dev-dependencies]"),
            ));
        }
    }
    for key in keys(&package.manifest, "dev-dependencies") {
        if !anywhere(&key) {
            found.push(Violation::new(&place, format!("{key} is named nowhere in this package; remove it")));
        }
    }
    let asked_for = |name: &str| {
        let condition = format!("feature = \"{name}\"");
        files.iter().any(|(file, _)| file.text.contains(&condition))
    };
    let features = package.manifest.get("features").and_then(Value::as_table).into_iter().flatten();
    let unasked = features.filter(|(name, _)| *name != "default" && !asked_for(name));
    found.extend(unasked.map(|(name, _)| {
        Violation::new(&place, format!("no code of this package asks for feature {name}; remove it"))
    }));
    found
}

/// Whether code names a crate: a variable of that name is none.
fn is_named(code: &str, name: &str) -> bool {
    let forms = [format!("{name}::"), format!("use {name} "), format!("use {name};")];
    let lines: Vec<&str> = code.lines().collect();
    lines_with_word(code, name).any(|line| forms.iter().any(|form| lines[line - 1].contains(form)))
}

/// Whether a file, by its path in its package, is compiled for tests, benches and examples alone.
fn is_for_tests(path: &str) -> bool {
    let in_source = path.starts_with("src/") || path.starts_with("targets/") || path == "build.rs";
    let name = path.rsplit('/').next().unwrap_or(path);
    !in_source || path.contains("/tests/") || name == "tests.rs" || name.ends_with("_tests.rs")
}

/// The names in a table of dependencies, those for certain targets with them.
fn keys(manifest: &Table, table: &str) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([manifest]);
    let entries = tables.filter_map(|of| of.get(table).and_then(Value::as_table)).flatten();
    entries.map(|(key, _)| key.clone()).collect()
}

fn in_root(workspace: &Workspace) -> Vec<Violation> {
    let Some(manifest) = workspace.text("Cargo.toml").and_then(|text| text.parse::<Table>().ok()) else {
        return Vec::new();
    };
    let Some(entries) = manifest.get("workspace").and_then(Value::as_table) else { return Vec::new() };
    let taken: BTreeSet<String> = workspace
        .packages
        .iter()
        .flat_map(|package| ["dependencies", "dev-dependencies"].map(|table| keys(&package.manifest, table)))
        .flatten()
        .collect();
    keys(entries, "dependencies")
        .into_iter()
        .filter(|key| !taken.contains(key))
        .map(|key| Violation::new("Cargo.toml", format!("no package takes {key}; remove it")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(manifest: &str, files: &[(&str, &str)]) -> Vec<String> {
        let manifest = format!("package.name = 'x'\n{manifest}");
        let workspace = Workspace::made_up(&[("crates/x", &manifest)], files);
        check(&workspace).into_iter().map(|violation| violation.problem).collect()
    }

    #[test]
    fn a_dependency_that_code_names_passes() {
        let files = [("crates/x/src/lib.rs", "use rand_core::CryptoRng;\n")];
        assert!(problems("dependencies.rand-core = '1'", &files).is_empty());
        let files = [("crates/x/src/lib.rs", "#[cfg(test)]\nmod tests;\n\nuse rand_core::CryptoRng;\n")];
        assert!(problems("dependencies.rand-core = '1'", &files).is_empty());
        let files = [("crates/x/tests/a.rs", "fn f() { proptest::run() }\n")];
        assert!(problems("dev-dependencies.proptest = '1'", &files).is_empty());
    }

    #[test]
    fn a_dependency_that_only_words_name_is_found() {
        let files = [
            ("crates/x/src/lib.rs", "//! Without serde.\nfn serde_of() { let serde = \"serde\"; }\n"),
            ("crates/y/src/lib.rs", "use serde::Serialize;\n"),
        ];
        for table in ["dependencies", "dev-dependencies", "target.'cfg(unix)'.dependencies"] {
            let found = problems(&format!("{table}.serde = '1'"), &files);
            assert_eq!(found, ["serde is named nowhere in this package; remove it"], "{table}");
        }
    }

    #[test]
    fn a_dependency_of_tests_alone_is_found() {
        let places = [
            ("crates/x/src/a/tests.rs", "use rand::rng;\n"),
            ("crates/x/src/tests/a.rs", "use rand::rng;\n"),
            ("crates/x/benches/a.rs", "use rand::rng;\n"),
            (
                "crates/x/src/lib.rs",
                "#[cfg(test)]\nmod more;\n\n#[cfg(test)]\nmod tests {\n    use rand::rng;\n}\n",
            ),
        ];
        for file in places {
            let found = problems("dependencies.rand = '1'", &[file]);
            assert_eq!(found, ["only tests name rand; move it to [dev-dependencies]"], "{}", file.0);
        }
    }

    #[test]
    fn a_feature_that_no_code_asks_for_is_found() {
        let asks = ("crates/x/src/lib.rs", "#[cfg(feature = \"testing\")]\npub mod testing;\n");
        assert!(problems("features.testing = []", &[asks]).is_empty());
        let found = problems("features.speed = []", &[asks]);
        assert_eq!(found, ["no code of this package asks for feature speed; remove it"]);
    }

    #[test]
    fn an_entry_of_the_workspace_that_nobody_takes_is_found() {
        let root = ("Cargo.toml", "[workspace.dependencies]\nserde = '1'\ntoml = '1'\n");
        let found = problems("dev-dependencies.serde = '1'", &[root, ("crates/x/src/lib.rs", "use serde;")]);
        assert_eq!(found, ["no package takes toml; remove it"]);
    }
}
