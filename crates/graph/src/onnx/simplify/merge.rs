//! An affine step merged into the linear layer before it.

use super::super::draft::Affine;
use super::super::{Refusal, refuse};
use crate::ir::Op;

/// Merges an affine step into a linear one; false when it does not fit.
pub(super) fn merge(op: &mut Op, affine: &Affine, rank: usize) -> Result<bool, Refusal> {
    let channel_axis = match op {
        Op::Conv { .. } | Op::ConvTranspose { .. } => 1,
        Op::Dense { .. } => rank - 1,
        _ => return Ok(false),
    };
    if affine.axis.is_some_and(|axis| axis != channel_axis) {
        return Ok(false);
    }
    let at = |channel: usize| {
        let index = if affine.axis.is_some() { channel } else { 0 };
        (affine.scale[index], affine.shift[index])
    };
    let (weight, bias) = match op {
        Op::Conv { weight, bias, .. } | Op::Dense { weight, bias } => {
            let run = weight.data.len() / weight.shape[0];
            for (channel, row) in weight.data.chunks_mut(run).enumerate() {
                scale(row, at(channel).0);
            }
            (&weight.data, bias)
        }
        Op::ConvTranspose { weight, bias, groups, .. } => {
            let (in_per_group, out_per_group) = (weight.shape[0] / *groups, weight.shape[1]);
            let run = weight.shape[2..].iter().product();
            for (index, taps) in weight.data.chunks_mut(run).enumerate() {
                let group = index / (out_per_group * in_per_group);
                scale(taps, at(group * out_per_group + index % out_per_group).0);
            }
            (&weight.data, bias)
        }
        _ => return Ok(false),
    };
    for (channel, bias) in bias.iter_mut().enumerate() {
        let (scale, shift) = at(channel);
        *bias = (f64::from(*bias) * scale + shift) as f32;
    }
    match weight.iter().chain(bias.iter()).all(|x| x.is_finite()) {
        true => Ok(true),
        false => refuse(
            "merged into the layer before it, the weights are beyond 32-bit floats",
            "check the training",
        ),
    }
}

pub(super) fn scale(weights: &mut [f32], factor: f64) {
    for weight in weights {
        *weight = (f64::from(*weight) * factor) as f32;
    }
}
