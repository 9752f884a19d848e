//! Scans in, masks out: the only crate that has seen a patient.
//!
//! `files -> Series -> Volume -> planes -> tensors (no identity) ... masks -> the volume's own grid -> files`
//!
//! | step | where |
//! |---|---|
//! | a path becomes a [`Scan`], by what the file holds and not by its name | [`Scan::open`], `nifti`, `dicom`, `picture` |
//! | what a voxel's place means to a patient | [`geometry`] |
//! | what was found, assumed and left aside, in words | [`mod@facts`] |
//! | planes of a volume, and back | [`mod@planes`] |
//! | what a network wants of a scan, and whether this scan fits | [`request`], `fit`, `eight_bit`, [`prepare`] |
//! | resizing as Pillow does it | [`resize`] |
//! | masks on the scan's own grid, overlays, Dice | [`mask`], [`overlay`] |
//!
//! Every file is taken for hostile: sizes are capped before anything is allocated ([`limits`]), a declared size that the
//! file cannot hold is refused, and nothing panics. Files that are written appear whole or not at all.
//! Identity ends here: of a DICOM file geometry, pixel format and modality are kept, and a hash tells one patient from
//! another while a folder is read; errors name paths, positions in mm and numbers, never a tag that says who the patient is;
//! `Debug` shows kinds and sizes, never a voxel.
#![forbid(unsafe_code)]

mod dicom;
mod eight_bit;
mod error;
pub mod facts;
mod files;
mod fit;
pub mod geometry;
mod jpeg;
pub mod limits;
pub mod mask;
mod nifti;
pub mod overlay;
mod picture;
pub mod planes;
pub mod prepare;
pub mod request;
pub mod resize;
mod volume;
mod voxels;

use std::path::Path;

pub use error::{ImagingError, Misfit};
pub use facts::{Facts, KnownBy, LeftAside, OpenOptions, SliceFact, Steps};
pub use geometry::Axis;
pub use mask::{Mask, MaskWords, dice, read_mask, write_labelled_mask, write_mask, write_picture_mask};
pub use overlay::overlay_png;
pub use picture::Picture;
pub use planes::{GreyPlane, InPlane, LabelPlane, Slicing};
pub use prepare::{Preparation, Tensor, planes};
pub use request::{Form, Modality, Normalisation, Request, ToEightBit, Trained};
pub use resize::Filter;
pub use volume::Volume;
pub use voxels::{Kind, Voxels};

/// Whether a file belongs to a DICOM scan: it has a DICOM head, or its name says that it should. The directory of a medium
/// (`DICOMDIR`) does not. An error when the file cannot be read.
pub fn is_dicom(file: &Path) -> Result<bool, ImagingError> {
    dicom::is_dicom(file)
}

/// What a file or a folder held.
#[derive(Debug)]
pub enum Scan {
    /// A three-dimensional image on a grid in the patient's space.
    Volume(Volume),
    /// A single image without a place in space.
    Picture(Picture),
}

impl Scan {
    /// Opens a NIfTI file (`.nii`, `.nii.gz`), a DICOM file, a folder that holds one DICOM series (folders below it are
    /// searched), a PNG or a JPEG.
    pub fn open(path: &Path) -> Result<Scan, ImagingError> {
        Scan::open_with(path, &OpenOptions::default())
    }

    /// Opens a scan; the user's word for the unit overrules what the file says or the reader guesses.
    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Scan, ImagingError> {
        let mut scan = Scan::read(path)?;
        if let Some(kind) = options.unit {
            scan.state_kind(kind, path)?;
        }
        Ok(scan)
    }

    fn read(path: &Path) -> Result<Scan, ImagingError> {
        if path.is_dir() {
            return dicom::open_folder(path);
        }
        match files::Format::of(path)? {
            files::Format::Nifti => nifti::read(path).map(Scan::Volume),
            files::Format::Dicom => dicom::open_file(path),
            files::Format::Png | files::Format::Jpeg => picture::open(path).map(Scan::Picture),
        }
    }

    /// How many planes lie along `axis`; a picture is one plane.
    pub fn plane_count(&self, axis: Axis) -> usize {
        match self {
            Scan::Volume(volume) => volume.plane_count(axis),
            Scan::Picture(_) => 1,
        }
    }

    /// What the grey values mean.
    pub fn kind(&self) -> Kind {
        match self {
            Scan::Volume(volume) => volume.kind(),
            Scan::Picture(picture) => picture.kind(),
        }
    }

    /// What the reader noticed and could live with: sentences for the user.
    pub fn notes(&self) -> &[String] {
        match self {
            Scan::Volume(volume) => volume.notes(),
            Scan::Picture(picture) => picture.notes(),
        }
    }

    fn state_kind(&mut self, kind: Kind, path: &Path) -> Result<(), ImagingError> {
        let grey = match self {
            Scan::Volume(volume) => volume.voxels(),
            Scan::Picture(picture) => picture.grey(),
        };
        if kind == Kind::EightBit && !matches!(grey, Voxels::U8(_)) {
            return Err(error::At(path).unsupported(
                "its values were stated to be 8-bit, but not all are whole numbers from 0 to 255",
                "state another unit, or leave it out",
            ));
        }
        match self {
            Scan::Volume(volume) => volume.state_kind(kind),
            Scan::Picture(picture) => picture.state_kind(kind),
        }
        Ok(())
    }
}
