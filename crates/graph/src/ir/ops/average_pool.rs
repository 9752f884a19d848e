//! Mean over windows.

use super::{ChannelFlow, FloatOperator, Inputs, Refusal, Window, pooling};

/// Mean over windows. GlobalAveragePool and ReduceMean over the spatial axes are windows of the whole extent.
#[derive(Clone)]
pub struct AveragePoolOp {
    /// Geometry.
    pub window: Window,
    /// Whether padding counts in the divisor.
    pub count_include_pad: bool,
}

impl FloatOperator for AveragePoolOp {
    fn name(&self) -> &'static str {
        "AveragePool"
    }

    fn details(&self) -> String {
        format!("{:?}, padding counts: {}", self.window, self.count_include_pad)
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        self.window.output_shape(inputs[0], inputs[0][1])
    }

    fn evaluate(&self, inputs: Inputs<'_>, shape: &[usize]) -> Vec<f32> {
        pooling::average(inputs.get(0), shape, &self.window, self.count_include_pad)
    }

    fn channels(&self) -> ChannelFlow<'_> {
        ChannelFlow::Kept { zeros: self.window.is_padded() }
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        Some(axis)
    }

    fn moves_only(&self) -> bool {
        false
    }
}
