//! The steps that need no dialogue: rearrangements and sums, the same on clear integers and on additive shares.
//!
//! Words are `i64` in the clear evaluator and `u32` modulo 2^32 on shares; one code serves both, so that a share
//! can never be rearranged otherwise than its value is.

use crate::ir::Window;
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
            let shapes: Vec<&[usize]> = (0..inputs.len()).map(shape).collect();
            concat(inputs, &shapes, *axis, shift_left)
        }
        Step::Pad { begin, .. } => scatter(inputs[0], shape(0), output, |axis, i| begin[axis] + i),
        Step::Reshape => inputs[0].to_vec(),
        Step::Transpose { perm } => transpose(inputs[0], shape(0), perm),
        Step::PixelShuffle { factors } => pixel_shuffle(inputs[0], shape(0), factors),
        Step::Interleave { strides } => scatter(inputs[0], shape(0), output, |axis, i| match axis {
            0 | 1 => i,
            _ => i * strides[axis - 2],
        }),
        Step::Gather { positions } => gather(inputs[0], shape(0), output, positions),
        Step::Scale { factor } => inputs[0].iter().map(|x| x.times(*factor)).collect(),
        Step::ScaleByPosition { factors, .. } => scale_by_position(inputs[0], output, factors),
    })
}

/// A tensor of `shape`, whose extents are those of `target` or 1, repeated to `target`.
pub fn broadcast<T: Copy>(constants: &[T], shape: &[usize], target: &[usize]) -> Vec<T> {
    let steps = strides(shape);
    let mut out = Vec::with_capacity(target.iter().product());
    for_each_index(target, |index| {
        let at = |axis: usize| if shape[axis] == 1 { 0 } else { index[axis] * steps[axis] };
        out.push(constants[(0..target.len()).map(at).sum::<usize>()]);
    });
    out
}

/// Steps between neighbours along each axis of a row-major tensor.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Calls `visit` with every index vector of a shape, in row-major order.
fn for_each_index(shape: &[usize], mut visit: impl FnMut(&[usize])) {
    let mut index = vec![0; shape.len()];
    for _ in 0..shape.iter().product::<usize>() {
        visit(&index);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// Places every element at `place(axis, index)` of a tensor of zeros.
fn scatter<T: Word>(
    input: &[T],
    shape: &[usize],
    output: &[usize],
    place: impl Fn(usize, usize) -> usize,
) -> Vec<T> {
    let steps = strides(output);
    let mut out = vec![T::default(); output.iter().product()];
    let mut words = input.iter();
    for_each_index(shape, |index| {
        let at: usize = index.iter().enumerate().map(|(axis, &i)| place(axis, i) * steps[axis]).sum();
        out[at] = *words.next().expect("an index a word");
    });
    out
}

fn transpose<T: Word>(input: &[T], shape: &[usize], perm: &[usize]) -> Vec<T> {
    let from = strides(shape);
    let target: Vec<usize> = perm.iter().map(|&axis| shape[axis]).collect();
    let mut out = Vec::with_capacity(input.len());
    for_each_index(&target, |index| {
        out.push(input[index.iter().zip(perm).map(|(&i, &axis)| i * from[axis]).sum::<usize>()]);
    });
    out
}

/// The elements at the picked positions of every axis.
pub(crate) fn gather<T: Copy>(
    input: &[T],
    shape: &[usize],
    output: &[usize],
    positions: &[Vec<usize>],
) -> Vec<T> {
    let steps = strides(shape);
    let mut out = Vec::with_capacity(output.iter().product());
    for_each_index(output, |index| {
        let picked = |(axis, &i): (usize, &usize)| positions[axis].get(i).copied().unwrap_or(i) * steps[axis];
        out.push(input[index.iter().enumerate().map(picked).sum::<usize>()]);
    });
    out
}

fn scale_by_position<T: Word>(input: &[T], shape: &[usize], factors: &[Vec<u32>]) -> Vec<T> {
    let mut words = input.iter();
    let mut out = Vec::with_capacity(input.len());
    for_each_index(shape, |index| {
        let along = |(axis, &i): (usize, &usize)| factors[axis].get(i).copied().unwrap_or(1);
        let factor = index.iter().enumerate().map(along).fold(1u32, u32::wrapping_mul);
        out.push(words.next().expect("an index a word").times(factor));
    });
    out
}

fn concat<T: Word>(inputs: &[&[T]], shapes: &[&[usize]], axis: usize, shift_left: &[u32]) -> Vec<T> {
    let outer: usize = shapes[0][..axis].iter().product();
    let mut out = Vec::with_capacity(inputs.iter().map(|input| input.len()).sum());
    for row in 0..outer {
        for (input, shift) in inputs.iter().zip(shift_left) {
            let width = input.len() / outer;
            out.extend(input[row * width..][..width].iter().map(|x| x.times(1 << shift)));
        }
    }
    out
}

/// Sums over windows along each spatial axis in turn: a box is separable.
fn sum_pool<T: Word>(input: &[T], shape: &[usize], output: &[usize], window: &Window) -> Vec<T> {
    let mut words = input.to_vec();
    let mut now = shape.to_vec();
    for axis in 0..window.kernel.len() {
        words = sum_along(&words, &now, axis + 2, output[axis + 2], window, axis);
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

fn pixel_shuffle<T: Word>(input: &[T], shape: &[usize], factors: &[usize]) -> Vec<T> {
    let blocks: usize = factors.iter().product();
    let channels = shape[1] / blocks;
    let spatial = &shape[2..];
    let mut target = vec![shape[0], channels];
    target.extend(spatial.iter().zip(factors).map(|(size, factor)| size * factor));
    let from = strides(shape);
    let mut out = Vec::with_capacity(input.len());
    for_each_index(&target, |index| {
        let offset = index[2..].iter().zip(factors).fold(0, |sum, (i, factor)| sum * factor + i % factor);
        let place: usize =
            (0..spatial.len()).map(|axis| index[axis + 2] / factors[axis] * from[axis + 2]).sum();
        out.push(input[index[0] * from[0] + (index[1] * blocks + offset) * from[1] + place]);
    });
    out
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
    fn constants_are_repeated_along_the_axes_where_they_have_one_entry() {
        assert_eq!(broadcast(&[7, 8], &[1, 2, 1], &[1, 2, 3]), [7, 7, 7, 8, 8, 8]);
        assert_eq!(broadcast(&[1, 2, 3], &[1, 1, 3], &[1, 2, 3]), [1, 2, 3, 1, 2, 3]);
        assert_eq!(broadcast(&[5], &[1, 1], &[2, 2]), [5; 4]);
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
            let clear = transpose(&input, &[2, 3, 4], &perm);
            let joined: Vec<i64> = transpose(&left, &[2, 3, 4], &perm)
                .iter()
                .zip(transpose(&right, &[2, 3, 4], &perm))
                .map(|(l, r)| i64::from(l.wrapping_add(r)))
                .collect();
            assert_eq!(clear, joined);
        }
    }
}
