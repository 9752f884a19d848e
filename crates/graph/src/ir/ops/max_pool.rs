//! Maximum over windows.

use super::{ChannelFlow, FloatOperator, Inputs, Refusal, Window, pooling};

/// Maximum over windows; padding counts as minus infinity.
#[derive(Clone)]
pub struct MaxPoolOp {
    /// Geometry.
    pub window: Window,
}

impl FloatOperator for MaxPoolOp {
    fn name(&self) -> &'static str {
        "MaxPool"
    }

    fn details(&self) -> String {
        format!("{:?}", self.window)
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        self.window.output_shape(inputs[0], inputs[0][1])
    }

    fn evaluate(&self, inputs: Inputs<'_>, shape: &[usize]) -> Vec<f32> {
        pooling::max(inputs.get(0), shape, &self.window)
    }

    fn channels(&self) -> ChannelFlow<'_> {
        ChannelFlow::Largest
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        Some(axis)
    }

    fn moves_only(&self) -> bool {
        false
    }
}
