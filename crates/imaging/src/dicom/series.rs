//! Slices to a volume: sorted along their normal, checked for doubles and gaps, placed in space.
//!
//! The normal is the cross product of the row and column directions; a slice's place along it is the dot product with
//! its ImagePositionPatient (PS3.3 section C.7.6.2.1.1). Instance numbers and file names say nothing reliable, and are not used.
//! The step from slice to slice is that from the first to the last position, so that a tilted gantry gives a sheared grid.

use super::instance::{Frame, Instance};
use crate::ImagingError;
use crate::error::At;
use crate::facts::{KnownBy, Origin, SliceSource, Steps};
use crate::geometry::{Affine, cross, dot, length};
use crate::volume::{Kind, Volume, Voxels};

/// One frame of one file, with its place.
pub(crate) struct Slice {
    frame: Frame,
    rows: usize,
    columns: usize,
    kind: Kind,
    known_by: KnownBy,
    modality: Option<String>,
    source: SliceSource,
    voxels: Voxels,
}

/// All frames of a file.
pub(crate) fn slices_of(instance: &Instance, frames: Vec<Voxels>) -> Vec<Slice> {
    let kind = instance.kind();
    let (rows, columns) = (instance.pixels.rows, instance.pixels.columns);
    let (instance_number, several) = (instance.number, instance.frames.len() > 1);
    let places = instance.frames.iter().enumerate();
    places
        .zip(frames)
        .map(|((number, &frame), voxels)| Slice {
            frame,
            rows,
            columns,
            kind,
            known_by: instance.known_by(),
            modality: instance.modality_code.clone(),
            source: SliceSource { instance: instance_number, frame: several.then_some(number + 1) },
            voxels,
        })
        .collect()
}

/// Slices closer than this are the same place.
const SAME_PLACE_MM: f64 = 0.01;
/// Steps that differ more from the usual one are a gap (or a slice too many).
const GAP_SHARE: f64 = 0.1;
/// A slice may lie so far off the line of the others, as a share of the usual step.
const OFF_LINE_SHARE: f64 = 0.2;
/// Steps that differ more are mentioned.
const UNEVEN_SHARE: f64 = 0.01;

/// The volume that the slices make. There is at least one.
pub(crate) fn assemble(slices: Vec<Slice>, at: &At) -> Result<Volume, ImagingError> {
    let first = slices.first().expect("a series has a slice");
    let (rows, columns, kind, frame) = (first.rows, first.columns, first.kind, first.frame);
    if slices.iter().any(|slice| (slice.rows, slice.columns) != (rows, columns)) {
        return Err(at.series(
            format!("not all slices have {rows} rows and {columns} columns as the first has"),
            "remove localisers and other images that do not belong to the stack",
        ));
    }
    if slices.iter().any(|slice| slice.kind != kind) {
        return Err(at.series(
            "not all slices have grey values of the same kind",
            "remove images that do not belong to the stack",
        ));
    }
    if slices.len() == 1 {
        let (affine, notes) = single_affine(&frame, at)?;
        let origin = Origin { notes, ..origin_of(&slices) };
        let voxels = Voxels::concat(slices.into_iter().map(|slice| slice.voxels).collect());
        return Ok(Volume::new(voxels, [columns, rows, 1], affine, kind).with_origin(origin));
    }

    let stack = Stack::sort(slices, at)?;
    let notes = stack.check_steps(at)?;
    let affine = stack.affine(at)?;
    let size = [columns, rows, stack.slices.len()];
    let origin = Origin { notes, steps: Some(stack.steps()), ..origin_of(&stack.slices) };
    let voxels = Voxels::concat(stack.slices.into_iter().map(|slice| slice.voxels).collect());
    Ok(Volume::new(voxels, size, affine, kind).with_origin(origin))
}

/// The frames of one file that do not say where they lie, in the order of the file. There is at least one.
pub(crate) fn assemble_unplaced(slices: Vec<Slice>) -> Volume {
    let first = slices.first().expect("a file has a frame");
    let size = [first.columns, first.rows, slices.len()];
    let (kind, affine) = (first.kind, placeholder(&first.frame));
    let origin = origin_of(&slices);
    let voxels = Voxels::concat(slices.into_iter().map(|slice| slice.voxels).collect());
    let note = "the frames do not say where they lie: they are taken in the order of the file, and the mask lies on a \
                grid without a place in the patient's space";
    Volume::new(voxels, size, affine, kind).with_origin(Origin { notes: vec![note.into()], ..origin })
}

