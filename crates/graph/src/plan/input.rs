//! What a scan must be, and how it becomes the input tensor.
//!
//! Read from the sidecar beside a model (TOML), shown in reports (JSON) and held in the public plan (postcard).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the image owner's scan must be, and how it becomes the input tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// What kind of image: checked by the client against the file's own words.
    pub modality: Modality,
    /// What grey values mean.
    pub grey: GreyScale,
    /// How grey values become real input.
    pub normalisation: Normalisation,
    /// For volumes: slices that make the channels, relative to the target; outside the volume counts as zeros. For images: one entry, 0.
    pub slice_offsets: Vec<i32>,
    /// For volumes: the axis along which slices are taken.
    pub axis: Axis,
    /// Rows and columns that the network wants.
    pub size: Option<(usize, usize)>,
    /// Whether an image of another size is resized (bicubic with antialiasing, as Pillow resizes grey images) or refused.
    pub resize: bool,
    /// The declared range of the real input; values outside are clamped.
    pub range: (f32, f32),
}

/// The kind of image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Modality {
    /// Computed tomography, a volume.
    Ct,
    /// A projection X-ray, a single image.
    Xray,
    /// Anything else; not checked.
    Any,
    /// Not an image: a tensor from a `.npy` file.
    Tensor,
}

/// What grey values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GreyScale {
    /// Hounsfield units.
    Hounsfield,
    /// 8-bit values 0 to 255 as stored.
    EightBit,
    /// Any scale.
    Any,
}

/// From grey to real values.
///
/// In files for people this is a table with a `kind`; in binary form, which has no tables, a triple.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "kebab-case", tag = "kind")]
pub enum Normalisation {
    /// (grey - offset) / divisor.
    Linear {
        /// Subtracted first.
        offset: f32,
        /// Divided by then.
        divisor: f32,
    },
    /// (grey - min) / (max - min) over the whole volume (or image).
    VolumeMinMax,
    /// Clamped to low..high, then to 0..1.
    Clip {
        /// Becomes 0.
        low: f32,
        /// Becomes 1.
        high: f32,
    },
}

/// Anatomical axis along which slices are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Head to foot: the file's third voxel axis when orientation is standard.
    Axial,
    /// Front to back.
    Coronal,
    /// Left to right.
    Sagittal,
}

impl InputSpec {
    /// A tensor of real numbers in `range`, taken as it is.
    pub fn tensor(range: (f32, f32)) -> Self {
        Self {
            modality: Modality::Tensor,
            grey: GreyScale::Any,
            normalisation: Normalisation::Linear { offset: 0.0, divisor: 1.0 },
            slice_offsets: vec![0],
            axis: Axis::Axial,
            size: None,
            resize: false,
            range,
        }
    }

    /// A single 8-bit X-ray of any size, resized to `size` (rows, columns) and divided by 255.
    pub fn xray(size: (usize, usize)) -> Self {
        Self {
            modality: Modality::Xray,
            grey: GreyScale::EightBit,
            normalisation: Normalisation::Linear { offset: 0.0, divisor: 255.0 },
            size: Some(size),
            resize: true,
            ..Self::tensor((0.0, 1.0))
        }
    }

    /// Axial CT slices of `size`, 8-bit grey scaled to 0..1 over each volume, neighbours at `slice_offsets` as channels.
    pub fn ct_min_max(size: (usize, usize), slice_offsets: Vec<i32>) -> Self {
        Self {
            modality: Modality::Ct,
            grey: GreyScale::EightBit,
            normalisation: Normalisation::VolumeMinMax,
            slice_offsets,
            size: Some(size),
            ..Self::tensor((0.0, 1.0))
        }
    }

    /// What is wrong with the numbers, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let (low, high) = self.range;
        if !(low.is_finite() && high.is_finite() && low < high) {
            return Some("the input's range must be two finite numbers, the lower first");
        }
        let sound = match self.normalisation {
            Normalisation::Linear { offset, divisor } => {
                offset.is_finite() && divisor.is_finite() && divisor != 0.0
            }
            Normalisation::VolumeMinMax => true,
            Normalisation::Clip { low, high } => low.is_finite() && high.is_finite() && low < high,
        };
        if !sound {
            return Some(
                "the normalisation's numbers must be finite, its divisor not 0, its limits in order",
            );
        }
        if self.slice_offsets.is_empty() || self.slice_offsets.len() > 1024 {
            return Some("there must be 1 to 1024 slice offsets");
        }
        if self.size.is_some_and(|(rows, columns)| {
            !(1..=1 << 16).contains(&rows) || !(1..=1 << 16).contains(&columns)
        }) {
            return Some("rows and columns must be 1 to 65536");
        }
        None
    }
}

impl InputSpec {
    /// How scans as specified would not fit an input tensor of this shape, if so.
    pub(crate) fn mismatch(&self, shape: &[usize]) -> Option<&'static str> {
        if !matches!(self.modality, Modality::Ct | Modality::Xray) {
            return None;
        }
        let &[1, channels, rows, columns] = shape else {
            return Some("images and slices need an input of 1 x channels x rows x columns");
        };
        if channels != self.slice_offsets.len() {
            return Some("there must be as many slice offsets as the input has channels");
        }
        if self.size.is_some_and(|size| size != (rows, columns)) {
            return Some("its size must be the input's rows and columns");
        }
        None
    }
}

impl Serialize for Normalisation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return Self::serialize(self, serializer);
        }
        let triple: (u8, f32, f32) = match *self {
            Self::Linear { offset, divisor } => (0, offset, divisor),
            Self::VolumeMinMax => (1, 0.0, 0.0),
            Self::Clip { low, high } => (2, low, high),
        };
        triple.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Normalisation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Self::deserialize(deserializer);
        }
        match <(u8, f32, f32)>::deserialize(deserializer)? {
            (0, offset, divisor) => Ok(Self::Linear { offset, divisor }),
            (1, ..) => Ok(Self::VolumeMinMax),
            (2, low, high) => Ok(Self::Clip { low, high }),
            (kind, ..) => Err(serde::de::Error::custom(format_args!("normalisation {kind} is not known"))),
        }
    }
}
