//! Operators that move elements as a whole: Concat, Reshape and its kin, Transpose; and those that do nothing to data.

use std::rc::Rc;

use super::super::call::{Call, Known};
use super::super::draft::GraphDraft;
use super::super::literal::Literal;
use super::super::proto::data_type;
use super::super::{Refusal, fold, infer, refuse, shape};
use super::table::{OnnxOperator, REPLACE};
use super::{Translated, Used};
use crate::ir::{ConcatOp, Head, Op, TransposeOp, ValueId};

const BLOCKS: &str = "use ConvTranspose or a strided Conv";

pub(super) const OPERATORS: &[OnnxOperator] = &[
    OnnxOperator::computed("Concat", |call, draft, _| concat(call, draft)).folds(fold::concat),
    OnnxOperator::computed("Flatten", |call, draft, _| reshape(call, draft, shape::flatten))
        .passing_heads()
        .folds(|call, x, _| {
            let x = x.need(0)?;
            fold::reshaped(x, shape::flatten(call, &x.shape)?)
        }),
    OnnxOperator::computed("Reshape", |call, draft, _| reshape(call, draft, stated_shape))
        .passing_heads()
        .folds(|call, x, _| {
            let (x, target) = (x.need(0)?, x.need(1)?);
            fold::reshaped(x, shape::reshape(call, &x.shape, target)?)
        }),
    OnnxOperator::computed("Squeeze", |call, draft, _| {
        reshape(call, draft, |call, data| shape::squeeze(call, data, call.optional_constant(1)?))
    })
    .passing_heads()
    .folds(|call, x, _| {
        let (x, axes) = (x.need(0)?, x.get(1));
        fold::reshaped(x, shape::squeeze(call, &x.shape, axes)?)
    }),
    OnnxOperator::computed("Unsqueeze", |call, draft, _| {
        reshape(call, draft, |call, data| shape::unsqueeze(call, data, call.optional_constant(1)?))
    })
    .passing_heads()
    .folds(|call, x, _| {
        let (x, axes) = (x.need(0)?, x.get(1));
        fold::reshaped(x, shape::unsqueeze(call, &x.shape, axes)?)
    }),
    OnnxOperator::computed("Transpose", |call, draft, _| transpose(call, draft)).passing_heads().folds(
        |call, x, budget| {
            let x = x.need(0)?;
            fold::transpose(x, &shape::permutation(call, x.shape.len())?, budget)
        },
    ),
    OnnxOperator::computed("Identity", |call, _, _| pass(call))
        .passing_heads()
        .like_first()
        .folds(|_, x, _| x.need(0).cloned()),
    OnnxOperator::computed("Dropout", dropout)
        .passing_heads()
        .like_first()
        .folds(|_, x, _| x.need(0).cloned()),
    OnnxOperator::computed("Cast", |call, _, _| cast(call))
        .passing_heads()
        .like_first()
        .folds(|call, x, _| fold::cast(call, x.need(0)?)),
    OnnxOperator::computed("Shape", |call, draft, _| shape(call, draft, fold::shape_of))
        .moving_integers()
        .folds(|call, x, _| fold::shape_of(call, &x.need(0)?.shape)),
    OnnxOperator::computed("Size", |call, draft, _| shape(call, draft, size))
        .moving_integers()
        .folds(|_, x, _| Ok(Literal::ints(vec![], vec![x.need(0)?.len() as i64]))),
    OnnxOperator::refused("CastLike", REPLACE).like_first(),
    OnnxOperator::refused("DepthToSpace", BLOCKS).shaped(|call, draft| infer::blocks(call, draft, true)),
    OnnxOperator::refused("SpaceToDepth", BLOCKS).shaped(|call, draft| infer::blocks(call, draft, false)),
];

/// Joins values along an axis.
fn concat(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let inputs: Vec<usize> =
        (0..call.inputs.len()).map(|index| call.value(index)).collect::<Result<_, _>>()?;
    let shapes: Vec<&[usize]> = inputs.iter().map(|&input| draft.shape(input)).collect();
    let axis = shape::concat_axis(call, &shapes)?;
    if let &[only] = inputs.as_slice() {
        return Ok(Translated::folded(Known::Value(only), "it joins one tensor"));
    }
    draft.emit(call, Op::Concat(ConcatOp { axis }), inputs).map(Translated::supported)
}

