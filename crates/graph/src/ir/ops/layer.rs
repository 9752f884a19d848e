//! How the weights of linear operators lie: which input and output channel each kernel joins.

use crate::ir::{Graph, Node, Op, Tensor};

/// The channels of a value: the extent of axis 1, or a single one where there is no such axis.
pub(crate) fn channels(shape: &[usize]) -> usize {
    if has_channels(shape) { shape[1] } else { 1 }
}

/// Whether axis 1 of a shape counts channels: there is one behind a batch of 1.
pub(crate) fn has_channels(shape: &[usize]) -> bool {
    shape.len() >= 2 && shape[0] == 1 && shape[1] > 0
}

/// Whether an operator is a linear layer with weights.
pub(crate) fn is_linear(op: &Op) -> bool {
    matches!(op, Op::Conv { .. } | Op::ConvTranspose { .. } | Op::Dense { .. })
}

/// The layout of a linear operator's weights, kernel by kernel: a kernel is what lies between one input and one output
/// channel.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// Elements of a kernel.
    pub(crate) taps: usize,
    group_in: usize,
    group_out: usize,
    transposed: bool,
}

impl Layout {
    /// The layout of a node's weights; none where it is no linear layer, where channels are not on axis 1 of what it reads and
    /// makes (a dense layer on rows), and where its numbers do not fit their shapes.
    pub(crate) fn of(graph: &Graph, node: &Node) -> Option<Self> {
        let (weight, groups, transposed) = match &node.op {
            Op::Conv { weight, groups, .. } => (weight, *groups, false),
            Op::ConvTranspose { weight, groups, .. } => (weight, *groups, true),
            Op::Dense { weight, .. } => (weight, 1, false),
            _ => return None,
        };
        let bias = numbers(&node.op)?.1.len();
        let (input, output) = (&graph.values[node.inputs[0]].shape, &graph.values[node.output].shape);
        let rows = matches!(node.op, Op::Dense { .. }) && output.len() != 2;
        if rows || groups == 0 || weight.shape.len() < 2 || !has_channels(input) || !has_channels(output) {
            return None;
        }
        let (group_in, group_out) = (input[1] / groups, output[1] / groups);
        let ends = if transposed { [input[1], group_out] } else { [output[1], group_in] };
        let fits = weight.shape[..2] == ends
            && weight.data.len() == Tensor::count(&weight.shape)
            && !weight.data.is_empty()
            && bias == output[1]
            && [input[1], output[1]] == [group_in * groups, group_out * groups];
        let taps = weight.shape[2..].iter().product();
        fits.then_some(Self { taps, group_in, group_out, transposed })
    }

    /// The input and the output channel of a kernel, by its place.
    pub(crate) fn joined(&self, kernel: usize) -> (usize, usize) {
        match self.transposed {
            false => {
                let output = kernel / self.group_in;
                (output / self.group_out * self.group_in + kernel % self.group_in, output)
            }
            true => {
                let input = kernel / self.group_out;
                (input, input / self.group_in * self.group_out + kernel % self.group_out)
            }
        }
    }
}

/// The weights and biases of a linear operator; none for others.
pub(crate) fn numbers(op: &Op) -> Option<(&[f32], &[f32])> {
    match op {
        Op::Conv { weight, bias, .. }
        | Op::ConvTranspose { weight, bias, .. }
        | Op::Dense { weight, bias } => Some((&weight.data, bias)),
        _ => None,
    }
}

/// As [`numbers`], to be changed.
pub(crate) fn numbers_mut(op: &mut Op) -> Option<(&mut [f32], &mut [f32])> {
    match op {
        Op::Conv { weight, bias, .. }
        | Op::ConvTranspose { weight, bias, .. }
        | Op::Dense { weight, bias } => Some((&mut weight.data, bias)),
        _ => None,
    }
}
