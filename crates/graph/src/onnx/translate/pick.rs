//! Operators that pick elements by constant positions: Slice, Gather, Split, Expand, Tile. All are local.

use super::super::call::{Call, Known};
use super::super::draft::GraphDraft;
use super::super::{Refusal, fold, infer, refuse, shape};
use super::Translated;
use super::table::OnnxOperator;
use crate::ir::{GatherOp, Op, ValueId};

const BY_CONSTANTS: &str =
    "crop and pick by constant positions: Slice, Split or Gather with constant indices";
const UPSAMPLE: &str = "use ConvTranspose with kernel 2 and stride 2 for upsampling";

pub(super) const OPERATORS: &[OnnxOperator] = &[
    OnnxOperator::computed("Slice", |call, draft, _| slice(call, draft)).moving_integers().folds(fold::slice),
    OnnxOperator::computed("Gather", |call, draft, _| gather(call, draft))
        .moving_integers()
        .folds(fold::gather),
    OnnxOperator::computed("Split", |call, draft, _| split(call, draft)).moving_integers(),
    OnnxOperator::computed("Expand", |call, draft, _| expand(call, draft))
        .folds(|_, x, budget| fold::expand(x, budget)),
    OnnxOperator::computed("Tile", |call, draft, _| tile(call, draft))
        .folds(|_, x, budget| fold::tile(x, budget)),
    OnnxOperator::refused("GatherND", BY_CONSTANTS),
    OnnxOperator::refused("GatherElements", BY_CONSTANTS),
    OnnxOperator::refused("CenterCropPad", BY_CONSTANTS),
    OnnxOperator::refused("Resize", UPSAMPLE).shaped(infer::resized),
    OnnxOperator::refused("Upsample", UPSAMPLE).shaped(infer::resized),
];

/// Emits the picking of `positions`, one list per axis, an empty one for a whole axis. `nothing` is the row's note where all
/// axes are whole.
pub(super) fn emit(
    call: &Call,
    draft: &mut GraphDraft,
    x: ValueId,
    positions: Vec<Vec<usize>>,
    nothing: &str,
) -> Result<Translated, Refusal> {
    let Some(op) = picked(draft.shape(x), positions) else {
        return Ok(Translated::folded(Known::Value(x), nothing));
    };
    draft.emit(call, op, vec![x]).map(Translated::supported)
}

/// As [`emit`], for a step before the last of a node.
pub(super) fn emit_named(
    call: &Call,
    draft: &mut GraphDraft,
    suffix: &str,
    x: ValueId,
    positions: Vec<Vec<usize>>,
) -> Result<ValueId, Refusal> {
    let Some(op) = picked(draft.shape(x), positions) else { return Ok(x) };
    draft.emit_named(call, suffix, op, vec![x])
}

/// The operator, with whole axes' lists left empty; `None` when every axis is whole.
fn picked(shape: &[usize], mut positions: Vec<Vec<usize>>) -> Option<Op> {
    for (list, &extent) in positions.iter_mut().zip(shape) {
        if list.iter().copied().eq(0..extent) {
            list.clear();
        }
    }
    let is_any = positions.iter().any(|list| !list.is_empty());
    is_any.then_some(Op::Gather(GatherOp { positions }))
}

/// Slice: crops, and strides forwards or backwards.
fn slice(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let inputs = [1, 2, 3, 4].map(|index| call.optional_constant(index));
    let [starts, ends, axes, steps] = inputs;
    let positions = shape::slice(call, &data, &[starts?, ends?, axes?, steps?], &mut draft.budget)?;
    if let Some(axis) = positions.iter().position(Vec::is_empty) {
        return refuse(
            format!("it takes nothing of axis {axis} of extent {}", data[axis]),
            "give the network a larger input",
        );
    }
    emit(call, draft, x, positions, "it takes everything")
}

