//! Pad: zeros around are a step of their own; negative amounts cut, and padding by the edge, mirrored or turned round picks
//! elements a second time.

use super::super::call::Call;
use super::super::draft::GraphDraft;
use super::super::literal::Literal;
use super::super::{ELEMENTS_MAX, Refusal, refuse, shape};
use super::table::OnnxOperator;
use super::{Translated, pick};
use crate::ir::{Op, PadOp};

pub(super) const OPERATORS: &[OnnxOperator] =
    &[OnnxOperator::computed("Pad", |call, draft, _| pad(call, draft))];

/// Translates Pad.
fn pad(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let data = draft.shape(x).to_vec();
    let (begin, end) = amounts(call, data.len())?;
    let mode = call.text("mode", "constant")?;
    if mode == "constant" {
        return zeros(call, draft, x, &begin, &end);
    }
    let mut positions = vec![Vec::new(); data.len()];
    for axis in 0..data.len() {
        if (begin[axis], end[axis]) != (0, 0) {
            let extent = data[axis] as i64;
            let whole = extent.saturating_add(begin[axis]).saturating_add(end[axis]);
            draft.budget.spend(usize::try_from(whole).unwrap_or(0))?;
            positions[axis] = (-begin[axis]..extent.saturating_add(end[axis]))
                .map(|position| source(mode, position, extent))
                .collect::<Result<_, _>>()?;
        }
    }
    pick::emit(call, draft, x, positions, "it pads nothing")
}

/// The element at `position` of an axis of `extent`; the position may lie before the axis' begin or behind its end.
fn source(mode: &str, position: i64, extent: i64) -> Result<usize, Refusal> {
    let within = match mode {
        "edge" => position.clamp(0, extent - 1),
        "wrap" => position.rem_euclid(extent),
        "reflect" if position > -extent && position < 2 * extent - 1 => {
            let turned = position.abs();
            if turned < extent { turned } else { 2 * (extent - 1) - turned }
        }
        "reflect" => {
            return refuse("it mirrors more than the data has", "pad by less than the extent of the axis");
        }
        other => return refuse(format!("it pads by {other:?}"), "pad by constant, reflect, edge or wrap"),
    };
    Ok(within as usize)
}

/// Zeros around, behind a cut where amounts are negative.
fn zeros(
    call: &Call,
    draft: &mut GraphDraft,
    mut x: usize,
    begin: &[i64],
    end: &[i64],
) -> Result<Translated, Refusal> {
    let fill = match call.optional_float("value")? {
        Some(fill) => fill,
        None => call.optional_constant(2)?.map_or(Ok(0.0), Literal::scalar)?,
    };
    let grows = begin.iter().chain(end).any(|&amount| amount > 0);
    if fill != 0.0 && grows {
        return refuse(format!("it pads with {fill}"), "pad with zeros, or mode reflect or edge");
    }
    let cuts: Vec<(i64, i64)> =
        begin.iter().zip(end).map(|(begin, end)| (-begin.min(&0), -end.min(&0))).collect();
    if cuts.iter().any(|&cut| cut != (0, 0)) {
        let positions = kept(draft, x, &cuts)?;
        if !grows {
            return pick::emit(call, draft, x, positions, "it cuts nothing");
        }
        x = pick::emit_named(call, draft, "/cut", x, positions)?;
    }
    if !grows {
        return pick::emit(call, draft, x, vec![Vec::new(); begin.len()], "it pads nothing");
    }
    let amounts = |list: &[i64]| list.iter().map(|&amount| amount.max(0) as usize).collect::<Vec<_>>();
    let (begin, end) = (amounts(begin), amounts(end));
    draft.emit(call, Op::Pad(PadOp { begin, end }), vec![x]).map(Translated::supported)
}

/// The positions that are left of each axis when so many are cut from its begin and its end.
fn kept(draft: &mut GraphDraft, x: usize, cuts: &[(i64, i64)]) -> Result<Vec<Vec<usize>>, Refusal> {
    let data = draft.shape(x).to_vec();
    let mut positions = vec![Vec::new(); data.len()];
    for (axis, &(first, last)) in cuts.iter().enumerate().filter(|(_, cut)| **cut != (0, 0)) {
        let end = (data[axis] as i64).saturating_sub(last);
        if first >= end {
            return refuse(format!("it cuts all of axis {axis}"), "give the network a larger input");
        }
        draft.budget.spend(data[axis])?;
        positions[axis] = (first as usize..end as usize).collect();
    }
    Ok(positions)
}

/// Amounts before and behind every axis: attribute `pads` (`paddings` at opset 1) or inputs 1 and 3.
fn amounts(call: &Call, rank: usize) -> Result<(Vec<i64>, Vec<i64>), Refusal> {
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
    if let Some(amount) = amounts.iter().find(|amount| amount.unsigned_abs() > ELEMENTS_MAX as u64) {
        return refuse(format!("it pads by {amount}"), "check the exporter");
    }
    let (mut begin, mut end) = (vec![0; rank], vec![0; rank]);
    for (position, &axis) in axes.iter().enumerate() {
        let axis = shape::axis(axis, rank)?;
        (begin[axis], end[axis]) = (amounts[position], amounts[position + axes.len()]);
    }
    Ok((begin, end))
}
