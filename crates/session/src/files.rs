//! Small files of a state directory: whole or not at all, one writer at a time, never larger than a cap.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;
use thiserror::Error;

/// The largest file that is read.
pub(crate) const CAP: u64 = 1 << 20;

/// Why a file of the state directory cannot be used. Never holds what is in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system's own error.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// There is no identity yet.
    #[error("{path} does not exist; make an identity first (blindscan keys new)")]
    NoIdentity {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is an identity already, and a new one would lock its owner out everywhere.
    #[error("{path} exists; an identity is never overwritten: move it away first if it is no longer wanted")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner can read a private file.
    #[error("{path} can be read by others (mode {mode:03o}); run: chmod 600 {path}")]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is larger than any such file.
    #[error("{path} is larger than {CAP} bytes; it is not one of ours")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file's text is not what it should be.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A name that would not read well in a list or a log.
    #[error("a client's name has 1 to 64 letters, digits, spaces or any of . _ @ -")]
    Name,
}

impl StoreError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.into(), source }
    }

    pub(crate) fn unreadable(path: &Path, reason: impl ToString) -> Self {
        Self::Unreadable { path: path.into(), reason: reason.to_string() }
    }
}

/// Reads a file, or nothing when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io(path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(CAP + 1).read_to_end(&mut bytes).map_err(StoreError::io(path))?;
    if bytes.len() as u64 > CAP {
        return Err(StoreError::TooLong { path: path.into() });
    }
    Ok(Some(bytes))
}

/// Writes a file that only its owner can read. It is on the disk, whole, when this returns.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let written = written_beside(path, bytes)?;
    written.persist(path).map_err(|error| StoreError::io(path)(error.error))?;
    sync_directory(path)
}

/// Writes a file like [`replace`], but only if there is none.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    written_beside(path, bytes)?.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Exists { path: path.into() },
        _ => StoreError::io(path)(error.error),
    })?;
    sync_directory(path)
}

/// Reads a list in TOML; a missing file is an empty list.
pub(crate) fn load_toml<T: DeserializeOwned + Default>(path: &Path) -> Result<T, StoreError> {
    let Some(bytes) = read(path)? else { return Ok(T::default()) };
    let text = std::str::from_utf8(&bytes).map_err(|error| StoreError::unreadable(path, error))?;
    toml::from_str(text).map_err(|error| StoreError::unreadable(path, error))
}

/// Changes a list in TOML, one program at a time. It is on the disk when this returns; on an error it is unchanged.
pub(crate) fn update_toml<T, R, E>(path: &Path, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E>
where
    T: Serialize + DeserializeOwned + Default,
    E: From<StoreError>,
{
    let lock = path.with_extension("lock");
    let guard = OpenOptions::new().create(true).append(true).open(&lock).map_err(StoreError::io(&lock))?;
    guard.lock().map_err(StoreError::io(&lock))?;
    let mut list = load_toml(path)?;
    let result = change(&mut list)?;
    let text = toml::to_string(&list).map_err(|error| StoreError::unreadable(path, error))?;
    replace(path, text.as_bytes())?;
    Ok(result)
}

/// Makes a directory that only its owner can enter, if there is none.
pub(crate) fn make_private_directory(path: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(StoreError::io(path))
}

/// Checks that nobody but the owner can read or change a file.
pub(crate) fn require_private(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(StoreError::io(path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::NotPrivate { path: path.into(), mode });
        }
    }
    Ok(())
}

/// A file with this content beside its final place; `tempfile` gives it mode 0600.
fn written_beside(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, StoreError> {
    let mut file = NamedTempFile::new_in(directory_of(path)).map_err(StoreError::io(path))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(StoreError::io(path))?;
    Ok(file)
}

/// A rename is on the disk only when its directory is.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = directory_of(path);
    if cfg!(unix) {
        File::open(directory).and_then(|file| file.sync_all()).map_err(StoreError::io(directory))?;
    }
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list.toml");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        require_private(&path).unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn a_file_above_the_cap_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("huge");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(read(&path), Err(StoreError::TooLong { .. })));
    }

    #[test]
    fn changes_from_many_threads_are_all_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.toml");
        type Counts = std::collections::BTreeMap<String, u32>;
        std::thread::scope(|scope| {
            for index in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    update_toml(path, |counts: &mut Counts| {
                        counts.insert(format!("k{index}"), index);
                        Ok::<_, StoreError>(())
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(load_toml::<Counts>(&path).unwrap().len(), 8);
    }

    #[test]
    fn a_change_that_fails_leaves_the_file_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.toml");
        type Counts = std::collections::BTreeMap<String, u32>;
        let failed = update_toml(&path, |counts: &mut Counts| {
            counts.insert("lost".into(), 1);
            Err::<(), _>(StoreError::Name)
        });
        assert!(matches!(failed, Err(StoreError::Name)));
        assert!(load_toml::<Counts>(&path).unwrap().is_empty());
    }
}
