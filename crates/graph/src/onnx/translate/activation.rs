//! Functions of single elements. Relu alone is computed, under its several names; the others have remedies.

use super::super::call::{Call, Known};
use super::super::draft::GraphDraft;
use super::super::{Refusal, fold, refuse};
use super::Translated;
use super::table::OnnxOperator;
use crate::ir::Op;

const RETRAIN: &str = "retrain (or fine-tune) with Relu";
const NOT_BOUNDED: &str = "retrain with Relu instead of a bounded activation such as Relu6";
pub(super) const LEAVE_OUT: &str =
    "leave it out, or apply it to the image before or to the answer afterwards";

const fn retrained(name: &'static str) -> OnnxOperator {
    OnnxOperator::refused(name, RETRAIN).like_first()
}

const fn left_out(name: &'static str) -> OnnxOperator {
    OnnxOperator::refused(name, LEAVE_OUT).like_first()
}

pub(super) const OPERATORS: &[OnnxOperator] = &[
    OnnxOperator::computed("Relu", |call, draft, _| relu(call, draft, 0))
        .like_first()
        .folds(|_, x, _| fold::each_float(x, |x| x.max(0.0))),
    OnnxOperator::computed("Clip", |call, draft, _| clip(call, draft))
        .or(NOT_BOUNDED)
        .like_first()
        .checked_early(check_bounds),
    OnnxOperator::computed("Max", |call, draft, _| max(call, draft))
        .or(LEAVE_OUT)
        .like_all()
        .folds(|_, x, budget| fold::pairs(x, budget, |x, y| Some(x.max(y)), f32::max)),
    OnnxOperator::refused("Min", LEAVE_OUT)
        .like_all()
        .folds(|_, x, budget| fold::pairs(x, budget, |x, y| Some(x.min(y)), f32::min)),
    retrained("LeakyRelu"),
    retrained("PRelu"),
    retrained("Elu"),
    retrained("Selu"),
    retrained("Celu"),
    retrained("ThresholdedRelu"),
    retrained("Gelu"),
    retrained("Swish"),
    retrained("HardSwish"),
    retrained("Mish"),
    retrained("Softplus"),
    retrained("Softsign"),
    retrained("HardSigmoid"),
    retrained("Erf"),
    retrained("Tanh").folds(|_, x, _| fold::each_float(x, f32::tanh)),
    left_out("Exp").folds(|_, x, _| fold::each_float(x, f32::exp)),
    left_out("Log").folds(|_, x, _| fold::each_float(x, f32::ln)),
    left_out("Sqrt").folds(|_, x, _| fold::each_float(x, f32::sqrt)),
    left_out("Reciprocal").folds(|_, x, _| fold::each_float(x, |x| 1.0 / x)),
    left_out("Abs").folds(|_, x, _| fold::each(x, i64::wrapping_abs, f32::abs)),
    left_out("Sin"),
    left_out("Cos"),
    left_out("Floor").folds(|_, x, _| fold::each(x, |x| x, f32::floor)),
    left_out("Ceil").folds(|_, x, _| fold::each(x, |x| x, f32::ceil)),
    left_out("Round"),
    left_out("Sign"),
];

/// Refuses a Clip by its bounds alone.
fn check_bounds(call: &Call) -> Result<(), Refusal> {
    match clip_bounds(call)? {
        (0.0, f32::MAX..) | (..=f32::MIN, f32::MAX..) => Ok(()),
        (low, high) => Err(clips(low, high)),
    }
}

fn relu(call: &Call, draft: &mut GraphDraft, index: usize) -> Result<Translated, Refusal> {
    let x = call.value(index)?;
    draft.emit(call, Op::Relu, vec![x]).map(Translated::supported)
}

/// `Clip(0, infinity)` is Relu; at the input, what is public to its owner, any Clip narrows the declared range.
fn clip(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let (low, high) = clip_bounds(call)?;
    let x = call.value(0)?;
    match (low, high) {
        (0.0, f32::MAX..) => relu(call, draft, 0),
        (..=f32::MIN, f32::MAX..) => Ok(Translated::folded(Known::Value(x), "it clips nothing")),
        _ if draft.image.clip(x, low, high) => {
            Ok(Translated::folded(Known::Value(x), "the input's declared range: its owner clips"))
        }
        _ => Err(clips(low, high)),
    }
}

fn clip_bounds(call: &Call) -> Result<(f32, f32), Refusal> {
    let bound = |name: &str, index: usize| match call.optional_float(name)? {
        Some(bound) => Ok(Some(bound)),
        None => call.optional_constant(index)?.map(|literal| literal.scalar()).transpose(),
    };
    Ok((bound("min", 1)?.unwrap_or(f32::MIN), bound("max", 2)?.unwrap_or(f32::MAX)))
}

fn clips(low: f32, high: f32) -> Refusal {
    let why = format!("it clips to {low}..{high}, and only 0..infinity is computed behind the input");
    Refusal { why, remedy: NOT_BOUNDED.to_owned() }
}

/// Only the maximum with 0 is computed: it is Relu.
fn max(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let zero = |index: usize| {
        let constant = call.as_constant(index).filter(|literal| literal.len() == 1);
        constant.is_some_and(|literal| literal.scalar().is_ok_and(|x| x == 0.0))
    };
    match call.inputs.len() {
        2 if zero(1) => relu(call, draft, 0),
        2 if zero(0) => relu(call, draft, 1),
        _ => refuse("a maximum of anything but data and 0", "use MaxPool for windows, Relu for max(x, 0)"),
    }
}
