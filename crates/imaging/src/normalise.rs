//! Grey values to a network's real input: to 8 bits where the specification says so, then by its [`Normalisation`].

use std::fmt;

use blindscan_input_spec::{GreyScale, InputSpec, Normalisation};

use crate::ImagingError;
use crate::eight_bit::Rendering;
use crate::error::misfit;
use crate::scan::Scan;

/// How one scan's grey values become real input. The ends of a volume are the patient's: `Debug` shows none.
#[derive(Clone, Copy)]
pub(crate) struct GreyToReal {
    /// `None` where grey values are taken as they are.
    rendering: Option<Rendering>,
    /// Clamped to first.
    clip: Option<(f32, f32)>,
    /// (grey - offset) / divisor.
    offset: f32,
    divisor: f32,
}

impl fmt::Debug for GreyToReal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GreyToReal(not shown)")
    }
}

impl GreyToReal {
    /// Works out what depends on the whole scan, its ends and percentiles; and a note when grey values are brought to 8 bits.
    pub(crate) fn of(scan: &Scan, spec: &InputSpec) -> Result<(GreyToReal, Option<String>), ImagingError> {
        let (rendering, note) = match spec.to_eight_bit.filter(|_| spec.grey == GreyScale::EightBit) {
            Some(rule) => Rendering::of(scan, rule)?.unzip(),
            None => (None, None),
        };
        let (offset, divisor) = match spec.normalisation {
            Normalisation::Linear { offset, divisor } => (offset, divisor),
            Normalisation::Clip { low, high } => (low, high - low),
            Normalisation::VolumeMinMax => {
                let (low, high) = ends(scan, rendering)?;
                (low, high - low)
            }
        };
        let clip = match spec.normalisation {
            Normalisation::Clip { low, high } => Some((low, high)),
            Normalisation::Linear { .. } | Normalisation::VolumeMinMax => None,
        };
        Ok((GreyToReal { rendering, clip, offset, divisor }, note))
    }

    /// Whether grey values are brought to 8 bits.
    pub(crate) fn renders(&self) -> bool {
        self.rendering.is_some()
    }

    /// A grey value as the network's kind of scan has it.
    pub(crate) fn grey(&self, value: f32) -> f32 {
        self.rendering.map_or(value, |rendering| rendering.grey(value))
    }

    /// Real input of such a grey value.
    pub(crate) fn real(&self, grey: f32) -> f32 {
        let grey = self.clip.map_or(grey, |(low, high)| grey.clamp(low, high));
        (grey - self.offset) / self.divisor
    }
}

/// The smallest and the largest grey value of the whole scan.
fn ends(scan: &Scan, rendering: Option<Rendering>) -> Result<(f32, f32), ImagingError> {
    let (low, high) = match scan {
        Scan::Volume(volume) => volume.grey_range(),
        Scan::Picture(picture) => picture.grey_range(),
    };
    let grey = |value| rendering.map_or(value, |rendering| rendering.grey(value));
    let (low, high) = (grey(low), grey(high));
    if low >= high {
        return Err(misfit(
            "a scan whose voxels are all equal".into(),
            "one with light and dark".into(),
            "check that the scan was exported completely",
        ));
    }
    Ok((low, high))
}
