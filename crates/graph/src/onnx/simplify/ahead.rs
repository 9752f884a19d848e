//! An affine step at the input merged into the layers behind it: scaling grey values costs nothing then.
//!
//! Only where every reader is a linear layer that takes it exactly: a shift must not meet zero padding, which would stay zero.

use std::collections::HashMap;

use super::super::draft::{Affine, FloatStep, GraphDraft, GraphDraftNode};
use super::super::{Refusal, refuse};
use super::merge::scale;
use crate::ir::{Op, ValueId};

/// Affine steps on their way, and what reads each value.
pub(super) struct Ahead {
    /// The affine step that a value of the draft still lacks.
    held: HashMap<ValueId, Affine>,
    readers: HashMap<ValueId, Vec<Reader>>,
}

/// What a reader can take over.
#[derive(Clone, Copy, PartialEq)]
enum Reader {
    /// An affine step with this output.
    Affine(ValueId),
    /// A linear layer; `shifts` when it pads nothing.
    Linear { shifts: bool },
    /// Nothing.
    Other,
}

impl Ahead {
    pub(super) fn new(draft: &GraphDraft, live: &[bool], output: ValueId) -> Self {
        let mut readers: HashMap<ValueId, Vec<Reader>> = HashMap::new();
        for node in draft.nodes.iter().filter(|node| live[node.output]) {
            for &value in &node.inputs {
                readers.entry(value).or_default().push(reader(node));
            }
        }
        readers.entry(output).or_default().push(Reader::Other);
        Ahead { held: HashMap::new(), readers }
    }

    /// Holds an affine step back for the readers of `output`; false when they cannot take it.
    pub(super) fn hold(&mut self, output: ValueId, affine: &Affine) -> bool {
        let varies = affine.axis.is_some();
        let shifted = affine.shift.iter().any(|&shift| shift != 0.0);
        let takes = !varies && self.taken(output, shifted);
        if takes {
            self.held.insert(output, affine.clone());
        }
        takes
    }

    /// Whether linear layers behind `value`, and behind affine steps that follow it one by one, take it all.
    fn taken(&self, mut value: ValueId, mut shifted: bool) -> bool {
        loop {
            match self.readers.get(&value).map(Vec::as_slice) {
                Some(&[Reader::Affine(next)]) => {
                    // What a later step shifts is not known here: only unpadded layers are safe then.
                    shifted = true;
                    value = next;
                }
                Some(readers) => {
                    let takes = |reader: &Reader| match reader {
                        Reader::Linear { shifts } => *shifts || !shifted,
                        Reader::Affine(_) | Reader::Other => false,
                    };
                    return readers.iter().all(takes);
                }
                None => return false,
            }
        }
    }

    /// The affine step that a reader of `value` has to take over.
    pub(super) fn take(&self, value: ValueId) -> Option<Affine> {
        self.held.get(&value).cloned()
    }
}

fn reader(node: &GraphDraftNode) -> Reader {
    match &node.step {
        FloatStep::Affine(affine) if affine.axis.is_none() => Reader::Affine(node.output),
        FloatStep::Affine(_) => Reader::Other,
        FloatStep::Op(op) => {
            op.layer().map_or(Reader::Other, |layer| Reader::Linear { shifts: !layer.meets_zeros() })
        }
    }
}

/// `second` behind `first`, which has one number of each.
pub(super) fn composed(first: &Affine, second: &Affine) -> Affine {
    let (scale, shift) = (first.scale[0], first.shift[0]);
    Affine {
        axis: second.axis,
        scale: second.scale.iter().map(|s| s * scale).collect(),
        shift: second.scale.iter().zip(&second.shift).map(|(s, t)| s * shift + t).collect(),
    }
}

/// Merges an affine step with one number of each into the layer behind it.
pub(super) fn merge(op: &mut Op, affine: &Affine) -> Result<(), Refusal> {
    let (factor, shift) = (affine.scale[0], affine.shift[0]);
    let Some(mut layer) = op.layer_mut().filter(|layer| shift == 0.0 || !layer.meets_zeros) else {
        return refuse("an affine step was held back for it", "check the exporter");
    };
    if shift != 0.0 {
        let mut sums = vec![0f64; layer.bias.len()];
        for ((_, to), kernel) in layer.each_kernel() {
            sums[to] = kernel.iter().fold(sums[to], |sum, &w| sum + f64::from(w));
        }
        let biases = layer.bias.iter_mut().zip(sums);
        biases.for_each(|(bias, sum)| *bias = (f64::from(*bias) + shift * sum) as f32);
    }
    scale(&mut layer.weight.data, factor);
    match layer.is_finite() {
        true => Ok(()),
        false => refuse(
            "with the scaling before it, its weights are beyond 32-bit floats",
            "check the scaling of the input",
        ),
    }
}
