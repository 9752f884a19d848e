//! Fraction bits: what each activation keeps, hence what each accumulator has and each rescaling drops.

use super::{Precision, Task, with_widths};
use crate::draft::{DraftNode, DraftStep, constant_step};
use crate::plan::{Step, TensorId, split_taps};

/// How many more fraction bits than the coarsest branch a branch of a concatenation or sum may keep. More would only widen
/// the ring of the layer behind.
const SPREAD: i32 = 2;
/// Significant bits of the constant that replaces a division.
const DIVISION_BITS: i32 = 10;
/// Fraction bits stay within this, whatever the weights are.
const FRACTION_MAX: i32 = 40;

/// A scale for every tensor and the steps that lead from one to the next.
pub(super) struct Scales {
    pub(super) fractions: Vec<i32>,
    pub(super) steps: Vec<Step>,
}

impl Scales {
    pub(super) fn choose(task: &Task<'_>, precision: &Precision) -> Self {
        let wanted = wanted_fractions(task, precision);
        let mut scales =
            Self { fractions: vec![0; wanted.len()], steps: Vec::with_capacity(task.lowered.nodes.len()) };
        scales.fractions[task.lowered.input] = wanted[task.lowered.input];
        for (index, node) in task.lowered.nodes.iter().enumerate() {
            let (step, fraction) = scales.step(task, node, precision.weight_bits[index], wanted[node.output]);
            scales.fractions[node.output] = fraction;
            scales.steps.push(step);
        }
        scales
    }

    /// The step with its numbers, and its output's fraction bits.
    fn step(&self, task: &Task<'_>, node: &DraftNode, weight_bits: u32, wanted: i32) -> (Step, i32) {
        let input = self.fractions[node.inputs[0]];
        match &node.step {
            DraftStep::Linear(layer) => {
                let divisor = f64::from(task.lowered.tensors[node.inputs[0]].divisor);
                let fraction = weight_fraction(&layer.weight, divisor, weight_bits);
                (Step::Linear(with_widths(&layer.linear, weight_bits, fraction)), input + fraction)
            }
            DraftStep::Activate { relu } => {
                let drop = (input - wanted).clamp(0, 30);
                (Step::Activate { relu: *relu, drop: drop as u32 }, input - drop)
            }
            DraftStep::AddConstant(constant) => (constant_step(constant, 2, 0), input),
            DraftStep::Divide => {
                let divisor = task.lowered.tensors[node.inputs[0]].divisor;
                let bits = DIVISION_BITS + ceil_log2(f64::from(divisor));
                let factor = (f64::from(bits).exp2() / f64::from(divisor)).round() as u32;
                (Step::Scale { factor }, input + bits)
            }
            DraftStep::Other(step) => self.other(step, &node.inputs),
        }
    }

    fn other(&self, step: &Step, inputs: &[TensorId]) -> (Step, i32) {
        let finest = inputs.iter().map(|&id| self.fractions[id]).max().expect("a step has inputs");
        let shift = |id: TensorId| (finest - self.fractions[id]).min(31) as u32;
        match step {
            Step::SumPool(window) => (step.clone(), finest + split_taps(window.taps()).0 as i32),
            Step::ScaleByPosition { unit, .. } => {
                (step.clone(), finest + split_taps(*unit as usize).0 as i32)
            }
            Step::Add { .. } => (Step::Add { shift_left: [shift(inputs[0]), shift(inputs[1])] }, finest),
            Step::Concat { axis, .. } => {
                let shift_left = inputs.iter().map(|&id| shift(id)).collect();
                (Step::Concat { axis: *axis, shift_left }, finest)
            }
            _ => (step.clone(), finest),
        }
    }
}

/// The fraction bits that each activation and the input should keep; 0 for other tensors.
fn wanted_fractions(task: &Task<'_>, precision: &Precision) -> Vec<i32> {
    let lowered = task.lowered;
    let mut wanted = vec![0; lowered.tensors.len()];
    wanted[lowered.input] = fraction_for(precision.activation_bits[lowered.input], task.input_most());
    for node in &lowered.nodes {
        if let DraftStep::Activate { .. } = node.step {
            let draft = &lowered.tensors[node.output];
            let most = task.seen[draft.source] * f64::from(draft.divisor);
            wanted[node.output] = fraction_for(precision.activation_bits[node.output], most);
        }
    }
    limit_spread(task, &mut wanted);
    wanted
}

/// Takes fraction bits from activations that meet much coarser ones in a concatenation or a sum of narrow tensors.
fn limit_spread(task: &Task<'_>, wanted: &mut [i32]) {
    let makers = task.lowered.makers();
    loop {
        let mut changed = false;
        for node in &task.lowered.nodes {
            let joins = matches!(node.step, DraftStep::Other(Step::Concat { .. } | Step::Add { .. }));
            if !joins || task.lowered.tensors[node.output].wide {
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
    let Some(node) = makers[tensor].map(|index| &task.lowered.nodes[index]) else {
        return vec![(tensor, finer)];
    };
    let added = match &node.step {
        DraftStep::Activate { .. } => return vec![(tensor, finer)],
        DraftStep::Linear(_) => return Vec::new(),
        DraftStep::Other(Step::SumPool(window)) => split_taps(window.taps()).0 as i32,
        DraftStep::Other(Step::ScaleByPosition { unit, .. }) => split_taps(*unit as usize).0 as i32,
        _ => 0,
    };
    node.inputs.iter().flat_map(|&input| finer_by(task, makers, input, finer + added)).collect()
}

impl Task<'_> {
    /// The largest absolute value of the real input.
    pub(super) fn input_most(&self) -> f64 {
        f64::from(self.range.0.abs().max(self.range.1.abs()))
    }
}

/// Fraction bits with which values up to `most` fill `bits` bits; a tensor that slept on the samples is taken to reach 1.
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

/// The most fraction bits with which every weight rounds to less than 2^(bits - 1).
fn weight_fraction(weight: &[f32], divisor: f64, bits: u32) -> i32 {
    let most = weight.iter().fold(0f64, |most, w| most.max(f64::from(w.abs()))) / divisor;
    if most == 0.0 {
        return 0;
    }
    let limit = f64::from(bits - 1).exp2() - 0.5;
    ((limit / most).log2().ceil() as i32 - 1).clamp(-FRACTION_MAX, FRACTION_MAX)
}

/// The least k with 2^k >= x, for x > 0.
fn ceil_log2(x: f64) -> i32 {
    x.log2().ceil().clamp(-1000.0, 1000.0) as i32
}
