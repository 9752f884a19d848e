//! Integer weights, biases and constants, and the half unit in them that makes the next rescaling round to nearest.

use super::{Task, scales::Scales};
use crate::operators::Addition;
use crate::plan::{TensorId, Weights};

/// All secrets as integers. Biases and constants include the rounding offsets; the steps learn how wide the constants are.
pub(super) fn quantise(task: &Task<'_>, scales: &mut Scales) -> Weights {
    let mut weights = Weights::default();
    for (index, node) in task.draft.nodes.iter().enumerate() {
        if let (Some(room), Some(floats)) = (scales.steps[index].operator().secrets(), &node.floats) {
            let divisor = task.draft.tensors[node.inputs[0]].divisor;
            weights.secrets.push((index, room.integers(floats, divisor, scales.fractions[node.output])));
        }
    }
    add_rounding(task, scales, &mut weights);
    for (index, secret) in &weights.secrets {
        let declaring = scales.steps[*index].operator().secrets().map(|room| room.declaring(secret));
        if let Some(step) = declaring {
            scales.steps[*index] = step;
        }
    }
    weights
}

/// Adds 2^(drop - 1) to the biases in front of each rescaling where that reaches nothing else.
fn add_rounding(task: &Task<'_>, scales: &Scales, weights: &mut Weights) {
    let (makers, readers) = (task.draft.makers(), task.draft.reader_counts());
    let search = Search { task, scales, makers, readers };
    for (node, step) in task.draft.nodes.iter().zip(&scales.steps) {
        let drop @ 1.. = step.bits_dropped() else { continue };
        for (node, offset) in search.nodes(node.inputs[0], 1 << (drop - 1)).unwrap_or_default() {
            let secret = weights.secrets.iter_mut().find(|(index, _)| *index == node);
            let (_, secret) = secret.expect("the search ends in nodes that add numbers");
            secret.added_mut().iter_mut().for_each(|number| *number += offset);
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
    /// The nodes, with amounts, whose biases or constants add `offset` to every element of a tensor and to nothing else.
    fn nodes(&self, tensor: TensorId, offset: i64) -> Option<Vec<(usize, i64)>> {
        if self.readers[tensor] != 1 {
            return None;
        }
        let index = self.makers[tensor]?;
        let inputs = &self.task.draft.nodes[index].inputs;
        let behind = |(&input, &shift): (&TensorId, &u32)| self.nodes(input, unshifted(offset, shift)?);
        match self.scales.steps[index].operator().addition() {
            Addition::Own => Some(vec![(index, offset)]),
            Addition::Moves => self.nodes(inputs[0], offset),
            Addition::ToOne(shifts) => inputs.iter().zip(shifts).find_map(behind),
            Addition::ToAll(shifts) => {
                let found: Option<Vec<_>> = inputs.iter().zip(shifts).map(behind).collect();
                found.map(|nodes| nodes.concat())
            }
            Addition::Never => None,
        }
    }
}

/// What becomes `offset` when it is shifted left.
fn unshifted(offset: i64, shift: u32) -> Option<i64> {
    (offset >> shift << shift == offset).then_some(offset >> shift)
}
