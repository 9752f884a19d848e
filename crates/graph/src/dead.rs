//! Channels that are constant for every input of the declared range: taken out of the weights around them.
//!
//! A batch norm multiplies a channel that is never active by hundreds. A layer has one scale for all its weights, so that such a
//! channel takes bits from the others. What a channel can reach follows from the input's range by interval arithmetic, layer by
//! layer; one that a ReLU always makes zero, or whose weights are all zero, is constant. Then
//! * the weights that read it become zero, and its constant goes into the reader's bias (only where there is no padding between,
//!   unless it is zero);
//! * the weights that make it become zero, where nothing but the ReLU reads what they make.
//!
//! The answer in floats stays the same: to the bit for zeros, up to the rounding of a bias for other constants.
#![warn(clippy::wildcard_enum_match_arm)]

use crate::ir::ops::{ChannelFlow, Kernels, Layer, LayerMut, channel_count, has_channels};
use crate::ir::{Graph, Node, Tensor, ValueId};

/// What floats may be off by, relative to the sum of magnitudes: far more than any order of adding makes.
const SLACK: f64 = 1e-4;

/// The range of a channel.
pub(crate) type Interval = (f64, f64);
const UNKNOWN: Interval = (f64::NEG_INFINITY, f64::INFINITY);

/// Takes constant channels out of a graph whose input lies in `range`. Returns the layers that read such channels with
/// weights other than zero, and how many kernels of each were set to zero.
pub(crate) fn fold_constant_channels(graph: &mut Graph, range: (f32, f32)) -> Vec<(String, usize)> {
    let reached = intervals(graph, range);
    let mut folded = Vec::new();
    let over_channels: Vec<bool> = graph.nodes.iter().map(|node| graph.layer(node).is_some()).collect();
    for (node, _) in graph.nodes.iter_mut().zip(&over_channels).filter(|(_, over)| **over) {
        let input = node.inputs[0];
        let kernels = fold_inputs(layer_mut(node), &reached[input]);
        if kernels > 0 {
            folded.push((node.name.clone(), kernels));
        }
    }
    silence_makers(graph, &over_channels, &reached);
    folded
}

fn layer_mut(node: &mut Node) -> LayerMut<'_> {
    node.op.layer_mut().expect("a layer has weights")
}

/// What each channel of each value can reach, for every input of a range.
pub(crate) fn intervals(graph: &Graph, range: (f32, f32)) -> Vec<Vec<Interval>> {
    let mut reached: Vec<Vec<Interval>> =
        graph.values.iter().map(|value| vec![UNKNOWN; channel_count(&value.shape)]).collect();
    reached[graph.input].fill((f64::from(range.0), f64::from(range.1)));
    for node in &graph.nodes {
        let inputs: Vec<&[Interval]> = node.inputs.iter().map(|&input| reached[input].as_slice()).collect();
        let output = of_node(graph, node, &inputs);
        if let Some(output) = output.filter(|output| output.len() == reached[node.output].len()) {
            reached[node.output] = output;
        }
    }
    reached
}

/// The intervals behind a node; none where they are not known.
fn of_node(graph: &Graph, node: &Node, inputs: &[&[Interval]]) -> Option<Vec<Interval>> {
    let shape = |value: ValueId| graph.values[value].shape.as_slice();
    let known =
        node.inputs.iter().all(|&input| has_channels(shape(input))) && has_channels(shape(node.output));
    if !known {
        return None;
    }
    let first = inputs[0];
    let mapped = |map: &dyn Fn(&Interval) -> Interval| Some(first.iter().map(map).collect());
    match node.op.operator().channels() {
        ChannelFlow::Mixed(_) => graph.layer(node).map(|(layer, kernels)| linear(layer, kernels, first)),
        ChannelFlow::Rectified => mapped(&|&(low, high)| (low.max(0.0), high.max(0.0))),
        ChannelFlow::Kept { zeros: true } => mapped(&with_zero),
        ChannelFlow::Kept { zeros: false } | ChannelFlow::Largest | ChannelFlow::Picked => {
            Some(first.to_vec())
        }
        ChannelFlow::Summed => (first.len() == inputs[1].len())
            .then(|| first.iter().zip(inputs[1]).map(|(a, b)| (a.0 + b.0, a.1 + b.1)).collect()),
        ChannelFlow::Shifted(constant) => Some(shifted(first, constant)),
        ChannelFlow::Joined => Some(inputs.concat()),
        ChannelFlow::Regrouped => reshaped(first, channel_count(shape(node.output))),
        ChannelFlow::Stacked { .. } | ChannelFlow::Lost => None,
    }
}

