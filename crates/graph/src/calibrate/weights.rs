//! Integer weights, biases and constants, and the half unit in them that makes the next rescaling round to nearest.

use super::{Precision, Task, scales::Scales};
use crate::draft::{DraftStep, FloatLayer};
use crate::plan::{Constants, LayerWeights, Step, TensorId, Weights};

/// All secrets as integers. Biases and constants include the rounding offsets; the steps learn how wide the constants are.
pub(super) fn quantise(task: &Task<'_>, precision: &Precision, scales: &mut Scales) -> Weights {
    let mut weights = Weights::default();
    for (index, node) in task.lowered.nodes.iter().enumerate() {
        let divisor = task.lowered.tensors[node.inputs[0]].divisor;
        match (&node.step, &scales.steps[index]) {
            (DraftStep::Linear(layer), Step::Linear(linear)) => {
                let fractions = (linear.weight_fraction, scales.fractions[node.output]);
                let integers = integers(layer, divisor.into(), fractions, precision.weight_bits[index]);
                weights.layers.push((index, integers));
            }
            (DraftStep::AddConstant(constant), _) => {
                let scale = f64::from(scales.fractions[node.output]).exp2() * f64::from(divisor);
                let integer = |&c: &f32| (f64::from(c) * scale).round() as i64;
                let values = constant.data.iter().map(integer).collect();
                weights.constants.push((index, Constants { values }));
            }
            (DraftStep::Linear(_), _) => unreachable!("a linear draft is a linear step"),
            (DraftStep::Activate { .. } | DraftStep::Divide | DraftStep::Other(_), _) => {}
        }
    }
    add_rounding(task, scales, &mut weights);
    for (index, constants) in &weights.constants {
        if let Step::AddConstant(step) = &mut scales.steps[*index] {
            step.bits = bits_with_sign(&constants.values);
        }
    }
    weights
}

/// The least k of at least 2 with |value| < 2^(k - 1) for all values.
fn bits_with_sign(values: &[i64]) -> u32 {
    let most = values.iter().map(|value| value.unsigned_abs()).max().unwrap_or(0);

    (u64::BITS - most.leading_zeros() + 1).max(2)
}

/// One layer's integers at (weight's, accumulator's) fraction bits.
fn integers(layer: &FloatLayer, divisor: f64, fractions: (i32, i32), weight_bits: u32) -> LayerWeights {
    let scale = f64::from(fractions.0).exp2() / divisor;
    let limit = f64::from((1 << (weight_bits - 1)) - 1);
    let weight = layer.weight.iter().map(|&w| (f64::from(w) * scale).round().clamp(-limit, limit) as i32);
    let scale = f64::from(fractions.1).exp2();
    let bias = layer.bias.iter().map(|&b| (f64::from(b) * scale).round() as i64);

    LayerWeights { weight: weight.collect(), bias: bias.collect() }
}

/// Adds 2^(drop - 1) to the biases in front of each rescaling where that reaches nothing else.
fn add_rounding(task: &Task<'_>, scales: &Scales, weights: &mut Weights) {
    let (makers, readers) = (task.lowered.makers(), task.lowered.reader_counts());
    let search = Search { task, scales, makers, readers };
    for (node, step) in task.lowered.nodes.iter().zip(&scales.steps) {
        let Step::Activate { drop: drop @ 1.., .. } = step else { continue };
        for (node, offset) in search.nodes(node.inputs[0], 1 << (drop - 1)).unwrap_or_default() {
            added_at(weights, node).iter_mut().for_each(|number| *number += offset);
        }
    }
}

/// The numbers that node `node` adds to its output: one per channel, or its constants.
fn added_at(weights: &mut Weights, node: usize) -> &mut [i64] {
    let layer = weights.layers.iter_mut().find(|(index, _)| *index == node);
    let constants = weights.constants.iter_mut().find(|(index, _)| *index == node);
    match (layer, constants) {
        (Some((_, layer)), _) => &mut layer.bias,
        (_, Some((_, constants))) => &mut constants.values,
        _ => unreachable!("the search ends in nodes that add numbers"),
    }
}

struct Search<'a> {
    task: &'a Task<'a>,
    scales: &'a Scales,
    makers: Vec<Option<usize>>,
    readers: Vec<usize>,
}

impl Search<'_> {
    /// The nodes, with amounts, whose biases or constants add `offset` to every element of a tensor and to nothing else. Zeros that are
    /// put around or between stay zeros, which rescale to zero without any offset.
    fn nodes(&self, tensor: TensorId, offset: i64) -> Option<Vec<(usize, i64)>> {
        if self.readers[tensor] != 1 {
            return None;
        }
        let index = self.makers[tensor]?;
        let inputs = &self.task.lowered.nodes[index].inputs;
        match &self.scales.steps[index] {
            Step::Linear(_) | Step::AddConstant(_) => Some(vec![(index, offset)]),
            Step::MaxPool(_)
            | Step::Pad { .. }
            | Step::Reshape
            | Step::Transpose { .. }
            | Step::PixelShuffle { .. }
            | Step::Interleave { .. }
            | Step::Gather { .. } => self.nodes(inputs[0], offset),
            Step::Add { shift_left } => {
                (0..2).find_map(|side| self.nodes(inputs[side], unshifted(offset, shift_left[side])?))
            }
            Step::Concat { shift_left, .. } => {
                let branches = inputs.iter().zip(shift_left);
                let found: Option<Vec<_>> =
                    branches.map(|(&input, &shift)| self.nodes(input, unshifted(offset, shift)?)).collect();
                found.map(|nodes| nodes.concat())
            }
            Step::Activate { .. } | Step::SumPool(_) | Step::Scale { .. } | Step::ScaleByPosition { .. } => {
                None
            }
        }
    }
}

/// What becomes `offset` when it is shifted left.
fn unshifted(offset: i64, shift: u32) -> Option<i64> {
    (offset >> shift << shift == offset).then_some(offset >> shift)
}
