//! What a network wants of a scan. It comes from the model owner: nothing in it is trusted.

use std::fmt;

use crate::geometry::Axis;
use crate::planes::InPlane;
use crate::resize::Filter;
use crate::voxels::Kind;
use crate::{ImagingError, Misfit};

/// Whether the network was made for volumes or for pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Form {
    /// A volume in space: CT, MR.
    Volume,
    /// A single image: a projection X-ray.
    Picture,
    /// Either; not checked.
    #[default]
    Any,
}

/// Which modality the network was made for; DICOM files name theirs by a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modality {
    /// Computed tomography.
    Ct,
    /// Magnetic resonance.
    Mr,
    /// Positron emission tomography.
    Pet,
    /// Ultrasound.
    Ultrasound,
    /// A projection X-ray, no mammogram.
    Xray,
    /// A mammogram.
    Mammogram,
}

impl Modality {
    /// The codes that fit (PS3.3 section C.7.3.1.1.1).
    pub(crate) fn codes(self) -> &'static [&'static str] {
        match self {
            Modality::Ct => &["CT"],
            Modality::Mr => &["MR"],
            Modality::Pet => &["PT"],
            Modality::Ultrasound => &["US"],
            Modality::Xray => &["CR", "DX", "RG"],
            Modality::Mammogram => &["MG"],
        }
    }
}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes = self.codes().join(", ");
        match self {
            Modality::Xray => write!(f, "a projection X-ray ({codes})"),
            Modality::Mammogram => write!(f, "a mammogram ({codes})"),
            _ => f.write_str(&codes),
        }
    }
}

/// How grey values become the network's real input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalisation {
    /// (grey - offset) / divisor.
    Linear {
        /// Subtracted first.
        offset: f32,
        /// Divided by then.
        divisor: f32,
    },
    /// (grey - min) / (max - min), with the ends of the whole volume or picture before any resizing; padding left out.
    VolumeMinMax,
    /// Clamped to low..high, then to 0..1.
    Clip {
        /// Becomes 0.
        low: f32,
        /// Becomes 1.
        high: f32,
    },
}

/// How grey values of more than 8 bits become 8 bits, in a straight line from 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ToEightBit {
    /// Between two grey values.
    Window {
        /// Becomes 0.
        low: f32,
        /// Becomes 255.
        high: f32,
    },
    /// Between two percentiles of the scan's grey values, padding left out.
    Percentiles {
        /// Becomes 0.
        low: f32,
        /// Becomes 255.
        high: f32,
    },
    /// Through the window that the file asks to be shown with; without one as by `Percentiles`.
    Voi {
        /// Becomes 0.
        low: f32,
        /// Becomes 255.
        high: f32,
    },
}

/// What the network was trained on, in millimetres.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trained {
    /// Between rows and between columns of the tensor, and between slices.
    pub spacing_mm: Option<[f32; 3]>,
    /// Height and width of a whole plane.
    pub field_of_view_mm: Option<[f32; 2]>,
    /// The share by which a scan may differ before it is refused; `None` refuses none, and mentions what differs much.
    pub tolerance: Option<f32>,
}

/// What a network wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Volume or picture.
    pub form: Form,
    /// Held against the file's own word; `None` takes any.
    pub modality: Option<Modality>,
    /// What grey values must mean; `None` takes any.
    pub expected_kind: Option<Kind>,
    /// How deeper grey values become 8 bits, where 8 bits are expected; `None` refuses them.
    pub to_eight_bit: Option<ToEightBit>,
    /// From grey to real input.
    pub normalisation: Normalisation,
    /// The planes that make the channels, relative to the target. For pictures `[0]`.
    pub slice_offsets: Vec<i32>,
    /// In place of `slice_offsets`, in millimetres towards head, front or right; the nearest plane is taken.
    pub slice_offsets_mm: Vec<f32>,
    /// Across which planes are cut.
    pub axis: Axis,
    /// How planes are laid before the network.
    pub in_plane: InPlane,
    /// Rows and columns that the network wants; `None` takes any.
    pub size: Option<(usize, usize)>,
    /// How a plane of another size is resized; `None` refuses it. Pillow's default for grey images is bicubic.
    pub resize: Option<Filter>,
    /// The declared range of the real input; values outside are clamped.
    pub range: (f32, f32),
    /// What the network was trained on.
    pub trained: Trained,
}

impl Request {
    /// How many channels the network takes.
    pub fn channels(&self) -> usize {
        if self.slice_offsets_mm.is_empty() { self.slice_offsets.len() } else { self.slice_offsets_mm.len() }
    }

    /// Refuses what no scan could fit.
    pub(crate) fn check(&self) -> Result<(), ImagingError> {
        const ADVICE: &str = "ask the model owner to correct the model's input specification";
        let refuse = |came: &str, expected: &str| {
            Err(misfit(format!("an input specification with {came}"), expected.into(), ADVICE))
        };
        if self.channels() == 0 {
            return refuse("no slice offsets", "at least one");
        }
        if !self.slice_offsets_mm.iter().all(|mm| mm.is_finite()) {
            return refuse("a slice offset that is not finite", "finite millimetres");
        }
        if self.size.is_some_and(|(rows, columns)| rows == 0 || columns == 0) {
            return refuse("a side of 0 pixels", "at least 1");
        }
        let (low, high) = self.range;
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return refuse("a range that is empty or not finite", "a finite range whose low end comes first");
        }
        match self.to_eight_bit {
            Some(ToEightBit::Window { low, high })
                if !(low.is_finite() && high.is_finite() && low < high) =>
            {
                return refuse("an empty window", "a finite window whose low end comes first");
            }
            Some(ToEightBit::Percentiles { low, high } | ToEightBit::Voi { low, high })
                if !(low >= 0.0 && low < high && high <= 100.0) =>
            {
                return refuse(
                    "percentiles out of order",
                    "two percentiles within 0 to 100, the lower first",
                );
            }
            _ => {}
        }
        match self.normalisation {
            Normalisation::Linear { offset, divisor }
                if !(offset.is_finite() && divisor.is_finite() && divisor != 0.0) =>
            {
                refuse(
                    "an offset or divisor that is 0 or not finite",
                    "finite numbers and a divisor other than 0",
                )
            }
            Normalisation::Clip { low, high } if !(low.is_finite() && high.is_finite() && low < high) => {
                refuse("an empty window of grey values", "a finite window whose low end comes first")
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn misfit(came: String, expected: String, advice: &'static str) -> ImagingError {
    Misfit { came, expected, advice }.into()
}
