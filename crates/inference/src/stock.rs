//! The stock: one-time material of one inference, made offline, consumed online, never used twice.
//!
//! A stock is a file of sections in the order in which the online phase reads them. While it is being made it has no
//! name (or ends in `.part`); when both parties are done it is called `<id>.stock`; taking it renames it to `<id>.spent`
//! **before** the first section is read, and the file is removed when the job ends. A crash at any point therefore
//! leaves a stock that is either whole and unused, or unusable. [`Stock`] is not `Clone` and is read once, forwards.
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
//! | section: length, checksum, payload | 8 + 16 + length |
//!
//! A checksum is the first 16 bytes of blake3 over the header, the section's number and the payload: a section that was
//! damaged, moved, or taken from another stock is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use blindscan_protocols::Party;
use thiserror::Error;

const MAGIC: &[u8; 8] = b"BSSTOCK1";
const VERSION: u32 = 1;
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
    /// Held shared while the folder is in use, so that nobody clears what is being made.
    lock: File,
}

impl StockFolder {
    /// Opens (and makes) the folder, readable by its owner alone. Who opens it alone clears what a crash left behind.
    pub fn open(path: &Path) -> Result<Self, StockError> {
        let failed = |source| StockError::Io { path: path.to_path_buf(), source };
        fs::create_dir_all(path).map_err(failed)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        let lock = File::create(path.join("lock")).map_err(failed)?;
        let alone = lock.try_lock().is_ok();
        let folder = Self { path: path.to_path_buf(), lock };
        if alone {
            for name in folder.names()? {
                if name.ends_with(".spent") || name.ends_with(".part") {
                    folder.io(fs::remove_file(path.join(name)))?;
                }
            }
            folder.io(folder.lock.unlock())?;
        }
        folder.io(folder.lock.lock_shared())?;
        Ok(folder)
    }

    /// Begins a stock that gets its name when it is whole.
    pub fn create(&self, header: StockHeader) -> Result<StockWriter, StockError> {
        let part = self.path.join(format!("{}.part", header.id));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = self.io(options.open(&part))?;
        StockWriter::start(header, file, part, Some(self.stock_path(header.id)))
    }

    /// Unused stocks, by name, for any plan.
    pub fn unused(&self) -> Result<Vec<StockId>, StockError> {
        let mut ids: Vec<StockId> =
            self.names()?.iter().filter_map(|name| parse_id(name.strip_suffix(".stock")?)).collect();
        ids.sort_by_key(|id| id.0);
        Ok(ids)
    }

    /// Takes the stock of this name: marks it spent, then opens it.
    pub fn take(&self, header: StockHeader) -> Result<Stock, StockError> {
        let spent = self.path.join(format!("{}.spent", header.id));
        match fs::rename(self.stock_path(header.id), &spent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StockError::Absent(header.id));
            }
            renamed => self.io(renamed)?,
        }
        self.io(sync_folder_of(&spent))?;
        let file = self.io(File::open(&spent))?;
        Stock::open(header, file, Some(spent))
    }

    /// Takes any unused stock of this purpose and party. One that another program takes first is left to it.
    pub fn take_any(&self, made_for: [u8; 32], party: Party) -> Result<(StockId, Stock), StockError> {
        for id in self.unused()? {
            let Ok(file) = File::open(self.stock_path(id)) else { continue };
            let wanted = StockHeader { id, made_for, party };
            if Stock::open(wanted, file, None).is_err() {
                continue;
            }
            match self.take(wanted) {
                Err(StockError::Absent(_)) => continue,
                taken => return Ok((id, taken?)),
            }
        }
        Err(StockError::Empty(self.path.clone()))
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
    sections: u64,
    path: PathBuf,
    name: Option<PathBuf>,
}

impl StockWriter {
    /// A stock without a name, for a job whose online phase follows at once: gone when it is dropped.
    pub fn anonymous(header: StockHeader) -> Result<Self, StockError> {
        let path = std::env::temp_dir();
        let file = tempfile::tempfile().map_err(|source| StockError::Io { path: path.clone(), source })?;
        Self::start(header, file, path, None)
    }

    fn start(
        header: StockHeader,
        file: File,
        path: PathBuf,
        name: Option<PathBuf>,
    ) -> Result<Self, StockError> {
        let mut writer =
            Self { header, out: BufWriter::with_capacity(1 << 20, file), sections: 0, path, name };
        writer.write(&header_bytes(header))?;
        Ok(writer)
    }

