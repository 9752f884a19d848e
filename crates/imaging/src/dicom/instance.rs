//! The attributes of an image that are used: pixel format, grey scale, place in space, modality, and to what it belongs.
//!
//! Of the patient a hash is taken, to find out whether the slices are of one (see `identity`). Attributes that say who the patient is
//! are kept only for a derived object, when one is to come, leave this folder in an opaque [`Provenance`](super::Provenance) alone,
//! and are never shown.

use std::rc::Rc;

use super::dictionary::tags;
use super::elements::DataSet;
use super::frames::{self, Frame};
use super::identity::Identity;
use super::pixel_format::PixelFormat;
use super::provenance::FileSource;
use super::unit::{Unit, is_code};
use super::voi::{self, Voi};
use crate::ImagingError;
use crate::error::At;
use crate::limits::{DICOM_FRAMES_MAX, VOXELS_MAX};
use crate::origin::Origin;

/// One image object.
pub(crate) struct ImageObject {
    pub(crate) series_uid: String,
    pub(crate) identity: Identity,
    /// For the writer of derived objects, when one is to come.
    pub(super) source: Option<Rc<FileSource>>,
    /// The code of the modality, when it is one: `CT`, `MR`, ...
    pub(crate) modality: Option<String>,
    /// InstanceNumber: what a PACS shows.
    pub(crate) number: Option<i64>,
    pub(crate) images_in_acquisition: Option<i64>,
    pub(crate) pixels: PixelFormat,
    pub(crate) frames: Vec<Frame>,
    pub(crate) unit: Unit,
    /// How the file asks to be shown.
    pub(crate) voi: Voi,
    pub(crate) notes: Vec<String>,
}

impl ImageObject {
    pub(crate) fn read(data: &DataSet, at: &At) -> Result<ImageObject, ImagingError> {
        let pixels = PixelFormat::read(data, at)?;
        let count = frame_count(data, at)?;
        let voxels = (pixels.rows as u64 * pixels.columns as u64).saturating_mul(count as u64);
        at.at_most("its voxels", voxels, VOXELS_MAX)?;
        at.at_most("its frames", count as u64, DICOM_FRAMES_MAX)?;
        if data.has(tags::MODALITY_LUT_SEQUENCE) {
            return Err(at.unsupported(
                "its grey values are given by a table (Modality LUT), not by slope and intercept",
                "export it with rescaled values",
            ));
        }
        let (frames, placing) = frames::read(data, count);
        if frames.iter().filter_map(|frame| frame.rescale).any(|[slope, _]| slope == 0.0) {
            return Err(at.damaged("its rescale slope is 0, which would make all voxels equal"));
        }
        refuse_enhanced_without_places(data, &frames, at)?;
        let modality = data.text(tags::MODALITY).filter(|code| is_code(code)).map(str::to_string);
        let unit = Unit::read(data, modality.as_deref() == Some("CT"), &pixels, &frames);
        let voi = Voi::read(data);
        let shown = voi::note(data, &voi, &pixels, unit.kind);
        let halved = frames::rescale_note(&frames);
        let notes = [placing, halved, pixels.note.clone(), unit.note.clone()]
            .into_iter()
            .flatten()
            .chain(shown)
            .collect();
        let whole = |tag| data.text(tag).and_then(|text| text.trim().parse().ok());
        Ok(ImageObject {
            series_uid: data.text(tags::SERIES_INSTANCE_UID).unwrap_or_default().to_string(),
            identity: Identity::read(data),
            source: None,
            number: whole(tags::INSTANCE_NUMBER),
            images_in_acquisition: whole(tags::IMAGES_IN_ACQUISITION),
            modality,
            pixels,
            frames,
            unit,
            voi,
            notes,
        })
    }

    /// Keeps what a derived object must say, when `keep` asks for it.
    pub(super) fn with_source(mut self, data: &DataSet, keep: bool) -> ImageObject {
        self.source = keep.then(|| Rc::new(FileSource::read(data)));
        self
    }

    /// A single image that is no cross-section: of a modality that makes projections, or without a place in space and of
    /// none that makes slices.
    pub(crate) fn is_picture(&self) -> bool {
        self.frames.len() == 1
            && match self.modality.as_deref() {
                Some("CR" | "DX" | "MG" | "RG" | "PX" | "IO") => true,
                Some("CT" | "MR" | "PT") => false,
                _ => !self.frames[0].is_placed(),
            }
    }

    /// Several frames, none of which says where it lies.
    pub(crate) fn is_unplaced_stack(&self) -> bool {
        self.frames.len() > 1 && self.frames.iter().all(|frame| frame.position.is_none())
    }

    pub(crate) fn voxel_count(&self) -> u64 {
        self.pixels.rows as u64 * self.pixels.columns as u64 * self.frames.len() as u64
    }

    /// Grey values from the first to the second are padding in this frame.
    pub(crate) fn padding(&self, frame: usize) -> Option<[f32; 2]> {
        let [slope, intercept] = self.frames[frame].rescale.unwrap_or([1.0, 0.0]);
        let ends = self.pixels.padding?.map(|stored| (stored * slope + intercept) as f32);
        Some([ends[0].min(ends[1]), ends[0].max(ends[1])])
    }

    /// What a scan remembers of this file.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            known_by: self.unit.known_by.clone(),
            kind_remark: self.unit.remark.clone(),
            modality: self.modality.clone(),
            notes: self.notes.clone(),
            ..Origin::default()
        }
    }
}

fn frame_count(data: &DataSet, at: &At) -> Result<usize, ImagingError> {
    if !data.has(tags::NUMBER_OF_FRAMES) || data.bytes(tags::NUMBER_OF_FRAMES).is_none() {
        return Ok(1);
    }
    match data.text(tags::NUMBER_OF_FRAMES).and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(0) | None => Err(at.damaged("its number of frames is no number above 0")),
        Some(count) => Ok(count as usize),
    }
}

/// An enhanced object says of each frame where it lies; one that does not would be stacked in the order of the file.
fn refuse_enhanced_without_places(data: &DataSet, frames: &[Frame], at: &At) -> Result<(), ImagingError> {
    const ENHANCED: [&str; 6] = ["2.1", "2.2", "4.1", "4.4", "130", "128.1"];
    let class = data.text(tags::SOP_CLASS_UID).unwrap_or_default();
    let is_enhanced =
        class.strip_prefix("1.2.840.10008.5.1.4.1.1.").is_some_and(|tail| ENHANCED.contains(&tail));
    let unplaced = frames.iter().filter(|frame| !frame.is_placed()).count();
    if is_enhanced && frames.len() > 1 && unplaced > 0 {
        return Err(at.damaged(format!(
            "it is an enhanced object, whose functional groups say where each frame lies, but {unplaced} of its {} frames have no position or direction",
            frames.len()
        )));
    }
    Ok(())
}