/// What the slices, in their order, say of where they came from. There is at least one.
fn origin_of(slices: &[Slice]) -> Origin {
    Origin {
        known_by: slices[0].known_by.clone(),
        modality: slices[0].modality.clone(),
        sources: slices.iter().map(|slice| slice.source).collect(),
        ..Origin::default()
    }
}

/// Slices in the order of their places along the normal.
struct Stack {
    slices: Vec<Slice>,
    positions: Vec<[f64; 3]>,
    /// Millimetres along the normal, ascending.
    places_mm: Vec<f64>,
    /// Directions along a row and along a column.
    directions: [[f64; 3]; 2],
    spacing_mm: [f64; 2],
}

impl Stack {
    fn sort(slices: Vec<Slice>, at: &At) -> Result<Stack, ImagingError> {
        const ADVICE: &str = "give a series of cross-sections, each with ImagePositionPatient, ImageOrientationPatient and PixelSpacing";
        let unplaced = slices
            .iter()
            .filter(|s| {
                s.frame.position.is_none() || s.frame.orientation.is_none() || s.frame.spacing_mm.is_none()
            })
            .count();
        let (Some(orientation), Some(spacing_mm), 0) =
            (slices[0].frame.orientation, slices[0].frame.spacing_mm, unplaced)
        else {
            return Err(
                at.series(format!("{unplaced} of {} slices have no place in space", slices.len()), ADVICE)
            );
        };
        let same_way = |s: &Slice| close(&s.frame.orientation.expect("checked above"), &orientation, 1e-3);
        let same_spacing = |s: &Slice| close(&s.frame.spacing_mm.expect("checked above"), &spacing_mm, 1e-4);
        if !slices.iter().all(|s| same_way(s) && same_spacing(s)) {
            return Err(at.series(
                "its slices are not parallel, or differ in their pixel spacing",
                "remove localisers and other images that do not belong to the stack",
            ));
        }
        let directions = directions(&orientation, at)?;
        let normal = cross(directions[0], directions[1]);
        let mut placed: Vec<([f64; 3], f64, Slice)> = slices
            .into_iter()
            .map(|slice| {
                let position = slice.frame.position.expect("checked above");
                (position, dot(position, normal), slice)
            })
            .collect();
        placed.sort_by(|a, b| a.1.total_cmp(&b.1));
        Ok(Stack {
            positions: placed.iter().map(|p| p.0).collect(),
            places_mm: placed.iter().map(|p| p.1).collect(),
            slices: placed.into_iter().map(|p| p.2).collect(),
            directions,
            spacing_mm,
        })
    }

    /// Refuses doubles, gaps and slices off the line; mentions uneven steps.
    fn check_steps(&self, at: &At) -> Result<Vec<String>, ImagingError> {
        let steps: Vec<f64> = self.places_mm.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if let Some(double) = steps.iter().position(|&step| step < SAME_PLACE_MM) {
            return Err(at.series(
                format!("two slices lie at the same place, {:.2} mm along the stack", self.places_mm[double]),
                "remove the copies, or split the phases of the examination into folders of their own",
            ));
        }
        let usual = median(&steps);
        let off = |share: f64| steps.iter().position(move |&step| (step - usual).abs() > share * usual);
        if let Some(gap) = off(GAP_SHARE) {
            return Err(at.series(
                format!(
                    "between {:.2} mm and {:.2} mm along the stack lie {:.2} mm, elsewhere {usual:.2} mm: slices are missing or too many",
                    self.places_mm[gap],
                    self.places_mm[gap + 1],
                    steps[gap]
                ),
                "export the series completely, or resample it to even steps",
            ));
        }
        let step = self.step();
        for (number, position) in self.positions.iter().enumerate() {
            let away = [0, 1, 2].map(|c| position[c] - self.positions[0][c] - number as f64 * step[c]);
            if length(away) > OFF_LINE_SHARE * usual {
                return Err(at.series(
                    format!(
                        "the slice at {:.2} mm lies beside the line of the others",
                        self.places_mm[number]
                    ),
                    "remove images that do not belong to the stack",
                ));
            }
        }
        Ok(match off(UNEVEN_SHARE) {
            Some(_) => vec![format!(
                "the steps between slices differ by more than one per cent from the usual {usual:.2} mm; their mean is taken"
            )],
            None => Vec::new(),
        })
    }