    /// Adds the next section. The bytes are erased after they have been written.
    pub fn section(&mut self, mut payload: Vec<u8>) -> Result<(), StockError> {
        self.write(&(payload.len() as u64).to_le_bytes())?;
        self.write(&checksum(self.header, self.sections, &payload))?;
        self.sections += 1;
        let written = self.write(&payload);
        erase(&mut payload);
        written
    }

    /// Whole and on disk, under its name. To use it, take it from its folder: that marks it spent.
    ///
    /// # Panics
    /// When the stock has no folder: our own mistake.
    pub fn store(mut self) -> Result<StockId, StockError> {
        let name = self.name.take().expect("a stock that is stored was made in a folder");
        let stored = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        let named = stored.and_then(|()| fs::rename(&self.path, &name)).and_then(|()| sync_folder_of(&name));
        if named.is_err() {
            let _ = fs::remove_file(&self.path);
        }
        self.io(named)?;
        Ok(self.header.id)
    }

    /// Whole, and used at once.
    ///
    /// # Panics
    /// When the stock was made in a folder, where it would outlive its use: our own mistake.
    pub fn into_stock(mut self) -> Result<Stock, StockError> {
        assert!(self.name.is_none(), "a stock in a folder is taken from there");
        let flushed = self.out.flush();
        let file = flushed.and_then(|()| self.out.get_ref().try_clone());
        let mut file = self.io(file)?;
        let rewound = file.seek(SeekFrom::Start(0));
        self.io(rewound)?;
        Stock::open(self.header, file, None)
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
        if self.name.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A stock in use: sections come once, in order.
pub struct Stock {
    header: StockHeader,
    input: BufReader<File>,
    section: u64,
    spent: Option<PathBuf>,
}

impl Stock {
    fn open(wanted: StockHeader, file: File, spent: Option<PathBuf>) -> Result<Self, StockError> {
        let mut stock =
            Self { header: wanted, input: BufReader::with_capacity(1 << 20, file), section: 0, spent };
        let mut found = [0; HEADER_BYTES];
        let read = stock.input.read_exact(&mut found);
        if read.is_err() || found != header_bytes(wanted) {
            return Err(StockError::Foreign(wanted.id));
        }
        Ok(stock)
    }

    /// The next section, which has `length` bytes.
    pub fn section(&mut self, length: usize) -> Result<Section, StockError> {
        let damaged = StockError::Damaged { id: self.header.id, section: self.section };
        let mut head = [0; 24];
        let read = self.input.read_exact(&mut head);
        if read.is_err() || head[..8] != (length as u64).to_le_bytes() {
            return Err(damaged);
        }
        let mut payload = Section(vec![0; length]);
        let read = self.input.read_exact(&mut payload.0);
        if read.is_err() || head[8..] != checksum(self.header, self.section, &payload) {
            return Err(damaged);
        }
        self.section += 1;
        Ok(payload)
    }
}

/// The bytes of a section. Erased on drop; not `Clone`, and it prints nothing.
pub struct Section(Vec<u8>);

impl std::ops::Deref for Section {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        erase(&mut self.0);
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        if let Some(path) = &self.spent {
            let _ = fs::remove_file(path);
        }
    }
}

impl std::fmt::Debug for Stock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stock({}, at section {}, secret)", self.header.id, self.section)
    }
}