/// The intervals with the least and the most of what is added in each channel.
fn shifted(input: &[Interval], constant: &Tensor) -> Vec<Interval> {
    let ends = |own: &[f32]| {
        let own = own.iter().map(|&c| f64::from(c));
        (own.clone().fold(f64::INFINITY, f64::min), own.fold(f64::NEG_INFINITY, f64::max))
    };
    let run = match constant.shape[1] == input.len() {
        true => constant.data.len() / input.len(),
        false => constant.data.len(),
    };
    let added = constant.data.chunks(run).map(ends).cycle();
    input.iter().zip(added).map(|(&(low, high), (least, most))| (low + least, high + most)).collect()
}

/// Sums of products. Zeros count where they may take the place of an input.
fn linear(layer: Layer<'_>, kernels: Kernels, input: &[Interval]) -> Vec<Interval> {
    let bias = layer.bias;
    let mut sums = vec![(0.0, 0.0, 0.0); bias.len()];
    let times = |sum: f64, end: f64| if sum == 0.0 { 0.0 } else { sum * end };
    for ((from, to), kernel) in layer.each_kernel(kernels) {
        let (low, high) = if layer.meets_zeros() { with_zero(&input[from]) } else { input[from] };
        let sum =
            |sign: f32| kernel.iter().filter(|&&w| w * sign > 0.0).fold(0f64, |sum, &w| sum + f64::from(w));
        let (positive, negative) = (sum(1.0), sum(-1.0));
        let (least, most, size) = &mut sums[to];
        *least += times(positive, low) + times(negative, high);
        *most += times(positive, high) + times(negative, low);
        *size += times(positive - negative, low.abs().max(high.abs()));
    }
    let with_bias = |(&(least, most, size), &bias): (&(f64, f64, f64), &f32)| {
        let bias = f64::from(bias);
        let slack = if size > 0.0 { SLACK * (size + bias.abs()) } else { 0.0 };
        let (low, high) = (least + bias - slack, most + bias + slack);
        if low.is_nan() || high.is_nan() { UNKNOWN } else { (low, high) }
    };
    sums.iter().zip(bias).map(with_bias).collect()
}

fn with_zero(&(low, high): &Interval) -> Interval {
    (low.min(0.0), high.max(0.0))
}

/// Channels that become runs of features, or the other way round.
fn reshaped(input: &[Interval], count: usize) -> Option<Vec<Interval>> {
    if count.is_multiple_of(input.len()) {
        let run = count / input.len();
        return Some((0..count).map(|index| input[index / run]).collect());
    }
    let run = input.len().is_multiple_of(count).then(|| input.len() / count)?;
    let hull = |a: Interval, b: &Interval| (a.0.min(b.0), a.1.max(b.1));
    Some(input.chunks(run).map(|run| run.iter().fold(run[0], hull)).collect())
}

/// Sets the kernels that read constants to zero, and puts what they gave into the bias. How many were not zero before.
fn fold_inputs(layer: LayerMut<'_>, input: &[Interval]) -> usize {
    let mut folded = 0;
    for (index, kernel) in layer.weight.data.chunks_mut(layer.kernels.taps).enumerate() {
        let (from, to) = layer.kernels.joined(index);
        let Some((constant, _)) = Some(input[from]).filter(|(low, high)| low == high) else { continue };
        if kernel.iter().all(|&w| w == 0.0) || (constant != 0.0 && layer.meets_zeros) {
            continue;
        }
        let sum: f64 = kernel.iter().map(|&w| f64::from(w)).sum();
        layer.bias[to] = (f64::from(layer.bias[to]) + sum * constant) as f32;
        kernel.fill(0.0);
        folded += 1;
    }
    folded
}

/// Sets to zero what makes a channel that the ReLU behind it always makes zero.
fn silence_makers(graph: &mut Graph, over_channels: &[bool], reached: &[Vec<Interval>]) {
    let mut readers = vec![0; graph.values.len()];
    readers[graph.output] += 1;
    graph.nodes.iter().flat_map(|node| &node.inputs).for_each(|&value| readers[value] += 1);
    let is_alone = |node: &&Node| {
        matches!(node.op.operator().channels(), ChannelFlow::Rectified) && readers[node.inputs[0]] == 1
    };
    let relus: Vec<(ValueId, ValueId)> =
        graph.nodes.iter().filter(is_alone).map(|node| (node.inputs[0], node.output)).collect();
    for (value, relu) in relus {
        let Some(maker) = graph.nodes.iter().position(|node| node.output == value) else { continue };
        if over_channels[maker] {
            silence(layer_mut(&mut graph.nodes[maker]), &reached[relu]);
        }
    }
}

