//! The shape that a refused node would give, so that what stands behind it is checked too.

use super::call::{Call, Known};
use super::draft::GraphDraft;
use super::literal::Literal;
use super::{ELEMENTS_MAX, RANK_MAX, shape};

/// The answer's shape, where the operator and its inputs tell it.
pub(super) fn output_shape(call: &Call, draft: &GraphDraft) -> Option<Vec<usize>> {
    let of = |index: usize| shape_of(call, draft, index);
    match call.op() {
        op if keeps_shape(op) => of(0),
        op if broadcasts(op) => {
            (1..call.inputs.len()).try_fold(of(0)?, |shape, index| shape::broadcast(&shape, &of(index)?).ok())
        }
        "MatMul" => mat_mul(&of(0)?, &of(1)?),
        "Resize" | "Upsample" => resized(call, &of(0)?),
        "DepthToSpace" => blocks(call, &of(0)?, true),
        "SpaceToDepth" => blocks(call, &of(0)?, false),
        "ArgMax" | "ArgMin" => {
            let from = of(0)?;
            let axis = shape::axis(call.int("axis", 0).ok()?, from.len()).ok()?;
            Some(reduced(&from, &[axis], call.int("keepdims", 1).ok()? != 0))
        }
        op if op.starts_with("Reduce") => {
            let from = of(0)?;
            let axes = shape::axes_of(call, constant(call, 1)).ok()?;
            let axes = match axes {
                Some(list) => {
                    list.iter().map(|&axis| shape::axis(axis, from.len()).ok()).collect::<Option<Vec<_>>>()?
                }
                None => (0..from.len()).collect(),
            };
            Some(reduced(&from, &axes, call.int("keepdims", 1).ok()? != 0))
        }
        "GlobalLpPool" => {
            let from = of(0)?;
            Some((0..from.len()).map(|axis| if axis < 2 { from[axis] } else { 1 }).collect())
        }
        _ => None,
    }
}

/// Operators that give a tensor of their first input's shape.
fn keeps_shape(op: &str) -> bool {
    op.ends_with("Normalization")
        || matches!(
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
                | "Hardmax"
                | "Clip"
                | "LRN"
                | "Exp"
                | "Log"
                | "Sqrt"
                | "Reciprocal"
                | "Abs"
                | "Floor"
                | "Ceil"
                | "Round"
                | "Sign"
                | "Relu"
                | "Neg"
                | "Sin"
                | "Cos"
                | "Not"
                | "Dropout"
                | "Cast"
                | "CastLike"
                | "Identity"
                | "CumSum"
                | "Trilu"
                | "QuantizeLinear"
                | "DequantizeLinear"
                | "ScatterND"
                | "ScatterElements"
                | "Shrink"
                | "IsNaN"
                | "IsInf"
        )
}

/// Operators whose answer has the common shape of all inputs.
fn broadcasts(op: &str) -> bool {
    matches!(
        op,
        "Add"
            | "Sub"
            | "Mul"
            | "Div"
            | "Pow"
            | "Mod"
            | "Min"
            | "Max"
            | "Sum"
            | "Mean"
            | "Where"
            | "Equal"
            | "Less"
            | "Greater"
            | "LessOrEqual"
            | "GreaterOrEqual"
            | "And"
            | "Or"
            | "Xor"
    )
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
fn mat_mul(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let (&[.., rows, inner], &[.., also_inner, columns]) = (a, b) else { return None };
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
fn resized(call: &Call, from: &[usize]) -> Option<Vec<usize>> {
    let scales_at = if call.op() == "Resize" && call.opset >= 11 { 2 } else { 1 };
    let axes: Vec<usize> = match call.optional_ints("axes").ok()? {
        Some(axes) => axes.iter().map(|&axis| shape::axis(axis, from.len()).ok()).collect::<Option<_>>()?,
        None => (0..from.len()).collect(),
    };
    if call.text("keep_aspect_ratio_policy", "stretch").ok()? != "stretch" {
        return None;
    }
    let mut shape = from.to_vec();
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
fn blocks(call: &Call, from: &[usize], spread: bool) -> Option<Vec<usize>> {
    let block = usize::try_from(call.int("blocksize", 0).ok()?)
        .ok()
        .filter(|&block| (1..=1 << 12).contains(&block))?;
    let &[batch, channels, rows, columns] = from else { return None };
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