/// Zeros that the compiler keeps, written at the speed of `fill`.
fn erase(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
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

fn checksum(header: StockHeader, section: u64, payload: &[u8]) -> [u8; 16] {
    let mut hash = blake3::Hasher::new();
    hash.update(&header_bytes(header)).update(&section.to_le_bytes()).update(payload);
    hash.finalize().as_bytes()[..16].try_into().expect("a digest has 32 bytes")
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
mod tests {
    use super::*;

    fn header(id: u8) -> StockHeader {
        StockHeader { id: StockId([id; 16]), made_for: [7; 32], party: Party::ImageOwner }
    }

    fn made(folder: &StockFolder, id: u8) {
        let mut writer = folder.create(header(id)).unwrap();
        writer.section(vec![1, 2, 3]).unwrap();
        writer.section(vec![4; 100]).unwrap();
        writer.store().unwrap();
    }

    #[test]
    fn a_stock_comes_back_section_by_section() {
        let place = tempfile::tempdir().unwrap();
        let folder = StockFolder::open(place.path()).unwrap();
        made(&folder, 1);
        let mut stock = folder.take(header(1)).unwrap();
        assert_eq!(stock.section(3).unwrap()[..], [1, 2, 3]);
        assert_eq!(stock.section(100).unwrap()[..], [4; 100]);
        assert!(matches!(stock.section(1), Err(StockError::Damaged { section: 2, .. })));
    }

    #[test]
    fn a_stock_cannot_be_taken_twice() {
        let place = tempfile::tempdir().unwrap();
        let folder = StockFolder::open(place.path()).unwrap();
        made(&folder, 1);
        let first = folder.take(header(1)).unwrap();
        assert!(matches!(folder.take(header(1)), Err(StockError::Absent(_))));
        drop(first);
        assert!(matches!(folder.take(header(1)), Err(StockError::Absent(_))));
    }

    #[test]
    fn a_crash_after_taking_leaves_nothing_usable() {
        let place = tempfile::tempdir().unwrap();
        let folder = StockFolder::open(place.path()).unwrap();
        made(&folder, 1);
        std::mem::forget(folder.take(header(1)).unwrap());
        drop(folder);
        let reopened = StockFolder::open(place.path()).unwrap();
        assert!(reopened.unused().unwrap().is_empty());
        assert!(matches!(reopened.take(header(1)), Err(StockError::Absent(_))));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "only the lock is left");
    }

    #[test]
    fn a_crash_while_making_leaves_nothing_usable() {
        let place = tempfile::tempdir().unwrap();
        let folder = StockFolder::open(place.path()).unwrap();
        std::mem::forget(folder.create(header(1)).unwrap());
        drop(folder);
        assert!(StockFolder::open(place.path()).unwrap().unused().unwrap().is_empty());
    }

    #[test]
    fn opening_a_folder_in_use_leaves_what_is_being_made() {
        let place = tempfile::tempdir().unwrap();
        let folder = StockFolder::open(place.path()).unwrap();
        let mut writer = folder.create(header(1)).unwrap();
        let beside = StockFolder::open(place.path()).unwrap();
        writer.section(vec![1]).unwrap();
        writer.store().unwrap();
        assert_eq!(beside.unused().unwrap(), [StockId([1; 16])]);
    }

    #[test]
    fn a_stock_of_another_plan_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = StockFolder::open(place.path()).unwrap();
        made(&folder, 1);
        let other = StockHeader { made_for: [8; 32], ..header(1) };
        assert!(matches!(folder.take_any(other.made_for, other.party), Err(StockError::Empty(_))));
        assert!(folder.take_any([7; 32], Party::ImageOwner).is_ok());
    }

    #[test]
    fn programs_that_take_at_once_share_the_stocks_and_none_comes_twice() {
        let place = tempfile::tempdir().unwrap();
        let folder = StockFolder::open(place.path()).unwrap();
        (0..32).for_each(|id| made(&folder, id));
        let take_all = || {
            let folder = StockFolder::open(place.path()).unwrap();
            let mut taken = Vec::new();
            loop {
                match folder.take_any([7; 32], Party::ImageOwner) {
                    Ok((id, stock)) => taken.push((id.0, stock)),
                    Err(StockError::Empty(_)) => return taken,
                    Err(error) => panic!("a stock that another program took is no error: {error}"),
                }
            }
        };
        let taken: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take_all)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let mut ids: Vec<_> = taken.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..32).map(|id| [id; 16]).collect::<Vec<_>>());
    }

    #[cfg(unix)]
    #[test]
    fn a_stock_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let folder = StockFolder::open(&place.path().join("stock")).unwrap();
        made(&folder, 1);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.path), mode(&folder.stock_path(StockId([1; 16])))), (0o700, 0o600));
    }

    #[test]
    fn a_damaged_section_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let folder = StockFolder::open(place.path()).unwrap();
        made(&folder, 1);
        let path = folder.stock_path(StockId([1; 16]));
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let mut stock = folder.take(header(1)).unwrap();
        stock.section(3).unwrap();
        assert!(matches!(stock.section(100), Err(StockError::Damaged { section: 1, .. })));
    }
}
