//! The largest integer of each tensor, and the smallest ring that holds it.

use super::{Task, scales::Scales};
use crate::plan::{AddConstant, LayerWeights, Linear, Range, Step, Weights};

/// A calibrated bound is at least this, so that a layer that slept on the samples has some room.
const BOUND_MIN: u64 = 15;
/// Bounds are capped here: far beyond any ring, far below what would overflow.
const BOUND_MAX: u64 = 1 << 60;

/// For each tensor its bound, how that is known, and its ring.
pub(super) struct Ranges {
    pub(super) bounds: Vec<u64>,
    pub(super) kinds: Vec<Range>,
    pub(super) non_negative: Vec<bool>,
    /// Bits that the tensor itself needs.
    pub(super) needed_bits: Vec<u32>,
    /// Bits of its ring: its own need and those of the steps that read it without leaving the ring.
    pub(super) ring_bits: Vec<u32>,
}

impl Ranges {
    pub(super) fn find(task: &Task<'_>, scales: &Scales, weights: &Weights) -> Self {
        let count = task.lowered.tensors.len();
        let mut ranges = Self {
            bounds: vec![0; count],
            kinds: vec![Range::Proven; count],
            non_negative: vec![false; count],
            needed_bits: Vec::new(),
            ring_bits: Vec::new(),
        };
        let input = task.lowered.input;
        ranges.bounds[input] = rounded_up(task.input_most(), scales.fractions[input], 1);
        ranges.non_negative[input] = task.range.0 >= 0.0;
        for (index, (node, step)) in task.lowered.nodes.iter().zip(&scales.steps).enumerate() {
            let derived = ranges.derived(step, &node.inputs, weights, index).min(BOUND_MAX);
            ranges.settle(task, scales, &node.inputs, node.output, derived);
            ranges.non_negative[node.output] = match step {
                Step::Activate { relu: true, .. } => true,
                Step::Linear(_) | Step::AddConstant(_) => false,
                _ => node.inputs.iter().all(|&id| ranges.non_negative[id]),
            };
        }
        ranges.needed_bits = ranges.needs(task, scales);
        ranges.ring_bits = ranges.rings(task, scales);
        ranges
    }

    /// Chooses between the bound that follows from the inputs' bounds and the one seen on samples.
    fn settle(&mut self, task: &Task<'_>, scales: &Scales, inputs: &[usize], output: usize, derived: u64) {
        let draft = &task.lowered.tensors[output];
        let most = task.seen[draft.source] * f64::from(task.options.margin);
        let calibrated = rounded_up(most, scales.fractions[output], draft.divisor)
            .max(BOUND_MIN)
            .max(task.least_bounds[output]);
        let proven = inputs.iter().all(|&id| self.kinds[id] == Range::Proven);
        if proven && (task.options.proven_only || bits(derived) <= bits(calibrated)) {
            self.bounds[output] = derived;
        } else {
            self.bounds[output] = derived.min(calibrated);
            self.kinds[output] = Range::Calibrated;
        }
    }

    /// The bound that follows from the inputs' bounds and the secrets of node `index`.
    fn derived(&self, step: &Step, inputs: &[usize], weights: &Weights, index: usize) -> u64 {
        let input = self.bounds[inputs[0]];
        let shifted = |index: usize, shift: u32| u128::from(self.bounds[inputs[index]]) << shift;
        let wide = match step {
            Step::Linear(linear) => {
                let layer = weights.layer(index).expect("a linear step has weights");
                linear_bound(linear, layer, input, self.non_negative[inputs[0]])
            }
            // A floor takes negative values away from zero; zeros and positive ones it does not.
            Step::Activate { relu: true, drop } => u128::from(input >> drop),
            Step::Activate { relu: false, drop } => u128::from(input.div_ceil(1 << drop)),
            Step::SumPool(window) => u128::from(input) * window.taps() as u128,
            Step::Add { shift_left: [a, b] } => shifted(0, *a) + shifted(1, *b),
            Step::AddConstant(AddConstant { shift_left, .. }) => {
                let constants = weights.constants(index).expect("an added constant has integers");
                let most = constants.values.iter().map(|value| value.unsigned_abs()).max().unwrap_or(0);
                shifted(0, *shift_left) + u128::from(most)
            }
            Step::Concat { shift_left, .. } => {
                (0..inputs.len()).map(|index| shifted(index, shift_left[index])).max().expect("inputs")
            }
            Step::Scale { factor } => u128::from(input) * u128::from(*factor),
            Step::ScaleByPosition { factors, .. } => {
                let largest = factors.iter().map(|list| list.iter().max().copied().unwrap_or(1));
                largest.fold(u128::from(input), |bound, factor| bound * u128::from(factor))
            }
            _ => u128::from(input),
        };
        wide.min(u128::from(BOUND_MAX)) as u64
    }

    /// Bits that each tensor needs for itself and for what its readers do with it: as
    /// [`crate::plan::PublicPlan::headroom_bits`] counts them.
    fn needs(&self, task: &Task<'_>, scales: &Scales) -> Vec<u32> {
        let mut headroom = vec![1; self.bounds.len()];
        let mut least = vec![2; self.bounds.len()];
        headroom[task.lowered.output] = task.options.suite.answer_headroom();
        for (node, step) in task.lowered.nodes.iter().zip(&scales.steps) {
            let input = node.inputs[0];
            headroom[input] =
                headroom[input].max(task.options.suite.headroom(step, self.non_negative[input]));
            if let Step::Activate { drop, .. } = step {
                least[input] = least[input].max(drop + 2);
            }
        }
        (0..self.bounds.len()).map(|id| (bits(self.bounds[id]) + headroom[id]).max(least[id])).collect()
    }

    /// Each tensor's ring: an activation ends one, every other step reads in its output's ring.
    fn rings(&self, task: &Task<'_>, scales: &Scales) -> Vec<u32> {
        let mut rings = self.needed_bits.clone();
        for (node, step) in task.lowered.nodes.iter().zip(&scales.steps).rev() {
            if !matches!(step, Step::Activate { .. }) {
                for &input in &node.inputs {
                    rings[input] = rings[input].max(rings[node.output]);
                }
            }
        }
        rings
    }
}

/// The largest accumulator for inputs up to `input`: by the sums of the positive and of the negative weights.
fn linear_bound(linear: &Linear, layer: &LayerWeights, input: u64, non_negative: bool) -> u128 {
    let per_output = linear.shape().weight_count() / linear.out_channels;
    let of_channel = |(row, &bias): (&[i32], &i64)| {
        let positive: i128 = row.iter().filter(|w| **w > 0).map(|&w| i128::from(w)).sum();
        let negative: i128 = row.iter().filter(|w| **w < 0).map(|&w| i128::from(w)).sum();
        let (input, bias) = (i128::from(input), i128::from(bias));
        let (high, low) = if non_negative {
            (bias + positive * input, bias + negative * input)
        } else {
            (bias + (positive - negative) * input, bias - (positive - negative) * input)
        };
        high.unsigned_abs().max(low.unsigned_abs()).max(bias.unsigned_abs())
    };
    layer.weight.chunks(per_output).zip(&layer.bias).map(of_channel).max().unwrap_or(0)
}

/// The integer of a real value, rounded up.
fn rounded_up(real: f64, fraction: i32, divisor: u32) -> u64 {
    (real * f64::from(fraction).exp2() * f64::from(divisor)).ceil().clamp(1.0, BOUND_MAX as f64) as u64
}

/// The least k with bound < 2^k.
fn bits(bound: u64) -> u32 {
    64 - bound.leading_zeros()
}
