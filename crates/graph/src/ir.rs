//! The graph in floats: shapes resolved, constants folded, about a dozen operators left.
//!
//! Values are numbered; a node makes exactly one value, and nodes are in an order in which they can be run.

pub(crate) mod ops;

use serde::{Deserialize, Serialize};

use ops::{Kernels, Layer};

pub use ops::{
    AddConstantOp, AveragePoolOp, ConcatOp, ConvOp, ConvTransposeOp, DenseOp, GatherOp, MaxPoolOp, Op, PadOp,
    TransposeOp, Window,
};

/// Names one value of a graph: an index into [`Graph::values`].
pub type ValueId = usize;

/// A dense tensor of floats, row major. Its `Debug` shows the shape alone: the elements are weights or an image.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Elements, last axis fastest.
    pub data: Vec<f32>,
}

/// A value's name and shape.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueInfo {
    /// The name in the file, for reports.
    pub name: String,
    /// Extent of each axis, batch (always 1) included.
    pub shape: Vec<usize>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// The name in the file, for reports.
    pub name: String,
    /// The operation.
    pub op: Op,
    /// Its inputs.
    pub inputs: Vec<ValueId>,
    /// Its output.
    pub output: ValueId,
}

/// A model of one input and one output.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The model's name.
    pub name: String,
    /// Every value, input and constants-turned-weights apart.
    pub values: Vec<ValueInfo>,
    /// Operations in a runnable order.
    pub nodes: Vec<Node>,
    /// The one input.
    pub input: ValueId,
    /// The one output: logits, before any softmax or argmax at the head.
    pub output: ValueId,
    /// What the file applies to the output.
    pub head: Head,
    /// Along which axis of the output classes are compared.
    pub classes: Classes,
    /// The range of the input that the file itself states. `None` when every number is taken as it is.
    pub input_range: Option<InputRange>,
}

impl Graph {
    /// A node's weights, and where its kernels lie; none where it is no layer over the channels on axis 1 of what it reads and makes.
    pub(crate) fn layer<'a>(&self, node: &'a Node) -> Option<(Layer<'a>, Kernels)> {
        let layer = node.op.layer()?;
        let (input, output) = (&self.values[node.inputs[0]].shape, &self.values[node.output].shape);
        Some((layer, layer.kernels_between(input, output)?))
    }
}

/// The range of a model's input, by its element type or by a Clip on it: what lies outside is clamped first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputRange {
    /// The least value.
    pub low: f32,
    /// The largest.
    pub high: f32,
    /// Whether the model clips: values outside are then no mistake.
    pub clips: bool,
}

/// Where the classes are among a model's logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classes {
    /// Each logit is a decision of its own: yes when it is at least 0.
    Single,
    /// One logit per class along this axis.
    Along(usize),
    /// Several axes could be the classes', and nothing in the file says which is.
    Unknown,
}

impl Classes {
    /// By the head where it names an axis; else by the axis of the channels, where that is known; else by the only axis that
    /// has more than one entry.
    pub fn of(head: Head, channels: Option<usize>, shape: &[usize]) -> Self {
        let axis = match head {
            Head::Sigmoid => return Self::Single,
            Head::Softmax { axis } | Head::ArgMax { axis } => Some(axis),
            Head::Logits => channels,
        };
        let mut several = (0..shape.len()).filter(|&axis| shape[axis] > 1);
        match (axis, several.next(), several.next()) {
            (Some(axis), ..) if shape.get(axis).is_some_and(|&extent| extent > 1) => Self::Along(axis),
            (Some(_), ..) | (None, None, _) => Self::Single,
            (None, Some(only), None) => Self::Along(only),
            (None, Some(_), Some(_)) => Self::Unknown,
        }
    }
}

/// What the model does to its logits at the end. Order-preserving heads are not computed privately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Head {
    /// Nothing: the output is logits or a regression.
    Logits,
    /// Softmax (or LogSoftmax) over the axis.
    Softmax {
        /// The class axis.
        axis: usize,
    },
    /// A sigmoid on one or more logits.
    Sigmoid,
    /// ArgMax over the axis.
    ArgMax {
        /// The class axis.
        axis: usize,
    },
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor({:?})", self.shape)
    }
}

impl Tensor {
    /// Number of elements of a shape.
    pub fn count(shape: &[usize]) -> usize {
        shape.iter().product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debug_line_shows_no_weight() {
        let weight = Tensor { shape: vec![1, 2], data: vec![0.125, 0.375] };
        let line = format!("{:?}", Op::Dense(DenseOp { weight, bias: vec![0.625] }));
        assert_eq!(line, "Dense(Tensor([1, 2]))");
    }
}
