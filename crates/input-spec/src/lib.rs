//! What a network expects of a scan, and how the scan becomes the input tensor.
//!
//! Words and numbers only, shared by the public plan (`graph`), which carries them, and the scan readers (`imaging`), which follow
//! them. Nothing here has seen a patient or a weight. An [`InputSpec`] is read from the file beside a model (TOML), shown in
//! reports (JSON) and held in the public plan (postcard); it comes from the model owner, so that a reader checks it first
//! ([`InputSpec::problem`]).
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::fmt;

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
    #[serde(default)]
    pub slice_offsets: Vec<i32>,
    /// For volumes, in place of `slice_offsets`: where the channels' slices lie in millimetres from the target, towards head,
    /// front or right. The nearest slice is taken; a place beyond the volume's ends counts as zeros.
    #[serde(default)]
    pub slice_offsets_mm: Vec<f32>,
    /// How slices are laid before the network.
    #[serde(default)]
    pub in_plane: InPlane,
    /// For volumes: the axis along which slices are taken.
    pub axis: Axis,
    /// Rows and columns that the network wants.
    pub size: Option<(usize, usize)>,
    /// Whether an image of another size is resized (bicubic with antialiasing, as Pillow resizes grey images) or refused.
    pub resize: bool,
    /// The declared range of the real input; values outside are clamped.
    pub range: (f32, f32),
    /// What the network was trained on, in millimetres; nothing is resampled to it.
    #[serde(default)]
    pub trained: Trained,
    /// How grey values of more than 8 bits become the 8-bit values that the network was trained on; without it they are
    /// refused. Values that have 8 bits are taken as they are.
    #[serde(default)]
    pub to_eight_bit: Option<ToEightBit>,
    /// Whether the model itself clips its input to the range: values outside are then no mistake.
    #[serde(default)]
    pub clips: bool,
}

/// What a network was trained on, in millimetres. Of a scan that differs its owner is warned, or it is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trained {
    /// Between rows and between columns as the network sees them (after any resizing), and between slices.
    pub spacing_mm: Option<[f32; 3]>,
    /// Height and width of a whole plane.
    pub field_of_view_mm: Option<[f32; 2]>,
    /// The share by which a scan may differ (0.2: a fifth more or less) before it is refused. Without it no scan is refused, and
    /// its owner is warned of one that differs by more than a quarter.
    pub tolerance: Option<f32>,
}

/// How deeper grey values become 8 bits: in a straight line, from a value that becomes 0 to one that becomes 255.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToEightBit {
    /// Between two grey values.
    Window {
        /// Becomes 0.
        low: f32,
        /// Becomes 255.
        high: f32,
    },
    /// Between two percentiles of the scan's own grey values, padding left out.
    Percentiles {
        /// The share in per cent that lies below 0.
        low: f32,
        /// The share in per cent that lies below 255.
        high: f32,
    },
    /// Through the window that the file asks to be shown with; where it has none, between two percentiles.
    Voi {
        /// As in `Percentiles`.
        low: f32,
        /// As in `Percentiles`.
        high: f32,
    },
}

/// How slices are laid before the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InPlane {
    /// As radiologists look at them: axial columns run to the patient's left and rows to the back (coronal: left, feet;
    /// sagittal: back, feet), and the next plane is the one nearer the head (front, right). The same scan gives the same
    /// planes in whatever order and direction its file is stored. Of a volume whose file does not say how the patient lies
    /// the first axis makes the columns, the second the rows, both as stored.
    #[default]
    Display,
    /// As the file stores them: of the two axes in the plane the first makes the columns, the second the rows. For networks
    /// that were trained on arrays whose files had lost their directions.
    AsStored,
}

