//! From the file's operators to ours, one node at a time, with static shapes.

mod affine;
mod head;
mod layout;
mod linear;
mod pad;
mod pick;
mod pool;

use super::call::{Call, Known};
use super::draft::GraphDraft;
use super::remedy::remedy;
use super::{Refusal, Status, refuse};
use crate::ir::{Op, ValueId};

/// What became of a node: what its outputs stand for, and the row's words.
pub(super) struct Translated {
    pub(super) known: Known,
    /// What its outputs behind the first stand for.
    pub(super) further: Vec<Known>,
    pub(super) status: Status,
    pub(super) note: String,
}

impl Translated {
    fn supported(value: ValueId) -> Self {
        let known = Known::Value(value);
        Translated { known, further: Vec::new(), status: Status::Supported, note: String::new() }
    }

    pub(super) fn folded(known: Known, note: impl Into<String>) -> Self {
        Translated { known, further: Vec::new(), status: Status::Folded, note: note.into() }
    }
}

/// Whether a name is used by a node that the output needs.
pub(super) type Used<'a> = &'a dyn Fn(&str) -> bool;

type Translate = fn(&Call, &mut GraphDraft, Used) -> Result<Translated, Refusal>;

/// The function for an operator on data; `None` when it is not computed privately.
pub(super) fn translation(op: &str) -> Option<Translate> {
    Some(match op {
        "Conv" => |call, draft, _| linear::conv(call, draft),
        "ConvTranspose" => |call, draft, _| linear::conv_transpose(call, draft),
        "Gemm" => |call, draft, _| linear::gemm(call, draft),
        "MatMul" => |call, draft, _| linear::mat_mul(call, draft),
        "BatchNormalization" => affine::batch_normalization,
        "Add" | "Sub" | "Mul" | "Div" => |call, draft, _| affine::arithmetic(call, draft),
        "Sum" => |call, draft, _| affine::sum(call, draft),
        "Neg" => |call, draft, _| affine::negate(call, draft),
        "Relu" => |call, draft, _| relu(call, draft, 0),
        "Clip" => |call, draft, _| clip(call, draft),
        "Max" => |call, draft, _| max(call, draft),
        "MaxPool" => pool::max_pool,
        "AveragePool" => |call, draft, _| pool::average_pool(call, draft),
        "GlobalAveragePool" | "GlobalMaxPool" => |call, draft, _| pool::global(call, draft),
        "ReduceMean" => |call, draft, _| pool::reduce_mean(call, draft),
        "Concat" => |call, draft, _| layout::concat(call, draft),
        "Pad" => |call, draft, _| pad::pad(call, draft),
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => |call, draft, _| layout::reshape(call, draft),
        "Transpose" => |call, draft, _| layout::transpose(call, draft),
        "Identity" => |call, _, _| layout::pass(call),
        "Dropout" => layout::dropout,
        "Cast" => |call, _, _| layout::cast(call),
        "Shape" | "Size" => |call, draft, _| layout::shape(call, draft),
        "Slice" => |call, draft, _| pick::slice(call, draft),
        "Gather" => |call, draft, _| pick::gather(call, draft),
        "Split" => |call, draft, _| pick::split(call, draft),
        "Expand" => |call, draft, _| pick::expand(call, draft),
        "Tile" => |call, draft, _| pick::tile(call, draft),
        op if is_head(op) => |call, draft, _| head::head(call, draft),
        _ => return None,
    })
}

/// Whether an operator may stand at the end of a model, and is then applied to the answer.
pub(super) fn is_head(op: &str) -> bool {
    matches!(op, "Softmax" | "LogSoftmax" | "Sigmoid" | "ArgMax")
}

/// Whether a head stays a head behind an operator.
pub(super) fn passes_heads(op: &str) -> bool {
    matches!(
        op,
        "Identity" | "Dropout" | "Cast" | "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "Transpose"
    )
}

/// Whether an operator does to integers what it does to floats: it moves them.
pub(super) fn moves_integers(op: &str) -> bool {
    passes_heads(op) || matches!(op, "Shape" | "Size" | "Slice" | "Gather" | "Split")
}

/// The rows of the heads that a node works on.
pub(super) fn heads_below(call: &Call) -> Vec<usize> {
    let rows = call.inputs.iter().flatten().map(|input| match input {
        Known::Headed { rows, .. } | Known::Unknown { heads: rows, .. } => rows.as_slice(),
        _ => &[],
    });
    rows.flatten().copied().collect()
}

/// Refuses a node on data of unknown shape that no shape could save.
pub(super) fn refused_anyway(call: &Call) -> Result<(), Refusal> {
    match call.op() {
        "Mul" | "Div" => affine::check_product(call),
        "Clip" => match clip_bounds(call)? {
            (0.0, f32::MAX..) | (..=f32::MIN, f32::MAX..) => Ok(()),
            (low, high) => Err(clips(low, high)),
        },
        _ => Ok(()),
    }
}

/// The refusal of an operator by name.
pub(super) fn unknown(op: &str) -> Refusal {
    Refusal { why: format!("{op} is not computed privately"), remedy: remedy(op).to_owned() }
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
    Refusal { why, remedy: remedy("Clip").to_owned() }
}

/// Only the maximum with 0 is computed: it is Relu.
fn max(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let zero = |index: usize| match call.inputs.get(index) {
        Some(Some(Known::Constant(literal))) => {
            literal.len() == 1 && literal.scalar().is_ok_and(|x| x == 0.0)
        }
        _ => false,
    };
    match call.inputs.len() {
        2 if zero(1) => relu(call, draft, 0),
        2 if zero(0) => relu(call, draft, 1),
        _ => refuse("a maximum of anything but data and 0", "use MaxPool for windows, Relu for max(x, 0)"),
    }
}
