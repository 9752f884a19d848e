//! Scans in, masks out: the only crate that has seen a patient.
//!
//! `files -> Series -> Volume -> planes -> tensors (no identity) ... masks -> the volume's own grid -> files`
//!
//! | step | where |
//! |---|---|
//! | a path becomes a [`Scan`], by what the file holds and not by its name | [`Scan::open`], `nifti`, `dicom`, `picture` |
//! | what a voxel's place means to a patient | [`geometry`] |
//! | planes of a volume, and back | [`mod@planes`] |
//! | what a network wants of a scan, and whether this scan fits | [`prepare`] |
//! | resizing as Pillow does it | [`resize`] |
//! | masks on the scan's own grid, overlays, Dice | [`mask`], [`overlay`] |
//!
//! Every file is taken for hostile: sizes are capped before anything is allocated ([`limits`]), a declared size that the
//! file cannot hold is refused, and nothing panics. Files that are written appear whole or not at all.
//! Identity ends here: of a DICOM file only geometry, pixel format and modality are read; errors name paths, positions
//! in mm and numbers, never a tag that says who the patient is; `Debug` shows kinds and sizes, never a voxel.
#![forbid(unsafe_code)]

mod dicom;
mod error;
mod files;
pub mod geometry;
mod jpeg;
pub mod limits;
pub mod mask;
mod nifti;
pub mod overlay;
mod picture;
pub mod planes;
pub mod prepare;
pub mod resize;
mod volume;

use std::path::Path;

pub use error::{ImagingError, Misfit};
pub use geometry::Axis;
pub use mask::{Mask, dice, read_mask, write_mask, write_picture_mask};
pub use overlay::overlay_png;
pub use picture::Picture;
pub use planes::{GreyPlane, InPlane, LabelPlane, Slicing};
pub use prepare::{Form, Normalisation, Preparation, Request, Tensor, planes};
pub use resize::Filter;
pub use volume::{Kind, Volume, Voxels};

/// What a file or a folder held.
#[derive(Debug)]
pub enum Scan {
    /// A three-dimensional image on a grid in the patient's space.
    Volume(Volume),
    /// A single image without a place in space.
    Picture(Picture),
}

impl Scan {
    /// Opens a NIfTI file (`.nii`, `.nii.gz`), a DICOM file, a folder that holds one DICOM series, a PNG or a JPEG.
    pub fn open(path: &Path) -> Result<Scan, ImagingError> {
        if path.is_dir() {
            return dicom::open_folder(path).map(Scan::Volume);
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
            Scan::Picture(_) => &[],
        }
    }
}
