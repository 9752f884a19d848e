//! The stock: one-time material of one inference, made offline, consumed online, never used twice.
//!
//! A stock is a file of sections in the order in which the online phase reads them. While it is being made it has no
//! name (or ends in `.part`); when both parties are done it is called `<id>.stock`; taking it renames it to `<id>.spent`,
//! and the file is removed when the job ends. Sections are sealed under a key of the stock's own, which lies in another
//! folder and is erased once both parties have agreed on the job, **before** the first section is read. A crash at any
//! point therefore leaves a stock that is either whole and unused, or unusable, and a copy of a used stock cannot be
//! read. [`Stock`] is not `Clone` and is read once, forwards.
//!
//! | what happens | in the folder of stock | in the folder of keys |
//! |---|---|---|
//! | it is made | `<id>.part` | - |
//! | it is whole ([`StockWriter::store`]) | `<id>.part`, then `<id>.stock` | first `<id>.key` |
//! | it is taken ([`StockFolder::take`]) | `<id>.spent` | `<id>.key`, read |
//! | it is used ([`Taken::begin`]) | `<id>.spent` | erased |
//! | the job has ended, well or not | - | - |
//!
//! ```compile_fail,E0382
//! fn twice(stock: blindscan_inference::stock::Stock) -> (blindscan_inference::stock::Stock, blindscan_inference::stock::Stock) {
//!     (stock, stock)
//! }
//! ```
//!
//! | part | bytes |
//! |---|---|
//! | header: magic, version, id, what it was made for, party | 8 + 4 + 16 + 32 + 1 |
//! | section: sealed payload, tag | length + 16 |
//!
//! A section that was damaged, moved, taken from another stock or put under another header is refused: `seal`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use blindscan_arith::erase::Erased;
use blindscan_protocols::Party;
use rand_core::CryptoRng;
use thiserror::Error;

use seal::{Key, KeyFolder, Seal, TAG_BYTES};

mod seal;

const MAGIC: &[u8; 8] = b"BSSTOCK1";
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 8 + 4 + 16 + 32 + 1;

/// Names one stock at both parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StockId(pub [u8; 16]);

/// What a stock was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockHeader {
    /// Its name.
    pub id: StockId,
    /// Digest of all that both halves were made for: the public plan, and whatever else must be the same when it is used.
    pub made_for: [u8; 32],
    /// Whose half it is.
    pub party: Party,
}

/// Why a stock could not be made or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StockError {
    /// The file system's own error: no room, no permission.
    #[error("stock {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such stock, or it has been used.
    #[error("stock {0} does not exist or has been used; each stock serves one image: prepare new ones")]
    Absent(StockId),
    /// There is no unused stock for this purpose in the folder.
    #[error("{0} holds no unused stock for this model and this server; run `blindscan prepare` first")]
    Empty(PathBuf),
    /// The file is not a stock, or was made for another plan or party.
    #[error("stock {0} was made for another model, peer, party or version; prepare new ones")]
    Foreign(StockId),
    /// The stock has no key: it was used before and put back, or made with another folder of keys.
    #[error(
        "stock {id} has no key in {folder}, so it cannot be read: it has been used before, or it was made with other --keys; prepare new ones"
    )]
    NoKey {
        /// The stock.
        id: StockId,
        /// Where its key should be.
        folder: PathBuf,
    },
    /// The file is damaged.
    #[error("stock {id}: section {section} is damaged or cut short; this stock is lost, use another")]
    Damaged {
        /// The stock.
        id: StockId,
        /// Index of the section.
        section: u64,
    },
}

impl std::fmt::Display for StockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A folder of stocks of one party.
#[derive(Debug)]
pub struct StockFolder {
    path: PathBuf,
    keys: KeyFolder,
    /// Held shared while the folder is in use, so that nobody clears what is being made.
    lock: File,
}

impl StockFolder {
    /// Opens (and makes) the folder and that of its keys, readable by their owner alone. Who opens it alone clears what a
    /// crash left behind.
    pub fn open(path: &Path, keys: &Path) -> Result<Self, StockError> {
        make_private(path)?;
        let failed = |source| StockError::Io { path: path.to_path_buf(), source };
        let lock = File::create(path.join("lock")).map_err(failed)?;
        let alone = lock.try_lock().is_ok();
        let folder = Self { path: path.to_path_buf(), keys: KeyFolder::open(keys)?, lock };
        if alone {
            folder.clear()?;
            folder.io(folder.lock.unlock())?;
        }
        folder.io(folder.lock.lock_shared())?;
        Ok(folder)
    }

    /// Removes stocks that were not finished or are spent, and their keys first.
    fn clear(&self) -> Result<(), StockError> {
        for name in self.names()? {
            let left = name.strip_suffix(".spent").or(name.strip_suffix(".part"));
            if let Some(id) = left {
                parse_id(id).map_or(Ok(()), |id| self.keys.erase(id))?;
                self.io(fs::remove_file(self.path.join(name)))?;
            }
        }
        Ok(())
    }

