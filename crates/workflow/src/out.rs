//! The folder of answers: made before anything is sent, and gone again when nothing was put into it.

use std::path::{Path, PathBuf};

use crate::error::{At, Result};

/// A folder for answers. On drop those parts of its path that did not exist before are removed, when they are empty.
pub struct OutFolder {
    path: PathBuf,
    /// What was made, the outermost first.
    made: Vec<PathBuf>,
}

impl OutFolder {
    /// Makes the folder, with those above it.
    pub fn make(path: &Path) -> Result<Self> {
        let missing = path.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists());
        let mut made: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
        made.reverse();
        let folder = Self { path: path.into(), made };
        std::fs::create_dir_all(path).at(path)?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OutFolder {
    fn drop(&mut self) {
        for part in self.made.iter().rev() {
            // A folder that holds something is not removed: that is how an answer stays.
            if std::fs::remove_dir(part).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_goes_and_one_with_an_answer_stays() {
        let place = tempfile::tempdir().unwrap();
        drop(OutFolder::make(&place.path().join("a/b")).unwrap());
        assert!(!place.path().join("a").exists());

        let folder = OutFolder::make(&place.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("mask"), "").unwrap();
        drop(folder);
        assert!(place.path().join("a/b/mask").exists());

        std::fs::create_dir(place.path().join("there")).unwrap();
        drop(OutFolder::make(&place.path().join("there")).unwrap());
        assert!(place.path().join("there").exists(), "a folder of the user's stays, empty or not");
    }
}
