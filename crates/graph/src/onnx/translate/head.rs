//! Softmax, LogSoftmax, Sigmoid and ArgMax at the end: they keep the order of logits, and are applied to the answer.

use super::super::call::{Call, Known};
use super::super::draft::GraphDraft;
use super::super::{Refusal, infer, refuse, shape};
use super::Translated;
use super::table::{OnnxOperator, REPLACE};
use crate::ir::Head;

const AT_THE_END: &str = "keep it as the last node of the model only, or retrain with Relu";
const APPLIED: &str = "the head: applied to the answer";

pub(super) const OPERATORS: &[OnnxOperator] = &[
    OnnxOperator::computed("Softmax", |call, draft, _| head(call, draft, softmax, APPLIED))
        .or(AT_THE_END)
        .head()
        .like_first(),
    OnnxOperator::computed("LogSoftmax", |call, draft, _| {
        head(call, draft, softmax, "the head: applied to the answer, as Softmax")
    })
    .or(AT_THE_END)
    .head()
    .like_first(),
    OnnxOperator::computed("Sigmoid", |call, draft, _| head(call, draft, |_, _| Ok(Head::Sigmoid), APPLIED))
        .or(AT_THE_END)
        .head()
        .like_first(),
    OnnxOperator::computed("ArgMax", |call, draft, _| head(call, draft, arg_max, APPLIED))
        .or(AT_THE_END)
        .head()
        .shaped(infer::arg_max),
    OnnxOperator::refused("Hardmax", AT_THE_END).like_first(),
    OnnxOperator::refused("ArgMin", REPLACE).shaped(infer::arg_max),
];

/// Puts a head on logits, or an ArgMax on a head.
fn head(
    call: &Call,
    draft: &mut GraphDraft,
    of: fn(&Call, &[usize]) -> Result<Head, Refusal>,
    note: &str,
) -> Result<Translated, Refusal> {
    let (logits, below, mut rows) = match call.inputs.first() {
        Some(Some(Known::Headed { reshaped: true, .. })) => {
            return refuse(
                "the head before it was reshaped, and its axes are no longer the logits'",
                "reshape before the head",
            );
        }
        Some(Some(Known::Headed { logits, head, rows, .. })) => (*logits, Some(*head), rows.clone()),
        _ => (call.value(0)?, None, Vec::new()),
    };
    rows.push(call.row);
    let head = of(call, draft.shape(logits))?;
    match (below, head) {
        (None, _) | (Some(Head::Sigmoid), Head::ArgMax { .. }) => {}
        (Some(Head::Softmax { axis: below }), Head::ArgMax { axis }) if below == axis => {}
        (Some(below), _) => return refuse(format!("{head:?} on top of {below:?}"), "keep one of them"),
    }
    let known = Known::Headed { logits, head, rows, reshaped: false };
    Ok(Translated::folded(known, note))
}

/// Before opset 13 the axes from `axis` on are one class axis.
fn softmax(call: &Call, shape: &[usize]) -> Result<Head, Refusal> {
    if call.opset >= 13 {
        let axis = shape::axis(call.int("axis", -1)?, shape.len())?;
        return Ok(Head::Softmax { axis });
    }
    let axis = shape::axis(call.int("axis", 1)?, shape.len())?;
    match shape[axis + 1..].iter().all(|&extent| extent == 1) {
        true => Ok(Head::Softmax { axis }),
        false => refuse(
            format!("before opset 13 it is taken over all axes from {axis} on"),
            "export with opset 13 or newer",
        ),
    }
}

fn arg_max(call: &Call, shape: &[usize]) -> Result<Head, Refusal> {
    if call.int("select_last_index", 0)? != 0 {
        return refuse(
            "it gives ties to the last class",
            "use select_last_index = 0: ties go to the first class",
        );
    }
    Ok(Head::ArgMax { axis: shape::axis(call.int("axis", 0)?, shape.len())? })
}
