//! ReLU: the larger of an element and zero.

use super::{ChannelFlow, FloatOperator, Inputs, Refusal};

/// max(x, 0).
pub(super) struct ReluOp;

impl FloatOperator for ReluOp {
    fn name(&self) -> &'static str {
        "Relu"
    }

    fn details(&self) -> String {
        String::new()
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        Ok(inputs[0].to_vec())
    }

    fn evaluate(&self, inputs: Inputs<'_>, _shape: &[usize]) -> Vec<f32> {
        let mut data = inputs.take();
        data.iter_mut().for_each(|x| *x = x.max(0.0));
        data
    }

    fn channels(&self) -> ChannelFlow<'_> {
        ChannelFlow::Rectified
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        Some(axis)
    }

    fn moves_only(&self) -> bool {
        false
    }
}
