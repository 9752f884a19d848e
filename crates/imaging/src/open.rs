//! From a path to a scan, by what the file holds and not by its name.

use std::path::Path;

use crate::files::Format;
use crate::scan::Scan;
use crate::voxels::Kind;
use crate::{ImagingError, dicom, nifti, picture};

/// How a scan is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// What the grey values mean, by the user's word; it overrules a guess, and the header too (with a note).
    pub unit: Option<Kind>,
}

impl Scan {
    /// Opens a NIfTI file (`.nii`, `.nii.gz`), a DICOM file, a folder that holds one DICOM series (folders below it are
    /// searched), a PNG or a JPEG.
    pub fn open(path: &Path) -> Result<Scan, ImagingError> {
        Scan::open_with(path, &OpenOptions::default())
    }

    /// Opens a scan; the user's word for the unit overrules what the file says or the reader guesses.
    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Scan, ImagingError> {
        let mut scan = read(path)?;
        if let Some(kind) = options.unit {
            scan.state_kind(kind, path)?;
        }
        Ok(scan)
    }
}

fn read(path: &Path) -> Result<Scan, ImagingError> {
    if path.is_dir() {
        return dicom::open_folder(path);
    }
    match Format::of(path)? {
        Format::Nifti => nifti::read(path).map(Scan::Volume),
        Format::Dicom => dicom::open_file(path),
        Format::Png | Format::Jpeg => picture::open(path).map(Scan::Picture),
    }
}
