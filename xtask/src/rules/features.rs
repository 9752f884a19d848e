//! Features that bring test dealers and seeded runs are enabled by dev-dependencies alone.
//!
//! A dealer holds both parties' secrets. It must not be linkable into a program by any normal dependency, by a default
//! feature, nor by the workspace's own entry for a crate.

use toml::Value;

use super::Violation;
use super::dependencies::{self, Kind};
use crate::workspace::{Package, Workspace};

/// The features in question.
pub(super) const TEST_FEATURES: [&str; 2] = ["dealer", "testing"];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut found: Vec<Violation> = workspace.packages.iter().flat_map(in_package).collect();
    found.extend(workspace.text("Cargo.toml").map(in_root).into_iter().flatten());
    found
}

fn in_package(package: &Package) -> Vec<Violation> {
    let place = format!("{}/Cargo.toml", package.folder);
    let enabled = dependencies::ours(package)
        .into_iter()
        .filter(|dependency| dependency.kind == Kind::Normal)
        .flat_map(|dependency| {
            dependency.features.into_iter().map(move |feature| (dependency.name.clone(), feature))
        })
        .filter(|(_, feature)| TEST_FEATURES.contains(&feature.as_str()))
        .map(|(name, feature)| {
            Violation::new(
                &place,
                format!("feature {feature} of {name} may be enabled in dev-dependencies only"),
            )
        });

    let forwarded = package
        .manifest
        .get("features")
        .and_then(Value::as_table)
        .into_iter()
        .flatten()
        .filter(|(name, _)| !TEST_FEATURES.contains(&name.as_str()))
        .filter(|(_, enables)| {
            enables.as_array().into_iter().flatten().filter_map(Value::as_str).any(names_one)
        })
        .map(|(name, _)| {
            Violation::new(&place, format!("feature {name} enables a test feature; rename or remove it"))
        });
    enabled.chain(forwarded).collect()
}

fn in_root(text: &str) -> Vec<Violation> {
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return vec![Violation::new("Cargo.toml", "is not valid TOML")];
    };
    let entries = manifest.get("workspace").and_then(|w| w.get("dependencies")).and_then(Value::as_table);
    entries
        .into_iter()
        .flatten()
        .filter(|(name, entry)| {
            name.starts_with("blindscan") && dependencies::features(entry).iter().any(|f| names_one(f))
        })
        .map(|(name, _)| {
            Violation::new("Cargo.toml", format!("{name} must not carry a test feature for everybody"))
        })
        .collect()
}

/// `dealer`, `crate/dealer` and `crate?/dealer` all name the feature.
fn names_one(feature: &str) -> bool {
    TEST_FEATURES.contains(&feature.rsplit('/').next().unwrap_or(feature))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations_of(manifest: &str) -> usize {
        check(&Workspace::made_up(&[("crates/x", manifest)], &[])).len()
    }

    #[test]
    fn a_dealer_for_tests_passes() {
        let manifest = "package.name = 'x'\nfeatures.dealer = ['blindscan-protocols/dealer']\n\
                        dev-dependencies.blindscan-protocols = { workspace = true, features = ['dealer'] }";
        assert_eq!(violations_of(manifest), 0);
    }

    #[test]
    fn a_dealer_in_a_normal_dependency_is_found() {
        for feature in TEST_FEATURES {
            let manifest = format!(
                "package.name = 'x'\ndependencies.blindscan-protocols = {{ features = ['{feature}'] }}"
            );
            assert_eq!(violations_of(&manifest), 1, "{feature}");
        }
    }

    #[test]
    fn a_default_feature_that_brings_a_dealer_is_found() {
        assert_eq!(violations_of("package.name = 'x'\nfeatures.default = ['dealer']"), 1);
        assert_eq!(violations_of("package.name = 'x'\nfeatures.full = ['blindscan-protocols?/dealer']"), 1);
    }

    #[test]
    fn a_dealer_in_the_workspace_entry_is_found() {
        let root = "[workspace.dependencies]\nblindscan-protocols = { path = 'p', features = ['dealer'] }";
        assert_eq!(check(&Workspace::made_up(&[], &[("Cargo.toml", root)])).len(), 1);
    }
}
