//! Scaling and shifting by constants (BatchNormalization, Add, Sub, Mul, Div, Neg), and sums of data.

use super::super::call::{Call, Known};
use super::super::draft::{Affine, GraphDraft};
use super::super::literal::Literal;
use super::super::{Refusal, fold, refuse, shape};
use super::table::{OnnxOperator, REPLACE};
use super::{Translated, Used};
use crate::ir::{AddConstantOp, Op, Tensor, ValueId};

const fn normalised(name: &'static str) -> OnnxOperator {
    const REMEDY: &str =
        "retrain with BatchNormalization: its statistics are constants when the model is used";
    OnnxOperator::refused(name, REMEDY).like_first()
}

pub(super) const OPERATORS: &[OnnxOperator] = &[
    OnnxOperator::computed("BatchNormalization", batch_normalization).like_first(),
    OnnxOperator::computed("Add", |call, draft, _| add(call, draft))
        .like_all()
        .folds(|_, x, budget| fold::pairs(x, budget, i64::checked_add, |x, y| x + y)),
    OnnxOperator::computed("Sub", |call, draft, _| subtract(call, draft))
        .like_all()
        .folds(|_, x, budget| fold::pairs(x, budget, i64::checked_sub, |x, y| x - y)),
    OnnxOperator::computed("Mul", |call, draft, _| multiply(call, draft))
        .like_all()
        .checked_early(|call| factor(call).map(|_| ()))
        .folds(|_, x, budget| fold::pairs(x, budget, i64::checked_mul, |x, y| x * y)),
    OnnxOperator::computed("Div", |call, draft, _| divide(call, draft))
        .like_all()
        .checked_early(|call| divisor(call).map(|_| ()))
        .folds(|_, x, budget| fold::pairs(x, budget, i64::checked_div, |x, y| x / y)),
    OnnxOperator::computed("Sum", |call, draft, _| sum(call, draft)).like_all(),
    OnnxOperator::computed("Neg", |call, draft, _| negate(call, draft))
        .like_first()
        .folds(|_, x, _| fold::each(x, i64::wrapping_neg, |x| -x)),
    OnnxOperator::refused("Mean", REPLACE).like_all(),
    normalised("InstanceNormalization"),
    normalised("GroupNormalization"),
    normalised("LayerNormalization"),
    normalised("LpNormalization"),
    normalised("LRN"),
    normalised("RMSNormalization"),
];

/// (x - mean) / sqrt(variance + epsilon) * scale + bias, per channel.
fn batch_normalization(call: &Call, draft: &mut GraphDraft, used: Used) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    if call.int("training_mode", 0)? != 0 || call.int("is_test", 1)? == 0 {
        return refuse("it is in training mode", "export in inference mode: model.eval()");
    }
    if call.int("spatial", 1)? == 0 {
        return refuse("it has statistics for every position", "export with opset 9 or newer");
    }
    call.only_first_output("its running statistics", used)?;
    let Some(&channels) = draft.shape(x).get(1) else {
        return refuse("its data has no channels", "check the exporter");
    };
    let [scale, bias, mean, variance] = [1, 2, 3, 4].map(|index| per_channel(call, index, channels));
    let (scale, bias, mean, variance) = (scale?, bias?, mean?, variance?);
    let epsilon = f64::from(call.float("epsilon", 1e-5)?);
    let factors: Vec<f64> = (0..channels).map(|c| scale[c] / (variance[c] + epsilon).sqrt()).collect();
    let shifts = (0..channels).map(|c| bias[c] - mean[c] * factors[c]).collect();
    emit(call, draft, x, Affine { axis: Some(1), scale: factors, shift: shifts })
}

fn per_channel(call: &Call, index: usize, channels: usize) -> Result<Vec<f64>, Refusal> {
    let numbers = call.constant(index)?.weight()?.data;
    if numbers.len() != channels {
        return refuse(
            format!("it has {} numbers for {channels} channels", numbers.len()),
            "check the exporter",
        );
    }
    Ok(numbers.into_iter().map(f64::from).collect())
}

/// A sum of data with data or with a constant.
fn add(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    match (call.as_constant(0), call.as_constant(1)) {
        (Some(c), _) => with_constant(call, draft, 1, c, |c| (1.0, c)),
        (None, Some(c)) => with_constant(call, draft, 0, c, |c| (1.0, c)),
        (None, None) => {
            let (x, y) = (call.value(0)?, call.value(1)?);
            draft.emit(call, Op::Add, vec![x, y]).map(Translated::supported)
        }
    }
}

/// A difference of data and data or a constant.
fn subtract(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    match (call.as_constant(0), call.as_constant(1)) {
        (Some(c), _) => with_constant(call, draft, 1, c, |c| (-1.0, c)),
        (None, Some(c)) => with_constant(call, draft, 0, c, |c| (1.0, -c)),
        (None, None) => {
            let (x, y) = (call.value(0)?, call.value(1)?);
            let negated = draft.emit_named(call, "/negated", negation(), vec![y])?;
            draft.emit(call, Op::Add, vec![x, negated]).map(Translated::supported)
        }
    }
}

/// A product of data and a constant.
fn multiply(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let (index, constant) = factor(call)?;
    with_constant(call, draft, index, constant, |c| (c, 0.0))
}

