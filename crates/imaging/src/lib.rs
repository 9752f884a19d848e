//! Scans in, masks out: the only crate that has seen a patient.
//!
//! `files -> Scan -> patches -> tensors (no identity) ... labels -> mask on the scan's own grid -> files`
//!
//! | step | where |
//! |---|---|
//! | a path becomes a [`Scan`], by what the file holds and not by its name | [`Scan::open`], `nifti`, `dicom`, `picture` |
//! | what a voxel's place means to a patient | [`geometry`] |
//! | what was found, assumed and left aside, in words | `origin`, [`mod@facts`] |
//! | how a volume is laid, and which patches it is cut into | [`Slicing`], [`Patch`] |
//! | whether a scan fits the network's [`InputSpec`](blindscan_input_spec::InputSpec), and its tensors | `fit`, `normalise`, `eight_bit`, [`prepare`] |
//! | resizing as Pillow does it | [`resize`] |
//! | masks on the scan's own grid, files of them, overlays, Dice | [`mask`], `mask_files`, [`overlay`] |
//!
//! Each of these uses the ones above it; a format's reader uses what it makes, and nothing it makes uses a format.
//!
//! Every file is taken for hostile: sizes are capped before anything is allocated ([`limits`]), a declared size that the
//! file cannot hold is refused, and nothing panics. Files that are written appear whole or not at all.
//! Identity ends here: a scan keeps geometry, pixel format and modality of its DICOM files, and a hash distinguishes patients
//! while a folder is read. What a derived DICOM object must say of its patient is read for [`open()`] alone, into a [`Provenance`],
//! opaque and beside the scan, never in it; errors name paths, positions in mm and numbers, never a tag that says who the patient is;
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
mod kind;
pub mod limits;
pub mod mask;
mod mask_files;
mod nifti;
mod normalise;
mod open;
mod origin;
pub mod overlay;
mod patch;
mod picture;
mod planes;
pub mod prepare;
pub mod resize;
mod scan;
mod slicing;
mod volume;
mod voxels;

use std::path::Path;

pub use blindscan_input_spec::{Axis, InPlane};
pub use dicom::{DerivedElements, Provenance};
pub use error::{ImagingError, Misfit};
pub use facts::{Facts, SliceFact};
pub use kind::{GreyKind, KnownBy};
pub use mask::{Mask, MaskWords, dice};
pub use mask_files::{read_mask, write_labelled_mask, write_mask, write_picture_mask};
pub use open::{OpenOptions, Opened, open};
pub use origin::{LeftAside, Steps};
pub use overlay::overlay_png;
pub use patch::{Cut, Patch};
pub use picture::Picture;
pub use planes::{GreyPlane, PatchLabels};
pub use prepare::{PatchTensor, Preparation};
pub use resize::Filter;
pub use scan::Scan;
pub use slicing::Slicing;
pub use volume::Volume;
pub use voxels::Voxels;

/// Whether a file belongs to a DICOM scan: it has a DICOM head, or its name says that it should. The directory of a medium
/// (`DICOMDIR`) does not. An error when the file cannot be read.
pub fn is_dicom(file: &Path) -> Result<bool, ImagingError> {
    dicom::is_dicom(file)
}
