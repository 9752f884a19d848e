//! Where the channels of the output are, and so its classes: followed from the layers that make channels through whatever
//! moves them.
#![warn(clippy::wildcard_enum_match_arm)]

use crate::ir::ops::ChannelFlow;
use crate::ir::{Classes, Graph, Head, Node};

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
            other @ (ChannelAxis::Unknown | ChannelAxis::One | ChannelAxis::Axis(_)) => other,
        };
    }
    found[graph.output]
}

fn behind(node: &Node, inputs: &[ChannelAxis], from: &[usize], to: &[usize]) -> ChannelAxis {
    let first_known = inputs.iter().copied().find(|&channels| channels != ChannelAxis::Unknown);
    let first_known = first_known.unwrap_or(ChannelAxis::Unknown);
    let operator = node.op.operator();
    let joined = |axis| match inputs[0] {
        // Single channels side by side are channels.
        ChannelAxis::One => ChannelAxis::Axis(axis),
        ChannelAxis::Unknown | ChannelAxis::Axis(_) => first_known,
    };
    match operator.channels() {
        ChannelFlow::Mixed(layer) => ChannelAxis::Axis(layer.output_axis(to)),
        ChannelFlow::Summed => first_known,
        ChannelFlow::Joined => joined(1),
        ChannelFlow::Stacked { axis } => joined(axis),
        ChannelFlow::Rectified
        | ChannelFlow::Largest
        | ChannelFlow::Kept { .. }
        | ChannelFlow::Picked
        | ChannelFlow::Shifted(_)
        | ChannelFlow::Regrouped
        | ChannelFlow::Lost => match inputs[0] {
            ChannelAxis::Axis(axis) => {
                operator.axis_behind(axis, from, to).map_or(ChannelAxis::Unknown, ChannelAxis::Axis)
            }
            other @ (ChannelAxis::One | ChannelAxis::Unknown) => other,
        },
    }
}