/// The input of a product that is data, and the constant that it is multiplied by.
fn factor<'a>(call: &'a Call) -> Result<(usize, &'a Literal), Refusal> {
    match (call.as_constant(0), call.as_constant(1)) {
        (Some(c), _) => Ok((1, c)),
        (None, Some(c)) => Ok((0, c)),
        (None, None) => refuse(
            "it multiplies two tensors that both depend on the image (gates, squeeze-and-excitation)",
            "retrain without gates: use Add, or Concat and a 1x1 Conv",
        ),
    }
}

/// Data divided by a constant.
fn divide(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let constant = divisor(call)?;
    with_constant(call, draft, 0, constant, |c| (1.0 / c, 0.0))
}

fn divisor<'a>(call: &'a Call) -> Result<&'a Literal, Refusal> {
    match call.as_constant(1) {
        Some(constant) => Ok(constant),
        None => refuse("it divides by data", "divide by a constant, or use BatchNormalization"),
    }
}

/// Sum of any number of values.
fn sum(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let mut total = call.value(0)?;
    if call.inputs.len() == 1 {
        return Ok(Translated::folded(Known::Value(total), "a sum of one"));
    }
    for index in 1..call.inputs.len() {
        let next = call.value(index)?;
        let suffix = if index + 1 == call.inputs.len() { String::new() } else { format!("/{index}") };
        total = draft.emit_named(call, &suffix, Op::Add, vec![total, next])?;
    }
    Ok(Translated::supported(total))
}

/// -x.
fn negate(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    emit(call, draft, x, negation())
}

fn negation() -> Affine {
    Affine { axis: None, scale: vec![-1.0], shift: vec![0.0] }
}

/// Scale and shift by the numbers of a constant, each turned into (scale, shift).
fn with_constant(
    call: &Call,
    draft: &mut GraphDraft,
    index: usize,
    constant: &Literal,
    numbers: fn(f64) -> (f64, f64),
) -> Result<Translated, Refusal> {
    let x = call.value(index)?;
    let (scale, shift): (Vec<f64>, Vec<f64>) =
        constant.to_floats().into_iter().map(|c| numbers(c.into())).unzip();
    match varying_axis(draft.shape(x), &constant.shape)? {
        Varying::Nowhere => emit(call, draft, x, Affine { axis: None, scale, shift }),
        Varying::Along(axis) => emit(call, draft, x, Affine { axis: Some(axis), scale, shift }),
        Varying::Widely if scale.iter().all(|&s| s == scale[0]) => {
            add_map(call, draft, x, scale[0], (&constant.shape, shift))
        }
        Varying::Widely => refuse(
            format!("its constant of shape {:?} varies along more than one axis", constant.shape),
            "multiply by one number, or one per channel",
        ),
    }
}

/// scale * x plus a map that varies along several axes.
fn add_map(
    call: &Call,
    draft: &mut GraphDraft,
    mut x: ValueId,
    scale: f64,
    (constant, shift): (&[usize], Vec<f64>),
) -> Result<Translated, Refusal> {
    if scale != 1.0 {
        let scaling = Affine { axis: None, scale: vec![scale], shift: vec![0.0] };
        x = draft.emit_named(call, "/scaled", scaling, vec![x])?;
    }
    let data: Vec<f32> = shift.iter().map(|&number| number as f32).collect();
    if !data.iter().all(|number| number.is_finite()) {
        return refuse("its constant is not finite", "check the training");
    }
    let ones = vec![1; draft.shape(x).len() - constant.len()];
    let constant = Tensor { shape: [&ones, constant].concat(), data };
    draft.emit(call, Op::AddConstant(AddConstantOp { constant }), vec![x]).map(Translated::supported)
}

/// How a constant that is repeated to the data's shape varies.
enum Varying {
    Nowhere,
    /// Along one axis of the data.
    Along(usize),
    /// Along several.
    Widely,
}

fn varying_axis(data: &[usize], constant: &[usize]) -> Result<Varying, Refusal> {
    if shape::broadcast(data, constant)? != data {
        return refuse(
            format!("its constant of shape {constant:?} would enlarge data of shape {data:?}"),
            "expand the data before it, or check the exporter",
        );
    }
    let lead = data.len() - constant.len();
    let varying: Vec<usize> = (0..constant.len()).filter(|&axis| constant[axis] != 1).collect();
    Ok(match varying.as_slice() {
        [] => Varying::Nowhere,
        [axis] => Varying::Along(lead + axis),
        _ => Varying::Widely,
    })
}

fn emit(call: &Call, draft: &mut GraphDraft, x: ValueId, affine: Affine) -> Result<Translated, Refusal> {
    if !affine.scale.iter().chain(&affine.shift).all(|&number| (number as f32).is_finite()) {
        return refuse(
            "its numbers are infinite (a division by zero, or a variance of zero)",
            "check the training",
        );
    }
    let numbers = affine.axis.is_none().then(|| (affine.scale[0], affine.shift[0]));
    let output = draft.emit(call, affine, vec![x])?;
    if let Some((scale, shift)) = numbers {
        draft.image.scaled(x, output, scale, shift);
    }
    Ok(Translated::supported(output))
}
