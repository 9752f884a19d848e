//! From the file's operators to ours, one node at a time, with static shapes.

mod affine;
mod head;
mod layout;
mod linear;
mod pool;

use super::call::{Call, Known};
use super::draft::{Draft, Step};
use super::remedy::remedy;
use super::{Refusal, Status, refuse};
use crate::ir::{Op, ValueId};

/// What became of a node: what its output stands for, and the row's words.
pub(super) struct Lowered {
    pub(super) known: Known,
    pub(super) status: Status,
    pub(super) note: String,
}

impl Lowered {
    fn supported(value: ValueId) -> Self {
        Lowered { known: Known::Value(value), status: Status::Supported, note: String::new() }
    }

    fn folded(known: Known, note: impl Into<String>) -> Self {
        Lowered { known, status: Status::Folded, note: note.into() }
    }
}

/// Whether a name is used by a node that the output needs.
pub(super) type Used<'a> = &'a dyn Fn(&str) -> bool;

type Lower = fn(&Call, &mut Draft, Used) -> Result<Lowered, Refusal>;

/// The function for an operator on data; `None` when it is not computed privately.
pub(super) fn lowering(op: &str) -> Option<Lower> {
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
        "Pad" => |call, draft, _| layout::pad(call, draft),
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => |call, draft, _| layout::reshape(call, draft),
        "Transpose" => |call, draft, _| layout::transpose(call, draft),
        "Identity" => |call, _, _| layout::pass(call),
        "Dropout" => layout::dropout,
        "Cast" => |call, _, _| layout::cast(call),
        "Shape" | "Size" => |call, draft, _| layout::shape(call, draft),
        "Slice" => |call, draft, _| layout::slice(call, draft),
        "Expand" => |call, draft, _| layout::expand(call, draft),
        "Softmax" | "LogSoftmax" | "Sigmoid" | "ArgMax" => |call, draft, _| head::head(call, draft),
        _ => return None,
    })
}

/// The answer's shape of a refused operator that works element by element, so that later nodes can still be checked.
pub(super) fn keeps_shape(op: &str) -> bool {
    matches!(
        op,
        "LeakyRelu"
            | "PRelu"
            | "Elu"
            | "Selu"
            | "Celu"
            | "ThresholdedRelu"
            | "Gelu"
            | "Swish"
            | "HardSwish"
            | "Mish"
            | "Softplus"
            | "Softsign"
            | "HardSigmoid"
            | "Erf"
            | "Tanh"
            | "Sigmoid"
            | "Softmax"
            | "LogSoftmax"
            | "Clip"
            | "LRN"
            | "Exp"
            | "Log"
            | "InstanceNormalization"
            | "GroupNormalization"
            | "LayerNormalization"
            | "RMSNormalization"
            | "LpNormalization"
            | "BatchNormalization"
            | "Sqrt"
            | "Reciprocal"
            | "Abs"
            | "Floor"
            | "Ceil"
            | "Round"
            | "Relu"
            | "Neg"
            | "Sin"
            | "Cos"
    )
}

/// The refusal of an operator by name.
pub(super) fn unknown(op: &str) -> Refusal {
    Refusal { why: format!("{op} is not computed privately"), remedy: remedy(op).to_owned() }
}

fn relu(call: &Call, draft: &mut Draft, index: usize) -> Result<Lowered, Refusal> {
    let x = call.value(index)?;
    let shape = draft.shape(x).to_vec();
    draft.emit(call, Step::Op(Op::Relu), vec![x], shape).map(Lowered::supported)
}

/// Only `Clip(0, infinity)` is computed: it is Relu.
fn clip(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let bound = |name: &str, index: usize| match call.optional_float(name)? {
        Some(bound) => Ok(Some(bound)),
        None => call.optional_constant(index)?.map(|literal| literal.scalar()).transpose(),
    };
    let low = bound("min", 1)?.unwrap_or(f32::MIN);
    let high = bound("max", 2)?.unwrap_or(f32::MAX);
    match (low, high) {
        (0.0, f32::MAX..) => relu(call, draft, 0),
        (..=f32::MIN, f32::MAX..) => Ok(Lowered::folded(Known::Value(call.value(0)?), "it clips nothing")),
        _ => refuse(format!("it clips to {low}..{high}, and only 0..infinity is computed"), remedy("Clip")),
    }
}

/// Only the maximum with 0 is computed: it is Relu.
fn max(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
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
