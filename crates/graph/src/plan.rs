//! The fixed plan: the model in integers, which **is** the specification of the answer.
//!
//! [`PublicPlan`] is what both sides hold and digest; [`Weights`] is the model owner's alone.
//!
//! A tensor holds integers; its real value is `integer * 2^-fraction / divisor`. It is shared modulo `2^ring_bits`.
//! Two kinds of tensors: *activations* (few bits, the output of an [`Activate`] or the input) and *accumulators*
//! (the output of a linear step, at the sum of both fractions). Only [`Activate`] makes a tensor narrower.
//! A step is [`Step::Local`], the same on values and on additive shares, or [`Step::Spoken`], a dialogue.
#![deny(clippy::wildcard_enum_match_arm)]

mod answer;
mod error;
mod file;
mod step;
mod suite;
#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm)]
mod tests;
mod validate;
mod weights;

pub use blindscan_input_spec::{
    Axis, GreyScale, InPlane, InputSpec, Modality, Normalisation, ToEightBit, Trained,
};
use serde::{Deserialize, Serialize};

use crate::ir::Tensor;

pub use crate::operators::{
    Activate, Add, AddConstant, Concat, Gather, Interleave, Linear, Load, MaxPool, Pad, PixelShuffle,
    Reshape, Scale, ScaleByPosition, Shapes, SumPool, Transpose, output_shape,
};
pub use answer::{Answer, Meaning, OutputPolicy, Places};
pub use error::{PlanError, Problem};
pub use file::{PUBLIC_FILE, WEIGHTS_FILE};
pub use step::{Local, Spoken, Step};
pub use suite::{Rounding, SuiteSpec};
pub(crate) use validate::SCALE_MAX;
pub use validate::steers_a_terminal;
pub use weights::{Constants, LayerWeights, Secret, Weights};

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

impl PublicPlan {
    /// For each tensor the bits that its ring must have beyond those of its bound: what the suite needs of it for each step
    /// that reads it, and of the answer.
    pub fn headroom_bits(&self) -> Vec<u32> {
        let mut headroom = vec![1; self.tensors.len()];
        headroom[self.output] = self.suite.answer_headroom();
        for node in &self.nodes {
            for &input in &node.inputs {
                let needed = self.suite.headroom(&node.step, self.tensors[input].non_negative);
                headroom[input] = headroom[input].max(needed);
            }
        }
        headroom
    }

    /// The shapes of a node's tensors.
    pub fn shapes(&self, node: &PlanNode) -> Shapes<'_> {
        let shape = |id: TensorId| self.tensors[id].shape.as_slice();

        Shapes { inputs: node.inputs.iter().map(|&id| shape(id)).collect(), output: shape(node.output) }
    }

    /// What all steps together ask of a machine, at most.
    pub fn load_of_steps(&self) -> Load {
        let of = |node: &PlanNode| {
            let shapes = self.shapes(node);
            node.step.operator().load(&shapes.inputs, shapes.output)
        };
        self.nodes.iter().map(of).sum()
    }
}
