//! From a scan to the tensors that a network wants, or a refusal that says why not.
//!
//! | step | what | where |
//! |---|---|---|
//! | 1 | the scan is held against the [`InputSpec`]: volume or picture, modality, kind of grey values, millimetres, size | `fit` |
//! | 2 | what depends on the whole scan is worked out once: its ends, its percentiles | `normalise`, `eight_bit` |
//! | 3 | of each patch every channel's voxels are cut out; what lies beyond the scan's ends is 0 in the tensor | `patch`, here |
//! | 4 | grey values of more than 8 bits become 8 bits, if they must and may | `eight_bit` |
//! | 5 | a plane is resized, if it must and may be: 8-bit planes with 8-bit rounding, others in floats | `resize` |
//! | 6 | grey becomes real input, then is clamped to the declared range | `normalise` |
//!
//! A [`PatchTensor`] has no identity: no path, no place in space, no name.

use std::fmt;

use blindscan_input_spec::InputSpec;

use crate::geometry::{PlaneIndex, PlanePixel};
use crate::kind::GreyKind;
use crate::normalise::GreyToReal;
use crate::patch::{Cut, Patch};
use crate::planes::GreyPlane;
use crate::resize::{Filter, resize_8bit, resize_float};
use crate::scan::Scan;
use crate::slicing::{Shift, Slicing};
use crate::{ImagingError, fit};

/// Real input of a network, without identity.
#[derive(Clone, PartialEq)]
pub struct PatchTensor {
    /// Of a plane: channels, rows, columns. Of a block: channels, depth, rows, columns.
    pub shape: Vec<usize>,
    /// The last axis fastest.
    pub values: Vec<f32>,
}

impl fmt::Debug for PatchTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PatchTensor({:?}, values not shown)", self.shape)
    }
}

/// A scan that fits a specification, checked once. It does not hold the scan, so that both can be kept side by side; tensors are
/// made one by one, so that memory does not grow with the volume.
#[derive(Clone, Debug)]
pub struct Preparation {
    spec: InputSpec,
    cut: Cut,
    slicing: Slicing,
    /// Where each channel's plane lies from the target's.
    channels: Vec<Shift>,
    grey_to_real: GreyToReal,
    notes: Vec<String>,
}

impl Preparation {
    /// Checks the specification in itself, then the scan against it; the scan is cut into planes.
    pub fn new(scan: &Scan, spec: &InputSpec) -> Result<Preparation, ImagingError> {
        Preparation::of(scan, spec, Cut::Planes)
    }

    /// The same for a scan that is cut as `cut` says. Blocks are cut in the scan's own voxels: they are not resized, and where the
    /// specification states rows and columns they must have these.
    pub fn of(scan: &Scan, spec: &InputSpec, cut: Cut) -> Result<Preparation, ImagingError> {
        fit::check_spec(spec)?;
        fit::check_form(scan, spec)?;
        let modality = fit::check_modality(scan, spec)?;
        fit::check_kind(scan, spec)?;
        cut.check(spec)?;
        let slicing = match scan {
            Scan::Volume(volume) => Slicing::new(volume, spec.axis, spec.in_plane),
            Scan::Picture(picture) => Slicing::of_picture(picture, spec.axis),
        };
        if cut == Cut::Planes {
            fit::check_size(&slicing, spec)?;
        }
        let (grey_to_real, rendered) = GreyToReal::of(scan, spec)?;
        let trained = fit::check_trained(scan, &slicing, spec)?;
        let channels = channels(scan, &slicing, spec);
        let empty = empty_channels(&slicing, &channels);
        let notes = modality.into_iter().chain(rendered).chain(trained).chain(empty).collect();
        Ok(Preparation { spec: spec.clone(), cut, slicing, channels, grey_to_real, notes })
    }

    /// What the network expects.
    pub fn spec(&self) -> &InputSpec {
        &self.spec
    }

    /// What about this scan is unusual for this network, or was assumed, though not refused: sentences for the user.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How the scan is laid.
    pub fn slicing(&self) -> &Slicing {
        &self.slicing
    }

    /// How many patches the scan is cut into.
    pub fn patch_count(&self) -> usize {
        self.cut.count(&self.slicing)
    }

    /// The patch of this number; planes have the numbers that the file gives them.
    pub fn patch(&self, number: usize) -> Patch {
        self.cut.patch(&self.slicing, number)
    }

