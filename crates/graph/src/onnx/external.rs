//! Weights that a model keeps in a file beside itself, as exporters write them by default.
//!
//! Where its weights are is said by the model, which may come from a stranger. So the place must be a plain file name, which
//! lies in the model's own folder; a link is not followed; offset and length are held against the file's size before
//! anything is allocated; and the model with all such files has at most [`FILE_BYTES_MAX`] bytes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::names::printable;
use super::proto::TensorProto;
use super::{Budget, FILE_BYTES_MAX, Refusal, refuse};

/// What to do when the file beside cannot be read.
const ONE_FILE: &str =
    "put both into one folder under their own names, or save one file: onnx.save(onnx.load(PATH), NEW_PATH)";

/// The files beside a model, each opened once.
pub(super) struct Beside {
    /// `None` for a model that was read from memory.
    folder: Option<PathBuf>,
    files: HashMap<String, Result<Opened, Refusal>>,
    bytes_left: u64,
}

struct Opened {
    file: File,
    bytes: u64,
}

/// Where a tensor says that its elements are.
struct Place<'a> {
    name: &'a str,
    offset: u64,
    length: Option<u64>,
}

impl Beside {
    /// The files in `folder`, for a model of `model_bytes`.
    pub(super) fn new(folder: Option<&Path>, model_bytes: usize) -> Self {
        let bytes_left = FILE_BYTES_MAX.saturating_sub(model_bytes as u64);
        Beside { folder: folder.map(Path::to_path_buf), files: HashMap::new(), bytes_left }
    }

    /// Whether a tensor's elements are in another file.
    pub(super) fn holds(tensor: &TensorProto) -> bool {
        tensor.data_location == 1 || !tensor.external_data.is_empty()
    }

    /// Opens the tensor's file, when that was not done yet, and adds its size to the budget.
    pub(super) fn open(&mut self, tensor: &TensorProto, budget: &mut Budget) -> Result<(), Refusal> {
        let place = Place::of(tensor)?;
        if !self.files.contains_key(place.name) {
            let opened = self.opened(place.name);
            if let Ok(opened) = &opened {
                self.bytes_left -= opened.bytes;
                budget.add_file(opened.bytes as usize);
            }
            self.files.insert(place.name.to_owned(), opened);
        }
        self.file(place.name).map(drop)
    }

    fn opened(&self, name: &str) -> Result<Opened, Refusal> {
        let Some(folder) = &self.folder else {
            return refuse(format!("it keeps weights in another file, {:?}", printable(name)), ONE_FILE);
        };
        let Some((file, bytes)) = plain_file(&folder.join(name)) else {
            return refuse(
                format!(
                    "it keeps weights in {:?}, and no plain file of that name lies beside it",
                    printable(name)
                ),
                ONE_FILE,
            );
        };
        if bytes > self.bytes_left {
            return refuse(
                format!(
                    "with {:?} it has more than the {FILE_BYTES_MAX} bytes that are read",
                    printable(name)
                ),
                "store it with 32-bit floats and without training state",
            );
        }
        Ok(Opened { file, bytes })
    }

    fn file(&mut self, name: &str) -> Result<&mut Opened, Refusal> {
        match self.files.get_mut(name) {
            Some(Ok(opened)) => Ok(opened),
            Some(Err(refusal)) => Err(refusal.clone()),
            None => refuse(format!("{:?} was not opened", printable(name)), ONE_FILE),
        }
    }

    /// The tensor's `bytes` bytes, its file being open.
    pub(super) fn read(&mut self, tensor: &TensorProto, bytes: u64) -> Result<Vec<u8>, Refusal> {
        let place = Place::of(tensor)?;
        let opened = self.file(place.name)?;
        let fits = place.length.is_none_or(|length| length == bytes)
            && place.offset.checked_add(bytes).is_some_and(|end| end <= opened.bytes);
        let mut content = Vec::new();
        if fits
            && opened.file.seek(SeekFrom::Start(place.offset)).is_ok()
            && (&mut opened.file).take(bytes).read_to_end(&mut content).is_ok()
            && content.len() as u64 == bytes
        {
            return Ok(content);
        }
        refuse(
            format!(
                "tensor {:?} needs {bytes} bytes at offset {} of {:?}, which do not fit that file or the length it states",
                printable(&tensor.name),
                place.offset,
                printable(place.name)
            ),
            "export the model again: the two files do not belong together",
        )
    }
}

impl<'a> Place<'a> {
    fn of(tensor: &'a TensorProto) -> Result<Self, Refusal> {
        let value = |key: &str| {
            tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
        };
        let number = |key: &str| value(key).map(|text| text.parse::<u64>().ok());
        let (Some(name), offset, length) = (value("location"), number("offset"), number("length")) else {
            return refuse(
                format!("tensor {:?} does not say in which file its data is", printable(&tensor.name)),
                "export the model again",
            );
        };
        if !is_plain_name(name) {
            return refuse(
                format!(
                    "it keeps weights in {:?}, and only a file in its own folder is read",
                    printable(name)
                ),
                ONE_FILE,
            );
        }
        match (offset.unwrap_or(Some(0)), length) {
            (Some(offset), None) => Ok(Place { name, offset, length: None }),
            (Some(offset), Some(Some(length))) => Ok(Place { name, offset, length: Some(length) }),
            _ => refuse(
                format!("tensor {:?} states no offset or length that is a number", printable(&tensor.name)),
                "export the model again",
            ),
        }
    }
}

/// A file name without any path: on no system does it lead out of its folder.
fn is_plain_name(name: &str) -> bool {
    let leads_away = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && !name.contains(leads_away)
}

/// Opens a file that is no link, pipe or device, and returns its size. The file that was checked must be the one that was opened.
fn plain_file(path: &Path) -> Option<(File, u64)> {
    let looked_at = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let file = File::open(path).ok()?;
    let opened = file.metadata().ok()?;
    (opened.is_file() && is_same(&looked_at, &opened)).then_some((file, opened.len()))
}

#[cfg(unix)]
fn is_same(a: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(a: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    a.len() == b.len()
}
