//! Pools: MaxPool, AveragePool, the global ones, and ReduceMean over spatial axes.

use super::super::call::Call;
use super::super::draft::{Draft, Step};
use super::super::geometry::AutoPad;
use super::super::{Refusal, geometry, refuse, shape};
use super::{Lowered, Used};
use crate::ir::{Op, Window};

/// Maximum over windows.
pub(super) fn max_pool(call: &Call, draft: &mut Draft, used: Used) -> Result<Lowered, Refusal> {
    call.only_first_output("its indices output", used)?;
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let (window, _) = pool_window(call, &data)?;
    let answer = answer_shape(&data, &window)?;
    draft.emit(call, Step::Op(Op::MaxPool { window }), vec![x], answer).map(Lowered::supported)
}

/// Mean over windows.
pub(super) fn average_pool(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let mut x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let (mut window, extensions) = pool_window(call, &data)?;
    let mut count_include_pad = call.int("count_include_pad", 0)? != 0;
    let answer = answer_shape(&data, &window)?;
    // What ceil_mode adds never counts, the padding may: padding becomes a step of its own, what was added stays.
    if count_include_pad && extensions.iter().any(|&extension| extension > 0) {
        let begin = [&[0, 0], window.pads_begin.as_slice()].concat();
        let end: Vec<usize> = [0, 0]
            .into_iter()
            .chain(window.pads_end.iter().zip(&extensions).map(|(pad, added)| pad - added))
            .collect();
        if begin.iter().chain(&end).any(|&pad| pad > 0) {
            let padded = (0..data.len()).map(|axis| data[axis] + begin[axis] + end[axis]).collect();
            x = draft.emit_named(call, "/padded", Step::Op(Op::Pad { begin, end }), vec![x], padded)?;
        }
        window.pads_begin.fill(0);
        window.pads_end = extensions;
        count_include_pad = false;
    }
    let op = Op::AveragePool { window, count_include_pad };
    draft.emit(call, Step::Op(op), vec![x], answer).map(Lowered::supported)
}

/// GlobalAveragePool and GlobalMaxPool: windows of the whole extent.
pub(super) fn global(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let window = plain_window(geometry::spatial(&data)?.to_vec());
    let answer = answer_shape(&data, &window)?;
    let op = match call.op() {
        "GlobalMaxPool" => Op::MaxPool { window },
        _ => Op::AveragePool { window, count_include_pad: false },
    };
    draft.emit(call, Step::Op(op), vec![x], answer).map(Lowered::supported)
}

/// ReduceMean over some or all spatial axes.
pub(super) fn reduce_mean(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let sizes = geometry::spatial(&data)?;
    let axes = shape::axes_of(call, call.optional_constant(1)?)?.unwrap_or_default();
    let mut kernel = vec![1; sizes.len()];
    for &axis in &axes {
        match shape::axis(axis, data.len())? {
            spatial @ 2.. => kernel[spatial - 2] = sizes[spatial - 2],
            _ => {
                return refuse(
                    "it takes the mean over batch or channels",
                    "take the mean over spatial axes only",
                );
            }
        }
    }
    if axes.is_empty() {
        return refuse("it takes the mean over all axes", "take the mean over spatial axes only");
    }
    let dropped: Vec<usize> =
        axes.iter().map(|&axis| shape::axis(axis, data.len())).collect::<Result<_, _>>()?;
    let window = plain_window(kernel);
    let answer = answer_shape(&data, &window)?;
    let op = Step::Op(Op::AveragePool { window, count_include_pad: false });
    if call.int("keepdims", 1)? != 0 {
        return draft.emit(call, op, vec![x], answer).map(Lowered::supported);
    }
    let kept = (0..answer.len()).filter(|axis| !dropped.contains(axis)).map(|axis| answer[axis]).collect();
    let mean = draft.emit_named(call, "/mean", op, vec![x], answer)?;
    draft.emit(call, Step::Op(Op::Reshape), vec![mean], kept).map(Lowered::supported)
}

fn plain_window(kernel: Vec<usize>) -> Window {
    let rank = kernel.len();
    Window {
        kernel,
        strides: vec![1; rank],
        dilations: vec![1; rank],
        pads_begin: vec![0; rank],
        pads_end: vec![0; rank],
    }
}

/// The window of a pool, and what `ceil_mode` added behind each axis.
fn pool_window(call: &Call, data: &[usize]) -> Result<(Window, Vec<usize>), Refusal> {
    let sizes = geometry::spatial(data)?;
    let (mut window, auto_pad) = geometry::window(call, None, sizes.len())?;
    // ONNX Runtime leaves dilations out of automatic padding, and pads by negative amounts where windows leave gaps.
    let gaps =
        (0..sizes.len()).any(|axis| window.dilations[axis] > 1 || window.strides[axis] > window.kernel[axis]);
    if auto_pad != AutoPad::Explicit && gaps {
        return refuse(
            "it has gaps in or between its windows and automatic padding, which frameworks compute differently",
            "export with explicit pads",
        );
    }
    geometry::pad_same(&mut window, auto_pad, sizes);
    let extensions = match call.int("ceil_mode", 0)? {
        0 => vec![0; sizes.len()],
        _ => geometry::extend_for_ceil(&mut window, sizes),
    };
    geometry::check_pool_padding(&window, sizes, &extensions)?;
    Ok((window, extensions))
}

fn answer_shape(data: &[usize], window: &Window) -> Result<Vec<usize>, Refusal> {
    let outputs = geometry::output_sizes(window, &data[2..])?;
    Ok([&[1, data[1]], outputs.as_slice()].concat())
}
