//! The operators of a graph in floats: each one file, which answers what the crate asks of an operator.
//!
//! | question | who asks |
//! |---|---|
//! | [`name`](FloatOperator::name), [`details`](FloatOperator::details) | messages and `Debug`: shapes and geometry, never a weight |
//! | [`output_shape`](FloatOperator::output_shape) | the ONNX side; what does not fit is refused with a remedy |
//! | [`evaluate`](FloatOperator::evaluate) | the evaluation in floats |
//! | [`channels`](FloatOperator::channels) | whatever follows channels: constant ones (`dead`), factors (`equalise`, `factors`), classes |
//! | [`axis_behind`](FloatOperator::axis_behind) | whatever follows an axis |
//! | [`moves_only`](FloatOperator::moves_only) | the ONNX side, which follows the image itself |
//!
//! The one match over kinds is in [`Op`]. To add an operator: a file here, a variant there, and its steps in integers (`lower`).
#![warn(clippy::wildcard_enum_match_arm)]

mod add;
mod add_constant;
mod average_pool;
mod concat;
mod conv;
mod conv_transpose;
mod dense;
mod flow;
mod gather;
mod inputs;
mod layer;
mod max_pool;
mod pad;
mod pooling;
mod relu;
mod reshape;
mod rows;
mod transpose;
mod window;

use super::Tensor;

pub use add_constant::AddConstantOp;
pub use average_pool::AveragePoolOp;
pub use concat::ConcatOp;
pub use conv::ConvOp;
pub use conv_transpose::ConvTransposeOp;
pub use dense::DenseOp;
pub(crate) use flow::ChannelFlow;
pub use gather::GatherOp;
pub(crate) use inputs::Inputs;
pub(crate) use layer::{Kernels, Layer, LayerMut, channel_count, has_channels};
pub use max_pool::MaxPoolOp;
pub use pad::PadOp;
pub use transpose::TransposeOp;
pub use window::Window;

/// The operators that are left after simplification. Shapes are (1, channels, spatial axes...) where there are channels.
/// `Debug` shows geometry and shapes, never a weight.
#[derive(Clone)]
pub enum Op {
    /// Convolution; a stand-alone BatchNormalization is a depthwise one with a window of 1, until a plan is made.
    Conv(ConvOp),
    /// Transposed convolution, as ONNX defines it.
    ConvTranspose(ConvTransposeOp),
    /// y = W x + b on the last axis; the axes before it are rows.
    Dense(DenseOp),
    /// max(x, 0).
    Relu,
    /// Maximum over windows; padding counts as minus infinity.
    MaxPool(MaxPoolOp),
    /// Mean over windows. GlobalAveragePool and ReduceMean over the spatial axes are windows of the whole extent.
    AveragePool(AveragePoolOp),
    /// Sum of two values of one shape.
    Add,
    /// A constant added.
    AddConstant(AddConstantOp),
    /// Joins values along an axis.
    Concat(ConcatOp),
    /// Padding with zeros, all axes.
    Pad(PadOp),
    /// Picked elements.
    Gather(GatherOp),
    /// The same elements under another shape (Flatten, Squeeze, Unsqueeze are this).
    Reshape,
    /// Axes exchanged.
    Transpose(TransposeOp),
}

/// What every operator answers.
pub(crate) trait FloatOperator {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// Geometry and shapes for `Debug`; empty where there are none.
    fn details(&self) -> String;

    /// The shape that it gives on inputs of these shapes; a refusal where it does not fit them. `declared` is the shape that the
    /// graph states, which a Reshape alone goes by.
    fn output_shape(&self, inputs: &[&[usize]], declared: &[usize]) -> Result<Vec<usize>, Refusal>;

