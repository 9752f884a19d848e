//! What was read: a volume or a picture.

use std::path::Path;

use blindscan_input_spec::Axis;

use crate::ImagingError;
use crate::error::At;
use crate::kind::GreyKind;
use crate::origin::Origin;
use crate::picture::Picture;
use crate::volume::Volume;
use crate::voxels::Voxels;

/// What a file or a folder held.
#[derive(Debug)]
pub enum Scan {
    /// A three-dimensional image on a grid in the patient's space.
    Volume(Volume),
    /// A single image without a place in space.
    Picture(Picture),
}

impl Scan {
    /// How many planes lie along `axis`; a picture is one plane.
    pub fn plane_count(&self, axis: Axis) -> usize {
        match self {
            Scan::Volume(volume) => volume.plane_count(axis),
            Scan::Picture(_) => 1,
        }
    }

    /// What the grey values mean.
    pub fn kind(&self) -> GreyKind {
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

    /// Where it came from.
    pub(crate) fn origin(&self) -> &Origin {
        match self {
            Scan::Volume(volume) => volume.origin(),
            Scan::Picture(picture) => picture.origin(),
        }
    }

    /// Takes the user's word for what the grey values mean.
    pub(crate) fn state_kind(&mut self, kind: GreyKind, path: &Path) -> Result<(), ImagingError> {
        let grey = match self {
            Scan::Volume(volume) => volume.voxels(),
            Scan::Picture(picture) => picture.grey(),
        };
        if kind == GreyKind::EightBit && !matches!(grey, Voxels::U8(_)) {
            return Err(At(path).unsupported(
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
