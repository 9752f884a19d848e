//! Reads which of our crates a manifest names, in which table and with which features.

use toml::{Table, Value};

use crate::workspace::Package;

/// Where a dependency stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Linked into what others use; build scripts count as such.
    Normal,
    /// For tests, benches and examples alone.
    Dev,
}

/// One dependency on a crate of ours.
#[derive(Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) features: Vec<String>,
}

/// All dependencies of `package` on crates of ours.
pub(super) fn ours(package: &Package) -> Vec<Dependency> {
    let mut found = in_tables(&package.manifest);
    if let Some(targets) = package.manifest.get("target").and_then(Value::as_table) {
        found.extend(targets.values().filter_map(Value::as_table).flat_map(in_tables));
    }
    found
}

/// Features that a dependency's entry enables.
pub(super) fn features(entry: &Value) -> Vec<String> {
    let listed = entry.get("features").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn in_tables(manifest: &Table) -> Vec<Dependency> {
    let tables = [
        ("dependencies", Kind::Normal),
        ("build-dependencies", Kind::Normal),
        ("dev-dependencies", Kind::Dev),
    ];
    let mut found = Vec::new();
    for (table, kind) in tables {
        for (key, entry) in manifest.get(table).and_then(Value::as_table).into_iter().flatten() {
            let name = entry.get("package").and_then(Value::as_str).unwrap_or(key);
            if name.starts_with("blindscan") {
                found.push(Dependency { name: name.to_owned(), kind, features: features(entry) });
            }
        }
    }
    found
}
