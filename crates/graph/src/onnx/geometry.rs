//! Windows of convolutions and pools: attributes into [`Window`], with padding resolved.

use super::call::Call;
use super::{Refusal, refuse};
use crate::ir::Window;

/// Largest kernel, stride, dilation or padding along an axis: beyond any network, small enough for sums not to overflow.
const ATTRIBUTE_MAX: i64 = 1 << 20;

/// How the padding is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AutoPad {
    Explicit,
    SameUpper,
    SameLower,
}

/// The data's spatial extents, when its shape is (1, channels, 1 to 3 spatial axes).
pub(super) fn spatial(shape: &[usize]) -> Result<&[usize], Refusal> {
    match shape {
        [1, _, spatial @ ..] if (1..=3).contains(&spatial.len()) => Ok(spatial),
        [batch, _, spatial @ ..] if (1..=3).contains(&spatial.len()) => {
            refuse(format!("it works on a batch of {batch}"), "export with a batch of 1")
        }
        _ => refuse(
            format!("its data has shape {shape:?}, and (1, channels, 1 to 3 axes) is computed"),
            "reshape the data",
        ),
    }
}

/// Reads kernel, strides, dilations and padding; `kernel` is what the weights say.
pub(super) fn window(
    call: &Call,
    kernel: Option<&[usize]>,
    rank: usize,
) -> Result<(Window, AutoPad), Refusal> {
    let kernel = match (kernel, list(call, "kernel_shape", rank, 1)?) {
        (Some(kernel), Some(stated)) if kernel != stated => {
            return refuse(
                format!("kernel_shape {stated:?} contradicts its weight's {kernel:?}"),
                "check the exporter",
            );
        }
        (Some(kernel), _) => kernel.to_vec(),
        (None, Some(stated)) => stated,
        (None, None) => return refuse("its kernel_shape is missing", "check the exporter"),
    };
    let ones = vec![1; rank];
    let pads = list(call, "pads", 2 * rank, 0)?;
    let (auto_pad, keep_pads) = match call.text("auto_pad", "NOTSET")? {
        "NOTSET" | "" => (AutoPad::Explicit, true),
        "VALID" => (AutoPad::Explicit, false),
        "SAME_UPPER" => (AutoPad::SameUpper, false),
        "SAME_LOWER" => (AutoPad::SameLower, false),
        other => return refuse(format!("auto_pad {other:?} is unknown"), "export with explicit pads"),
    };
    let pads = pads.filter(|_| keep_pads).unwrap_or_else(|| vec![0; 2 * rank]);
    let window = Window {
        kernel,
        strides: list(call, "strides", rank, 1)?.unwrap_or_else(|| ones.clone()),
        dilations: list(call, "dilations", rank, 1)?.unwrap_or(ones),
        pads_begin: pads[..rank].to_vec(),
        pads_end: pads[rank..].to_vec(),
    };
    Ok((window, auto_pad))
}

/// An attribute of `length` integers, each at least `min`.
pub(super) fn list(call: &Call, name: &str, length: usize, min: i64) -> Result<Option<Vec<usize>>, Refusal> {
    let Some(values) = call.optional_ints(name)? else { return Ok(None) };
    if values.is_empty() {
        return Ok(None);
    }
    if values.len() != length {
        return refuse(
            format!("{name} has {} entries instead of {length}", values.len()),
            "check the exporter",
        );
    }
    if let Some(bad) = values.iter().find(|value| !(min..=ATTRIBUTE_MAX).contains(value)) {
        return refuse(
            format!("{name} holds {bad}; {min} to {ATTRIBUTE_MAX} is computed"),
            "check the exporter",
        );
    }
    Ok(Some(values.iter().map(|&value| value as usize).collect()))
}

/// Pads so that ceil(size / stride) windows fit, for convolutions and pools.
pub(super) fn pad_same(window: &mut Window, auto_pad: AutoPad, sizes: &[usize]) {
    if auto_pad == AutoPad::Explicit {
        return;
    }
    for axis in 0..sizes.len() {
        let outputs = sizes[axis].div_ceil(window.strides[axis]);
        let needed = outputs.saturating_sub(1) * window.strides[axis] + window.span(axis);
        divide_padding(window, auto_pad, axis, needed.saturating_sub(sizes[axis]));
    }
}

/// Divides the padding of an axis between its two ends.
pub(super) fn divide_padding(window: &mut Window, auto_pad: AutoPad, axis: usize, total: usize) {
    let (less, more) = (total / 2, total - total / 2);
    let begin = if auto_pad == AutoPad::SameUpper { less } else { more };
    window.pads_begin[axis] = begin;
    window.pads_end[axis] = total - begin;
}

/// `ceil_mode`: enlarges the padding behind, by the amounts returned, so that a last, partial window fits. A window that would
/// start in the padding behind is left out (PyTorch's rule, and ONNX's since opset 19).
pub(super) fn extend_for_ceil(window: &mut Window, sizes: &[usize]) -> Vec<usize> {
    let mut extensions = vec![0; sizes.len()];
    for axis in 0..sizes.len() {
        let (stride, span) = (window.strides[axis], window.span(axis));
        let padded = sizes[axis] + window.pads_begin[axis] + window.pads_end[axis];
        // Data a little smaller than the window still makes one window.
        let last_start = match padded.checked_sub(span) {
            Some(steps) => steps.div_ceil(stride) * stride,
            None if span - padded < stride => 0,
            None => continue,
        };
        if last_start < sizes[axis] + window.pads_begin[axis] {
            extensions[axis] = (last_start + span).saturating_sub(padded);
        }
        window.pads_end[axis] += extensions[axis];
    }
    extensions
}

/// Refuses pools of which a window could lie in the padding alone.
pub(super) fn check_pool_padding(
    window: &Window,
    sizes: &[usize],
    extensions: &[usize],
) -> Result<(), Refusal> {
    for axis in 0..sizes.len() {
        let span = window.span(axis);
        let padded = window.pads_begin[axis] > 0 || window.pads_end[axis] > 0;
        let (begin, end) = (window.pads_begin[axis], window.pads_end[axis] - extensions[axis]);
        if begin >= span || end >= span || (padded && window.dilations[axis] > sizes[axis]) {
            return refuse(
                "its padding is as large as its window",
                "pad less: a window would see nothing of the image",
            );
        }
    }
    Ok(())
}
