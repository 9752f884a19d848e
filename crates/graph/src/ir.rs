//! The graph in floats: shapes resolved, constants folded, about a dozen operators left.
//!
//! Values are numbered; a node makes exactly one value, and nodes stand in an order in which they can be run.

use serde::{Deserialize, Serialize};

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
    /// What is done.
    pub op: Op,
    /// What it is done to.
    pub inputs: Vec<ValueId>,
    /// What comes of it.
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
    /// What stood behind the output in the file.
    pub head: Head,
    /// Along which axis of the output classes are compared.
    pub classes: Classes,
    /// The range of the input that the file itself states. `None` when every number is taken as it is.
    pub input_range: Option<InputRange>,
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
    /// Each logit stands for itself: yes when it is at least 0.
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

/// Geometry of a sliding window over 1 to 3 spatial axes. All vectors have one entry a spatial axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Extent of the window.
    pub kernel: Vec<usize>,
    /// Step between windows.
    pub strides: Vec<usize>,
    /// Step between taps of one window.
    pub dilations: Vec<usize>,
    /// Padding before each axis.
    pub pads_begin: Vec<usize>,
    /// Padding behind each axis (for `ceil_mode` pools, enlarged so that the last window fits).
    pub pads_end: Vec<usize>,
}

/// The operators that are left after simplification. Shapes are (1, channels, spatial axes...) where there are channels.
/// `Debug` shows geometry and shapes, never a weight.
#[derive(Clone)]
pub enum Op {
    /// Convolution; a stand-alone BatchNormalization is a depthwise one with a window of 1, until a plan is made.
    Conv {
        /// Taps, steps, padding with zeros.
        window: Window,
        /// Number of groups.
        groups: usize,
        /// (out channels, in channels / groups, kernel...).
        weight: Tensor,
        /// One a channel.
        bias: Vec<f32>,
    },
    /// Transposed convolution, as ONNX defines it.
    ConvTranspose {
        /// Taps, steps; the pads cut the output.
        window: Window,
        /// Rows added behind each output axis.
        output_padding: Vec<usize>,
        /// Number of groups.
        groups: usize,
        /// (in channels, out channels / groups, kernel...).
        weight: Tensor,
        /// One a channel.
        bias: Vec<f32>,
    },
    /// y = W x + b on the last axis; the axes before it are rows.
    Dense {
        /// (out features, in features).
        weight: Tensor,
        /// One an output feature.
        bias: Vec<f32>,
    },
    /// max(x, 0).
    Relu,
    /// Maximum over windows; padding counts as minus infinity.
    MaxPool {
        /// Geometry.
        window: Window,
    },
    /// Mean over windows. GlobalAveragePool and ReduceMean over the spatial axes are windows of the whole extent.
    AveragePool {
        /// Geometry.
        window: Window,
        /// Whether padding counts in the divisor.
        count_include_pad: bool,
    },
    /// Sum of two values of one shape.
    Add,
    /// A constant added: as many axes as the value, each of extent 1 or the value's.
    AddConstant {
        /// What is added.
        constant: Tensor,
    },
    /// Joins values along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Padding with zeros, all axes.
    Pad {
        /// Before each axis.
        begin: Vec<usize>,
        /// Behind each axis.
        end: Vec<usize>,
    },
    /// Picked elements: output position i along an axis is input position `positions[axis][i]`; an empty list takes the whole
    /// axis as it is.
    Gather {
        /// One list per axis.
        positions: Vec<Vec<usize>>,
    },
    /// The same elements under another shape (Flatten, Squeeze, Unsqueeze are this).
    Reshape,
    /// Axes exchanged.
    Transpose {
        /// Output axis i is input axis `perm[i]`.
        perm: Vec<usize>,
    },
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Op::Conv { window, groups, weight, .. } => {
                write!(f, "Conv({window:?}, {groups} groups, {weight:?})")
            }
            Op::ConvTranspose { window, output_padding, groups, weight, .. } => {
                write!(f, "ConvTranspose({window:?}, {output_padding:?}, {groups} groups, {weight:?})")
            }
            Op::Dense { weight, .. } => write!(f, "Dense({weight:?})"),
            Op::Relu => f.write_str("Relu"),
            Op::MaxPool { window } => write!(f, "MaxPool({window:?})"),
            Op::AveragePool { window, count_include_pad } => {
                write!(f, "AveragePool({window:?}, padding counts: {count_include_pad})")
            }
            Op::Add => f.write_str("Add"),
            Op::AddConstant { constant } => write!(f, "AddConstant({constant:?})"),
            Op::Concat { axis } => write!(f, "Concat(axis {axis})"),
            Op::Pad { begin, end } => write!(f, "Pad({begin:?}, {end:?})"),
            Op::Gather { positions } => {
                let counts: Vec<usize> = positions.iter().map(Vec::len).collect();
                write!(f, "Gather({counts:?} positions)")
            }
            Op::Reshape => f.write_str("Reshape"),
            Op::Transpose { perm } => write!(f, "Transpose({perm:?})"),
        }
    }
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

impl Window {
    /// Output extent of spatial axis `axis` of extent `size`, for pools and convolutions.
    pub fn output_size(&self, axis: usize, size: usize) -> usize {
        let span = (self.kernel[axis] - 1) * self.dilations[axis] + 1;
        let padded = size + self.pads_begin[axis] + self.pads_end[axis];
        if padded < span { 0 } else { (padded - span) / self.strides[axis] + 1 }
    }

    /// The number of taps.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debug_line_shows_no_weight() {
        let weight = Tensor { shape: vec![1, 2], data: vec![0.125, 0.375] };
        let line = format!("{:?}", Op::Dense { weight, bias: vec![0.625] });
        assert_eq!(line, "Dense(Tensor([1, 2]))");
    }
}
