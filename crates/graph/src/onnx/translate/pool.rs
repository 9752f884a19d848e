//! Pools: MaxPool, AveragePool, the global ones, and ReduceMean.

use super::super::call::{Call, Known};
use super::super::draft::GraphDraft;
use super::super::geometry::AutoPad;
use super::super::{Refusal, fold, geometry, infer, refuse, shape};
use super::table::{OnnxOperator, REPLACE};
use super::{Translated, Used};
use crate::ir::{AveragePoolOp, MaxPoolOp, Op, PadOp, TransposeOp, ValueId, Window};

const POOL: &str = "use MaxPool or AveragePool";

const fn reduction(name: &'static str) -> OnnxOperator {
    const REMEDY: &str = "use ReduceMean, GlobalAveragePool or GlobalMaxPool";
    OnnxOperator::refused(name, REMEDY).shaped(infer::reduction).folds(fold::reduce)
}

pub(super) const OPERATORS: &[OnnxOperator] = &[
    OnnxOperator::computed("MaxPool", max_pool),
    OnnxOperator::computed("AveragePool", |call, draft, _| average_pool(call, draft)),
    OnnxOperator::computed("GlobalAveragePool", |call, draft, _| global(call, draft, mean_over)),
    OnnxOperator::computed("GlobalMaxPool", |call, draft, _| global(call, draft, max_over)),
    OnnxOperator::computed("ReduceMean", |call, draft, _| reduce_mean(call, draft))
        .shaped(infer::reduction)
        .folds(fold::reduce),
    reduction("ReduceSum"),
    reduction("ReduceMax"),
    reduction("ReduceMin"),
    reduction("ReduceProd"),
    reduction("ReduceL1"),
    reduction("ReduceL2"),
    reduction("ReduceLogSumExp"),
    reduction("ReduceSumSquare"),
    OnnxOperator::refused("ReduceLogSum", REPLACE).shaped(infer::reduction).folds(fold::reduce),
    OnnxOperator::refused("GlobalLpPool", POOL).shaped(infer::global_pool),
    OnnxOperator::refused("LpPool", POOL),
    OnnxOperator::refused("MaxUnpool", POOL),
    OnnxOperator::refused("MaxRoiPool", POOL),
    OnnxOperator::refused("RoiAlign", POOL),
];

/// Maximum over windows.
fn max_pool(call: &Call, draft: &mut GraphDraft, used: Used) -> Result<Translated, Refusal> {
    call.only_first_output("its indices output", used)?;
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let (window, _) = pool_window(call, &data)?;
    draft.emit(call, Op::MaxPool(MaxPoolOp { window }), vec![x]).map(Translated::supported)
}

/// Mean over windows.
fn average_pool(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let mut x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let (mut window, extensions) = pool_window(call, &data)?;
    let mut count_include_pad = call.int("count_include_pad", 0)? != 0;
    // What ceil_mode adds never counts, the padding may: padding becomes a step of its own, what was added stays.
    if count_include_pad && extensions.iter().any(|&extension| extension > 0) {
        let begin = [&[0, 0], window.pads_begin.as_slice()].concat();
        let end: Vec<usize> = [0, 0]
            .into_iter()
            .chain(window.pads_end.iter().zip(&extensions).map(|(pad, added)| pad - added))
            .collect();
        if begin.iter().chain(&end).any(|&pad| pad > 0) {
            x = draft.emit_named(call, "/padded", Op::Pad(PadOp { begin, end }), vec![x])?;
        }
        window.pads_begin.fill(0);
        window.pads_end = extensions;
        count_include_pad = false;
    }
    let op = Op::AveragePool(AveragePoolOp { window, count_include_pad });
    draft.emit(call, op, vec![x]).map(Translated::supported)
}

/// A pool whose window is the whole extent.
fn global(call: &Call, draft: &mut GraphDraft, pool: fn(Vec<usize>) -> Op) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let op = pool(geometry::spatial(draft.shape(x))?.to_vec());
    draft.emit(call, op, vec![x]).map(Translated::supported)
}

/// ReduceMean over any axes: as a window where they are spatial ones, else as the mean of rows.
fn reduce_mean(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let named = shape::axes_of(call, call.optional_constant(1)?)?.unwrap_or_default();
    let axes: Vec<usize> = match named.is_empty() {
        true if call.int("noop_with_empty_axes", 0)? != 0 => {
            return Ok(Translated::folded(Known::Value(x), "it reduces nothing"));
        }
        true => (0..data.len()).collect(),
        false => named.iter().map(|&axis| shape::axis(axis, data.len())).collect::<Result<_, _>>()?,
    };
    let keep = call.int("keepdims", 1)? != 0;
    let kept: Vec<usize> = (0..data.len()).filter(|axis| !axes.contains(axis)).collect();
    let answer = match keep {
        true => (0..data.len()).map(|axis| if axes.contains(&axis) { 1 } else { data[axis] }).collect(),
        false => kept.iter().map(|&axis| data[axis]).collect(),
    };
    let Ok(sizes) = geometry::spatial(&data) else { return mean_of_rows(call, draft, x, &kept, answer) };
    if axes.iter().any(|&axis| axis < 2) {
        return mean_of_rows(call, draft, x, &kept, answer);
    }
    let kernel =
        (0..sizes.len()).map(|axis| if axes.contains(&(axis + 2)) { sizes[axis] } else { 1 }).collect();
    let op = mean_over(kernel);
    if keep {
        return draft.emit(call, op, vec![x]).map(Translated::supported);
    }
    let mean = draft.emit_named(call, "/mean", op, vec![x])?;
    draft.reshape(call, "", mean, &answer).map(Translated::supported)
}

/// The mean over all axes but the kept ones, which come to the front: each of their elements is then the mean of a row.
fn mean_of_rows(
    call: &Call,
    draft: &mut GraphDraft,
    x: ValueId,
    kept: &[usize],
    answer: Vec<usize>,
) -> Result<Translated, Refusal> {
    let data = draft.shape(x).to_vec();
    let reduced = (0..data.len()).filter(|axis| !kept.contains(axis));
    let perm: Vec<usize> = kept.iter().copied().chain(reduced).collect();
    let mut value = x;
    if !perm.iter().filter(|&&axis| data[axis] != 1).is_sorted() {
        value = draft.emit_named(call, "/front", Op::Transpose(TransposeOp { perm }), vec![value])?;
    }
    let rows: usize = kept.iter().map(|&axis| data[axis]).product();
    let length = data.iter().product::<usize>() / rows;
    value = draft.reshape(call, "/rows", value, &[1, rows, length])?;
    value = draft.emit_named(call, "/mean", mean_over(vec![length]), vec![value])?;
    draft.reshape(call, "", value, &answer).map(Translated::supported)
}

fn max_over(kernel: Vec<usize>) -> Op {
    Op::MaxPool(MaxPoolOp { window: Window::plain(kernel) })
}

fn mean_over(kernel: Vec<usize>) -> Op {
    Op::AveragePool(AveragePoolOp { window: Window::plain(kernel), count_include_pad: false })
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
