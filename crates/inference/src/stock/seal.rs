//! What seals the sections of a stock, and where the key of a stock is kept.
//!
//! | part | what |
//! |---|---|
//! | cipher | AES-256-GCM |
//! | key | 32 random bytes, a stock's own |
//! | nonce | number of the section, little-endian, 12 bytes: no key sees one twice |
//! | associated data | the stock's header |
//!
//! A section that was changed, moved, taken from another stock or put under another header does not open. A stock in a
//! folder has its key in a file of its own, elsewhere: whoever gets at the stock alone, on a disk or in a backup, has
//! noise; and when the key is erased, so is every copy of the stock. Erasing overwrites the key where the file system writes
//! in place; on flash, on a file system that copies on write, or in a backup of the folder of keys it may survive.
//! Source: NIST SP 800-38D.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::folder::{make_private, sync_folder_of};
use super::header::HEADER_BYTES;
use super::{StockError, StockId};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// Bytes that a sealed section has more than its payload.
pub(super) const TAG_BYTES: usize = 16;

/// The key of one stock. Erased on drop.
pub(super) struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    pub(super) fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rng.fill_bytes(&mut *bytes);
        Self(bytes)
    }
}

/// Seals and opens the sections of one stock.
pub(super) struct Seal {
    key: LessSafeKey,
    header: [u8; HEADER_BYTES],
}

impl Seal {
    pub(super) fn new(key: &Key, header: [u8; HEADER_BYTES]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &key.0[..]).expect("a key of the cipher's length");
        Self { key: LessSafeKey::new(key), header }
    }

    /// Encrypts a section in place; its tag.
    pub(super) fn seal(&self, section: u64, payload: &mut [u8]) -> [u8; TAG_BYTES] {
        let sealed = self.key.seal_in_place_separate_tag(nonce(section), Aad::from(&self.header), payload);
        let tag = sealed.expect("sections are far below the cipher's 64 GB");
        tag.as_ref().try_into().expect("the cipher's tag has 16 bytes")
    }

    /// Decrypts a section in place; whether it is the one that was sealed there.
    #[must_use]
    pub(super) fn open(&self, section: u64, tag: &[u8; TAG_BYTES], sealed: &mut [u8]) -> bool {
        let opened =
            self.key.open_in_place_separate_tag(nonce(section), Aad::from(&self.header), tag, sealed);
        opened.is_ok()
    }
}

fn nonce(section: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&section.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// A folder of keys, one file per stock.
#[derive(Clone, Debug)]
pub(super) struct KeyFolder(PathBuf);

impl KeyFolder {
    /// Opens (and makes) the folder, readable by its owner alone.
    pub(super) fn open(path: &Path) -> Result<Self, StockError> {
        make_private(path)?;
        Ok(Self(path.to_path_buf()))
    }

    /// Keeps the key of a stock, which has none yet. It is on the disk when this returns.
    pub(super) fn keep(&self, id: StockId, key: &Key) -> Result<(), StockError> {
        let path = self.path_of(id);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = self.io(options.open(&path))?;
        let written = file.write_all(&key.0[..]).and_then(|()| file.sync_all());
        let kept = written.and_then(|()| sync_folder_of(&path));
        if kept.is_err() {
            let _ = fs::remove_file(&path);
        }
        self.io(kept)
    }

    /// The key of a stock.
    pub(super) fn read(&self, id: StockId) -> Result<Key, StockError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        match File::open(self.path_of(id)).and_then(|mut file| file.read_exact(&mut *bytes)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                Err(self.missing(id))
            }
            read => self.io(read).map(|()| Key(bytes)),
        }
    }

    /// Whether there is a key of this stock.
    pub(super) fn has(&self, id: StockId) -> bool {
        self.path_of(id).exists()
    }

    /// The error of a stock without a key.
    pub(super) fn missing(&self, id: StockId) -> StockError {
        StockError::NoKey { id, folder: self.0.clone() }
    }

    /// Overwrites and removes the key of a stock; when this returns, no crash brings its name back. None is no error.
    pub(super) fn erase(&self, id: StockId) -> Result<(), StockError> {
        let path = self.path_of(id);
        let overwritten = OpenOptions::new().write(true).open(&path).and_then(|mut file| {
            file.write_all(&[0; KEY_BYTES])?;
            file.sync_all()
        });
        match overwritten {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            overwritten => self.io(overwritten)?,
        }
        self.io(fs::remove_file(&path).and_then(|()| sync_folder_of(&path)))
    }

    fn path_of(&self, id: StockId) -> PathBuf {
        self.0.join(format!("{id}.key"))
    }

    fn io<T>(&self, result: io::Result<T>) -> Result<T, StockError> {
        result.map_err(|source| StockError::Io { path: self.0.clone(), source })
    }
}