    fn step(&self) -> [f64; 3] {
        let last = self.positions.len() - 1;
        [0, 1, 2].map(|c| (self.positions[last][c] - self.positions[0][c]) / last as f64)
    }

    fn steps(&self) -> Steps {
        let steps = self.places_mm.windows(2).map(|pair| pair[1] - pair[0]);
        let count = self.places_mm.len() - 1;
        Steps {
            mean_mm: (self.places_mm[count] - self.places_mm[0]) / count as f64,
            shortest_mm: steps.clone().fold(f64::INFINITY, f64::min),
            longest_mm: steps.fold(0.0, f64::max),
            off_line_mm: off_line_mm(&self.positions).into_iter().fold(0.0, f64::max),
        }
    }

    fn affine(&self, at: &At) -> Result<Affine, ImagingError> {
        ras_affine(self.directions, self.spacing_mm, self.step(), self.positions[0], at)
    }
}

/// How far each position lies from the place that its number has on the straight line that fits all best (least squares).
/// There are at least two.
fn off_line_mm(positions: &[[f64; 3]]) -> Vec<f64> {
    let count = positions.len() as f64;
    let number = |index: usize| index as f64 - (count - 1.0) / 2.0;
    let squares: f64 = (0..positions.len()).map(|index| number(index).powi(2)).sum();
    let coordinate = |c: usize| positions.iter().map(move |position| position[c]);
    let mean = [0, 1, 2].map(|c| coordinate(c).sum::<f64>() / count);
    let step =
        [0, 1, 2].map(|c| coordinate(c).enumerate().map(|(i, x)| number(i) * x).sum::<f64>() / squares);
    let away = |(index, position): (usize, &[f64; 3])| {
        length([0, 1, 2].map(|c| position[c] - mean[c] - number(index) * step[c]))
    };
    positions.iter().enumerate().map(away).collect()
}

fn single_affine(frame: &Frame, at: &At) -> Result<(Affine, Vec<String>), ImagingError> {
    if let (Some(position), Some(orientation), Some(spacing_mm)) =
        (frame.position, frame.orientation, frame.spacing_mm)
    {
        let directions = directions(&orientation, at)?;
        let step = cross(directions[0], directions[1]).map(|c| c * frame.thickness_mm.unwrap_or(1.0));
        return Ok((ras_affine(directions, spacing_mm, step, position, at)?, Vec::new()));
    }
    let note = "the image has no place in the patient's space: its mask lies on a grid of its size only";
    Ok((placeholder(frame), vec![note.into()]))
}

/// A grid for images that do not say where they lie; spacings that are not above 0 count as unknown.
fn placeholder(frame: &Frame) -> Affine {
    let known = |mm: f64| if mm > 1e-3 { mm } else { 1.0 };
    let [between_rows, between_columns] = frame.spacing_mm.unwrap_or([1.0, 1.0]);
    Affine::from_spacing_mm([between_columns, between_rows, frame.thickness_mm.unwrap_or(1.0)].map(known))
}

/// Unit vectors at a right angle, or an error.
fn directions(orientation: &[f64; 6], at: &At) -> Result<[[f64; 3]; 2], ImagingError> {
    let [a, b, c, d, e, f] = *orientation;
    let (row, column) = ([a, b, c], [d, e, f]);
    let unit = |v: [f64; 3]| (length(v) - 1.0).abs() < 1e-2;
    if !unit(row) || !unit(column) || dot(row, column).abs() > 1e-2 {
        return Err(at.damaged("its ImageOrientationPatient is no pair of directions at a right angle"));
    }
    Ok([row, column])
}

/// DICOM counts towards left and back, NIfTI towards right and front: the first two rows change sign.
fn ras_affine(
    [along_row, along_column]: [[f64; 3]; 2],
    [between_rows, between_columns]: [f64; 2],
    step: [f64; 3],
    position: [f64; 3],
    at: &At,
) -> Result<Affine, ImagingError> {
    let sign = [-1.0, -1.0, 1.0];
    let affine = Affine([0, 1, 2].map(|c| {
        [along_row[c] * between_columns, along_column[c] * between_rows, step[c], position[c]]
            .map(|v| v * sign[c])
    }));
    if !affine.is_regular() {
        return Err(at.damaged("its positions, directions and spacings give no grid in space"));
    }
    Ok(affine)
}

fn close<const N: usize>(a: &[f64; N], b: &[f64; N], tolerance: f64) -> bool {
    a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
