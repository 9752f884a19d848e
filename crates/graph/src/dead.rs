//! Channels that are constant for every input of the declared range: taken out of the weights around them.
//!
//! A batch norm over a channel that never fires multiplies it by hundreds, and a layer has one scale for all its weights: the
//! dead channel takes bits from the living. What a channel can reach follows from the input's range by intervals, layer by
//! layer; one that a ReLU always makes zero, or whose weights are all zero, is constant. Then
//! * the weights that read it become zero, and its constant goes into the reader's bias (only where no padding stands between,
//!   unless it is zero);
//! * the weights that make it become zero, where nothing but the ReLU reads what they make.
//!
//! The answer in floats stays the same: to the bit for zeros, up to the rounding of a bias for other constants.

use crate::ir::{Graph, Node, Op, Tensor, ValueId};
use crate::kernels::{Layout, channels, has_channels, numbers, numbers_mut};

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
    let layouts: Vec<Option<Layout>> = graph.nodes.iter().map(|node| Layout::of(graph, node)).collect();
    for (node, layout) in graph.nodes.iter_mut().zip(&layouts) {
        let Some(layout) = layout else { continue };
        let kernels = fold_inputs(node, *layout, &reached[node.inputs[0]]);
        if kernels > 0 {
            folded.push((node.name.clone(), kernels));
        }
    }
    silence_makers(graph, &layouts, &reached);
    folded
}

