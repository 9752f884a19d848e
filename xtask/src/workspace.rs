//! What the rules read: the manifests of all packages and the text of all files that people wrote.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml::Table;

/// Folders that hold packages of ours, or packages' parents.
const PACKAGE_FOLDERS: [&str; 5] = ["crates", "apps", "e2e", "xtask", "fuzz"];
/// Folders that are made or fetched, not written.
const SKIPPED_FOLDERS: [&str; 4] = ["target", ".git", "corpus", "artifacts"];
/// Endings of the files whose text is read.
const TEXT_ENDINGS: [&str; 6] = ["rs", "md", "toml", "py", "txt", "sh"];
/// Text files without an ending.
const TEXT_NAMES: [&str; 1] = [".ci/run"];

/// The working tree, as far as rules read it.
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    pub(crate) files: Vec<TextFile>,
}

/// One package of ours.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the root, with `/` between names.
    pub(crate) folder: String,
    pub(crate) manifest: Table,
}

/// One file of text.
pub(crate) struct TextFile {
    /// Relative to the root, with `/` between names.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The root of the working tree that this program was built from.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_path_buf()
}

impl Workspace {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        collect(root, "", &mut paths)?;
        paths.sort();

        let mut workspace = Self { packages: Vec::new(), files: Vec::new() };
        for path in paths {
            let text = fs::read_to_string(root.join(&path))
                .with_context(|| format!("cannot read {path} as text"))?;
            if let Some(folder) = package_folder(&path) {
                workspace.packages.push(Package::parse(folder, &text)?);
            }
            workspace.files.push(TextFile { path, text });
        }
        Ok(workspace)
    }

    /// Rust files, whichever package they are of.
    pub(crate) fn rust_files(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The text of a file, when it exists.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// A tree made up for a test: `(folder, manifest)` and `(path, text)`.
    #[cfg(test)]
    pub(crate) fn made_up(packages: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        Self {
            packages: packages.iter().map(|(folder, text)| Package::parse(folder, text).unwrap()).collect(),
            files: files
                .iter()
                .map(|(path, text)| TextFile { path: (*path).into(), text: (*text).into() })
                .collect(),
        }
    }
}

impl Package {
    fn parse(folder: &str, text: &str) -> Result<Self> {
        let manifest: Table =
            text.parse().with_context(|| format!("{folder}/Cargo.toml is not valid TOML"))?;
        let name =
            manifest.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
        let name = name.with_context(|| format!("{folder}/Cargo.toml has no package name"))?.to_owned();
        Ok(Self { name, folder: folder.to_owned(), manifest })
    }
}

fn collect(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(folder)).with_context(|| format!("cannot list {folder}"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type()?.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                collect(root, &path, paths)?;
            }
        } else if is_text(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_text(path: &str) -> bool {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str());
    TEXT_NAMES.contains(&path) || ending.is_some_and(|ending| TEXT_ENDINGS.contains(&ending))
}

fn package_folder(path: &str) -> Option<&str> {
    let folder = path.strip_suffix("/Cargo.toml")?;
    PACKAGE_FOLDERS.contains(&folder.split('/').next()?).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_tree_has_its_packages_and_files() {
        let workspace = Workspace::read(&root()).unwrap();
        assert!(workspace.packages.iter().any(|package| package.name == "blindscan-wire"));
        assert!(workspace.text("xtask/src/main.rs").is_some());
        assert!(workspace.files.iter().all(|file| !file.path.starts_with("target/")));
    }

    #[test]
    fn the_root_manifest_is_no_package() {
        assert_eq!(package_folder("Cargo.toml"), None);
        assert_eq!(package_folder("crates/wire/Cargo.toml"), Some("crates/wire"));
    }
}
