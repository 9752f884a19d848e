//! Channels of very different size brought to one size, exactly, before a graph becomes integers.
//!
//! A tensor has one scale for all its channels, so a channel a hundred times smaller than its neighbours loses seven bits.
//! Where there are only steps that commute with positive factors between two linear layers (ReLU, pools, padding, sums, joins), a
//! channel may be multiplied by any factor in the first layer and divided by it in the second:
//! `relu(f * x) = f * relu(x)`. Factors are powers of two, so every float of the answer stays the same to the bit.
//!
//! Channels that such steps tie together are one *class* and share a factor; values that share classes are a *family*. Per
//! class, `made` is how much of the range it takes where it is made (of the layers' weights, of the activations on the
//! samples), `read` how much of the weights of the layers that read it, each relative to the largest. The factor
//! `sqrt(read / made)` makes both alike. Families whose `read / made` differs by more than [`SPREAD_MAX`] are equalised, others
//! left alone: a channel that is small, and whose reader does not make it large again, does no harm.
//!
//! Source: Nagel, van Baalen, Blankevoort, Welling, "Data-free quantization through weight equalization and bias
//! correction", ICCV 2019, section 4.1; the activations' sizes, and ties over sums and joins, are added here.
#![warn(clippy::wildcard_enum_match_arm)]

mod classes;
#[cfg(test)]
mod tests;

use crate::ir::ops::channel_count;
use crate::ir::{AddConstantOp, Graph, Node, Op};
use classes::{ChannelClasses, Family};

/// ChannelClasses of a family may differ by this factor before they are equalised.
pub const SPREAD_MAX: f64 = 32.0;
/// Factors lie within 2^-EXPONENT_MAX..2^EXPONENT_MAX.
const EXPONENT_MAX: i32 = 24;
/// Rounds over all families: each layer has one before it and one behind it, and a change of one affects the other.
const ROUNDS: usize = 10;

/// A graph with the same answers, and what was done to it.
pub(crate) struct Equalised {
    pub(crate) graph: Graph,
    /// The exponent of each value's channels.
    exponents: Vec<Vec<i32>>,
    pub(crate) layers: Vec<EvenedLayer>,
}

/// A layer whose output channels were multiplied by factors that the layers behind it take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvenedLayer {
    /// The layer's name in the model.
    pub node: String,
    /// Binary logarithms of the smallest and the largest factor.
    pub exponents: (i32, i32),
}

impl std::fmt::Display for EvenedLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.exponents;
        write!(
            f,
            "channels of {} differ in size by more than {SPREAD_MAX} times: equalised by factors of 2^{low} to 2^{high}, \
             which the next layer takes back (the answer in floats is the same)",
            self.node
        )
    }
}

/// Equalises the graph's channels. `sizes` holds, for each value, the largest magnitude of each channel on the samples, as
/// [`raise_sizes`] gives it. `None` when nothing differs by much, or when floats could not hold the factors exactly.
pub(crate) fn equalise(graph: &Graph, sizes: &[Vec<f64>]) -> Option<Equalised> {
    let classes = ChannelClasses::of(graph);
    let mut exponents = vec![0i32; classes.count()];
    let as_given = exponents.clone();
    let uneven =
        |family: &&Family| spread(&ratios(graph, &classes, family, sizes, &as_given)) > SPREAD_MAX.log2();
    let chosen: Vec<&Family> = classes.families().iter().filter(uneven).collect();
    for _ in 0..ROUNDS {
        let mut moved = false;
        for family in &chosen {
            let ratios = ratios(graph, &classes, family, sizes, &exponents);
            moved |= step(&classes, &ratios, &mut exponents);
        }
        if !moved {
            break;
        }
    }
    if exponents.iter().all(|&exponent| exponent == 0) {
        return None;
    }
    let exponents: Vec<Vec<i32>> = (0..graph.values.len())
        .map(|value| classes.of_value(value).iter().map(|&class| exponents[class]).collect())
        .collect();
    let over_channels: Vec<bool> = graph.nodes.iter().map(|node| graph.layer(node).is_some()).collect();
    let mut graph = graph.clone();
    let mut layers = Vec::new();
    for (node, over_channels) in graph.nodes.iter_mut().zip(over_channels) {
        let (input, output) = (&exponents[node.inputs[0]], &exponents[node.output]);
        if !scale(&mut node.op, over_channels, input, output) {
            return None;
        }
        layers.extend(evened(node, output));
    }
    (!layers.is_empty()).then_some(Equalised { graph, exponents, layers })
}

impl Equalised {
    /// The channels' sizes in the new graph: the old ones times the factors.
    pub(crate) fn sizes(&self, before: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let scaled = |(sizes, exponents): (&Vec<f64>, &Vec<i32>)| {
            sizes.iter().zip(exponents).map(|(size, &exponent)| size * power(exponent)).collect()
        };
        before.iter().zip(&self.exponents).map(scaled).collect()
    }
}

/// Raises `sizes` to the largest magnitude of each channel of a value.
pub(crate) fn raise_sizes(sizes: &mut [f64], data: &[f32]) {
    let channel = data.len() / sizes.len();
    for (size, values) in sizes.iter_mut().zip(data.chunks(channel.max(1))) {
        let most = values.iter().fold(0f32, |most, x| if x.is_nan() { f32::NAN } else { most.max(x.abs()) });
        *size = if most.is_nan() { f64::NAN } else { size.max(f64::from(most)) };
    }
}

