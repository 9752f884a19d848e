//! Where the frames of an image lie, and how their stored values are rescaled.
//!
//! | object | place of a frame |
//! |---|---|
//! | one frame | its position at the top level |
//! | enhanced (PS3.3 C.7.6.16) | its functional group, or the one that all frames share; what the groups leave out is taken from the top level |
//! | several frames, one position (cone-beam CT, dose) | from the first along the normal: by GridFrameOffsetVector, else by the spacing between slices |

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::elements::DataSet;
use crate::geometry::cross;

/// What may differ from frame to frame.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct Frame {
    /// Centre of the first pixel, mm, in DICOM's LPS.
    pub(crate) position: Option<[f64; 3]>,
    /// Direction of a row (along columns), then of a column.
    pub(crate) orientation: Option<[f64; 6]>,
    /// Between rows, then between columns.
    pub(crate) spacing_mm: Option<[f64; 2]>,
    pub(crate) thickness_mm: Option<f64>,
    /// Slope, intercept.
    pub(crate) rescale: Option<[f64; 2]>,
}

impl Frame {
    /// Whether it says where it lies.
    pub(crate) fn is_placed(&self) -> bool {
        self.position.is_some() && self.orientation.is_some()
    }

    /// Whether its pixels have places in the patient's space.
    pub(crate) fn has_grid(&self) -> bool {
        self.is_placed() && self.spacing_mm.is_some()
    }
}

/// All frames, and a note when their places were worked out.
pub(crate) fn read(data: &DataSet, count: usize) -> (Vec<Frame>, Option<String>) {
    let mut frames: Vec<Frame> = (0..count).map(|number| frame(data, number)).collect();
    if frames.iter().any(|frame| frame.position.is_some()) {
        return (frames, None);
    }
    let first = data.numbers(tags::IMAGE_POSITION_PATIENT);
    if count == 1 {
        frames[0].position = first;
        return (frames, None);
    }
    let note = first.and_then(|position| stacked(data, position, &mut frames));
    (frames, note)
}

fn frame(data: &DataSet, number: usize) -> Frame {
    let group = |tag| group(data, number, tag);
    let measures = group(tags::PIXEL_MEASURES_SEQUENCE);
    let transformation = group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
    Frame {
        position: group(tags::PLANE_POSITION_SEQUENCE).and_then(|g| g.numbers(tags::IMAGE_POSITION_PATIENT)),
        orientation: group(tags::PLANE_ORIENTATION_SEQUENCE)
            .and_then(|g| g.numbers(tags::IMAGE_ORIENTATION_PATIENT))
            .or_else(|| data.numbers(tags::IMAGE_ORIENTATION_PATIENT)),
        spacing_mm: measures
            .and_then(|g| g.numbers(tags::PIXEL_SPACING))
            .or_else(|| data.numbers(tags::PIXEL_SPACING)),
        thickness_mm: measures.and_then(thickness).or_else(|| thickness(data)),
        rescale: transformation.and_then(rescale).or_else(|| rescale(data)),
    }
}

/// Frames one behind the other from the first one's position. Nothing is placed when nothing gives the steps.
fn stacked(data: &DataSet, position: [f64; 3], frames: &mut [Frame]) -> Option<String> {
    let [a, b, c, d, e, f] = frames[0].orientation?;
    let normal = cross([a, b, c], [d, e, f]);
    let (offsets, by) = match data.list(tags::GRID_FRAME_OFFSET_VECTOR) {
        Some(offsets) if offsets.len() == frames.len() => (offsets, "GridFrameOffsetVector"),
        _ => {
            let step = frames[0].thickness_mm?;
            ((0..frames.len()).map(|number| number as f64 * step).collect(), "the spacing between slices")
        }
    };
    for (frame, mm) in frames.iter_mut().zip(offsets) {
        frame.position = Some([0, 1, 2].map(|axis| position[axis] + mm * normal[axis]));
    }
    Some(format!(
        "the file places its first frame only: the others are taken to lie along the normal, by {by}"
    ))
}

/// The functional group of a frame: its own, or the one that all frames share.
pub(crate) fn group<'d, 'a>(data: &'d DataSet<'a>, frame: usize, tag: Tag) -> Option<&'d DataSet<'a>> {
    let own = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).get(frame);
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
    own.and_then(|group| group.items(tag).first()).or_else(|| shared?.items(tag).first())
}

fn thickness(data: &DataSet) -> Option<f64> {
    let [mm] = data.numbers(tags::SPACING_BETWEEN_SLICES).or_else(|| data.numbers(tags::SLICE_THICKNESS))?;
    Some(mm.abs()).filter(|&mm| mm > 0.0)
}

fn rescale(data: &DataSet) -> Option<[f64; 2]> {
    let [slope] = data.numbers(tags::RESCALE_SLOPE)?;
    let [intercept] = data.numbers(tags::RESCALE_INTERCEPT)?;
    Some([slope, intercept])
}
