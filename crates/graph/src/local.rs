//! The steps that need no dialogue: rearrangements and sums, the same on clear integers and on additive shares.
//!
//! Words are `i64` in the clear evaluator and `u32` modulo 2^32 on shares; one code serves both, so that a share
//! can never be rearranged otherwise than its value is.

use blindscan_arith::erase::erase;

use crate::ir::Window;
use crate::movement;
use crate::plan::{AddConstant, PlanNode, PublicPlan, Step};

/// An integer that local steps can add, scale and move.
pub trait Word: Copy + Default {
    /// Sum; wraps on shares.
    fn plus(self, other: Self) -> Self;
    /// Multiple by a public factor; wraps on shares.
    fn times(self, factor: u32) -> Self;
}

impl Word for u32 {
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    fn times(self, factor: u32) -> Self {
        self.wrapping_mul(factor)
    }
}

impl Word for i64 {
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    fn times(self, factor: u32) -> Self {
        self.wrapping_mul(i64::from(factor))
    }
}

/// The output of a local step, or `None` when the step is not local. `inputs` are in the node's order.
///
/// The plan must be valid; shares must then be reduced to the output's ring by the caller. Of a [`Step::AddConstant`] this
/// is the public part: whoever holds the constants adds them.
pub fn apply<T: Word>(plan: &PublicPlan, node: &PlanNode, inputs: &[&[T]]) -> Option<Vec<T>> {
    let shape = |index: usize| plan.tensors[node.inputs[index]].shape.as_slice();
    let output = plan.tensors[node.output].shape.as_slice();
    Some(match &node.step {
        Step::Linear(_) | Step::Activate { .. } | Step::MaxPool(_) => return None,
        Step::SumPool(window) => sum_pool(inputs[0], shape(0), output, window),
        Step::Add { shift_left: [a, b] } => {
            let (a, b) = (1 << a, 1 << b);
            inputs[0].iter().zip(inputs[1]).map(|(x, y)| x.times(a).plus(y.times(b))).collect()
        }
        Step::AddConstant(AddConstant { shift_left, .. }) => {
            inputs[0].iter().map(|x| x.times(1 << shift_left)).collect()
        }
        Step::Concat { axis, shift_left } => {
            let outer = output[..*axis].iter().product();
            movement::concat(inputs, outer, |input, x| x.times(1 << shift_left[input]))
        }
        Step::Pad { begin, .. } => movement::pad(inputs[0], shape(0), output, begin),
        Step::Reshape => inputs[0].to_vec(),
        Step::Transpose { perm } => movement::transpose(inputs[0], shape(0), perm),
        Step::PixelShuffle { factors } => pixel_shuffle(inputs[0], shape(0), factors),
        Step::Interleave { strides } => {
            movement::scatter(inputs[0], shape(0), output, |axis, i| match axis {
                0 | 1 => i,
                _ => i * strides[axis - 2],
            })
        }
        Step::Gather { positions } => movement::gather(inputs[0], shape(0), positions),
        Step::Scale { factor } => inputs[0].iter().map(|x| x.times(*factor)).collect(),
        Step::ScaleByPosition { factors, .. } => scale_by_position(inputs[0], output, factors),
    })
}

/// Sums over windows along each spatial axis in turn: a box is separable.
fn sum_pool<T: Word>(input: &[T], shape: &[usize], output: &[usize], window: &Window) -> Vec<T> {
    let mut words = input.to_vec();
    let mut now = shape.to_vec();
    for axis in 0..window.kernel.len() {
        let sums = sum_along(&words, &now, axis + 2, output[axis + 2], window, axis);
        erase(&mut words);
        words = sums;
        now[axis + 2] = output[axis + 2];
    }
    words
}

