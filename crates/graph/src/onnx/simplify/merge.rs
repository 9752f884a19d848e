//! An affine step merged into the layer before it.

use super::super::draft::Affine;
use super::super::{Refusal, refuse};
use crate::ir::Op;

/// Merges an affine step into the layer whose output, of shape `shape`, it reads; false when it does not fit.
pub(super) fn merge(op: &mut Op, affine: &Affine, shape: &[usize]) -> Result<bool, Refusal> {
    let Some(layer) = op.layer() else { return Ok(false) };
    if affine.axis.is_some_and(|axis| axis != layer.output_axis(shape)) {
        return Ok(false);
    }
    let at = |channel: usize| {
        let index = if affine.axis.is_some() { channel } else { 0 };
        (affine.scale[index], affine.shift[index])
    };
    let mut layer = op.layer_mut().expect("a layer has weights");
    layer.each_kernel().for_each(|((_, to), kernel)| scale(kernel, at(to).0));
    for (channel, bias) in layer.bias.iter_mut().enumerate() {
        let (scale, shift) = at(channel);
        *bias = (f64::from(*bias) * scale + shift) as f32;
    }
    match layer.is_finite() {
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