    /// All patches, which together cover the scan.
    pub fn patches(&self) -> impl ExactSizeIterator<Item = Patch> + '_ {
        (0..self.patch_count()).map(|number| self.patch(number))
    }

    /// The shape of each patch's tensor.
    pub fn tensor_shape(&self) -> Vec<usize> {
        self.shape_of(&self.patch(0))
    }

    /// The network's input for one patch.
    ///
    /// # Panics
    /// When the scan has another size than the one that was checked, or the patch is one of another.
    pub fn tensor(&self, scan: &Scan, patch: &Patch) -> Result<PatchTensor, ImagingError> {
        let (low, high) = self.spec.range;
        self.filled(scan, patch, |grey| self.grey_to_real.real(grey).clamp(low, high))
    }

    /// The same before it is clamped to the declared range.
    ///
    /// # Panics
    /// As [`Preparation::tensor`].
    pub fn tensor_unclamped(&self, scan: &Scan, patch: &Patch) -> Result<PatchTensor, ImagingError> {
        self.filled(scan, patch, |grey| self.grey_to_real.real(grey))
    }

    fn filled(
        &self,
        scan: &Scan,
        patch: &Patch,
        real: impl Fn(f32) -> f32,
    ) -> Result<PatchTensor, ImagingError> {
        let is_its_own = patch.slicing() == &self.slicing && size_of(scan) == self.slicing.size();
        assert!(is_its_own, "a preparation serves the scan that it was made for");
        patch.check()?;
        let shape = self.shape_of(patch);
        match patch {
            Patch::Plane { .. } => fit::check_size(&self.slicing, &self.spec)?,
            Patch::Block { .. } => fit::check_values(1, &shape)?,
        }
        let mut values = Vec::with_capacity(shape.iter().product());
        let plane_values = shape[shape.len() - 2..].iter().product::<usize>();
        for &shift in &self.channels {
            for number in patch.numbers() {
                match (self.slicing.shifted(number, shift), patch) {
                    (None, _) => values.resize(values.len() + plane_values, 0.0),
                    (Some(plane), Patch::Plane { .. }) => {
                        values.extend(self.plane(scan, plane)?.into_iter().map(&real));
                    }
                    (Some(plane), Patch::Block { .. }) => {
                        let value = |pixel| real(self.grey_to_real.grey(self.grey_at(scan, pixel)));
                        values.extend(patch.pixels(plane).map(|pixel| pixel.map_or(0.0, value)));
                    }
                }
            }
        }
        Ok(PatchTensor { shape, values })
    }

    fn shape_of(&self, patch: &Patch) -> Vec<usize> {
        let [depth, rows, columns] = patch.size();
        let channels = self.channels.len();
        match patch {
            Patch::Plane { .. } => {
                let (rows, columns) = self.spec.size.unwrap_or((rows, columns));
                vec![channels, rows, columns]
            }
            Patch::Block { .. } => vec![channels, depth, rows, columns],
        }
    }

    /// The grey values of one plane in the scan's own size: what overlays are drawn on.
    pub fn grey(&self, scan: &Scan, plane: PlaneIndex) -> Result<GreyPlane, ImagingError> {
        match scan {
            Scan::Volume(volume) => self.slicing.grey(volume, plane),
            Scan::Picture(picture) => {
                self.slicing.check(plane)?;
                Ok(GreyPlane::of_picture(picture))
            }
        }
    }

    fn grey_at(&self, scan: &Scan, pixel: PlanePixel) -> f32 {
        match scan {
            Scan::Volume(volume) => volume.value(self.slicing.voxel(pixel)),
            Scan::Picture(picture) => picture.grey().get(pixel.row * picture.size().1 + pixel.column),
        }
    }

    /// The grey values of one plane as the network takes them.
    fn plane(&self, scan: &Scan, plane: PlaneIndex) -> Result<Vec<f32>, ImagingError> {
        let mut grey = self.grey(scan, plane)?;
        if self.grey_to_real.renders() {
            grey.values.iter_mut().for_each(|value| *value = self.grey_to_real.grey(*value));
            grey.kind = GreyKind::EightBit;
        }
        Ok(match self.spec.size {
            Some(size) => resized(grey, size),
            None => grey.values,
        })
    }
}

/// Voxels along the file's three axes.
fn size_of(scan: &Scan) -> [usize; 3] {
    match scan {
        Scan::Volume(volume) => volume.size(),
        Scan::Picture(picture) => [picture.size().1, picture.size().0, 1],
    }
}

/// Where each channel's plane lies from the target's.
fn channels(scan: &Scan, slicing: &Slicing, spec: &InputSpec) -> Vec<Shift> {
    match scan {
        Scan::Volume(volume) if !spec.slice_offsets_mm.is_empty() => {
            let [_, _, step] = fit::spacing_mm(volume, slicing);
            spec.slice_offsets_mm.iter().map(|&mm| Shift::Steps(f64::from(mm) / step)).collect()
        }
        Scan::Volume(_) | Scan::Picture(_) => {
            spec.slice_offsets.iter().map(|&offset| Shift::Planes(offset)).collect()
        }
    }
}

fn empty_channels(slicing: &Slicing, channels: &[Shift]) -> Option<String> {
    let count = slicing.plane_count();
    let is_empty = |&&shift: &&Shift| (0..count).all(|plane| slicing.shifted(plane as i64, shift).is_none());
    let empty = channels.iter().filter(is_empty).count();
    (empty > 0).then(|| {
        format!(
            "the scan has {count} slices along the {} axis, so that {empty} of the network's {} channels are always empty",
            slicing.axis(),
            channels.len()
        )
    })
}

/// As Pillow resizes grey images.
fn resized(grey: GreyPlane, to: (usize, usize)) -> Vec<f32> {
    let from = (grey.rows, grey.columns);
    if from == to {
        return grey.values;
    }
    if grey.kind == GreyKind::EightBit {
        let pixels: Vec<u8> = grey.values.iter().map(|&v| v as u8).collect();
        return resize_8bit(&pixels, from, to, Filter::Bicubic).into_iter().map(f32::from).collect();
    }
    resize_float(&grey.values, from, to, Filter::Bicubic)
}

#[cfg(test)]
mod tests;
