//! A stock in use: read once, forwards, and gone afterwards.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::PathBuf;

use blindscan_arith::erase::Erased;

use super::seal::{KeyFolder, Seal, TAG_BYTES};
use super::{StockError, StockHeader, StockId};

/// A stock that is marked spent, and whose key is still on the disk: nothing of it can be read yet.
pub struct Taken(pub(super) Stock);

impl Taken {
    /// Erases the key on the disk, once both parties have agreed on the job; then sections may be read.
    pub fn begin(self) -> Result<Stock, StockError> {
        if let Some(remains) = &self.0.remains {
            remains.keys.erase(remains.id)?;
        }
        Ok(self.0)
    }
}

/// A stock in use: sections come once, in order.
pub struct Stock {
    header: StockHeader,
    input: BufReader<File>,
    seal: Seal,
    section: u64,
    remains: Option<Remains>,
}

impl Stock {
    /// A stock whose header has been read.
    pub(super) fn new(
        header: StockHeader,
        input: BufReader<File>,
        seal: Seal,
        remains: Option<Remains>,
    ) -> Self {
        Self { header, input, seal, section: 0, remains }
    }

    /// The next section, which has `length` bytes.
    pub fn section(&mut self, length: usize) -> Result<Erased<u8>, StockError> {
        let damaged = StockError::Damaged { id: self.header.id, section: self.section };
        let mut payload = Erased::zeros(length);
        let mut tag = [0; TAG_BYTES];
        let read = self.input.read_exact(&mut payload).and_then(|()| self.input.read_exact(&mut tag));
        if read.is_err() || !self.seal.open(self.section, &tag, &mut payload) {
            return Err(damaged);
        }
        self.section += 1;
        Ok(payload)
    }
}

/// What a stock that was taken leaves on the disk: removed when it is dropped.
pub(super) struct Remains {
    pub(super) id: StockId,
    pub(super) file: PathBuf,
    pub(super) keys: KeyFolder,
}

impl Drop for Remains {
    fn drop(&mut self) {
        let _ = self.keys.erase(self.id);
        let _ = fs::remove_file(&self.file);
    }
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Taken({}, secret)", self.0.header.id)
    }
}

impl std::fmt::Debug for Stock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stock({}, at section {}, secret)", self.header.id, self.section)
    }
}
