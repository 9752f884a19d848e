//! Slices to a volume: what must be one is one, copies are dropped, and the stack gets its grid.
//!
//! | step | where |
//! |---|---|
//! | the same object twice is dropped | here |
//! | patient, frame of reference, acquisition are one | `identity` |
//! | sorted along the normal, checked for doubles, gaps and slices off the line | `stack` |
//! | signs of missing slices become notes | `complete` |
//! | directions, spacing and steps become an affine | here |

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use super::complete;
use super::frames::Frame;
use super::identity;
use super::instance::ImageObject;
use super::provenance::Provenance;
use super::stack::Stack;
use crate::ImagingError;
use crate::error::At;
use crate::geometry::{Affine, cross, skew};
use crate::origin::{LeftAside, Origin, SliceSource};
use crate::volume::Volume;
use crate::voxels::Voxels;

/// One frame of one file.
pub(crate) struct Slice {
    pub(crate) instance: Rc<ImageObject>,
    /// From the folder that was opened.
    pub(crate) file: PathBuf,
    /// Which of the file's frames, from 0.
    pub(crate) number: usize,
    pub(crate) voxels: Voxels,
}

impl Slice {
    pub(crate) fn frame(&self) -> &Frame {
        &self.instance.frames[self.number]
    }

    fn source(&self) -> SliceSource {
        let several = self.instance.frames.len() > 1;
        SliceSource { instance: self.instance.number, frame: several.then_some(self.number + 1) }
    }
}

/// All frames of a file.
pub(crate) fn slices_of(instance: ImageObject, file: PathBuf, frames: Vec<Voxels>) -> Vec<Slice> {
    let instance = Rc::new(instance);
    let slice = |(number, voxels)| Slice { instance: instance.clone(), file: file.clone(), number, voxels };
    frames.into_iter().enumerate().map(slice).collect()
}

/// Leaves out slices that are another's copy: the same object and frame, at the same place, with the same voxels. (One UID
/// alone is no proof: some tools write the same into every file.)
pub(crate) fn drop_copies(slices: Vec<Slice>) -> (Vec<Slice>, Vec<LeftAside>) {
    let mut first: HashMap<(String, usize), usize> = HashMap::new();
    let mut kept: Vec<Slice> = Vec::new();
    let mut copies = Vec::new();
    for slice in slices {
        let object = slice.instance.identity.object.clone();
        let known = *first.entry((object, slice.number)).or_insert(kept.len());
        match kept.get(known) {
            Some(other) if is_copy(&slice, other) => copies.push(LeftAside {
                path: slice.file,
                reason: format!("a copy of {} (the same SOPInstanceUID and pixels)", other.file.display()),
            }),
            _ => kept.push(slice),
        }
    }
    (kept, copies)
}

fn is_copy(slice: &Slice, other: &Slice) -> bool {
    slice.instance.identity == other.instance.identity
        && !slice.instance.identity.object.is_empty()
        && slice.frame() == other.frame()
        && slice.voxels == other.voxels
}

/// The volume that the slices make. There is at least one.
pub(super) fn assemble(slices: Vec<Slice>, at: &At) -> Result<(Volume, Option<Provenance>), ImagingError> {
    identity::refuse_mixed(&slices, at)?;
    refuse_uneven_formats(&slices, at)?;
    let origin = origin_of(&slices);
    if slices.len() == 1 {
        let (affine, note) = single_affine(slices[0].frame(), at)?;
        let notes = note.into_iter().chain(complete::images(&slices)).collect();
        return Ok(joined(slices, affine, origin, notes));
    }
    let rounding = slices[0].frame().rounding_note();
    let mut stack = Stack::sort(slices, at)?;
    let mut notes: Vec<String> = identity::check_acquisitions(&stack.slices, at)?.into_iter().collect();
    notes.extend(stack.check_steps(at)?);
    notes.extend(rounding);
    notes.extend(complete::notes(&stack.slices, stack.steps().mean_mm));
    let affine = ras_affine(stack.directions, stack.spacing_mm, stack.step(), stack.positions[0], at)?;
    let origin = Origin { steps: Some(stack.steps()), ..origin };
    Ok(joined(std::mem::take(&mut stack.slices), affine, origin, notes))
}

/// The frames of one file that do not say where they lie, in the order of the file. There is at least one.
pub(super) fn assemble_unplaced(slices: Vec<Slice>) -> (Volume, Option<Provenance>) {
    let (affine, origin) = (placeholder(slices[0].frame()), origin_of(&slices));
    let note = "the frames do not say where they lie: they are taken in the order of the file, and the mask lies on a \
                grid without a place in the patient's space";
    joined(slices, affine, origin, vec![note.into()])
}