    /// The elements of its output, whose shape is `shape`.
    fn evaluate(&self, inputs: Inputs<'_>, shape: &[usize]) -> Vec<f32>;

    /// How it treats channels.
    fn channels(&self) -> ChannelFlow<'_>;

    /// The output's axis that holds what `axis` of the first input holds; none where it is mixed with others.
    fn axis_behind(&self, axis: usize, input: &[usize], output: &[usize]) -> Option<usize>;

    /// Whether every element of the output is one of the input.
    fn moves_only(&self) -> bool;
}

impl Op {
    /// What answers for it.
    pub(crate) fn operator(&self) -> &dyn FloatOperator {
        match self {
            Op::Conv(op) => op,
            Op::ConvTranspose(op) => op,
            Op::Dense(op) => op,
            Op::Relu => &relu::ReluOp,
            Op::MaxPool(op) => op,
            Op::AveragePool(op) => op,
            Op::Add => &add::AddOp,
            Op::AddConstant(op) => op,
            Op::Concat(op) => op,
            Op::Pad(op) => op,
            Op::Gather(op) => op,
            Op::Reshape => &reshape::ReshapeOp,
            Op::Transpose(op) => op,
        }
    }

    /// Its weights and biases to be changed, of an operator whose channels are [`ChannelFlow::Mixed`].
    pub(crate) fn layer_mut(&mut self) -> Option<LayerMut<'_>> {
        match self {
            Op::Conv(op) => Some(op.layer_mut()),
            Op::ConvTranspose(op) => Some(op.layer_mut()),
            Op::Dense(op) => Some(op.layer_mut()),
            Op::Relu
            | Op::MaxPool(_)
            | Op::AveragePool(_)
            | Op::Add
            | Op::AddConstant(_)
            | Op::Concat(_)
            | Op::Pad(_)
            | Op::Gather(_)
            | Op::Reshape
            | Op::Transpose(_) => None,
        }
    }
}

impl Op {
    /// Its weights and biases, where it is a layer that has them.
    pub(crate) fn layer(&self) -> Option<Layer<'_>> {
        self.operator().channels().layer()
    }
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, details) = (self.operator().name(), self.operator().details());
        if details.is_empty() { f.write_str(name) } else { write!(f, "{name}({details})") }
    }
}

/// Why an operator cannot be computed, and what to do instead.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) why: String,
    pub(crate) remedy: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.why, self.remedy)
    }
}

pub(crate) fn refuse<T>(why: impl Into<String>, remedy: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { why: why.into(), remedy: remedy.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random_graph;

    #[test]
    fn each_operator_gives_the_shape_that_random_graphs_declare_and_only_layers_have_weights() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let graph = random_graph(seed).0;
            for mut node in graph.nodes {
                let shapes: Vec<&[usize]> =
                    node.inputs.iter().map(|&value| graph.values[value].shape.as_slice()).collect();
                let declared = &graph.values[node.output].shape;
                let shape = node.op.operator().output_shape(&shapes, declared);
                assert_eq!(shape.as_ref().ok(), Some(declared), "seed {seed}: {:?}", node.op);
                assert_eq!(node.op.layer().is_some(), node.op.layer_mut().is_some());
                kinds.insert(node.op.operator().name());
            }
        }
        assert_eq!(kinds.len(), 13, "{kinds:?}");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_remedy() {
        let pool = Op::MaxPool(MaxPoolOp { window: Window::plain(vec![3]) });
        let refused =
            |op: &Op, inputs: &[&[usize]]| op.operator().output_shape(inputs, &[2]).unwrap_err().to_string();
        assert_eq!(
            refused(&pool, &[&[1, 1, 2]]),
            "its window [3] is larger than its data [2]; give the network a larger input"
        );
        assert!(refused(&Op::Add, &[&[1, 2], &[1, 3]]).contains("sums do not broadcast"));
        assert!(refused(&Op::Reshape, &[&[3]]).contains("another number of elements"));
        let joined = Op::Concat(ConcatOp { axis: 1 });
        assert!(refused(&joined, &[&[1, 2, 3], &[1, 2, 4]]).contains("other axes differ"));
        let constant = Tensor { shape: vec![2], data: vec![0.0; 2] };
        assert!(refused(&Op::AddConstant(AddConstantOp { constant }), &[&[3]]).contains("would enlarge"));
    }
}
