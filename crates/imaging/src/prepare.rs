//! From a scan to the tensors that a network wants, or a refusal that says why not.
//!
//! | step | what | where |
//! |---|---|---|
//! | 1 | the scan is held against the [`Request`]: volume or picture, modality, kind of grey values, millimetres, size | `request`, `fit` |
//! | 2 | each channel's plane is cut out; beyond the scan's ends a channel is zeros | here |
//! | 3 | grey values of more than 8 bits become 8 bits, if they must and may | `eight_bit` |
//! | 4 | the plane is resized, if it must and may be: 8-bit planes with 8-bit rounding, others in floats | `resize` |
//! | 5 | grey becomes real input by [`Normalisation`], then is clamped to the declared range | here |
//!
//! A [`Tensor`] has no identity: no path, no place in space, no name.

use std::fmt;

use crate::eight_bit::Rendering;
use crate::fit;
use crate::geometry::PlaneIndex;
use crate::planes::{GreyPlane, Slicing};
use crate::request::{Normalisation, Request, misfit};
use crate::resize::{Filter, resize_8bit, resize_float};
use crate::voxels::Kind;
use crate::{ImagingError, Scan};

/// Real input of a network, without identity.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    /// How many channels.
    pub channels: usize,
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
    /// Channel by channel, row by row.
    pub values: Vec<f32>,
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} x {} x {}, values not shown)", self.channels, self.rows, self.columns)
    }
}

/// Tensors of the planes with the numbers `which`, in this order.
pub fn planes(scan: &Scan, request: &Request, which: &[usize]) -> Result<Vec<Tensor>, ImagingError> {
    let preparation = Preparation::new(scan, request)?;
    which.iter().map(|&plane| preparation.tensor(PlaneIndex(plane))).collect()
}

/// No network here takes an input of more values; a request for more is a mistake or an attack.
const TENSOR_VALUES_MAX: usize = 1 << 28;

/// A scan that fits a request, checked once; tensors are made one by one, so that memory does not grow with the volume.
#[derive(Debug)]
pub struct Preparation<'a> {
    scan: &'a Scan,
    request: &'a Request,
    /// `None` for pictures.
    slicing: Option<Slicing>,
    /// `None` where grey values are taken as they are.
    rendering: Option<Rendering>,
    grey_to_real: Ramp,
    notes: Vec<String>,
}

/// (grey - offset) / divisor.
#[derive(Clone, Copy)]
struct Ramp {
    offset: f32,
    divisor: f32,
}

/// The ends of a volume are the patient's.
impl fmt::Debug for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ramp(not shown)")
    }
}

