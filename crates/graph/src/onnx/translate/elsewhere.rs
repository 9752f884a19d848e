//! Operators of which no relative is computed on data: each with its remedy, and what it gives of constants.

use super::super::fold;
use super::activation::LEAVE_OUT;
use super::table::{OnnxOperator, REPLACE};

const TRACE: &str = "export by tracing, so that no control flow is left";
const ON_THE_ANSWER: &str = "end the model at its logits and do this on the answer";
const CONVOLVE: &str = "use a convolutional network";
const IN_FLOATS: &str = "export the float model: integers are chosen by calibration here";
const NO_TRAINING: &str = "export in inference mode";

const fn refused(name: &'static str, remedy: &'static str) -> OnnxOperator {
    OnnxOperator::refused(name, remedy)
}

pub(super) const OPERATORS: &[OnnxOperator] = &[
    refused("Constant", REPLACE).folds(|call, _, budget| fold::constant(call, budget)),
    refused("ConstantOfShape", REPLACE)
        .folds(|call, x, budget| fold::constant_of_shape(call, x.need(0)?, budget)),
    refused("Range", REPLACE).folds(|_, x, budget| fold::range(x, budget)),
    refused("If", TRACE),
    refused("Loop", TRACE),
    refused("Scan", TRACE),
    refused("SequenceMap", TRACE),
    refused("LSTM", CONVOLVE),
    refused("GRU", CONVOLVE),
    refused("RNN", CONVOLVE),
    refused("Attention", CONVOLVE),
    refused("Einsum", CONVOLVE),
    refused("Pow", LEAVE_OUT).like_all().folds(|_, x, budget| fold::pairs(x, budget, int_power, f32::powf)),
    refused("Mod", LEAVE_OUT).like_all().folds(|_, x, budget| fold::int_pairs(x, budget, floor_mod)),
    refused("Equal", ON_THE_ANSWER)
        .like_all()
        .folds(|_, x, budget| fold::compared(x, budget, i64::eq, f32::eq)),
    refused("Less", ON_THE_ANSWER)
        .like_all()
        .folds(|_, x, budget| fold::compared(x, budget, i64::lt, f32::lt)),
    refused("Greater", ON_THE_ANSWER)
        .like_all()
        .folds(|_, x, budget| fold::compared(x, budget, i64::gt, f32::gt)),
    refused("LessOrEqual", ON_THE_ANSWER)
        .like_all()
        .folds(|_, x, budget| fold::compared(x, budget, i64::le, f32::le)),
    refused("GreaterOrEqual", ON_THE_ANSWER)
        .like_all()
        .folds(|_, x, budget| fold::compared(x, budget, i64::ge, f32::ge)),
    refused("Where", ON_THE_ANSWER).like_all().folds(|_, x, budget| fold::where_(x, budget)),
    refused("And", ON_THE_ANSWER)
        .like_all()
        .folds(|_, x, budget| fold::int_pairs(x, budget, |x, y| Some(i64::from(x != 0 && y != 0)))),
    refused("Or", ON_THE_ANSWER)
        .like_all()
        .folds(|_, x, budget| fold::int_pairs(x, budget, |x, y| Some(i64::from(x != 0 || y != 0)))),
    refused("Not", ON_THE_ANSWER).like_first().folds(|_, x, _| fold::not(x)),
    refused("CumSum", ON_THE_ANSWER).like_first(),
    refused("ScatterND", ON_THE_ANSWER).like_first(),
    refused("ScatterElements", ON_THE_ANSWER).like_first(),
    refused("TopK", ON_THE_ANSWER),
    refused("NonZero", ON_THE_ANSWER),
    refused("NonMaxSuppression", ON_THE_ANSWER),
    refused("QuantizeLinear", IN_FLOATS).like_first(),
    refused("DequantizeLinear", IN_FLOATS).like_first().folds(fold::dequantise),
    refused("QLinearConv", IN_FLOATS),
    refused("ConvInteger", IN_FLOATS),
    refused("MatMulInteger", IN_FLOATS),
    refused("DynamicQuantizeLinear", IN_FLOATS),
    refused("RandomNormal", NO_TRAINING),
    refused("RandomUniform", NO_TRAINING),
    refused("RandomNormalLike", NO_TRAINING),
    refused("RandomUniformLike", NO_TRAINING),
    refused("Bernoulli", NO_TRAINING),
    refused("Multinomial", NO_TRAINING),
    refused("Xor", REPLACE).like_all(),
    refused("Trilu", REPLACE).like_first(),
    refused("Shrink", REPLACE).like_first(),
    refused("IsNaN", REPLACE).like_first(),
    refused("IsInf", REPLACE).like_first(),
];

/// The rest with the divisor's sign.
fn floor_mod(x: i64, y: i64) -> Option<i64> {
    let rest = x.checked_rem(y)?;
    Some(if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest })
}

fn int_power(x: i64, y: i64) -> Option<i64> {
    x.checked_pow(u32::try_from(y).ok()?)
}
