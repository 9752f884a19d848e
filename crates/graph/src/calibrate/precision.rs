//! Bits to spend: as many as asked for, more where they cost little, fewer where a ring would be too wide.

use super::{Task, WEIGHT_BITS_MAX};
use crate::draft::IntegerDraft;
use crate::ir::Tensor;
use crate::operators::Role;

/// Precision is not lowered below this many bits of an activation or weight.
const BITS_MIN: u32 = 4;
/// Most bits that small tensors have beyond what the options ask for.
const CHEAP_BITS_MAX: u32 = 2;

/// Bits to spend, which narrow where a ring would be too wide.
pub(super) struct Precision {
    /// For each tensor that is the input or an activation.
    pub(super) activation_bits: Vec<u32>,
    /// For each node that is a linear layer.
    pub(super) weight_bits: Vec<u32>,
}

impl Task<'_> {
    /// The bits asked for, and more where they cost little: a comparison's price is the ring's width times the number of
    /// elements, so a tensor of a quarter of the largest's size has a bit more, one of a sixteenth two.
    pub(super) fn desired(&self) -> Precision {
        let (tensors, nodes) = (&self.draft.tensors, &self.draft.nodes);
        let elements = |id: usize| Tensor::count(&tensors[id].shape);
        let largest = nodes.iter().map(|node| elements(node.output)).max().unwrap_or(1);
        let cheap = |id: usize| ((largest / elements(id)).max(1).ilog2() / 2).min(CHEAP_BITS_MAX);
        let mut precision = Precision {
            activation_bits: (0..tensors.len())
                .map(|id| self.options.activation_bits + cheap(id).min(1))
                .collect(),
            weight_bits: nodes
                .iter()
                .map(|node| (self.options.weight_bits + cheap(node.output)).min(WEIGHT_BITS_MAX))
                .collect(),
        };
        precision.activation_bits[self.draft.input] = self.options.input_bits;
        precision
    }
}

impl Precision {
    /// Takes a bit from what makes `tensor` wide. False when there is none to take.
    pub(super) fn lower(&mut self, draft: &IntegerDraft, tensor: usize) -> bool {
        let makers = draft.makers();
        let mut pending = vec![tensor];
        let mut lowered_any = false;
        while let Some(tensor) = pending.pop() {
            let Some(node) = makers[tensor] else {
                lowered_any |= take_bit(&mut self.activation_bits[tensor]);
                continue;
            };
            match draft.nodes[node].step.role() {
                Role::Narrows => lowered_any |= take_bit(&mut self.activation_bits[tensor]),
                Role::Accumulates => {
                    let origins = origins(draft, &makers, draft.nodes[node].inputs[0]);
                    let widest = origins.iter().map(|&id| self.activation_bits[id]).max().unwrap_or(0);
                    if self.weight_bits[node] > widest && take_bit(&mut self.weight_bits[node]) {
                        lowered_any = true;
                        continue;
                    }
                    let mut taken = false;
                    for id in origins {
                        taken |=
                            self.activation_bits[id] == widest && take_bit(&mut self.activation_bits[id]);
                    }
                    lowered_any |= taken || take_bit(&mut self.weight_bits[node]);
                }
                Role::Passes => pending.extend(&draft.nodes[node].inputs),
            }
        }
        lowered_any
    }
}

fn take_bit(bits: &mut u32) -> bool {
    let may = *bits > BITS_MIN;
    *bits -= u32::from(may);
    may
}

/// The activations (or the input) that a tensor is put together from by local steps and pools. A linear layer ends the search.
fn origins(draft: &IntegerDraft, makers: &[Option<usize>], tensor: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut pending = vec![tensor];
    while let Some(tensor) = pending.pop() {
        match makers[tensor].map(|node| &draft.nodes[node]) {
            None => found.push(tensor),
            Some(node) => match node.step.role() {
                Role::Narrows => found.push(tensor),
                Role::Accumulates => {}
                Role::Passes => pending.extend(&node.inputs),
            },
        }
    }
    found
}
