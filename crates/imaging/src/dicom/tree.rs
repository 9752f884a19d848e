//! The files of a folder and of the folders below it: each is DICOM, is left aside with a reason, or is refused by name.
//!
//! | file | what becomes of it |
//! |---|---|
//! | with the head of a DICOM file | read |
//! | of the operating system or the medium (`.DS_Store`, `._*`, `DICOMDIR`) | left aside |
//! | of another known format, by its bytes or its ending; text | left aside |
//! | empty, or nothing that is known | refused: leaving it out in silence could leave out a slice |
//!
//! Endings say nothing about DICOM: archives export files without any. Only a file that calls itself DICOM and is not is
//! refused whatever it looks like.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::elements::{is_bare_data_set, without_head};
use crate::ImagingError;
use crate::error::At;
use crate::files::{Format, dicom_head};
use crate::limits::{FOLDER_DEPTH_MAX, SERIES_FILES_MAX};
use crate::origin::LeftAside;

/// What a folder holds.
#[derive(Default)]
pub(crate) struct Tree {
    /// Files to be read, in the order of their paths.
    pub(crate) dicom: Vec<PathBuf>,
    pub(crate) left_aside: Vec<LeftAside>,
}

/// Looks through a folder and the folders below.
pub(crate) fn walk(folder: &Path) -> Result<Tree, ImagingError> {
    let mut found = Vec::new();
    let mut tree = Tree::default();
    list(folder, folder, 0, &mut found, &mut tree)?;
    found.sort();
    for path in found {
        match class_of(&path)? {
            Class::Dicom => tree.dicom.push(path),
            Class::Aside(reason) => tree.left_aside.push(left_aside(folder, &path, reason)),
        }
    }
    Ok(tree)
}

/// A file that is not read, by its place in the folder.
pub(crate) fn left_aside(folder: &Path, path: &Path, reason: impl Into<String>) -> LeftAside {
    LeftAside { path: path.strip_prefix(folder).unwrap_or(path).into(), reason: reason.into() }
}

fn list(
    root: &Path,
    folder: &Path,
    depth: usize,
    found: &mut Vec<PathBuf>,
    tree: &mut Tree,
) -> Result<(), ImagingError> {
    let at = At(folder);
    at.at_most("its folders within folders", depth as u64, FOLDER_DEPTH_MAX as u64)?;
    for entry in std::fs::read_dir(folder).map_err(|e| at.read(e))? {
        let entry = entry.map_err(|e| at.read(e))?;
        let path = entry.path();
        let is_link = entry.file_type().map_err(|e| at.read(e))?.is_symlink();
        if path.is_file() {
            found.push(path);
        } else if path.is_dir() && !is_link {
            list(root, &path, depth + 1, found, tree)?;
        } else {
            let reason = if path.is_dir() { "a link to a folder" } else { "neither a file nor a folder" };
            tree.left_aside.push(left_aside(root, &path, reason));
        }
        at.at_most("its files", found.len() as u64, SERIES_FILES_MAX as u64)?;
    }
    Ok(())
}

enum Class {
    Dicom,
    Aside(&'static str),
}

/// Bytes that are enough to tell what a file is.
const START_BYTES: u64 = 1024;

/// As [`crate::is_dicom`].
pub(crate) fn is_dicom(path: &Path) -> Result<bool, ImagingError> {
    let (name, start) = (name_of(path), start_of(path)?);
    let is_one = dicom_head(&start).is_some() || is_bare_data_set(&start) || calls_itself_dicom(&name);
    Ok(is_one && of_the_system(&name, &start).is_none())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn start_of(path: &Path) -> Result<Vec<u8>, ImagingError> {
    let at = At(path);
    let mut start = Vec::new();
    let file = File::open(path).map_err(|e| at.read(e))?;
    file.take(START_BYTES).read_to_end(&mut start).map_err(|e| at.read(e))?;
    Ok(start)
}

fn calls_itself_dicom(name: &str) -> bool {
    [".dcm", ".dicom", ".ima"].iter().any(|ending| name.ends_with(ending))
}

fn class_of(path: &Path) -> Result<Class, ImagingError> {
    let at = At(path);
    let (name, start) = (name_of(path), start_of(path)?);
    if let Some(reason) = of_the_system(&name, &start) {
        return Ok(Class::Aside(reason));
    }
    if dicom_head(&start).is_some() {
        return Ok(Class::Dicom);
    }
    let calls_itself_dicom = calls_itself_dicom(&name);
    match foreign(&name, &start) {
        Some(reason) if !calls_itself_dicom => Ok(Class::Aside(reason)),
        _ if start.is_empty() || calls_itself_dicom || is_bare_data_set(&start) => {
            Err(without_head(&start, &at))
        }
        _ => Err(at.unsupported(
            "nothing in it says what it is: it is no DICOM file, or one without its head, or of a kind that is not known",
            "export it again if it is a slice, else move it out of the folder",
        )),
    }
}

fn of_the_system(name: &str, start: &[u8]) -> Option<&'static str> {
    let is_apple_double = start.starts_with(&[0, 5, 0x16, 7]) || start.starts_with(&[0, 5, 0x16, 0]);
    match name {
        ".ds_store" | "thumbs.db" | "desktop.ini" | "autorun.inf" => {
            Some("a file of the operating system, no image")
        }
        "dicomdir" => Some("the directory of a medium, no image"),
        _ if name.starts_with("._") && is_apple_double => {
            Some("what macOS keeps beside a file (AppleDouble), no image")
        }
        _ => None,
    }
}

/// What a file is that is surely no DICOM file.
fn foreign(name: &str, start: &[u8]) -> Option<&'static str> {
    const ENDINGS: [&str; 52] = [
        "txt", "md", "json", "csv", "tsv", "xml", "htm", "html", "css", "js", "log", "ini", "inf", "cfg",
        "toml", "yaml", "yml", "pdf", "doc", "docx", "xls", "xlsx", "rtf", "zip", "tar", "gz", "7z", "exe",
        "dll", "so", "bat", "sh", "py", "jar", "class", "ico", "bmp", "gif", "tif", "tiff", "svg", "lnk",
        "url", "db", "npy", "npz", "mat", "nrrd", "mha", "mhd", "bval", "bvec",
    ];
    const MARKS: [&[u8]; 10] = [
        b"%PDF",
        b"PK\x03\x04",
        b"GIF8",
        b"MZ",
        b"\x7fELF",
        b"II*\0",
        b"MM\0*",
        b"\xd0\xcf\x11\xe0",
        b"RIFF",
        b"7z\xbc\xaf",
    ];
    match Format::of_bytes(start) {
        Some(Format::Nifti) => return Some("a NIfTI or gzip file, no DICOM file"),
        Some(Format::Png | Format::Jpeg) => return Some("a PNG or JPEG picture, no DICOM file"),
        Some(Format::Dicom) | None => {}
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if MARKS.iter().any(|mark| start.starts_with(mark)) || ENDINGS.contains(&ending) {
        return Some("a file of another kind, no DICOM file");
    }
    is_text(start).then_some("a text, no DICOM file")
}

/// Letters, blanks and line ends in UTF-8, whose last letter may be cut.
fn is_text(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&start[..e.valid_up_to()]).expect("checked up to here")
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}
