//! Where the channels of the output are, and so its classes: followed from the layers that make channels through whatever
//! moves them.

use crate::ir::{Classes, Graph, Head, Node, Op};

/// Where a value's channels are.
#[derive(Clone, Copy, PartialEq)]
enum ChannelAxis {
    /// No layer has made any, or they were mixed with other axes.
    Unknown,
    /// There is one.
    One,
    /// Along this axis.
    Axis(usize),
}

/// The classes of a graph's output: by its head, else by its channels.
pub(super) fn classes(graph: &Graph) -> Classes {
    let shape = &graph.values[graph.output].shape;
    if graph.head != Head::Logits {
        return Classes::of(graph.head, None, shape);
    }
    match channels(graph) {
        ChannelAxis::One => Classes::Single,
        ChannelAxis::Axis(axis) => Classes::of(graph.head, Some(axis), shape),
        ChannelAxis::Unknown => Classes::of(graph.head, None, shape),
    }
}

/// The channels of the output.
fn channels(graph: &Graph) -> ChannelAxis {
    let mut found = vec![ChannelAxis::Unknown; graph.values.len()];
    for node in &graph.nodes {
        let inputs: Vec<ChannelAxis> = node.inputs.iter().map(|&value| found[value]).collect();
        let shape = &graph.values[node.output].shape;
        found[node.output] = match behind(node, &inputs, &graph.values[node.inputs[0]].shape, shape) {
            ChannelAxis::Axis(axis) if shape[axis] == 1 => ChannelAxis::One,
            other => other,
        };
    }
    found[graph.output]
}

fn behind(node: &Node, inputs: &[ChannelAxis], from: &[usize], to: &[usize]) -> ChannelAxis {
    let first_known = inputs.iter().copied().find(|&channels| channels != ChannelAxis::Unknown);
    match (&node.op, inputs[0]) {
        (Op::Conv { .. } | Op::ConvTranspose { .. }, _) => ChannelAxis::Axis(1),
        (Op::Dense { .. }, _) => ChannelAxis::Axis(to.len() - 1),
        (Op::Add, _) => first_known.unwrap_or(ChannelAxis::Unknown),
        // Single channels side by side are channels.
        (Op::Concat { axis }, ChannelAxis::One) => ChannelAxis::Axis(*axis),
        (Op::Concat { .. }, _) => first_known.unwrap_or(ChannelAxis::Unknown),
        (Op::Transpose { perm }, ChannelAxis::Axis(axis)) => {
            perm.iter().position(|&from| from == axis).map_or(ChannelAxis::Unknown, ChannelAxis::Axis)
        }
        (Op::Reshape, ChannelAxis::Axis(axis)) => reshaped(axis, from, to),
        (_, channels) => channels,
    }
}

/// The axis that holds the same elements in the same order under another shape.
fn reshaped(axis: usize, from: &[usize], to: &[usize]) -> ChannelAxis {
    let before: usize = from[..axis].iter().product();
    let same = |&at: &usize| to[at] == from[axis] && to[..at].iter().product::<usize>() == before;
    (0..to.len()).find(same).map_or(ChannelAxis::Unknown, ChannelAxis::Axis)
}
