//! Where the frames of an image lie, and how their stored values are rescaled.
//!
//! | object | place of a frame |
//! |---|---|
//! | one frame | its position at the top level |
//! | enhanced (PS3.3 C.7.6.16) | its functional group, or the one that all frames share; what the groups leave out is taken from the top level |
//! | several frames, one position (cone-beam CT, dose) | from the first along the normal: by GridFrameOffsetVector, else SpacingBetweenSlices, else SliceThickness |
//!
//! The sign of SpacingBetweenSlices is the direction of stacking (PS3.3 C.8.4.15). A GridFrameOffsetVector that does not begin
//! with 0 holds places along the patient's z, not distances from the first frame (PS3.3 C.8.8.3.2).

use super::dictionary::{Tag, tags};
use super::elements::DataSet;
use crate::geometry::{cross, orthonormal, skew};

/// Directions no further from unit vectors at a right angle are taken as they are.
const EXACT: f64 = 1e-6;
/// Directions further from them are mentioned.
const ROUNDED: f64 = 1e-4;

/// What may differ from frame to frame.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct Frame {
    /// Centre of the first pixel, mm, in DICOM's LPS.
    pub(crate) position: Option<[f64; 3]>,
    /// Direction of a row (along columns), then of a column.
    pub(crate) orientation: Option<[f64; 6]>,
    /// Between rows, then between columns.
    pub(crate) spacing_mm: Option<[f64; 2]>,
    /// SpacingBetweenSlices: below 0 when the slices are stacked against the normal, never 0.
    pub(crate) between_slices_mm: Option<f64>,
    /// SliceThickness, above 0.
    pub(crate) slice_thickness_mm: Option<f64>,
    /// Slope, intercept.
    pub(crate) rescale: Option<[f64; 2]>,
    /// The one of the two that the file lacks; a slope of 1 or an intercept of 0 stands for it.
    pub(crate) rescale_lacks: Option<&'static str>,
}

impl Frame {
    /// Whether it says where it lies.
    pub(crate) fn is_placed(&self) -> bool {
        self.position.is_some() && self.orientation.is_some()
    }

    /// Directions along a row and along a column. Numbers that were rounded to few decimals are replaced by the nearest unit
    /// vectors at a right angle, for rows off unit length would scale the spacing, and ITK opens no skewed grid.
    pub(crate) fn directions(&self) -> Option<[[f64; 3]; 2]> {
        let stated = self.stated_directions()?;
        Some(if skew(stated) > EXACT { orthonormal(stated) } else { stated })
    }

    /// The same as the file has them.
    pub(crate) fn stated_directions(&self) -> Option<[[f64; 3]; 2]> {
        self.orientation.map(|[a, b, c, d, e, f]| [[a, b, c], [d, e, f]])
    }

    /// The note on directions that were rounded so much that a grid would show it.
    pub(crate) fn rounding_note(&self) -> Option<String> {
        let off = skew(self.stated_directions().filter(|_| self.has_grid())?);
        (off > ROUNDED).then(|| {
            format!(
                "its ImageOrientationPatient is rounded, {off:.4} from unit vectors at a right angle: the nearest ones are taken"
            )
        })
    }

