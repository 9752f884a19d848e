//! Fraction bits: what each activation keeps, hence what each accumulator has and each rescaling drops.

use super::{Precision, Task};
use crate::operators::{FRACTION_MAX, Fit, OutputUnit, Role, Unit, ceil_log2};
use crate::plan::{Step, TensorId};

/// How many more fraction bits than the coarsest branch a branch of a concatenation or sum may keep. More would only widen
/// the ring of the layer behind.
const SPREAD: i32 = 2;

/// A scale for every tensor and the steps that lead from one to the next.
pub(super) struct Scales {
    pub(super) fractions: Vec<i32>,
    pub(super) steps: Vec<Step>,
}

impl Scales {
    pub(super) fn choose(task: &Task<'_>, precision: &Precision) -> Self {
        let draft = task.draft;
        let wanted = wanted_fractions(task, precision);
        let mut scales =
            Self { fractions: vec![0; wanted.len()], steps: Vec::with_capacity(draft.nodes.len()) };
        scales.fractions[draft.input] = wanted[draft.input];
        for (node, &weight_bits) in draft.nodes.iter().zip(&precision.weight_bits) {
            let unit = |&id: &TensorId| Unit {
                fraction: scales.fractions[id],
                divisor: draft.tensors[id].divisor.into(),
            };
            let inputs: Vec<Unit> = node.inputs.iter().map(unit).collect();
            let fit = Fit {
                inputs: &inputs,
                wanted: wanted[node.output],
                weight_bits,
                floats: node.floats.as_ref(),
            };
            let (step, unit) = node.step.operator().fitted(&fit);
            scales.fractions[node.output] = unit.fraction;
            scales.steps.push(step);
        }
        scales
    }
}

/// The fraction bits that each activation and the input should keep; 0 for other tensors.
fn wanted_fractions(task: &Task<'_>, precision: &Precision) -> Vec<i32> {
    let draft = task.draft;
    let mut wanted = vec![0; draft.tensors.len()];
    wanted[draft.input] = fraction_for(precision.activation_bits[draft.input], task.input_most());
    for node in &draft.nodes {
        if node.step.role() == Role::Narrows {
            let tensor = &draft.tensors[node.output];
            let most = task.seen[tensor.source] * f64::from(tensor.divisor);
            wanted[node.output] = fraction_for(precision.activation_bits[node.output], most);
        }
    }
    limit_spread(task, &mut wanted);
    wanted
}

/// Takes fraction bits from activations that meet much coarser ones in a concatenation or a sum of narrow tensors.
fn limit_spread(task: &Task<'_>, wanted: &mut [i32]) {
    let makers = task.draft.makers();
    loop {
        let mut changed = false;
        for node in &task.draft.nodes {
            if node.inputs.len() < 2 || task.draft.tensors[node.output].wide {
                continue;
            }
            let branches = finer_by(task, &makers, node.output, 0);
            let coarsest = branches.iter().map(|&(id, finer)| wanted[id] + finer).min().unwrap_or(0);
            for (id, finer) in branches {
                let most = coarsest + SPREAD - finer;
                if wanted[id] > most {
                    wanted[id] = most;
                    changed = true;
                }
            }
        }
        if !changed {
            return;
        }
    }
}

/// The activations behind a narrow tensor, each with the fraction bits that pools add on the way.
fn finer_by(task: &Task<'_>, makers: &[Option<usize>], tensor: TensorId, finer: i32) -> Vec<(TensorId, i32)> {
    let Some(node) = makers[tensor].map(|index| &task.draft.nodes[index]) else {
        return vec![(tensor, finer)];
    };
    match node.step.role() {
        Role::Narrows => return vec![(tensor, finer)],
        Role::Accumulates => return Vec::new(),
        Role::Passes => {}
    }
    let unit = Unit { fraction: 0, divisor: 1 };
    let added = match node.step.operator().meaning(&vec![unit; node.inputs.len()]) {
        OutputUnit::Is(unit) => unit.fraction,
        OutputUnit::Free | OutputUnit::Contradictory => 0,
    };
    node.inputs.iter().flat_map(|&input| finer_by(task, makers, input, finer + added)).collect()
}

impl Task<'_> {
    /// The largest absolute value of the real input.
    pub(super) fn input_most(&self) -> f64 {
        f64::from(self.range.0.abs().max(self.range.1.abs()))
    }
}

/// Fraction bits with which values up to `most` fill `bits` bits; a tensor that was all zero on the samples is taken to reach 1.
fn fraction_for(bits: u32, most: f64) -> i32 {
    if most <= 0.0 {
        return bits as i32;
    }
    (bits as i32 - ceil_log2(most)).clamp(-FRACTION_MAX, FRACTION_MAX)
}

/// The bits that [`fraction_for`] was asked to fill.
pub(super) fn bits_of(fraction: i32, most: f64) -> i32 {
    if most <= 0.0 { fraction } else { fraction + ceil_log2(most) }
}