fn sum_along<T: Word>(
    input: &[T],
    shape: &[usize],
    axis: usize,
    extent: usize,
    window: &Window,
    spatial: usize,
) -> Vec<T> {
    let inner: usize = shape[axis + 1..].iter().product();
    let mut out = vec![T::default(); input.len() / shape[axis].max(1) * extent];
    if inner == 0 || shape[axis] == 0 || extent == 0 {
        return out;
    }
    for (source, target) in input.chunks(shape[axis] * inner).zip(out.chunks_mut(extent * inner)) {
        for (position, row) in target.chunks_mut(inner).enumerate() {
            for tap in 0..window.kernel[spatial] {
                let padded = position * window.strides[spatial] + tap * window.dilations[spatial];
                let Some(at) = padded.checked_sub(window.pads_begin[spatial]) else { continue };
                if at < shape[axis] {
                    for (sum, x) in row.iter_mut().zip(&source[at * inner..][..inner]) {
                        *sum = sum.plus(*x);
                    }
                }
            }
        }
    }
    out
}

/// Each element times the product of its axes' factors; an axis without a list has none.
fn scale_by_position<T: Word>(input: &[T], shape: &[usize], factors: &[Vec<u32>]) -> Vec<T> {
    let along = |before: Vec<u32>, (list, &extent): (&Vec<u32>, &usize)| {
        let own = |i: usize| list.get(i).copied().unwrap_or(1);
        before.iter().flat_map(|factor| (0..extent).map(move |i| factor.wrapping_mul(own(i)))).collect()
    };
    let by_position = factors.iter().zip(shape).fold(vec![1], along);
    input.iter().zip(by_position).map(|(x, factor)| x.times(factor)).collect()
}

/// Blocks of channels spread over positions: channels are (m, block...), and each block axis moves behind its spatial axis.
fn pixel_shuffle<T: Word>(input: &[T], shape: &[usize], factors: &[usize]) -> Vec<T> {
    let (rank, blocks) = (factors.len(), factors.iter().product::<usize>());
    let apart = [&[shape[0], shape[1] / blocks], factors, &shape[2..]].concat();
    let perm: Vec<usize> =
        [0, 1].into_iter().chain((0..rank).flat_map(|axis| [2 + rank + axis, 2 + axis])).collect();
    movement::transpose(input, &apart, &perm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: &[usize], strides: &[usize], pads: &[usize]) -> Window {
        Window {
            kernel: kernel.to_vec(),
            strides: strides.to_vec(),
            dilations: vec![1; kernel.len()],
            pads_begin: pads.to_vec(),
            pads_end: pads.to_vec(),
        }
    }

    #[test]
    fn a_sum_pool_adds_what_its_window_covers() {
        let input: Vec<i64> = (0..12).collect();
        let sums = sum_pool(&input, &[1, 1, 3, 4], &[1, 1, 2, 3], &window(&[2, 2], &[1, 1], &[0, 0]));
        assert_eq!(sums, [10, 14, 18, 26, 30, 34]);
        let padded = sum_pool(&input, &[1, 1, 3, 4], &[1, 1, 2, 3], &window(&[2, 2], &[2, 2], &[1, 1]));
        assert_eq!(padded, [0, 3, 3, 12, 30, 18]);
    }

    #[test]
    fn pixel_shuffle_spreads_channels_over_positions() {
        // Channels (m, a1, a2) with m = 0..1 and 2x2 blocks of a 1x2 image.
        let input: Vec<i64> = (0..8).collect();
        let out = pixel_shuffle(&input, &[1, 4, 1, 2], &[2, 2]);
        assert_eq!(out, [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    #[test]
    fn shares_move_exactly_as_their_values_do() {
        let input: Vec<i64> = (0..24).collect();
        let left: Vec<u32> = (0..24u32).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
        let right: Vec<u32> = input.iter().zip(&left).map(|(&x, l)| (x as u32).wrapping_sub(*l)).collect();
        for perm in [[0usize, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let clear = movement::transpose(&input, &[2, 3, 4], &perm);
            let joined: Vec<i64> = movement::transpose(&left, &[2, 3, 4], &perm)
                .iter()
                .zip(movement::transpose(&right, &[2, 3, 4], &perm))
                .map(|(l, r)| i64::from(l.wrapping_add(r)))
                .collect();
            assert_eq!(clear, joined);
        }
    }
}