fn silence(mut layer: LayerMut<'_>, output: &[Interval]) {
    let is_silent = |channel: usize| output[channel] == (0.0, 0.0);
    layer.each_kernel().filter(|((_, to), _)| is_silent(*to)).for_each(|(_, kernel)| kernel.fill(0.0));
    let biases = layer.bias.iter_mut().enumerate();
    biases.filter(|(channel, _)| is_silent(*channel)).for_each(|(_, bias)| *bias = 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float;
    use crate::ir::{Classes, DenseOp, Head, Op, Tensor, ValueInfo};
    use crate::random::{random_graph, random_range};

    /// Makes one channel of each linear layer in three impossible to reach by a ReLU, and another's weights all zero.
    fn with_dead_channels(graph: &mut Graph) {
        for index in 0..graph.nodes.len() {
            if graph.layer(&graph.nodes[index]).is_none() {
                continue;
            }
            let mut layer = layer_mut(&mut graph.nodes[index]);
            let channels = layer.bias.len();
            layer.bias[index % channels] = -1e4;
            let zero = (index + 1) % channels;
            layer.each_kernel().filter(|((_, to), _)| *to == zero).for_each(|(_, kernel)| kernel.fill(0.0));
        }
    }

    #[test]
    fn the_answer_stays_and_what_is_dead_has_no_weights() {
        let mut kernels = 0;
        for seed in 0..200 {
            let (mut graph, samples) = random_graph(seed);
            with_dead_channels(&mut graph);
            let mut folded = graph.clone();
            kernels +=
                fold_constant_channels(&mut folded, random_range(seed)).iter().map(|(_, n)| n).sum::<usize>();
            for sample in &samples {
                let before = float::evaluate(&graph, sample).unwrap().data;
                let after = float::evaluate(&folded, sample).unwrap().data;
                let most = before.iter().fold(1f32, |most, x| most.max(x.abs()));
                let worst = before.iter().zip(&after).map(|(a, b)| (a - b).abs() / most).fold(0.0, f32::max);
                assert!(worst < 1e-5, "seed {seed}: {worst}");
            }
        }
        assert!(kernels > 300, "{kernels} kernels folded");
    }

    /// The weights and biases of a layer.
    fn numbers(op: &Op) -> (&[f32], &[f32]) {
        let layer = op.layer().unwrap();
        (&layer.weight.data, layer.bias)
    }

    /// Two inputs, two features with a ReLU, one answer.
    fn perceptron(bias: [f32; 2]) -> Graph {
        let dense = |shape: [usize; 2], data: &[f32], bias: &[f32]| {
            Op::Dense(DenseOp {
                weight: Tensor { shape: shape.to_vec(), data: data.to_vec() },
                bias: bias.to_vec(),
            })
        };
        let operators =
            [dense([2, 2], &[0.5, 0.4, 0.5, -0.4], &bias), Op::Relu, dense([1, 2], &[316.0, 1.0], &[0.25])];
        let node =
            |(index, op)| Node { name: format!("node{index}"), op, inputs: vec![index], output: index + 1 };
        let value = |features| ValueInfo { name: "value".into(), shape: vec![1, features] };
        Graph {
            name: "perceptron".into(),
            values: [2, 2, 2, 1].map(value).to_vec(),
            nodes: operators.into_iter().enumerate().map(node).collect(),
            input: 0,
            output: 3,
            head: Head::Logits,
            classes: Classes::Single,
            input_range: None,
        }
    }

    #[test]
    fn a_channel_that_can_fire_once_in_the_range_is_alive() {
        // The first feature reaches 0.9 before its bias.
        let mut alive = perceptron([-0.89, 0.0]);
        assert!(fold_constant_channels(&mut alive, (0.0, 1.0)).is_empty());
        assert_eq!(numbers(&alive.nodes[0].op).0, [0.5, 0.4, 0.5, -0.4]);

        let mut dead = perceptron([-0.91, 0.0]);
        assert_eq!(fold_constant_channels(&mut dead, (0.0, 1.0)), [("node2".to_string(), 1)]);
        assert_eq!(numbers(&dead.nodes[0].op), (&[0.0, 0.0, 0.5, -0.4][..], &[0.0, 0.0][..]));
        assert_eq!(numbers(&dead.nodes[2].op).0, [0.0, 1.0]);
        // In a wider range the same channel lives.
        assert!(fold_constant_channels(&mut perceptron([-0.91, 0.0]), (0.0, 2.0)).is_empty());
    }

    #[test]
    fn a_channel_without_weights_is_folded_as_its_bias() {
        let mut graph = perceptron([0.5, 0.0]);
        layer_mut(&mut graph.nodes[0]).weight.data[..2].fill(0.0);
        assert_eq!(fold_constant_channels(&mut graph, (0.0, 1.0)).len(), 1);
        assert_eq!(numbers(&graph.nodes[2].op), (&[0.0, 1.0][..], &[158.25][..]));
    }
}
