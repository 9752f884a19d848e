//! From a path to a scan, by what the file holds and not by its name.

use std::path::Path;

use crate::files::Format;
use crate::kind::Kind;
use crate::scan::Scan;
use crate::{ImagingError, Provenance, dicom, nifti, picture};

/// How a scan is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// What the grey values mean, by the user's word; it overrules a guess, and the header too (with a note).
    pub unit: Option<Kind>,
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
        open(path, options).map(|opened| opened.scan)
    }
}

/// As [`Scan::open_with`], for those who write a derived DICOM object.
pub fn open(path: &Path, options: &OpenOptions) -> Result<Opened, ImagingError> {
    let (mut scan, provenance) = read(path)?;
    if let Some(kind) = options.unit {
        scan.state_kind(kind, path)?;
    }
    Ok(Opened { scan, provenance })
}

fn read(path: &Path) -> Result<(Scan, Option<Provenance>), ImagingError> {
    let of_dicom = |(scan, provenance)| (scan, Some(provenance));
    if path.is_dir() {
        return dicom::open_folder(path).map(of_dicom);
    }
    match Format::of(path)? {
        Format::Nifti => Ok((Scan::Volume(nifti::read(path)?), None)),
        Format::Dicom => dicom::open_file(path).map(of_dicom),
        Format::Png | Format::Jpeg => Ok((Scan::Picture(picture::open(path)?), None)),
    }
}
