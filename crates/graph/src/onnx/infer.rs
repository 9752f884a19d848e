//! The shape that a refused node would give, so that the nodes behind it are checked too.

use super::call::{Call, Known};
use super::draft::GraphDraft;
use super::literal::Literal;
use super::translate::{self, ShapeRule};
use super::{ELEMENTS_MAX, RANK_MAX, shape};

/// The answer's shape, where the operator and its inputs determine it.
pub(super) fn output_shape(call: &Call, draft: &GraphDraft) -> Option<Vec<usize>> {
    let of = |index: usize| shape_of(call, draft, index);
    match translate::operator(call.op()).shape {
        ShapeRule::OfFirst => of(0),
        ShapeRule::OfAll => {
            (1..call.inputs.len()).try_fold(of(0)?, |shape, index| shape::broadcast(&shape, &of(index)?).ok())
        }
        ShapeRule::Own(rule) => rule(call, draft),
        ShapeRule::Unknown => None,
    }
}

/// ArgMax and the like: one axis reduced.
pub(super) fn arg_max(call: &Call, draft: &GraphDraft) -> Option<Vec<usize>> {
    let from = shape_of(call, draft, 0)?;
    let axis = shape::axis(call.int("axis", 0).ok()?, from.len()).ok()?;
    Some(reduced(&from, &[axis], call.int("keepdims", 1).ok()? != 0))
}

/// Named axes reduced, or all.
pub(super) fn reduction(call: &Call, draft: &GraphDraft) -> Option<Vec<usize>> {
    let from = shape_of(call, draft, 0)?;
    let axes = match shape::axes_of(call, constant(call, 1)).ok()? {
        Some(list) => {
            list.iter().map(|&axis| shape::axis(axis, from.len()).ok()).collect::<Option<Vec<_>>>()?
        }
        None => (0..from.len()).collect(),
    };
    Some(reduced(&from, &axes, call.int("keepdims", 1).ok()? != 0))
}

/// All spatial axes pooled into one position.
pub(super) fn global_pool(call: &Call, draft: &GraphDraft) -> Option<Vec<usize>> {
    let from = shape_of(call, draft, 0)?;
    Some((0..from.len()).map(|axis| if axis < 2 { from[axis] } else { 1 }).collect())
}

fn shape_of(call: &Call, draft: &GraphDraft, index: usize) -> Option<Vec<usize>> {
    match call.inputs.get(index)?.as_ref()? {
        Known::Value(value) | Known::Headed { logits: value, reshaped: false, .. } => {
            Some(draft.shape(*value).to_vec())
        }
        Known::Constant(literal) => Some(literal.shape.clone()),
        Known::Headed { .. } | Known::Unknown { .. } => None,
    }
}

fn constant<'a>(call: &'a Call, index: usize) -> Option<&'a Literal> {
    call.optional_constant(index).ok().flatten()
}

/// As NumPy multiplies: the axes before the last two go together.
pub(super) fn mat_mul(call: &Call, draft: &GraphDraft) -> Option<Vec<usize>> {
    let (a, b) = (shape_of(call, draft, 0)?, shape_of(call, draft, 1)?);
    let (&[.., rows, inner], &[.., also_inner, columns]) = (a.as_slice(), b.as_slice()) else { return None };
    let batch = shape::broadcast(&a[..a.len() - 2], &b[..b.len() - 2]).ok()?;
    (inner == also_inner).then(|| [batch.as_slice(), &[rows, columns]].concat())
}

fn reduced(from: &[usize], axes: &[usize], keep: bool) -> Vec<usize> {
    let extents = from.iter().enumerate().map(|(axis, &extent)| (axes.contains(&axis), extent));
    match keep {
        true => extents.map(|(gone, extent)| if gone { 1 } else { extent }).collect(),
        false => extents.filter(|(gone, _)| !gone).map(|(_, extent)| extent).collect(),
    }
}

/// By constant sizes or constant scales, of all axes or of those that are named.
pub(super) fn resized(call: &Call, draft: &GraphDraft) -> Option<Vec<usize>> {
    let from = shape_of(call, draft, 0)?;
    let scales_at = if call.op() == "Resize" && call.opset >= 11 { 2 } else { 1 };
    let axes: Vec<usize> = match call.optional_ints("axes").ok()? {
        Some(axes) => axes.iter().map(|&axis| shape::axis(axis, from.len()).ok()).collect::<Option<_>>()?,
        None => (0..from.len()).collect(),
    };
    if call.text("keep_aspect_ratio_policy", "stretch").ok()? != "stretch" {
        return None;
    }
    let mut shape = from.clone();
    let stated = call.optional_floats("scales").ok()?.map(<[f32]>::to_vec);
    let scales = stated.or_else(|| constant(call, scales_at).map(Literal::to_floats)).unwrap_or_default();
    let sizes = constant(call, 3).and_then(|sizes| sizes.as_ints().ok()).unwrap_or_default();
    if !sizes.is_empty() && sizes.len() == axes.len() {
        for (&axis, &size) in axes.iter().zip(sizes) {
            shape[axis] = usize::try_from(size).ok()?;
        }
        return Some(shape);
    }
    if scales.len() != axes.len() || scales.is_empty() {
        return None;
    }
    for (&axis, &scale) in axes.iter().zip(&scales) {
        let extent = (from[axis] as f64 * f64::from(scale)).floor();
        shape[axis] = (1.0..=ELEMENTS_MAX as f64).contains(&extent).then_some(extent as usize)?;
    }
    Some(shape)
}

/// Channels into blocks of `blocksize` by `blocksize`, or back.
pub(super) fn blocks(call: &Call, draft: &GraphDraft, spread: bool) -> Option<Vec<usize>> {
    let block = usize::try_from(call.int("blocksize", 0).ok()?)
        .ok()
        .filter(|&block| (1..=1 << 12).contains(&block))?;
    let &[batch, channels, rows, columns] = shape_of(call, draft, 0)?.as_slice() else { return None };
    match spread {
        true => Some(vec![
            batch,
            channels / (block * block),
            rows.checked_mul(block)?,
            columns.checked_mul(block)?,
        ]),
        false => Some(vec![batch, channels.checked_mul(block * block)?, rows / block, columns / block]),
    }
    .filter(|shape| shape.len() <= RANK_MAX)
}