/// Gather along one axis; indices of any shape.
fn gather(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let axis = shape::axis(call.int("axis", 0)?, data.len())?;
    let indices = call.constant(1)?;
    draft.budget.spend(indices.len())?;
    let mut positions = vec![Vec::new(); data.len()];
    for &index in indices.as_ints()? {
        let extent = data[axis] as i64;
        let position = if index < 0 { index.saturating_add(extent) } else { index };
        if !(0..extent).contains(&position) {
            return refuse(format!("it gathers element {index} of {extent}"), "check the exporter");
        }
        positions[axis].push(position as usize);
    }
    if positions[axis].is_empty() {
        return refuse("it gathers nothing", "check the exporter");
    }
    let answer = [&data[..axis], &indices.shape, &data[axis + 1..]].concat();
    if indices.shape.len() == 1 {
        return emit(call, draft, x, positions, "it takes everything");
    }
    let picked = emit_named(call, draft, "/picked", x, positions)?;
    draft.reshape(call, "", picked, &answer).map(Translated::supported)
}

/// Split along one axis: one crop per output.
fn split(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let axis = shape::axis(call.int("axis", 0)?, data.len())?;
    let outputs = call.node.output.len();
    let sizes: Vec<usize> = match (call.optional_ints("split")?, call.optional_constant(1)?) {
        (Some(sizes), _) => shape::extents(sizes)?,
        (None, Some(sizes)) => shape::extents(sizes.as_ints()?)?,
        (None, None) => {
            let most = data[axis].div_ceil(outputs.max(1));
            (0..outputs).map(|output| most.min(data[axis].saturating_sub(output * most))).collect()
        }
    };
    if sizes.len() != outputs || sizes.iter().sum::<usize>() != data[axis] || sizes.contains(&0) {
        return refuse(
            format!("it splits axis {axis} of extent {} into {sizes:?} for {outputs} outputs", data[axis]),
            "check the exporter",
        );
    }
    draft.budget.spend(data[axis])?;
    let mut pieces = Vec::with_capacity(outputs);
    let mut first = 0;
    for (output, size) in call.node.output.iter().zip(&sizes) {
        let mut positions = vec![Vec::new(); data.len()];
        positions[axis] = (first..first + size).collect();
        first += size;
        let (suffix, op) = (format!("/{}", pieces.len()), Op::Gather(GatherOp { positions }));
        pieces.push(Known::Value(draft.emit_as(call, output, &suffix, op, vec![x])?));
    }
    let mut pieces = pieces.into_iter();
    let Some(Known::Value(piece)) = pieces.next() else {
        return refuse("it has no output", "check the exporter");
    };
    Ok(Translated { further: pieces.collect(), ..Translated::supported(piece) })
}

/// Expand: axes of extent 1 repeated, and new ones before them.
fn expand(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let answer = shape::broadcast(&data, &shape::extents(call.constant(1)?.as_ints()?)?)?;
    let mut led = vec![1; answer.len() - data.len()];
    led.extend(&data);
    draft.budget.spend(answer.iter().sum())?;
    let repeated = |(&from, &to): (&usize, &usize)| if from == to { Vec::new() } else { vec![0; to] };
    let positions = led.iter().zip(&answer).map(repeated).collect();
    if led.len() == data.len() {
        return emit(call, draft, x, positions, "it changes nothing");
    }
    let x = draft.reshape(call, "/led", x, &led)?;
    match led == answer {
        true => Ok(Translated::supported(x)),
        false => emit(call, draft, x, positions, "it changes nothing"),
    }
}

/// Tile: whole axes again and again.
fn tile(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let repeats = shape::extents(call.constant(1)?.as_ints()?)?;
    if repeats.len() != data.len() || repeats.contains(&0) {
        return refuse("it has not one repeat, at least 1, for each axis", "check the exporter");
    }
    let mut positions = Vec::with_capacity(data.len());
    for (&extent, &count) in data.iter().zip(&repeats) {
        draft.budget.spend(extent.saturating_mul(count))?;
        positions.push((0..count).flat_map(|_| 0..extent).collect());
    }
    emit(call, draft, x, positions, "it changes nothing")
}
