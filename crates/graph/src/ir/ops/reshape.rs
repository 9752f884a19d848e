//! The same elements under another shape.

use super::{ChannelFlow, FloatOperator, Inputs, Refusal, Tensor, refuse};

/// The same elements under another shape.
pub(super) struct ReshapeOp;

impl FloatOperator for ReshapeOp {
    fn name(&self) -> &'static str {
        "Reshape"
    }

    fn details(&self) -> String {
        String::new()
    }

    fn output_shape(&self, inputs: &[&[usize]], declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        match Tensor::count(inputs[0]) == Tensor::count(declared) {
            true => Ok(declared.to_vec()),
            false => refuse(
                format!(
                    "it makes {declared:?} of shape {:?}, which has another number of elements",
                    inputs[0]
                ),
                "export with a batch of 1 and with the input size that will be used",
            ),
        }
    }

    fn evaluate(&self, inputs: Inputs<'_>, _shape: &[usize]) -> Vec<f32> {
        inputs.take()
    }

    fn channels(&self) -> ChannelFlow<'_> {
        ChannelFlow::Regrouped
    }

    fn axis_behind(&self, axis: usize, input: &[usize], output: &[usize]) -> Option<usize> {
        let before = Tensor::count(&input[..axis]);
        let same = |&at: &usize| output[at] == input[axis] && Tensor::count(&output[..at]) == before;
        (0..output.len()).find(same)
    }

    fn moves_only(&self) -> bool {
        true
    }
}