/// What each channel of each value can reach, for every input of a range.
pub(crate) fn intervals(graph: &Graph, range: (f32, f32)) -> Vec<Vec<Interval>> {
    let mut reached: Vec<Vec<Interval>> =
        graph.values.iter().map(|value| vec![UNKNOWN; channels(&value.shape)]).collect();
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
    match &node.op {
        Op::Conv { .. } | Op::ConvTranspose { .. } | Op::Dense { .. } => {
            Some(linear(&node.op, Layout::of(graph, node)?, first))
        }
        Op::Relu => mapped(&|&(low, high)| (low.max(0.0), high.max(0.0))),
        Op::MaxPool { .. } => Some(first.to_vec()),
        Op::AveragePool { window, .. } if padless(&window.pads_begin, &window.pads_end) => {
            Some(first.to_vec())
        }
        Op::AveragePool { .. } => mapped(&with_zero),
        Op::Pad { begin, end } if begin[..2] == [0, 0] && end[..2] == [0, 0] => mapped(&with_zero),
        Op::Transpose { perm } if perm[..2] == [0, 1] => Some(first.to_vec()),
        Op::Gather { positions } if positions.iter().take(2).all(Vec::is_empty) => Some(first.to_vec()),
        Op::Add if first.len() == inputs[1].len() => {
            Some(first.iter().zip(inputs[1]).map(|(a, b)| (a.0 + b.0, a.1 + b.1)).collect())
        }
        Op::AddConstant { constant } => Some(shifted(first, constant)),
        Op::Concat { axis: 1 } => Some(inputs.concat()),
        Op::Reshape => reshaped(first, channels(shape(node.output))),
        Op::Pad { .. } | Op::Transpose { .. } | Op::Gather { .. } | Op::Add | Op::Concat { .. } => None,
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

/// Sums of products. Where zeros may stand in for an input, they count.
fn linear(op: &Op, layout: Layout, input: &[Interval]) -> Vec<Interval> {
    let (weight, bias) = numbers(op).expect("a linear operator has numbers");
    let mut sums = vec![(0.0, 0.0, 0.0); bias.len()];
    let times = |sum: f64, end: f64| if sum == 0.0 { 0.0 } else { sum * end };
    for (index, kernel) in weight.chunks(layout.taps).enumerate() {
        let (from, to) = layout.joined(index);
        let (low, high) = if meets_padding(op) { with_zero(&input[from]) } else { input[from] };
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

/// Whether zeros may stand where an input would.
fn meets_padding(op: &Op) -> bool {
    match op {
        Op::Conv { window, .. } => !padless(&window.pads_begin, &window.pads_end),
        Op::Dense { .. } => false,
        _ => true,
    }
}

fn padless(begin: &[usize], end: &[usize]) -> bool {
    begin.iter().chain(end).all(|&pad| pad == 0)
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
fn fold_inputs(node: &mut Node, layout: Layout, input: &[Interval]) -> usize {
    let padded = meets_padding(&node.op);
    let (weight, bias) = numbers_mut(&mut node.op).expect("an operator with a layout has numbers");
    let mut folded = 0;
    for (index, kernel) in weight.chunks_mut(layout.taps).enumerate() {
        let (from, to) = layout.joined(index);
        let Some((constant, _)) = Some(input[from]).filter(|(low, high)| low == high) else { continue };
        if kernel.iter().all(|&w| w == 0.0) || (constant != 0.0 && padded) {
            continue;
        }
        let sum: f64 = kernel.iter().map(|&w| f64::from(w)).sum();
        bias[to] = (f64::from(bias[to]) + sum * constant) as f32;
        kernel.fill(0.0);
        folded += 1;
    }
    folded
}

/// Sets to zero what makes a channel that the ReLU behind it always makes zero.
fn silence_makers(graph: &mut Graph, layouts: &[Option<Layout>], reached: &[Vec<Interval>]) {
    let mut readers = vec![0; graph.values.len()];
    readers[graph.output] += 1;
    graph.nodes.iter().flat_map(|node| &node.inputs).for_each(|&value| readers[value] += 1);
    let alone = graph.nodes.iter().filter(|node| matches!(node.op, Op::Relu) && readers[node.inputs[0]] == 1);
    let relus: Vec<(ValueId, ValueId)> = alone.map(|node| (node.inputs[0], node.output)).collect();
    for (value, relu) in relus {
        let Some(maker) = graph.nodes.iter().position(|node| node.output == value) else { continue };
        let Some(layout) = layouts[maker] else { continue };
        silence(&mut graph.nodes[maker].op, layout, &reached[relu]);
    }
}

fn silence(op: &mut Op, layout: Layout, output: &[Interval]) {
    let (weight, bias) = numbers_mut(op).expect("an operator with a layout has numbers");
    let is_silent = |channel: usize| output[channel] == (0.0, 0.0);
    for (index, kernel) in weight.chunks_mut(layout.taps).enumerate() {
        if is_silent(layout.joined(index).1) {
            kernel.fill(0.0);
        }
    }
    bias.iter_mut().enumerate().filter(|(channel, _)| is_silent(*channel)).for_each(|(_, bias)| *bias = 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float;
    use crate::ir::{Classes, Head, Tensor, ValueInfo};
    use crate::random::{random_graph, random_range};

    /// Makes one channel of each linear layer in three impossible to reach by a ReLU, and another's weights all zero.
    fn with_dead_channels(graph: &mut Graph) {
        for index in 0..graph.nodes.len() {
            let Some(layout) = Layout::of(graph, &graph.nodes[index]) else { continue };
            let (weight, bias) = numbers_mut(&mut graph.nodes[index].op).unwrap();
            bias[index % bias.len()] = -1e4;
            let zero = (index + 1) % bias.len();
            for (kernel, numbers) in weight.chunks_mut(layout.taps).enumerate() {
                if layout.joined(kernel).1 == zero {
                    numbers.fill(0.0);
                }
            }
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

    /// Two inputs, two features with a ReLU, one answer.
    fn perceptron(bias: [f32; 2]) -> Graph {
        let dense = |shape: [usize; 2], data: &[f32], bias: &[f32]| Op::Dense {
            weight: Tensor { shape: shape.to_vec(), data: data.to_vec() },
            bias: bias.to_vec(),
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
        assert_eq!(numbers(&alive.nodes[0].op).unwrap().0, [0.5, 0.4, 0.5, -0.4]);

        let mut dead = perceptron([-0.91, 0.0]);
        assert_eq!(fold_constant_channels(&mut dead, (0.0, 1.0)), [("node2".to_string(), 1)]);
        assert_eq!(numbers(&dead.nodes[0].op).unwrap(), (&[0.0, 0.0, 0.5, -0.4][..], &[0.0, 0.0][..]));
        assert_eq!(numbers(&dead.nodes[2].op).unwrap().0, [0.0, 1.0]);
        // In a wider range the same channel lives.
        assert!(fold_constant_channels(&mut perceptron([-0.91, 0.0]), (0.0, 2.0)).is_empty());
    }

    #[test]
    fn a_channel_without_weights_is_folded_as_its_bias() {
        let mut graph = perceptron([0.5, 0.0]);
        numbers_mut(&mut graph.nodes[0].op).unwrap().0[..2].fill(0.0);
        assert_eq!(fold_constant_channels(&mut graph, (0.0, 1.0)).len(), 1);
        assert_eq!(numbers(&graph.nodes[2].op).unwrap(), (&[0.0, 1.0][..], &[158.25][..]));
    }
}
