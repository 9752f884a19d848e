//! A stock in the making.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;

use rand_core::CryptoRng;

use super::folder::sync_folder_of;
use super::seal::{Key, KeyFolder, Seal};
use super::{Stock, StockError, StockHeader, StockId};

/// A stock that is being made.
pub struct StockWriter {
    header: StockHeader,
    out: BufWriter<File>,
    key: Key,
    seal: Seal,
    sections: u64,
    path: PathBuf,
    place: Option<Place>,
}

/// Where a stock and its key will lie when it is whole.
pub(super) struct Place {
    pub(super) name: PathBuf,
    pub(super) keys: KeyFolder,
}

impl StockWriter {
    /// A stock without a name, for a job whose online phase follows at once: gone when it is dropped. Its key is in memory
    /// alone.
    pub fn anonymous(header: StockHeader, rng: &mut impl CryptoRng) -> Result<Self, StockError> {
        let path = std::env::temp_dir();
        let file = tempfile::tempfile().map_err(|source| StockError::Io { path: path.clone(), source })?;
        Self::start(header, file, path, Key::random(rng), None)
    }

    pub(super) fn start(
        header: StockHeader,
        file: File,
        path: PathBuf,
        key: Key,
        place: Option<Place>,
    ) -> Result<Self, StockError> {
        let (out, seal) = (BufWriter::with_capacity(1 << 20, file), Seal::new(&key, header.bytes()));
        let mut writer = Self { header, out, key, seal, sections: 0, path, place };
        writer.write(&header.bytes())?;
        Ok(writer)
    }

    /// Adds the next section. It is sealed in place: nothing of it is left in the clear.
    pub fn section(&mut self, mut payload: Vec<u8>) -> Result<(), StockError> {
        let tag = self.seal.seal(self.sections, &mut payload);
        self.sections += 1;
        self.write(&payload)?;
        self.write(&tag)
    }

    /// Whole and on disk, under its name. To use it, take it from its folder: that marks it spent.
    ///
    /// # Panics
    /// When the stock has no folder: our own mistake.
    pub fn store(mut self) -> Result<StockId, StockError> {
        let place = self.place.take().expect("a stock that is stored was made in a folder");
        let stored = self.stored(&place);
        if stored.is_err() {
            let _ = fs::remove_file(&self.path);
        }
        stored.map(|()| self.header.id)
    }

    /// The key is on the disk before the stock has its name.
    fn stored(&mut self, place: &Place) -> Result<(), StockError> {
        let written = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        self.io(written)?;
        place.keys.keep(self.header.id, &self.key)?;
        let named = fs::rename(&self.path, &place.name).and_then(|()| sync_folder_of(&place.name));
        if named.is_err() {
            let _ = fs::remove_file(&place.name);
            let _ = place.keys.erase(self.header.id);
        }
        self.io(named)
    }

    /// Whole, and used at once.
    ///
    /// # Panics
    /// When the stock was made in a folder, where it would outlive its use: our own mistake.
    pub fn into_stock(mut self) -> Result<Stock, StockError> {
        assert!(self.place.is_none(), "a stock in a folder is taken from there");
        let flushed = self.out.flush();
        let file = flushed.and_then(|()| self.out.get_ref().try_clone());
        let mut file = self.io(file)?;
        let rewound = file.seek(SeekFrom::Start(0));
        self.io(rewound)?;
        let input = self.header.read(file)?;
        let seal = Seal::new(&self.key, self.header.bytes());
        Ok(Stock::new(self.header, input, seal, None))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StockError> {
        let written = self.out.write_all(bytes);
        self.io(written)
    }

    fn io<T>(&self, result: io::Result<T>) -> Result<T, StockError> {
        result.map_err(|source| StockError::Io { path: self.path.clone(), source })
    }
}

impl Drop for StockWriter {
    /// A stock that was not finished leaves nothing behind.
    fn drop(&mut self) {
        if self.place.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
