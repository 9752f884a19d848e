//! Operators that move elements.

use crate::ir::Tensor;

/// Joins tensors along an axis.
pub(super) fn concat(inputs: &[&Tensor], axis: usize) -> Vec<f32> {
    let outer: usize = inputs[0].shape[..axis].iter().product();
    let runs: Vec<usize> = inputs.iter().map(|input| input.shape[axis..].iter().product()).collect();
    let mut data = Vec::with_capacity(outer * runs.iter().sum::<usize>());
    for row in 0..outer {
        for (input, &run) in inputs.iter().zip(&runs) {
            data.extend_from_slice(&input.data[row * run..][..run]);
        }
    }
    data
}

/// Zeros around: every row goes to its place in the answer of shape `shape`.
pub(super) fn pad(x: &Tensor, shape: &[usize], begin: &[usize]) -> Vec<f32> {
    let mut data = vec![0.0; Tensor::count(shape)];
    let Some((&run, outer)) = x.shape.split_last() else { return x.data.clone() };
    let mut position = vec![0; outer.len()];
    for row in x.data.chunks(run) {
        let to = (0..outer.len()).fold(0, |to, axis| to * shape[axis] + position[axis] + begin[axis]);
        let to = to * shape[outer.len()] + begin[outer.len()];
        data[to..to + run].copy_from_slice(row);
        advance(&mut position, outer);
    }
    data
}

/// Axes exchanged: output axis i is input axis `perm[i]`.
pub(super) fn transpose(x: &Tensor, shape: &[usize], perm: &[usize]) -> Vec<f32> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * x.shape[axis];
    }
    let moved: Vec<usize> = perm.iter().map(|&axis| strides[axis]).collect();
    let mut position = vec![0; shape.len()];
    let mut data = Vec::with_capacity(x.data.len());
    for _ in 0..x.data.len() {
        data.push(x.data[position.iter().zip(&moved).map(|(p, stride)| p * stride).sum::<usize>()]);
        advance(&mut position, shape);
    }
    data
}

/// The next position of a shape, row major.
fn advance(position: &mut [usize], shape: &[usize]) {
    for axis in (0..shape.len()).rev() {
        position[axis] += 1;
        if position[axis] < shape[axis] {
            return;
        }
        position[axis] = 0;
    }
}