    /// Begins a stock that gets its name when it is whole.
    pub fn create(&self, header: StockHeader, rng: &mut impl CryptoRng) -> Result<StockWriter, StockError> {
        let part = self.path.join(format!("{}.part", header.id));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = self.io(options.open(&part))?;
        let place = Place { name: self.stock_path(header.id), keys: self.keys.clone() };
        StockWriter::start(header, file, part, Key::random(rng), Some(place))
    }

    /// Unused stocks, by name, for any plan.
    pub fn unused(&self) -> Result<Vec<StockId>, StockError> {
        let mut ids: Vec<StockId> =
            self.names()?.iter().filter_map(|name| parse_id(name.strip_suffix(".stock")?)).collect();
        ids.sort_by_key(|id| id.0);
        Ok(ids)
    }

    /// Takes the stock of this name: marks it spent, then opens it. It has to be [begun](Taken::begin).
    pub fn take(&self, header: StockHeader) -> Result<Taken, StockError> {
        let spent = self.path.join(format!("{}.spent", header.id));
        match fs::rename(self.stock_path(header.id), &spent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StockError::Absent(header.id));
            }
            renamed => self.io(renamed)?,
        }
        let remains = Remains { id: header.id, file: spent, keys: self.keys.clone() };
        self.io(sync_folder_of(&remains.file))?;
        let file = self.io(File::open(&remains.file))?;
        let input = read_header(header, file)?;
        let seal = Seal::new(&self.keys.read(header.id)?, header_bytes(header));
        Ok(Taken(Stock { header, input, seal, section: 0, remains: Some(remains) }))
    }

    /// Takes any unused stock of this purpose and party. One that another program takes first is left to it, and one
    /// without a key is left alone.
    pub fn take_any(&self, made_for: [u8; 32], party: Party) -> Result<(StockId, Taken), StockError> {
        let mut reason = StockError::Empty(self.path.clone());
        for id in self.unused()? {
            let Ok(file) = File::open(self.stock_path(id)) else { continue };
            let wanted = StockHeader { id, made_for, party };
            if read_header(wanted, file).is_err() {
                continue;
            }
            if !self.keys.has(id) {
                reason = self.keys.missing(id);
                continue;
            }
            match self.take(wanted) {
                Err(StockError::Absent(_)) => continue,
                taken => return Ok((id, taken?)),
            }
        }
        Err(reason)
    }

    fn stock_path(&self, id: StockId) -> PathBuf {
        self.path.join(format!("{id}.stock"))
    }

    fn names(&self) -> Result<Vec<String>, StockError> {
        let entries = self.io(fs::read_dir(&self.path))?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn io<T>(&self, result: io::Result<T>) -> Result<T, StockError> {
        result.map_err(|source| StockError::Io { path: self.path.clone(), source })
    }
}

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
struct Place {
    name: PathBuf,
    keys: KeyFolder,
}

impl StockWriter {
    /// A stock without a name, for a job whose online phase follows at once: gone when it is dropped. Its key is in memory
    /// alone.
    pub fn anonymous(header: StockHeader, rng: &mut impl CryptoRng) -> Result<Self, StockError> {
        let path = std::env::temp_dir();
        let file = tempfile::tempfile().map_err(|source| StockError::Io { path: path.clone(), source })?;
        Self::start(header, file, path, Key::random(rng), None)
    }

    fn start(
        header: StockHeader,
        file: File,
        path: PathBuf,
        key: Key,
        place: Option<Place>,
    ) -> Result<Self, StockError> {
        let (out, seal) = (BufWriter::with_capacity(1 << 20, file), Seal::new(&key, header_bytes(header)));
        let mut writer = Self { header, out, key, seal, sections: 0, path, place };
        writer.write(&header_bytes(header))?;
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
        let input = read_header(self.header, file)?;
        let seal = Seal::new(&self.key, header_bytes(self.header));
        Ok(Stock { header: self.header, input, seal, section: 0, remains: None })
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

/// A stock that is marked spent, and whose key is still on the disk: nothing of it can be read yet.
pub struct Taken(Stock);

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
struct Remains {
    id: StockId,
    file: PathBuf,
    keys: KeyFolder,
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

/// Makes a folder that only its owner can enter.
fn make_private(path: &Path) -> Result<(), StockError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(path);
    #[cfg(unix)]
    let made = made.and_then(|()| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
    });
    made.map_err(|source| StockError::Io { path: path.to_path_buf(), source })
}

/// The file behind its header, which must be the wanted one.
fn read_header(wanted: StockHeader, file: File) -> Result<BufReader<File>, StockError> {
    let mut input = BufReader::with_capacity(1 << 20, file);
    let mut found = [0; HEADER_BYTES];
    let read = input.read_exact(&mut found);
    if read.is_err() || found != header_bytes(wanted) {
        return Err(StockError::Foreign(wanted.id));
    }
    Ok(input)
}

/// A rename is on the disk only when its folder is.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

fn header_bytes(header: StockHeader) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..28].copy_from_slice(&header.id.0);
    bytes[28..60].copy_from_slice(&header.made_for);
    bytes[60] = match header.party {
        Party::ImageOwner => 0,
        Party::ModelOwner => 1,
    };
    bytes
}

fn parse_id(text: &str) -> Option<StockId> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(StockId(id))
}

#[cfg(test)]
mod tests;
