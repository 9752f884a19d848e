//! Operators that move elements: Concat, Pad, Reshape and its kin, Transpose; and those that do nothing to data.

use std::rc::Rc;

use super::super::call::{Call, Known};
use super::super::draft::{Draft, Step};
use super::super::literal::Literal;
use super::super::proto::data_type;
use super::super::remedy::remedy;
use super::super::{Refusal, fold, refuse, shape};
use super::{Lowered, Used};
use crate::ir::{Head, Op};

/// Joins values along an axis.
pub(super) fn concat(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let inputs: Vec<usize> =
        (0..call.inputs.len()).map(|index| call.value(index)).collect::<Result<_, _>>()?;
    let shapes: Vec<&[usize]> = inputs.iter().map(|&input| draft.shape(input)).collect();
    let (axis, answer) = shape::concat(call, &shapes)?;
    if let &[only] = inputs.as_slice() {
        return Ok(Lowered::folded(Known::Value(only), "it joins one tensor"));
    }
    draft.emit(call, Step::Op(Op::Concat { axis }), inputs, answer).map(Lowered::supported)
}

/// Zeros around.
pub(super) fn pad(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let (begin, end) = pad_amounts(call, data.len())?;
    if begin.iter().chain(&end).all(|&amount| amount == 0) {
        return Ok(Lowered::folded(Known::Value(x), "it pads nothing"));
    }
    let mode = call.text("mode", "constant")?;
    let fill = match call.optional_float("value")? {
        Some(fill) => fill,
        None => call.optional_constant(2)?.map_or(Ok(0.0), Literal::scalar)?,
    };
    if mode != "constant" || fill != 0.0 {
        return refuse(format!("it pads by {mode} with {fill}"), "pad with zeros (mode constant)");
    }
    let answer = (0..data.len())
        .map(|axis| data[axis].saturating_add(begin[axis]).saturating_add(end[axis]))
        .collect();
    draft.emit(call, Step::Op(Op::Pad { begin, end }), vec![x], answer).map(Lowered::supported)
}

/// Amounts before and behind every axis: attribute `pads` (`paddings` at opset 1) or inputs 1 and 3.
fn pad_amounts(call: &Call, rank: usize) -> Result<(Vec<usize>, Vec<usize>), Refusal> {
    let amounts = match call.optional_ints("pads")? {
        Some(amounts) => amounts.to_vec(),
        None => call.constant(1)?.as_ints()?.to_vec(),
    };
    let axes: Vec<i64> = match call.optional_constant(3)? {
        Some(axes) => axes.as_ints()?.to_vec(),
        None => (0..rank as i64).collect(),
    };
    if amounts.len() != 2 * axes.len() {
        return refuse(
            format!("it has {} amounts for {} axes", amounts.len(), axes.len()),
            "check the exporter",
        );
    }
    let (mut begin, mut end) = (vec![0; rank], vec![0; rank]);
    for (position, &axis) in axes.iter().enumerate() {
        let axis = shape::axis(axis, rank)?;
        for (side, amount) in [(&mut begin, amounts[position]), (&mut end, amounts[position + axes.len()])] {
            match usize::try_from(amount) {
                Ok(amount) => side[axis] = amount,
                Err(_) => {
                    return refuse(
                        format!("it cuts {} from axis {axis}", amount.unsigned_abs()),
                        "crop before the model",
                    );
                }
            }
        }
    }
    Ok((begin, end))
}

/// Flatten, Reshape, Squeeze, Unsqueeze; behind a head they change the answer's shape only.
pub(super) fn reshape(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    if let Some(Some(Known::Headed { logits, head, rows, .. })) = call.inputs.first() {
        let known = Known::Headed { logits: *logits, head: *head, rows: rows.clone(), reshaped: true };
        return Ok(Lowered::folded(known, "removed: it changes the shape of the answer only"));
    }
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let answer = match call.op() {
        "Flatten" => shape::flatten(call, &data)?,
        "Squeeze" => shape::squeeze(call, &data, call.optional_constant(1)?)?,
        "Unsqueeze" => shape::unsqueeze(call, &data, call.optional_constant(1)?)?,
        _ => match call.optional_ints("shape")? {
            Some(target) => shape::reshape(call, &data, &Literal::list(target.to_vec()))?,
            None => shape::reshape(call, &data, call.constant(1)?)?,
        },
    };
    if answer == data {
        return Ok(Lowered::folded(Known::Value(x), "it changes nothing"));
    }
    draft.emit(call, Step::Op(Op::Reshape), vec![x], answer).map(Lowered::supported)
}

