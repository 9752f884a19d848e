//! Dense layers: dot products over the last axis.

use crate::ir::Tensor;

/// Products that are summed in `f32` before they are added in `f64`.
const RUN: usize = 256;
/// Sums that run side by side.
const LANES: usize = 16;

/// y = W x + b for every row.
pub(super) fn dense(x: &Tensor, weight: &Tensor, bias: &[f32]) -> Vec<f32> {
    let features = weight.shape[1];
    let mut answer = Vec::with_capacity(x.data.len() / features * bias.len());
    for row in x.data.chunks(features) {
        for (filter, &bias) in weight.data.chunks(features).zip(bias) {
            answer.push((dot(row, filter) + f64::from(bias)) as f32);
        }
    }
    answer
}

fn dot(x: &[f32], y: &[f32]) -> f64 {
    x.chunks(RUN).zip(y.chunks(RUN)).map(|(x, y)| short_dot(x, y)).sum()
}

fn short_dot(x: &[f32], y: &[f32]) -> f64 {
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ys, y_rest) = y.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (x, y) in xs.iter().zip(ys) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = x_rest.iter().zip(y_rest).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
    sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() + rest
}