fn joined(
    slices: Vec<Slice>,
    affine: Affine,
    origin: Origin,
    notes: Vec<String>,
) -> (Volume, Option<Provenance>) {
    let provenance = Provenance::of(&slices);
    let pixels = &slices[0].instance.pixels;
    let (size, kind) = ([pixels.columns, pixels.rows, slices.len()], slices[0].instance.unit.kind);
    let is_placed = slices[0].frame().has_grid();
    let padding = slices.iter().map(|slice| slice.instance.padding(slice.number)).collect();
    let sources = slices.iter().map(Slice::source).collect();
    let voxels = Voxels::concat(slices.into_iter().map(|slice| slice.voxels).collect());
    let volume = Volume::new(voxels, size, affine, kind).with_padding(padding);
    let volume = volume.with_origin(Origin { sources, ..origin }).with_notes(notes);
    (if is_placed { volume } else { volume.without_orientation() }, provenance)
}

fn refuse_uneven_formats(slices: &[Slice], at: &At) -> Result<(), ImagingError> {
    const ADVICE: &str = "remove localisers and other images that do not belong to the stack";
    let first = &slices[0].instance;
    let other = |differs: &dyn Fn(&ImageObject) -> bool| slices.iter().find(|slice| differs(&slice.instance));
    let (rows, columns) = (first.pixels.rows, first.pixels.columns);
    if let Some(slice) = other(&|i| (i.pixels.rows, i.pixels.columns) != (rows, columns)) {
        return Err(at.series(
            format!(
                "not all slices have {rows} rows and {columns} columns as the first has ({} has others)",
                slice.file.display()
            ),
            ADVICE,
        ));
    }
    if let Some(slice) = other(&|i| i.modality != first.modality) {
        return Err(
            at.series(format!("its images are of several modalities (see {})", slice.file.display()), ADVICE)
        );
    }
    if let Some(slice) = other(&|i| i.unit.kind != first.unit.kind) {
        let remark = slice.instance.unit.remark.as_ref().or(first.unit.remark.as_ref());
        return Err(at.series(
            format!(
                "not all slices have grey values of the same kind ({} in {}, {} in {}{})",
                first.unit.kind,
                slices[0].file.display(),
                slice.instance.unit.kind,
                slice.file.display(),
                remark.map_or(String::new(), |remark| format!(": {remark}"))
            ),
            "remove images that do not belong to the stack",
        ));
    }
    Ok(())
}

/// What the slices say of where they came from, each note once.
fn origin_of(slices: &[Slice]) -> Origin {
    let mut origin = slices[0].instance.origin();
    for note in slices.iter().flat_map(|slice| &slice.instance.notes) {
        if !origin.notes.contains(note) {
            origin.notes.push(note.clone());
        }
    }
    origin
}

fn single_affine(frame: &Frame, at: &At) -> Result<(Affine, Option<String>), ImagingError> {
    if let (Some(position), Some(_), Some(spacing_mm)) = (frame.position, frame.orientation, frame.spacing_mm)
    {
        let directions = directions(frame, at)?;
        let step = cross(directions[0], directions[1]).map(|c| c * frame.thickness_mm().unwrap_or(1.0));
        return Ok((ras_affine(directions, spacing_mm, step, position, at)?, frame.rounding_note()));
    }
    let note = "the image has no place in the patient's space: its mask lies on a grid of its size only";
    Ok((placeholder(frame), Some(note.into())))
}

/// A grid for images that do not say where they lie; spacings that are not above 0 count as unknown.
fn placeholder(frame: &Frame) -> Affine {
    let known = |mm: f64| if mm > 1e-3 { mm } else { 1.0 };
    let [between_rows, between_columns] = frame.spacing_mm.unwrap_or([1.0, 1.0]);
    Affine::from_spacing_mm([between_columns, between_rows, frame.thickness_mm().unwrap_or(1.0)].map(known))
}

/// Unit vectors at a right angle along a row and a column of a frame that has directions, or an error.
pub(crate) fn directions(frame: &Frame, at: &At) -> Result<[[f64; 3]; 2], ImagingError> {
    let stated = frame.stated_directions().filter(|&stated| skew(stated) < 1e-2);
    stated
        .and(frame.directions())
        .ok_or_else(|| at.damaged("its ImageOrientationPatient is no pair of directions at a right angle"))
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
