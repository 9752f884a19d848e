//! The fixed plan: the model in integers, which **is** the specification of the answer.
//!
//! [`PublicPlan`] is what both sides hold and digest; [`Weights`] is the model owner's alone.
//!
//! A tensor holds integers; its real value is `integer * 2^-fraction / divisor`. It is shared modulo `2^ring_bits`.
//! Two kinds of tensors: *activations* (few bits, the output of an [`Step::Activate`] or the input) and *accumulators*
//! (the output of a linear step, at the sum of both fractions). Only [`Step::Activate`] makes a tensor narrower.
//! Every step that is not `Linear`, `Activate`, `MaxPool` or `Label` is local on additive shares.

mod answer;
mod error;
mod file;
mod shapes;
mod suite;
#[cfg(test)]
mod tests;
mod validate;
mod weights;

use blindscan_arith::conv::LinearShape;
pub use blindscan_input_spec::{
    Axis, GreyScale, InPlane, InputSpec, Modality, Normalisation, ToEightBit, Trained,
};
use serde::{Deserialize, Serialize};

use crate::ir::{Tensor, Window};

pub use answer::{Answer, Meaning, OutputPolicy, Places};
pub use error::{PlanError, Problem};
pub use file::{PUBLIC_FILE, WEIGHTS_FILE};
pub use shapes::output_shape;
pub use suite::{Rounding, SuiteSpec};
pub(crate) use validate::split_taps;
pub use validate::steers_a_terminal;
pub use weights::{Constants, LayerWeights, Weights};

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
    /// Secret integers added. They are in [`Weights`] under this node's index; the model owner adds them to its share.
    AddConstant(AddConstant),
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
    /// Zeros between neighbours along each spatial axis: element i comes to stand at `strides * i`, nothing behind the last.
    /// What is left of a general transposed convolution before its taps.
    Interleave {
        /// One a spatial axis.
        strides: Vec<usize>,
    },
    /// Picks elements: output position i along an axis is input position `positions[axis][i]`; an empty list takes the whole
    /// axis as it is. Crops, strided slices, turned axes, and padding that repeats the edge or mirrors at it are this.
    Gather {
        /// One list per axis.
        positions: Vec<Vec<usize>>,
    },
    /// Multiplication by a public positive integer, modulo the output's ring.
    Scale {
        /// The factor.
        factor: u32,
    },
    /// Multiplication by a public positive integer that depends on the position: the product of one factor per axis. Behind
    /// the sum of a mean that leaves padding out of its divisor: `unit` belongs to a window that sees no padding.
    ScaleByPosition {
        /// One list per axis, as long as the axis; an empty list is all ones.
        factors: Vec<Vec<u32>>,
        /// The product that leaves a real value as it is: it is in the output's `fraction` and `divisor`.
        unit: u32,
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

/// The addition of integers that the model owner alone holds: one per channel, per feature or per element.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AddConstant {
    /// Extents of the constants: as many axes as the input, each 1 (repeated along it) or the input's.
    pub shape: Vec<usize>,
    /// |constant| < 2^(bits - 1): disclosed for the whole tensor, never per channel.
    pub bits: u32,
    /// The input is first shifted left by this many bits.
    pub shift_left: u32,
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
    /// The protocols that it is made for, with their numbers.
    pub suite: SuiteSpec,
}

/// The version of [`PublicPlan`] and of the saved form.
pub const PLAN_VERSION: u32 = 3;

/// The model in integers, both halves. Only the model owner ever holds it whole.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedPlan {
    /// The half that both sides hold.
    pub public: PublicPlan,
    /// The model owner's half.
    pub weights: Weights,
}

impl Linear {
    /// The geometry as the integer kernels take it.
    pub fn shape(&self) -> LinearShape {
        LinearShape {
            input_size: self.input_size.clone(),
            kernel: self.window.kernel.clone(),
            strides: self.window.strides.clone(),
            dilations: self.window.dilations.clone(),
            pads_begin: self.window.pads_begin.clone(),
            pads_end: self.window.pads_end.clone(),
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            groups: self.groups,
            rows: self.rows,
        }
    }
}

impl TensorSpec {
    /// Number of elements.
    pub fn count(&self) -> usize {
        Tensor::count(&self.shape)
    }

    /// The real value of an integer.
    pub fn real(&self, integer: i64) -> f64 {
        integer as f64 * f64::from(-self.fraction).exp2() / f64::from(self.divisor)
    }
}

impl Step {
    /// One word for reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Linear(linear) if linear.window.kernel.is_empty() => "dense",
            Self::Linear(_) => "convolution",
            Self::Activate { relu: true, .. } => "relu",
            Self::Activate { relu: false, .. } => "rescale",
            Self::MaxPool(_) => "max pool",
            Self::SumPool(_) => "sum pool",
            Self::Add { .. } => "add",
            Self::AddConstant(_) => "add constant",
            Self::Concat { .. } => "concat",
            Self::Pad { .. } => "pad",
            Self::Reshape => "reshape",
            Self::Transpose { .. } => "transpose",
            Self::PixelShuffle { .. } => "pixel shuffle",
            Self::Interleave { .. } => "interleave",
            Self::Gather { .. } => "gather",
            Self::Scale { .. } => "scale",
            Self::ScaleByPosition { .. } => "scale by position",
        }
    }
}

impl PublicPlan {
    /// For each tensor the bits that its ring must have beyond those of its bound: what the suite needs of it for each step
    /// that reads it, and of the answer.
    pub fn headroom_bits(&self) -> Vec<u32> {
        let mut headroom = vec![1; self.tensors.len()];
        headroom[self.output] = self.suite.answer_headroom();
        for node in &self.nodes {
            let input = node.inputs[0];
            let needed = self.suite.headroom(&node.step, self.tensors[input].non_negative);
            headroom[input] = headroom[input].max(needed);
        }
        headroom
    }
}
