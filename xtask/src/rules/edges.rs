//! Which crate may depend on which: the table of ARCHITECTURE.md, and nothing beside it.
//!
//! Tests obey the same table, but for a dependency that brings a test dealer (see the rule on features).

use super::Violation;
use super::dependencies::{self, Kind};
use super::features::TEST_FEATURES;
use crate::workspace::{Package, Workspace};

/// Each package of ours and what it may name.
const ALLOWED: &[(&str, &[&str])] = &[
    ("blindscan-arith", &[]),
    ("blindscan-wire", &[]),
    ("blindscan-input-spec", &[]),
    // docs/decisions/0027: plans and scan readers share the words of an input specification.
    ("blindscan-imaging", &["input-spec"]),
    ("blindscan-rlwe", &["arith"]),
    // docs/decisions/0001: the clear evaluator and the protocols share one set of integer kernels.
    ("blindscan-graph", &["arith", "input-spec"]),
    ("blindscan-protocols", &["arith", "rlwe", "wire"]),
    ("blindscan-inference", &["graph", "protocols", "rlwe", "wire", "arith"]),
    // docs/decisions/0002: the handshake carries the public plan, and a job names its party.
    ("blindscan-session", &["inference", "protocols", "graph", "wire"]),
    // docs/decisions/0025: the way of a job as a library, that programs stand on.
    ("blindscan-workflow", &["session", "inference", "imaging", "graph", "protocols", "wire", "arith"]),
    (
        "blindscan",
        &[
            "workflow",
            "session",
            "inference",
            "imaging",
            "graph",
            "protocols",
            "rlwe",
            "wire",
            "arith",
            "e2e",
        ],
    ),
    // For the program's tests alone.
    ("blindscan-e2e", &["session", "graph", "wire"]),
    ("blindscan-fuzz", &["session", "imaging", "graph", "rlwe", "wire", "arith"]),
    ("xtask", &[]),
];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    workspace.packages.iter().flat_map(forbidden_edges).collect()
}

fn forbidden_edges(package: &Package) -> Vec<Violation> {
    let place = format!("{}/Cargo.toml", package.folder);
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
        return vec![Violation::new(
            place,
            format!("{} has no row in the table of edges; add one here and in ARCHITECTURE.md", package.name),
        )];
    };

    let may = |name: &str| name.strip_prefix("blindscan-").is_some_and(|short| allowed.contains(&short));
    let brings_dealer = |dependency: &dependencies::Dependency| {
        dependency.kind == Kind::Dev
            && dependency.features.iter().any(|f| TEST_FEATURES.contains(&f.as_str()))
    };
    dependencies::ours(package)
        .into_iter()
        .filter(|dependency| !may(&dependency.name) && !brings_dealer(dependency))
        .map(|dependency| {
            Violation::new(&place, format!("{} must not depend on {}", package.name, dependency.name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations_of(manifest: &str) -> usize {
        check(&Workspace::made_up(&[("crates/x", manifest)], &[])).len()
    }

    #[test]
    fn an_edge_of_the_table_passes() {
        let manifest = "package.name = 'blindscan-rlwe'\ndependencies.blindscan-arith.workspace = true";
        assert_eq!(violations_of(manifest), 0);
    }

    #[test]
    fn an_edge_beside_the_table_is_found_in_every_kind_of_table() {
        for table in
            ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"]
        {
            let manifest =
                format!("package.name = 'blindscan-rlwe'\n{table}.blindscan-wire.workspace = true");
            assert_eq!(violations_of(&manifest), 1, "{table}");
        }
    }

    #[test]
    fn a_renamed_dependency_is_found() {
        let manifest =
            "package.name = 'blindscan-imaging'\ndependencies.hidden = { package = 'blindscan-session' }";
        assert_eq!(violations_of(manifest), 1);
    }

    #[test]
    fn tests_may_borrow_a_dealer_from_elsewhere() {
        let manifest = "package.name = 'blindscan-session'\n\
                        dev-dependencies.blindscan-rlwe = { workspace = true, features = ['testing'] }";
        assert_eq!(violations_of(manifest), 0);
    }

    #[test]
    fn a_package_without_a_row_is_found() {
        assert_eq!(violations_of("package.name = 'blindscan-new'"), 1);
    }
}
