//! The fixed plan: the model in integers, which **is** the specification of the answer.
//!
//! [`PublicPlan`] is what both sides hold and digest; [`Weights`] is the model owner's alone.
//!
//! A tensor holds integers; its real value is `integer * 2^-fraction / divisor`. It is shared modulo `2^ring_bits`.
//! Two kinds of tensors: *activations* (few bits, the output of an [`Step::Activate`] or the input) and *accumulators*
//! (the output of a linear step, at the sum of both fractions). Only [`Step::Activate`] makes a tensor narrower.
//! Every step that is not `Linear`, `Activate`, `MaxPool` or `Label` is local on additive shares.

use serde::{Deserialize, Serialize};

use crate::ir::{Head, Window};

/// An index into [`PublicPlan::tensors`].
pub type TensorId = usize;

/// Shape, width and scale of one tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// The name in the model, for reports.
    pub name: String,
    /// Extent of each axis, batch (always 1) included.
    pub shape: Vec<usize>,
    /// The tensor is shared modulo 2^ring_bits, 2 to 32. Consumers of narrower rings reduce locally.
    pub ring_bits: u32,
    /// Real value = integer * 2^-fraction / divisor.
    pub fraction: i32,
    /// See `fraction`; 1 but behind an average pool whose window is no power of two.
    pub divisor: u32,
    /// Largest absolute value of the integers that is promised.
    pub bound: u64,
    /// True when all values are >= 0.
    pub non_negative: bool,
    /// How `bound` is known.
    pub range: Range,
}

/// Where a bound comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Range {
    /// It follows from the weights and the input's range.
    Proven,
    /// It was seen on sample images, and a margin was added.
    Calibrated,
}

/// One step: what is done, to what, into what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanNode {
    /// The name in the model, for reports.
    pub name: String,
    /// What is done.
    pub step: Step,
    /// What it is done to.
    pub inputs: Vec<TensorId>,
    /// What comes of it.
    pub output: TensorId,
}

/// The integer operators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// W*x + b modulo the output's ring. Weight and bias are in [`Weights`] under this node's index.
    Linear(Linear),
    /// floor(x / 2^drop), of max(x, 0) when `relu`: the only narrowing. The input's ring is 2^l.
    /// With `relu`: |x| < 2^(l-1). Without: |x| < 2^(l-2).
    Activate {
        /// Whether negative values become 0.
        relu: bool,
        /// Low bits dropped, 0 to l-2.
        drop: u32,
    },
    /// Maximum over windows, in the input's ring; differences of two elements fit it: |x| < 2^(l-2) (or x >= 0 and x < 2^(l-1)).
    /// Padding counts as minus infinity.
    MaxPool(Window),
    /// Sum over windows (zero padding). The mean's divisor is in the output's `fraction` and `divisor`.
    SumPool(Window),
    /// Sum of both inputs, each first shifted left by its amount and reduced to the output's ring.
    Add {
        /// One a input.
        shift_left: [u32; 2],
    },
    /// Joins inputs along an axis, each first shifted left by its amount and reduced to the output's ring.
    Concat {
        /// The axis.
        axis: usize,
        /// One a input.
        shift_left: Vec<u32>,
    },
    /// Zeros around.
    Pad {
        /// Before each axis.
        begin: Vec<usize>,
        /// Behind each axis.
        end: Vec<usize>,
    },
    /// The same elements, the output's shape.
    Reshape,
    /// Axes exchanged: output axis i is input axis `perm[i]`.
    Transpose {
        /// The permutation.
        perm: Vec<usize>,
    },
    /// Rearranges (1, r1*..*rk*M, spatial) into (1, M, spatial*r): what is left of a transposed convolution whose stride is
    /// its kernel. Input channel index is ((m * r1 + a1) * r2 + a2).., output position s*r + a.
    PixelShuffle {
        /// One a spatial axis.
        factors: Vec<usize>,
    },
    /// Multiplication by a public positive integer, modulo the output's ring.
    Scale {
        /// The factor.
        factor: u32,
    },
}

