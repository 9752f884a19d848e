//! What to do instead of an operator that is not computed privately.

/// The remedy for an unsupported operator.
pub(super) fn remedy(op: &str) -> &'static str {
    match op {
        "LeakyRelu" | "PRelu" | "Elu" | "Selu" | "Celu" | "ThresholdedRelu" | "Gelu" | "Swish"
        | "HardSwish" | "Mish" | "Softplus" | "Softsign" | "HardSigmoid" | "Erf" | "Tanh" => {
            "retrain (or fine-tune) with Relu"
        }
        "Sigmoid" | "Softmax" | "LogSoftmax" | "ArgMax" | "Hardmax" => {
            "keep it as the last node of the model only, or retrain with Relu"
        }
        "Clip" => "retrain with Relu instead of a bounded activation such as Relu6",
        "InstanceNormalization"
        | "GroupNormalization"
        | "LayerNormalization"
        | "LpNormalization"
        | "LRN"
        | "RMSNormalization" => {
            "retrain with BatchNormalization: its statistics are constants when the model is used"
        }
        "Resize" | "Upsample" => "use ConvTranspose with kernel 2 and stride 2 for upsampling",
        "DepthToSpace" | "SpaceToDepth" => "use ConvTranspose or a strided Conv",
        "Slice" | "Split" | "Gather" | "GatherND" | "GatherElements" | "CenterCropPad" => {
            "crop and pick by constant positions: Slice, Split or Gather with constant indices"
        }
        "If" | "Loop" | "Scan" | "SequenceMap" => "export by tracing, so that no control flow is left",
        "LSTM" | "GRU" | "RNN" | "Attention" | "Einsum" => "use a convolutional network",
        "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1" | "ReduceL2"
        | "ReduceLogSumExp" | "ReduceSumSquare" => "use ReduceMean, GlobalAveragePool or GlobalMaxPool",
        "GlobalLpPool" | "LpPool" | "MaxUnpool" | "MaxRoiPool" | "RoiAlign" => "use MaxPool or AveragePool",
        "Exp" | "Log" | "Sqrt" | "Pow" | "Reciprocal" | "Abs" | "Sin" | "Cos" | "Floor" | "Ceil"
        | "Round" | "Sign" | "Min" | "Max" | "Mod" => {
            "leave it out, or apply it to the image before or to the answer afterwards"
        }
        "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual" | "Where" | "Not" | "And" | "Or"
        | "TopK" | "NonZero" | "NonMaxSuppression" | "CumSum" | "ScatterND" | "ScatterElements" => {
            "end the model at its logits and do this on the answer"
        }
        "QuantizeLinear"
        | "DequantizeLinear"
        | "QLinearConv"
        | "ConvInteger"
        | "MatMulInteger"
        | "DynamicQuantizeLinear" => "export the float model: integers are chosen by calibration here",
        "RandomNormal" | "RandomUniform" | "RandomNormalLike" | "RandomUniformLike" | "Bernoulli"
        | "Multinomial" => "export in inference mode",
        _ => "replace it by Conv, Gemm, Relu, pooling, Add or Concat, or end the model before it",
    }
}