/// The kind of image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Modality {
    /// Computed tomography, a volume (DICOM: CT).
    Ct,
    /// A projection X-ray, a single image (DICOM: CR, DX, RG). A mammogram is another word.
    Xray,
    /// Anything else; not checked.
    Any,
    /// Not an image: a tensor from a `.npy` file.
    Tensor,
    /// Magnetic resonance, a volume (DICOM: MR).
    Mr,
    /// Positron emission tomography, a volume (DICOM: PT).
    Pet,
    /// Ultrasound, an image or a volume (DICOM: US).
    Ultrasound,
    /// A mammogram, a single image (DICOM: MG).
    Mammogram,
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
    /// (grey - min) / (max - min), with the ends of the whole volume (or image) before any resizing; padding left out.
    VolumeMinMax,
    /// Clamped to low..high, then to 0..1.
    Clip {
        /// Becomes 0.
        low: f32,
        /// Becomes 1.
        high: f32,
    },
}

/// The axis of the body along which slices follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// From foot to head: the file's third voxel axis when orientation is standard.
    Axial,
    /// From back to front.
    Coronal,
    /// From left to right.
    Sagittal,
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Axis::Axial => "axial",
            Axis::Coronal => "coronal",
            Axis::Sagittal => "sagittal",
        })
    }
}

impl InputSpec {
    /// A tensor of real numbers in `range`, taken as it is.
    pub fn tensor(range: (f32, f32)) -> Self {
        Self {
            modality: Modality::Tensor,
            grey: GreyScale::Any,
            normalisation: Normalisation::Linear { offset: 0.0, divisor: 1.0 },
            slice_offsets: vec![0],
            slice_offsets_mm: Vec::new(),
            in_plane: InPlane::Display,
            axis: Axis::Axial,
            size: None,
            resize: false,
            range,
            trained: Trained::default(),
            to_eight_bit: None,
            clips: false,
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

    /// What is wrong with the numbers, if anything: the end of a sentence.
    pub fn problem(&self) -> Option<&'static str> {
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
        if !(1..=1024).contains(&self.channels()) {
            return Some("there must be 1 to 1024 slice offsets");
        }
        if !self.slice_offsets.is_empty() && !self.slice_offsets_mm.is_empty() {
            return Some("slice offsets are counted in slices or in millimetres, not in both");
        }
        if !self.slice_offsets_mm.iter().all(|mm| mm.is_finite()) {
            return Some("slice offsets in millimetres must be finite");
        }
        if !self.trained.is_sound() {
            return Some("what the network was trained on must be finite and above 0");
        }
        if let Some(rule) = self.to_eight_bit {
            if self.grey != GreyScale::EightBit {
                return Some(
                    "a rule that makes 8-bit grey values serves a network of 8-bit grey values only",
                );
            }
            if !rule.is_sound() {
                return Some(
                    "the rule that makes 8-bit grey values needs two finite numbers, the lower first; percentiles lie within 0 to 100",
                );
            }
        }
        if self.size.is_some_and(|(rows, columns)| {
            !(1..=1 << 16).contains(&rows) || !(1..=1 << 16).contains(&columns)
        }) {
            return Some("rows and columns must be 1 to 65536");
        }
        None
    }
}

impl Trained {
    fn is_sound(&self) -> bool {
        let lengths = self.spacing_mm.iter().flatten().chain(self.field_of_view_mm.iter().flatten());
        lengths.chain(&self.tolerance).all(|&x| x.is_finite() && x > 0.0)
    }
}

impl ToEightBit {
    fn is_sound(self) -> bool {
        match self {
            Self::Window { low, high } => low.is_finite() && high.is_finite() && low < high,
            Self::Percentiles { low, high } | Self::Voi { low, high } => {
                low >= 0.0 && low < high && high <= 100.0
            }
        }
    }
}

impl InputSpec {
    /// How many channels the network takes.
    pub fn channels(&self) -> usize {
        if self.slice_offsets_mm.is_empty() { self.slice_offsets.len() } else { self.slice_offsets_mm.len() }
    }

    /// How scans as specified would not fit an input tensor of this shape, if so.
    pub fn mismatch(&self, shape: &[usize]) -> Option<&'static str> {
        if matches!(self.modality, Modality::Any | Modality::Tensor) {
            return None;
        }
        let &[1, channels, rows, columns] = shape else {
            return Some("images and slices need an input of 1 x channels x rows x columns");
        };
        if channels != self.channels() {
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
