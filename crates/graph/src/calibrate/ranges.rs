//! The largest integer of each tensor, and the smallest ring that holds it.

use super::{Task, scales::Scales};
use crate::operators::{BOUND_MAX, Bound};
use crate::plan::{Range, Weights};

/// A calibrated bound is at least this, so that a layer whose outputs were all zero on the samples has headroom.
const BOUND_MIN: u64 = 15;

/// For each tensor its bound, how that is known, and its ring.
pub(super) struct Ranges {
    pub(super) bounds: Vec<Bound>,
    pub(super) kinds: Vec<Range>,
    /// Bits that the tensor itself needs.
    pub(super) needed_bits: Vec<u32>,
    /// Bits of its ring: its own need and those of the steps that read it without leaving the ring.
    pub(super) ring_bits: Vec<u32>,
}

impl Ranges {
    pub(super) fn find(task: &Task<'_>, scales: &Scales, weights: &Weights) -> Self {
        let count = task.draft.tensors.len();
        let mut ranges = Self {
            bounds: vec![Bound { most: 0, non_negative: false }; count],
            kinds: vec![Range::Proven; count],
            needed_bits: Vec::new(),
            ring_bits: Vec::new(),
        };
        let input = task.draft.input;
        ranges.bounds[input] = Bound {
            most: rounded_up(task.input_most(), scales.fractions[input], 1),
            non_negative: task.range.0 >= 0.0,
        };
        for (index, (node, step)) in task.draft.nodes.iter().zip(&scales.steps).enumerate() {
            let inputs: Vec<Bound> = node.inputs.iter().map(|&id| ranges.bounds[id]).collect();
            let derived = step.operator().bound(&inputs, weights.of(index));
            ranges.settle(task, scales, &node.inputs, node.output, derived);
        }
        ranges.needed_bits = ranges.needs(task, scales);
        ranges.ring_bits = ranges.rings(task, scales);
        ranges
    }

    /// Chooses between the bound that follows from the inputs' bounds and the one seen on samples.
    fn settle(&mut self, task: &Task<'_>, scales: &Scales, inputs: &[usize], output: usize, derived: Bound) {
        let draft = &task.draft.tensors[output];
        let most = task.seen[draft.source] * f64::from(task.options.margin);
        let calibrated = rounded_up(most, scales.fractions[output], draft.divisor)
            .max(BOUND_MIN)
            .max(task.least_bounds[output]);
        let proven = inputs.iter().all(|&id| self.kinds[id] == Range::Proven);
        self.bounds[output] = derived;
        if !(proven && (task.options.proven_only || bits(derived.most) <= bits(calibrated))) {
            self.bounds[output].most = derived.most.min(calibrated);
            self.kinds[output] = Range::Calibrated;
        }
    }

    /// Bits that each tensor needs for itself and for what the suite does with it in the steps that read it.
    fn needs(&self, task: &Task<'_>, scales: &Scales) -> Vec<u32> {
        let suite = &task.options.suite;
        let mut headroom = vec![1; self.bounds.len()];
        let mut least = vec![2; self.bounds.len()];
        headroom[task.draft.output] = suite.answer_headroom();
        for (node, step) in task.draft.nodes.iter().zip(&scales.steps) {
            for &input in &node.inputs {
                headroom[input] = headroom[input].max(suite.headroom(step, self.bounds[input].non_negative));
                least[input] = least[input].max(suite.ring_bits_min(step));
            }
        }
        (0..self.bounds.len()).map(|id| (bits(self.bounds[id].most) + headroom[id]).max(least[id])).collect()
    }

    /// Each tensor's ring: an activation ends one, every other step reads in its output's ring.
    fn rings(&self, task: &Task<'_>, scales: &Scales) -> Vec<u32> {
        let mut rings = self.needed_bits.clone();
        for (node, step) in task.draft.nodes.iter().zip(&scales.steps).rev() {
            if step.keeps_ring() {
                for &input in &node.inputs {
                    rings[input] = rings[input].max(rings[node.output]);
                }
            }
        }
        rings
    }
}

/// The integer of a real value, rounded up.
fn rounded_up(real: f64, fraction: i32, divisor: u32) -> u64 {
    (real * f64::from(fraction).exp2() * f64::from(divisor)).ceil().clamp(1.0, BOUND_MAX as f64) as u64
}

/// The least k with bound < 2^k.
fn bits(bound: u64) -> u32 {
    64 - bound.leading_zeros()
}