/// The same elements under another shape; behind a head it changes the answer's shape only.
fn reshape(
    call: &Call,
    draft: &mut GraphDraft,
    shape: fn(&Call, &[usize]) -> Result<Vec<usize>, Refusal>,
) -> Result<Translated, Refusal> {
    if let Some(Some(Known::Headed { logits, head, rows, .. })) = call.inputs.first() {
        let known = Known::Headed { logits: *logits, head: *head, rows: rows.clone(), reshaped: true };
        return Ok(Translated::folded(known, "removed: it changes the shape of the answer only"));
    }
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let answer = shape(call, &data)?;
    if answer == data {
        return Ok(Translated::folded(Known::Value(x), "it changes nothing"));
    }
    draft.reshape(call, "", x, &answer).map(Translated::supported)
}

/// The shape of a Reshape: an attribute up to opset 4, an input since.
fn stated_shape(call: &Call, data: &[usize]) -> Result<Vec<usize>, Refusal> {
    match call.optional_ints("shape")? {
        Some(target) => shape::reshape(call, data, &Literal::list(target.to_vec())),
        None => shape::reshape(call, data, call.constant(1)?),
    }
}

/// Axes exchanged; a reshape when only axes of extent 1 move. Behind a head the logits' axes are exchanged, and the head's
/// with them.
fn transpose(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    if let Some(Some(Known::Headed { logits, head, rows, reshaped: false })) = call.inputs.first()
        && let Some(head) = head_behind(call, *head, draft.shape(*logits).len())?
    {
        let moved = transposed(call, draft, *logits)?;
        let Known::Value(logits) = moved.known else { return Ok(moved) };
        return Ok(Translated {
            known: Known::Headed { logits, head, rows: rows.clone(), reshaped: false },
            ..moved
        });
    }
    let x = call.value(0)?;
    transposed(call, draft, x)
}

/// A head on logits whose axes are exchanged; `None` for one that has dropped an axis.
fn head_behind(call: &Call, head: Head, rank: usize) -> Result<Option<Head>, Refusal> {
    let perm = shape::permutation(call, rank)?;
    Ok(match head {
        Head::Softmax { axis } => {
            perm.iter().position(|&from| from == axis).map(|axis| Head::Softmax { axis })
        }
        Head::Sigmoid => Some(Head::Sigmoid),
        Head::ArgMax { .. } | Head::Logits => None,
    })
}

fn transposed(call: &Call, draft: &mut GraphDraft, x: ValueId) -> Result<Translated, Refusal> {
    let data = draft.shape(x).to_vec();
    let perm = shape::permutation(call, data.len())?;
    if perm.iter().enumerate().all(|(to, &from)| to == from) {
        return Ok(Translated::folded(Known::Value(x), "it changes nothing"));
    }
    if perm.iter().filter(|&&axis| data[axis] != 1).is_sorted() {
        let answer: Vec<usize> = perm.iter().map(|&axis| data[axis]).collect();
        return draft.reshape(call, "", x, &answer).map(Translated::supported);
    }
    draft.emit(call, Op::Transpose(TransposeOp { perm }), vec![x]).map(Translated::supported)
}

/// A node whose output is its input.
fn pass(call: &Call) -> Result<Translated, Refusal> {
    match call.inputs.first() {
        Some(Some(known @ Known::Headed { .. })) => {
            Ok(Translated::folded(known.clone(), "applied to the answer, not privately"))
        }
        _ => Ok(Translated::folded(Known::Value(call.value(0)?), "removed: it changes nothing")),
    }
}

/// Dropout does nothing when a model is used.
fn dropout(call: &Call, _: &mut GraphDraft, used: Used) -> Result<Translated, Refusal> {
    call.only_first_output("its mask", used)?;
    if call.optional_constant(2)?.map_or(Ok(0.0), Literal::scalar)? != 0.0 {
        return refuse("it is in training mode", "export in inference mode: model.eval()");
    }
    pass(call)
}

/// Casts between floats do nothing; labels may become any type.
fn cast(call: &Call) -> Result<Translated, Refusal> {
    let to = i32::try_from(call.int("to", 0)?).unwrap_or(0);
    let float = matches!(to, data_type::FLOAT | data_type::FLOAT16 | data_type::DOUBLE | data_type::BFLOAT16);
    match call.inputs.first() {
        Some(Some(Known::Headed { head: Head::ArgMax { .. }, .. })) => pass(call),
        _ if float => pass(call),
        _ => refuse("it turns data into integers", "leave data in floats"),
    }
}

/// Shapes are public: a constant.
fn shape(
    call: &Call,
    draft: &mut GraphDraft,
    of: fn(&Call, &[usize]) -> Result<Literal, Refusal>,
) -> Result<Translated, Refusal> {
    let literal = of(call, draft.shape(call.value(0)?))?;
    Ok(Translated::folded(Known::Constant(Rc::new(literal)), "a constant: shapes are fixed"))
}

fn size(_: &Call, data: &[usize]) -> Result<Literal, Refusal> {
    Ok(Literal::ints(vec![], vec![data.iter().product::<usize>() as i64]))
}