    /// How much of the patient it stands for along the normal.
    pub(crate) fn thickness_mm(&self) -> Option<f64> {
        self.between_slices_mm.map(f64::abs).or(self.slice_thickness_mm)
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
    let measure =
        |tag| measures.and_then(|g| g.numbers(tag)).or_else(|| data.numbers(tag)).map(|[mm]: [f64; 1]| mm);
    let transformation = group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
    let (rescale, rescale_lacks) = rescale(transformation, data);
    Frame {
        position: group(tags::PLANE_POSITION_SEQUENCE).and_then(|g| g.numbers(tags::IMAGE_POSITION_PATIENT)),
        orientation: group(tags::PLANE_ORIENTATION_SEQUENCE)
            .and_then(|g| g.numbers(tags::IMAGE_ORIENTATION_PATIENT))
            .or_else(|| data.numbers(tags::IMAGE_ORIENTATION_PATIENT)),
        spacing_mm: measures
            .and_then(|g| g.numbers(tags::PIXEL_SPACING))
            .or_else(|| data.numbers(tags::PIXEL_SPACING)),
        between_slices_mm: measure(tags::SPACING_BETWEEN_SLICES).filter(|&mm| mm != 0.0),
        slice_thickness_mm: measure(tags::SLICE_THICKNESS).map(f64::abs).filter(|&mm| mm > 0.0),
        rescale,
        rescale_lacks,
    }
}

/// Frames one behind the other from the first one's position. Nothing is placed when nothing gives the steps.
fn stacked(data: &DataSet, position: [f64; 3], frames: &mut [Frame]) -> Option<String> {
    let [row, column] = frames[0].directions()?;
    let normal = cross(row, column);
    let (offsets, by) = offsets(data, &frames[0], frames.len(), normal[2] < 0.0)?;
    for (frame, mm) in frames.iter_mut().zip(offsets) {
        frame.position = Some([0, 1, 2].map(|axis| position[axis] + mm * normal[axis]));
    }
    Some(format!(
        "the file places its first frame only: the others are taken to lie along the normal, by {by}"
    ))
}

/// How far along the normal each frame lies from the first, and the attribute that says so.
fn offsets(
    data: &DataSet,
    first: &Frame,
    count: usize,
    is_downwards: bool,
) -> Option<(Vec<f64>, &'static str)> {
    if let Some(offsets) = data.list(tags::GRID_FRAME_OFFSET_VECTOR).filter(|all| all.len() == count) {
        let start = offsets[0];
        let sign = if start != 0.0 && is_downwards { -1.0 } else { 1.0 };
        return Some((offsets.iter().map(|mm| sign * (mm - start)).collect(), "GridFrameOffsetVector"));
    }
    let (step, by) = match (first.between_slices_mm, first.slice_thickness_mm) {
        (Some(step), _) => (step, "SpacingBetweenSlices"),
        (None, Some(step)) => (step, "SliceThickness, as if no gaps lay between them"),
        (None, None) => return None,
    };
    Some(((0..count).map(|number| number as f64 * step).collect(), by))
}

/// The functional group of a frame: its own, or the one that all frames share.
pub(crate) fn group<'d, 'a>(data: &'d DataSet<'a>, frame: usize, tag: Tag) -> Option<&'d DataSet<'a>> {
    let own = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).get(frame);
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
    own.and_then(|group| group.items(tag).first()).or_else(|| shared?.items(tag).first())
}

/// Slope and intercept from the frame's group, else from the top level; half of them only where neither has both. Then also
/// what is missing.
fn rescale(group: Option<&DataSet>, data: &DataSet) -> (Option<[f64; 2]>, Option<&'static str>) {
    let read = |data: &DataSet| {
        let number = |tag| data.numbers(tag).map(|[number]: [f64; 1]| number);
        (number(tags::RESCALE_SLOPE), number(tags::RESCALE_INTERCEPT))
    };
    let levels = [group.map(read).unwrap_or_default(), read(data)];
    let whole = levels.iter().find(|(slope, intercept)| slope.is_some() && intercept.is_some());
    match *whole.or(levels.iter().find(|&&level| level != (None, None))).unwrap_or(&(None, None)) {
        (Some(slope), Some(intercept)) => (Some([slope, intercept]), None),
        (Some(slope), None) => (Some([slope, 0.0]), Some("RescaleIntercept")),
        (None, Some(intercept)) => (Some([1.0, intercept]), Some("RescaleSlope")),
        (None, None) => (None, None),
    }
}

/// The note when half of a rescale is missing.
pub(crate) fn rescale_note(frames: &[Frame]) -> Option<String> {
    let lacks = frames.iter().find_map(|frame| frame.rescale_lacks)?;
    let taken = if lacks == "RescaleSlope" { 1 } else { 0 };
    Some(format!(
        "its {lacks} is missing or no number, though the other half of the rescale is there: {taken} is taken"
    ))
}
