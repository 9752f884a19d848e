//! Slices in the order of their places along the normal, and whether their steps are even.
//!
//! The normal is the cross product of the row and column directions; a slice's place along it is the dot product with
//! its ImagePositionPatient (PS3.3 section C.7.6.2.1.1). Instance numbers, file names and the stated spacing say nothing
//! reliable, and are not used. The step from slice to slice is that from the first to the last position, so that a tilted
//! gantry gives a sheared grid; a shear that nobody could see is made straight, for some programs open no sheared grid.
//!
//! Positions are judged by the straight line that fits them best, for some writers round them.

use super::series::{Slice, directions};
use crate::ImagingError;
use crate::error::At;
use crate::geometry::{cross, dot, length};
use crate::origin::Steps;

/// Slices closer than this are the same place.
const SAME_PLACE_MM: f64 = 0.01;
/// A slice may lie so far from its place on the line, as a share of the usual step. A missing slice moves its
/// neighbours by a third of a step at least (of three slices, by a fifth: there the steps themselves tell).
const OFF_LINE_SHARE: f64 = 0.25;
/// A step that differs more from the usual one is a gap (or a slice too many), whatever the line says.
const GAP_SHARE: f64 = 0.4;
/// So much two positions that were rounded to a tenth of a millimetre can add to a step, or take from it.
const ROUNDING_MM: f64 = 0.11;
/// Steps that differ more are mentioned.
const UNEVEN_SHARE: f64 = 0.01;
/// A sideways drift over the whole stack below this share of a pixel is made straight.
const STRAIGHT_SHARE: f64 = 0.05;

/// Slices in the order of their places along the normal.
pub(crate) struct Stack {
    pub(crate) slices: Vec<Slice>,
    pub(crate) positions: Vec<[f64; 3]>,
    /// Millimetres along the normal, ascending.
    places_mm: Vec<f64>,
    /// Directions along a row and along a column.
    pub(crate) directions: [[f64; 3]; 2],
    pub(crate) spacing_mm: [f64; 2],
}

impl Stack {
    pub(crate) fn sort(slices: Vec<Slice>, at: &At) -> Result<Stack, ImagingError> {
        const ADVICE: &str = "give a series of cross-sections, each with ImagePositionPatient, ImageOrientationPatient and PixelSpacing";
        let unplaced = slices
            .iter()
            .filter(|s| {
                s.frame().position.is_none()
                    || s.frame().orientation.is_none()
                    || s.frame().spacing_mm.is_none()
            })
            .count();
        let (Some(orientation), Some(spacing_mm), 0) =
            (slices[0].frame().orientation, slices[0].frame().spacing_mm, unplaced)
        else {
            return Err(
                at.series(format!("{unplaced} of {} slices have no place in space", slices.len()), ADVICE)
            );
        };
        let same_way = |s: &Slice| close(&s.frame().orientation.expect("checked above"), &orientation, 1e-3);
        let same_spacing =
            |s: &Slice| close(&s.frame().spacing_mm.expect("checked above"), &spacing_mm, 1e-4);
        if !slices.iter().all(|s| same_way(s) && same_spacing(s)) {
            return Err(at.series(
                "its slices are not parallel, or differ in their pixel spacing",
                "remove localisers and other images that do not belong to the stack",
            ));
        }
        let directions = directions(slices[0].frame(), at)?;
        let normal = cross(directions[0], directions[1]);
        let mut placed: Vec<([f64; 3], f64, Slice)> = slices
            .into_iter()
            .map(|slice| {
                let position = slice.frame().position.expect("checked above");
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
    pub(crate) fn check_steps(&self, at: &At) -> Result<Option<String>, ImagingError> {
        let steps: Vec<f64> = self.places_mm.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if let Some(double) = steps.iter().position(|&step| step < SAME_PLACE_MM) {
            return Err(at.series(
                format!(
                    "two slices lie at the same place, {:.2} mm along the stack ({} and {})",
                    self.places_mm[double],
                    self.slices[double].file.display(),
                    self.slices[double + 1].file.display()
                ),
                "remove the copies, or split the phases of the examination into folders of their own",
            ));
        }
        let usual = lower_median(&steps);
        let limit = (GAP_SHARE * usual).max(ROUNDING_MM.min(0.6 * usual));
        if let Some(gap) = steps.iter().position(|&step| (step - usual).abs() > limit) {
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
        let away = off_line_mm(&self.positions);
        let worst = (0..away.len()).max_by(|&a, &b| away[a].total_cmp(&away[b])).unwrap_or(0);
        if away[worst] > OFF_LINE_SHARE * usual {
            return Err(at.series(
                format!(
                    "the slice at {:.2} mm lies {:.2} mm from its place on the straight line through the others ({})",
                    self.places_mm[worst],
                    away[worst],
                    self.slices[worst].file.display()
                ),
                "remove images that do not belong to the stack",
            ));
        }
        let Steps { mean_mm, shortest_mm, longest_mm, .. } = self.steps();
        let uneven =
            longest_mm - mean_mm > UNEVEN_SHARE * mean_mm || mean_mm - shortest_mm > UNEVEN_SHARE * mean_mm;
        Ok(uneven.then(|| {
            format!(
                "the steps between slices are uneven, from {shortest_mm:.2} to {longest_mm:.2} mm; their mean, {mean_mm:.2} mm, is taken, from which one slice lies {:.2} mm off",
                away[worst]
            )
        }))
    }

    /// The step of the grid.
    pub(crate) fn step(&self) -> [f64; 3] {
        let last = self.positions.len() - 1;
        let step = [0, 1, 2].map(|c| (self.positions[last][c] - self.positions[0][c]) / last as f64);
        let normal = cross(self.directions[0], self.directions[1]);
        let along = dot(step, normal) / dot(normal, normal);
        let straight = normal.map(|c| along * c);
        let drift = last as f64 * length([0, 1, 2].map(|c| step[c] - straight[c]));
        if drift < STRAIGHT_SHARE * self.spacing_mm[0].min(self.spacing_mm[1]) { straight } else { step }
    }

    /// The steps as they are.
    pub(crate) fn steps(&self) -> Steps {
        let steps = self.places_mm.windows(2).map(|pair| pair[1] - pair[0]);
        let count = self.places_mm.len() - 1;
        Steps {
            mean_mm: (self.places_mm[count] - self.places_mm[0]) / count as f64,
            shortest_mm: steps.clone().fold(f64::INFINITY, f64::min),
            longest_mm: steps.fold(0.0, f64::max),
            off_line_mm: off_line_mm(&self.positions).into_iter().fold(0.0, f64::max),
        }
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

fn close<const N: usize>(a: &[f64; N], b: &[f64; N], tolerance: f64) -> bool {
    a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance)
}

/// The middle one, the lower of two: of two steps of which one spans a missing slice, the other.
fn lower_median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}