/// A linear step: convolutions of rank 1 to 3 (dense layers have rank 0: `window` empty, rows in `rows`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Linear {
    /// Taps, steps, padding with zeros; empty vectors for a dense layer.
    pub window: Window,
    /// Spatial extents of the input; empty for a dense layer.
    pub input_size: Vec<usize>,
    /// Input channels or features.
    pub in_channels: usize,
    /// Output channels or features.
    pub out_channels: usize,
    /// Groups of the convolution.
    pub groups: usize,
    /// Rows to which a dense layer is applied one by one; 1 for convolutions.
    pub rows: usize,
    /// |weight| < 2^(weight_bits - 1).
    pub weight_bits: u32,
    /// Fraction bits of the integer weights (disclosed: per tensor, never per channel).
    pub weight_fraction: i32,
}

/// The half of a fixed plan that both sides hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicPlan {
    /// Layout version of this structure: [`PLAN_VERSION`].
    pub version: u32,
    /// The model's name.
    pub name: String,
    /// What a scan must be, and how it becomes the input tensor.
    pub input_spec: InputSpec,
    /// All tensors; `tensors[input]` is the input.
    pub tensors: Vec<TensorSpec>,
    /// Steps in a runnable order.
    pub nodes: Vec<PlanNode>,
    /// The input tensor.
    pub input: TensorId,
    /// The logits.
    pub output: TensorId,
    /// What the answer is.
    pub answer: Answer,
    /// Bits of a digit in comparisons, 1 to 4.
    pub radix_bits: u32,
    /// How rescaling rounds.
    pub rounding: Rounding,
}

/// The version of [`PublicPlan`] and of the saved form.
pub const PLAN_VERSION: u32 = 1;

/// The rounding modes of DESIGN.md 4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rounding {
    /// Every rescaling floors, bit for bit.
    Exact,
}

/// What the image owner gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The head that stood in the model.
    pub head: Head,
    /// The class axis of the logits, when there are classes.
    pub class_axis: Option<usize>,
    /// Labels only (index of the largest logit, ties to the lower index; for a single logit: 1 when >= 0), or the logits.
    pub policy: OutputPolicy,
    /// Names of the classes, in order; may be empty.
    pub class_names: Vec<String>,
}

/// How much of the answer is opened to the image owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputPolicy {
    /// Argmax runs inside the protocol.
    Labels,
    /// The logits are opened.
    Logits,
}

/// What the image owner's scan must be, and how it becomes the input tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// What kind of image: checked by the client against the file's own words.
    pub modality: Modality,
    /// What grey values mean.
    pub grey: GreyScale,
    /// Real input = (grey - offset) / divisor after `normalisation` was applied.
    pub normalisation: Normalisation,
    /// For volumes: slices that make the channels, relative to the target; outside the volume counts as zeros. Images: [0].
    pub slice_offsets: Vec<i32>,
    /// For volumes: the axis along which slices are taken.
    pub axis: Axis,
    /// Rows and columns that the network wants.
    pub size: Option<(usize, usize)>,
    /// Whether an image of another size is resized (bilinear, antialiased) or refused.
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

/// The first step from grey to real values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
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

/// The model owner's half: one entry a [`Step::Linear`] node, by node index.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Weights {
    /// (node index, its integers).
    pub layers: Vec<(usize, LayerWeights)>,
}

/// Integer weights of one linear step.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerWeights {
    /// (out channels, in channels / groups, kernel...) row major; (out, in) for dense.
    pub weight: Vec<i32>,
    /// One an output channel, in the accumulator's scale.
    pub bias: Vec<i64>,
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Weights({} layers, secret)", self.layers.len())
    }
}

impl std::fmt::Debug for LayerWeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LayerWeights({} weights, secret)", self.weight.len())
    }
}
