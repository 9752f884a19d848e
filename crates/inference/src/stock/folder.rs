//! A folder of stocks: what is unused in it, what a crash left behind, and how a stock is taken.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;

use super::reader::Remains;
use super::seal::{Key, KeyFolder, Seal};
use super::writer::Place;
use super::{Purpose, Stock, StockError, StockHeader, StockId, StockWriter, Taken};

/// A folder of stocks of one party.
#[derive(Debug)]
pub struct StockFolder {
    path: PathBuf,
    pub(super) keys: KeyFolder,
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
                StockId::parse(id).map_or(Ok(()), |id| self.keys.erase(id))?;
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
            self.names()?.iter().filter_map(|name| StockId::parse(name.strip_suffix(".stock")?)).collect();
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
        let input = header.read(file)?;
        let seal = Seal::new(&self.keys.read(header.id)?, header.bytes());
        Ok(Taken(Stock::new(header, input, seal, Some(remains))))
    }

    /// Takes any unused stock of this purpose. One that another program takes first is left to it, and one without a key is
    /// left alone.
    pub fn take_any(&self, purpose: Purpose) -> Result<(StockId, Taken), StockError> {
        let mut reason = StockError::Empty(self.path.clone());
        for id in self.unused()? {
            let Ok(file) = File::open(self.stock_path(id)) else { continue };
            let wanted = StockHeader { id, purpose };
            match wanted.read(file) {
                Ok(_) => {}
                Err(old @ StockError::Version { .. }) => {
                    reason = old;
                    continue;
                }
                Err(_) => continue,
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

    pub(super) fn stock_path(&self, id: StockId) -> PathBuf {
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

/// Makes a folder that only its owner can enter.
pub(super) fn make_private(path: &Path) -> Result<(), StockError> {
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

/// A rename is on the disk only when its folder is.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}