impl<'a> Preparation<'a> {
    /// Checks the request in itself, then the scan against it.
    pub fn new(scan: &'a Scan, request: &'a Request) -> Result<Preparation<'a>, ImagingError> {
        request.check()?;
        fit::check_form(scan, request)?;
        let modality = fit::check_modality(scan, request)?;
        fit::check_kind(scan, request)?;
        let slicing = match scan {
            Scan::Volume(volume) => Some(Slicing::new(volume, request.axis, request.in_plane)),
            Scan::Picture(_) => None,
        };
        let wanted = request.to_eight_bit.filter(|_| request.expected_kind == Some(Kind::EightBit));
        let (rendering, rendered) = match wanted {
            Some(rule) => Rendering::of(scan, rule)?.unzip(),
            None => (None, None),
        };
        let grey_to_real = Ramp { offset: 0.0, divisor: 1.0 };
        let mut preparation =
            Preparation { scan, request, slicing, rendering, grey_to_real, notes: Vec::new() };
        preparation.check_size()?;
        preparation.grey_to_real = preparation.ramp()?;
        let trained = fit::check_trained(scan, preparation.slicing.as_ref(), request)?;
        let empty = preparation.empty_channels();
        preparation.notes = modality.into_iter().chain(rendered).chain(trained).chain(empty).collect();
        Ok(preparation)
    }

    /// What about this scan is unusual for this network, or was assumed, though not refused: sentences for the user.
    pub fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn empty_channels(&self) -> Option<String> {
        let count = self.plane_count();
        let channels = self.request.channels();
        let is_empty = |&channel: &usize| {
            self.slicing.is_some()
                && (0..count).all(|plane| self.source(PlaneIndex(plane), channel).is_none())
        };
        let empty = (0..channels).filter(is_empty).count();
        (empty > 0).then(|| {
            format!(
                "the scan has {count} slices along the {} axis, so that {empty} of the network's {channels} channels are always empty",
                self.request.axis
            )
        })
    }

    /// The plane that makes a channel; `None` beyond the scan's ends.
    fn source(&self, plane: PlaneIndex, channel: usize) -> Option<PlaneIndex> {
        let (Some(slicing), Scan::Volume(volume)) = (self.slicing, self.scan) else { return Some(plane) };
        match self.request.slice_offsets_mm.get(channel) {
            Some(&mm) => {
                let [_, _, step] = fit::spacing_mm(volume, &slicing, self.request);
                slicing.nearest(plane, f64::from(mm) / step)
            }
            None => slicing.neighbour(plane, self.request.slice_offsets[channel]),
        }
    }

    fn ramp(&self) -> Result<Ramp, ImagingError> {
        Ok(match self.request.normalisation {
            Normalisation::Linear { offset, divisor } => Ramp { offset, divisor },
            Normalisation::Clip { low, high } => Ramp { offset: low, divisor: high - low },
            Normalisation::VolumeMinMax => {
                let (low, high) = match self.scan {
                    Scan::Volume(volume) => volume.grey_range(),
                    Scan::Picture(picture) => picture.grey_range(),
                };
                let (low, high) = match self.rendering {
                    Some(rendering) => (rendering.grey(low), rendering.grey(high)),
                    None => (low, high),
                };
                if low >= high {
                    return Err(misfit(
                        "a scan whose voxels are all equal".into(),
                        "one with light and dark".into(),
                        "check that the scan was exported completely",
                    ));
                }
                Ramp { offset: low, divisor: high - low }
            }
        })
    }

    /// How many planes may be asked for.
    pub fn plane_count(&self) -> usize {
        self.slicing.map_or(1, |slicing| slicing.plane_count())
    }

    /// Rows and columns of the scan's own planes.
    pub fn own_size(&self) -> (usize, usize) {
        match (self.slicing, self.scan) {
            (Some(slicing), _) => slicing.plane_size(),
            (None, Scan::Picture(picture)) => picture.size(),
            (None, Scan::Volume(_)) => unreachable!("a volume is always sliced"),
        }
    }

    /// Rows and columns of the tensors.
    pub fn tensor_size(&self) -> (usize, usize) {
        self.request.size.unwrap_or_else(|| self.own_size())
    }

    /// How a volume is cut; `None` for a picture.
    pub fn slicing(&self) -> Option<&Slicing> {
        self.slicing.as_ref()
    }

    /// The grey values of one plane in the scan's own size: what overlays are drawn on.
    pub fn grey(&self, plane: PlaneIndex) -> Result<GreyPlane, ImagingError> {
        match (self.scan, self.slicing) {
            (Scan::Volume(volume), Some(slicing)) => slicing.grey(volume, plane),
            (Scan::Picture(picture), _) if plane.0 == 0 => Ok(GreyPlane::of_picture(picture)),
            _ => Err(ImagingError::NoSuchPlane { index: plane.0, count: 1, axis: self.request.axis }),
        }
    }

    /// The network's input for one plane.
    pub fn tensor(&self, plane: PlaneIndex) -> Result<Tensor, ImagingError> {
        if plane.0 >= self.plane_count() {
            return Err(ImagingError::NoSuchPlane {
                index: plane.0,
                count: self.plane_count(),
                axis: self.request.axis,
            });
        }
        let (rows, columns) = self.tensor_size();
        let channels = self.request.channels();
        let mut values = Vec::with_capacity(channels * rows * columns);
        for channel in 0..channels {
            match self.source(plane, channel) {
                Some(source) => values.extend(self.channel(self.grey(source)?)),
                None => values.resize(values.len() + rows * columns, 0.0),
            }
        }
        Ok(Tensor { channels, rows, columns, values })
    }

    fn channel(&self, mut grey: GreyPlane) -> Vec<f32> {
        if let Some(rendering) = self.rendering {
            grey.values.iter_mut().for_each(|value| *value = rendering.grey(*value));
            grey.kind = Kind::EightBit;
        }
        let Ramp { offset, divisor } = self.grey_to_real;
        let (low, high) = self.request.range;
        let to_real = |v: f32| {
            let v = match self.request.normalisation {
                Normalisation::Clip { low, high } => v.clamp(low, high),
                _ => v,
            };
            ((v - offset) / divisor).clamp(low, high)
        };
        resized(&grey, self.tensor_size(), self.request.resize).into_iter().map(to_real).collect()
    }

    fn check_size(&self) -> Result<(), ImagingError> {
        let (own, wanted) = (self.own_size(), self.tensor_size());
        let values = wanted.0.checked_mul(wanted.1).and_then(|n| n.checked_mul(self.request.channels()));
        if values.is_none_or(|values| values > TENSOR_VALUES_MAX) {
            return Err(misfit(
                format!(
                    "a plane of {} rows and {} columns for an input of more than {TENSOR_VALUES_MAX} values",
                    own.0, own.1
                ),
                "a smaller input".into(),
                "check the model's input specification",
            ));
        }
        if own != wanted && self.request.resize.is_none() {
            return Err(misfit(
                format!("a plane of {} rows and {} columns", own.0, own.1),
                format!("{} rows and {} columns", wanted.0, wanted.1),
                "resample the scan to this size, or take a model whose input specification allows resizing",
            ));
        }
        Ok(())
    }
}

fn resized(grey: &GreyPlane, to: (usize, usize), filter: Option<Filter>) -> Vec<f32> {
    let from = (grey.rows, grey.columns);
    match filter {
        Some(filter) if from != to && grey.kind == Kind::EightBit => {
            let pixels: Vec<u8> = grey.values.iter().map(|&v| v as u8).collect();
            resize_8bit(&pixels, from, to, filter).into_iter().map(f32::from).collect()
        }
        Some(filter) if from != to => resize_float(&grey.values, from, to, filter),
        _ => grey.values.clone(),
    }
}

#[cfg(test)]
mod tests;
