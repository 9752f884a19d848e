//! Files that appear whole or not at all.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::{Result, WorkflowError};

/// Writes a file, in place of an older one.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    written(path, content, |file| file.persist(path).map(drop).map_err(Into::into))
}

/// Writes a file that must not be there yet.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    written(path, content, |file| file.persist_noclobber(path).map(drop).map_err(Into::into))
}

fn written(
    path: &Path,
    content: &[u8],
    persist: impl FnOnce(NamedTempFile) -> std::io::Result<()>,
) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(content)?;
        persist(file)
    });
    written.map_err(|source| WorkflowError::NotWritten { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_new_one_replaces_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        write_new(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        let refused = write_new(&path, b"three").unwrap_err();
        assert!(refused.one_line().contains("file could not be written"), "{}", refused.one_line());
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
