//! Integer weights and biases, and the half unit in the bias that makes the next rescaling round to nearest.

use super::{Precision, Task, scales::Scales};
use crate::lower::{DraftStep, FloatLayer};
use crate::plan::{LayerWeights, Step, TensorId, Weights};

/// All layers' integers. Biases include the rounding offsets.
pub(super) fn quantise(task: &Task<'_>, precision: &Precision, scales: &Scales) -> Weights {
    let mut layers = Vec::new();
    for (index, node) in task.lowered.nodes.iter().enumerate() {
        let (DraftStep::Linear(layer), Step::Linear(linear)) = (&node.step, &scales.steps[index]) else {
            continue;
        };
        let divisor = f64::from(task.lowered.tensors[node.inputs[0]].divisor);
        let fractions = (linear.weight_fraction, scales.fractions[node.output]);
        layers.push((index, integers(layer, divisor, fractions, precision.weight_bits[index])));
    }
    let mut weights = Weights { layers };
    add_rounding(task, scales, &mut weights);
    weights
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
        for (layer, offset) in search.layers(node.inputs[0], 1 << (drop - 1)).unwrap_or_default() {
            let at = weights.layers.iter_mut().find(|(index, _)| *index == layer);
            let (_, layer) = at.expect("the search ends in linear layers");
            layer.bias.iter_mut().for_each(|bias| *bias += offset);
        }
    }
}

struct Search<'a> {
    task: &'a Task<'a>,
    scales: &'a Scales,
    makers: Vec<Option<usize>>,
    readers: Vec<usize>,
}

impl Search<'_> {
    /// The layers, with amounts, whose biases add `offset` to every element of a tensor and to nothing else. Zeros that are
    /// put around or between stay zeros, which rescale to zero without any offset.
    fn layers(&self, tensor: TensorId, offset: i64) -> Option<Vec<(usize, i64)>> {
        if self.readers[tensor] != 1 {
            return None;
        }
        let index = self.makers[tensor]?;
        let inputs = &self.task.lowered.nodes[index].inputs;
        match &self.scales.steps[index] {
            Step::Linear(_) => Some(vec![(index, offset)]),
            Step::MaxPool(_)
            | Step::Pad { .. }
            | Step::Reshape
            | Step::Transpose { .. }
            | Step::PixelShuffle { .. }
            | Step::Interleave { .. } => self.layers(inputs[0], offset),
            Step::Add { shift_left } => {
                (0..2).find_map(|side| self.layers(inputs[side], unshifted(offset, shift_left[side])?))
            }
            Step::Concat { shift_left, .. } => {
                let branches = inputs.iter().zip(shift_left);
                let found: Option<Vec<_>> =
                    branches.map(|(&input, &shift)| self.layers(input, unshifted(offset, shift)?)).collect();
                found.map(|layers| layers.concat())
            }
            Step::Activate { .. } | Step::SumPool(_) | Step::Scale { .. } => None,
        }
    }
}

/// What becomes `offset` when it is shifted left.
fn unshifted(offset: i64, shift: u32) -> Option<i64> {
    (offset >> shift << shift == offset).then_some(offset >> shift)
}
