//! From a path to a scan, by what the file holds and not by its name.

use std::path::Path;

use crate::files::Format;
use crate::kind::GreyKind;
use crate::scan::Scan;
use crate::{ImagingError, Provenance, dicom, nifti, picture};

/// How a scan is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// What the grey values mean, by the user's word; it overrules a guess, and the header too (with a note).
    pub unit: Option<GreyKind>,
}

/// A scan, and beside it what says to whom it belongs.
pub struct Opened {
    /// What was read.
    pub scan: Scan,
    /// For the writer of a DICOM object that is derived from the scan; files of other formats have none. It goes to that writer and
    /// nowhere else.
    pub provenance: Option<Provenance>,
}

impl Scan {
    /// Opens a NIfTI file (`.nii`, `.nii.gz`), a DICOM file, a folder that holds one DICOM series (folders below it are
    /// searched), a PNG or a JPEG.
    pub fn open(path: &Path) -> Result<Scan, ImagingError> {
        Scan::open_with(path, &OpenOptions::default())
    }

    /// Opens a scan; the user's word for the unit overrules what the file says or the reader guesses.
    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Scan, ImagingError> {
        read(path, options, false).map(|opened| opened.scan)
    }
}

/// As [`Scan::open_with`], for those who write a derived DICOM object: nobody else has a use for what this keeps of the patient.
pub fn open(path: &Path, options: &OpenOptions) -> Result<Opened, ImagingError> {
    read(path, options, true)
}

fn read(path: &Path, options: &OpenOptions, keep: bool) -> Result<Opened, ImagingError> {
    let (mut scan, provenance) = match path.is_dir() {
        true => dicom::open_folder(path, keep)?,
        false => match Format::of(path)? {
            Format::Nifti => (Scan::Volume(nifti::read(path)?), None),
            Format::Dicom => dicom::open_file(path, keep)?,
            Format::Png | Format::Jpeg => (Scan::Picture(picture::open(path)?), None),
        },
    };
    if let Some(kind) = options.unit {
        scan.state_kind(kind, path)?;
    }
    Ok(Opened { scan, provenance })
}
