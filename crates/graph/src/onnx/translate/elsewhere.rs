//! Operators of which no relative is computed: each with its remedy.

use super::table::{OnnxOperator, REPLACE};

const TRACE: &str = "export by tracing, so that no control flow is left";
const LEAVE_OUT: &str = "leave it out, or apply it to the image before or to the answer afterwards";
const ON_THE_ANSWER: &str = "end the model at its logits and do this on the answer";
const CONVOLVE: &str = "use a convolutional network";
const IN_FLOATS: &str = "export the float model: integers are chosen by calibration here";
const NO_TRAINING: &str = "export in inference mode";

const fn refused(name: &'static str, remedy: &'static str) -> OnnxOperator {
    OnnxOperator::refused(name, remedy)
}

pub(super) const OPERATORS: &[OnnxOperator] = &[
    refused("If", TRACE),
    refused("Loop", TRACE),
    refused("Scan", TRACE),
    refused("SequenceMap", TRACE),
    refused("LSTM", CONVOLVE),
    refused("GRU", CONVOLVE),
    refused("RNN", CONVOLVE),
    refused("Attention", CONVOLVE),
    refused("Einsum", CONVOLVE),
    refused("Pow", LEAVE_OUT).like_all(),
    refused("Mod", LEAVE_OUT).like_all(),
    refused("Equal", ON_THE_ANSWER).like_all(),
    refused("Less", ON_THE_ANSWER).like_all(),
    refused("Greater", ON_THE_ANSWER).like_all(),
    refused("LessOrEqual", ON_THE_ANSWER).like_all(),
    refused("GreaterOrEqual", ON_THE_ANSWER).like_all(),
    refused("Where", ON_THE_ANSWER).like_all(),
    refused("And", ON_THE_ANSWER).like_all(),
    refused("Or", ON_THE_ANSWER).like_all(),
    refused("Not", ON_THE_ANSWER).like_first(),
    refused("CumSum", ON_THE_ANSWER).like_first(),
    refused("ScatterND", ON_THE_ANSWER).like_first(),
    refused("ScatterElements", ON_THE_ANSWER).like_first(),
    refused("TopK", ON_THE_ANSWER),
    refused("NonZero", ON_THE_ANSWER),
    refused("NonMaxSuppression", ON_THE_ANSWER),
    refused("QuantizeLinear", IN_FLOATS).like_first(),
    refused("DequantizeLinear", IN_FLOATS).like_first(),
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