/// Axes exchanged; a reshape when only axes of extent 1 move.
pub(super) fn transpose(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let perm = shape::permutation(call, data.len())?;
    if perm.iter().enumerate().all(|(to, &from)| to == from) {
        return Ok(Lowered::folded(Known::Value(x), "it changes nothing"));
    }
    let answer = perm.iter().map(|&axis| data[axis]).collect();
    let order_stays = perm.iter().filter(|&&axis| data[axis] != 1).is_sorted();
    let op = if order_stays { Op::Reshape } else { Op::Transpose { perm } };
    draft.emit(call, Step::Op(op), vec![x], answer).map(Lowered::supported)
}

/// A node that hands its input on.
pub(super) fn pass(call: &Call) -> Result<Lowered, Refusal> {
    match call.inputs.first() {
        Some(Some(known @ Known::Headed { .. })) => {
            Ok(Lowered::folded(known.clone(), "applied to the answer, not privately"))
        }
        _ => Ok(Lowered::folded(Known::Value(call.value(0)?), "removed: it changes nothing")),
    }
}

/// Dropout does nothing when a model is used.
pub(super) fn dropout(call: &Call, _: &mut Draft, used: Used) -> Result<Lowered, Refusal> {
    call.only_first_output("its mask", used)?;
    if call.optional_constant(2)?.map_or(Ok(0.0), Literal::scalar)? != 0.0 {
        return refuse("it is in training mode", "export in inference mode: model.eval()");
    }
    pass(call)
}

/// Casts between floats do nothing; labels may become any type.
pub(super) fn cast(call: &Call) -> Result<Lowered, Refusal> {
    let to = i32::try_from(call.int("to", 0)?).unwrap_or(0);
    let float = matches!(to, data_type::FLOAT | data_type::FLOAT16 | data_type::DOUBLE | data_type::BFLOAT16);
    match call.inputs.first() {
        Some(Some(Known::Headed { head: Head::ArgMax { .. }, .. })) => pass(call),
        _ if float => pass(call),
        _ => refuse("it turns data into integers", "leave data in floats"),
    }
}

/// Shapes are public: a constant.
pub(super) fn shape(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let data = draft.shape(call.value(0)?);
    let literal = match call.op() {
        "Size" => Literal::ints(vec![], vec![data.iter().product::<usize>() as i64]),
        _ => fold::shape_of(call, data)?,
    };
    Ok(Lowered::folded(Known::Constant(Rc::new(literal)), "a constant: shapes are fixed"))
}

/// Only a slice that takes everything is computed.
pub(super) fn slice(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let inputs = [1, 2, 3, 4].map(|index| call.optional_constant(index));
    let [starts, ends, axes, steps] = inputs;
    let picks = shape::slice(call, &data, &[starts?, ends?, axes?, steps?], &mut draft.budget)?;
    let whole = picks.iter().zip(&data).all(|(positions, &extent)| positions.iter().copied().eq(0..extent));
    match whole {
        true => Ok(Lowered::folded(Known::Value(x), "it takes everything")),
        false => refuse("it cuts data", remedy("Slice")),
    }
}

/// Only an expansion that changes nothing is computed.
pub(super) fn expand(call: &Call, draft: &mut Draft) -> Result<Lowered, Refusal> {
    let x = call.value(0)?;
    let target = shape::extents(call.constant(1)?.as_ints()?)?;
    match shape::broadcast(draft.shape(x), &target)? == draft.shape(x) {
        true => Ok(Lowered::folded(Known::Value(x), "it changes nothing")),
        false => refuse("it repeats data", "use ConvTranspose for upsampling"),
    }
}