/// Sizes of nothing yet, for [`raise_sizes`].
pub(crate) fn no_sizes(graph: &Graph) -> Vec<Vec<f64>> {
    graph.values.iter().map(|value| vec![0.0; channel_count(&value.shape)]).collect()
}

/// Binary logarithms of `read / made` of the classes of a family that are both made and read.
fn ratios(
    graph: &Graph,
    classes: &ChannelClasses,
    family: &Family,
    sizes: &[Vec<f64>],
    exponents: &[i32],
) -> Vec<(usize, f64)> {
    let (mut made, mut read) = (vec![0.0; classes.count()], vec![0.0; classes.count()]);
    for &value in &family.activations {
        let of_value = classes.of_value(value).iter().zip(&sizes[value]);
        raise_shares(&mut made, of_value.map(|(&class, size)| (class, size * power(exponents[class]))));
    }
    for &node in &family.makers {
        let of_layer = weights(graph, classes, node, exponents);
        raise_shares(&mut made, of_layer.map(|(_, output, weight)| (output, weight)));
    }
    for &node in &family.readers {
        let of_layer = weights(graph, classes, node, exponents);
        raise_shares(&mut read, of_layer.map(|(input, _, weight)| (input, weight)));
    }
    let ratios = made.iter().zip(&read).map(|(made, read)| (read / made).log2());
    ratios.enumerate().filter(|(_, ratio)| ratio.is_finite()).collect()
}

/// Takes in the sizes of one tensor: raises each class to its share of the largest.
fn raise_shares(shares: &mut [f64], sizes: impl Iterator<Item = (usize, f64)>) {
    let mut here = vec![0f64; shares.len()];
    for (class, size) in sizes {
        here[class] = here[class].max(size);
    }
    let most = here.iter().fold(f64::MIN_POSITIVE, |most, &size| most.max(size));
    shares.iter_mut().zip(here).for_each(|(share, size)| *share = share.max(size / most));
}

/// 2^exponent, for the exponents that occur here.
fn power(exponent: i32) -> f64 {
    f64::from_bits(((1023 + i64::from(exponent)) as u64) << 52)
}

/// How far apart the ratios are, in bits.
fn spread(ratios: &[(usize, f64)]) -> f64 {
    let (low, high) = ratios.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &(_, ratio)| {
        (low.min(ratio), high.max(ratio))
    });
    high - low
}

/// Moves each class by half its ratio. False when nothing moved.
fn step(classes: &ChannelClasses, ratios: &[(usize, f64)], exponents: &mut [i32]) -> bool {
    let mut moved = false;
    for &(class, ratio) in ratios.iter().filter(|(class, _)| !classes.is_fixed(*class)) {
        let exponent = (exponents[class] + (ratio / 2.0).round() as i32).clamp(-EXPONENT_MAX, EXPONENT_MAX);
        moved |= exponent != exponents[class];
        exponents[class] = exponent;
    }
    moved
}

/// The magnitudes of a linear layer's kernels with its input's and output's classes, as the factors now make them.
fn weights<'a>(
    graph: &'a Graph,
    classes: &'a ChannelClasses,
    node: usize,
    exponents: &'a [i32],
) -> impl Iterator<Item = (usize, usize, f64)> + 'a {
    let node = &graph.nodes[node];
    let (inputs, outputs) = (classes.of_value(node.inputs[0]), classes.of_value(node.output));
    let kernels = graph.layer(node).into_iter().flat_map(|(layer, kernels)| layer.each_kernel(kernels));
    kernels.map(move |((input, output), kernel)| {
        let (input, output) = (inputs[input], outputs[output]);
        let most = kernel.iter().fold(0f32, |most, w| most.max(w.abs()));
        (input, output, f64::from(most) * power(exponents[output] - exponents[input]))
    })
}

/// Multiplies an operator's numbers so that inputs times their factors give outputs times theirs. False when a float cannot
/// hold a result exactly.
fn scale(op: &mut Op, over_channels: bool, input: &[i32], output: &[i32]) -> bool {
    if let Op::AddConstant(AddConstantOp { constant }) = op
        && output.iter().any(|&exponent| exponent != 0)
    {
        let run = constant.data.len() / output.len();
        return constant.data.chunks_mut(run).zip(output).all(|(own, &exponent)| scaled(own, exponent));
    }
    let Some(mut layer) = op.layer_mut().filter(|_| over_channels) else { return true };
    layer.each_kernel().all(|((from, to), kernel)| scaled(kernel, output[to] - input[from]))
        && layer.bias.chunks_mut(1).zip(output).all(|(bias, &exponent)| scaled(bias, exponent))
}

/// Multiplies numbers by a power of two; false when one does not come back by the division.
fn scaled(numbers: &mut [f32], exponent: i32) -> bool {
    let (factor, back) = ((exponent as f32).exp2(), (-exponent as f32).exp2());
    numbers.iter_mut().all(|number| {
        let before = *number;
        *number *= factor;
        *number * back == before
    })
}

fn evened(node: &Node, output: &[i32]) -> Option<EvenedLayer> {
    let exponents = (*output.iter().min()?, *output.iter().max()?);
    (node.op.layer().is_some() && exponents != (0, 0))
        .then(|| EvenedLayer { node: node.name.clone(), exponents })
}
