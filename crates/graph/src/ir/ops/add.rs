//! Sum of two values of one shape.

use super::{ChannelFlow, FloatOperator, Inputs, Refusal, refuse};

/// Sum of two values.
pub(super) struct AddOp;

impl FloatOperator for AddOp {
    fn name(&self) -> &'static str {
        "Add"
    }

    fn details(&self) -> String {
        String::new()
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        match inputs {
            [a, b] if a == b => Ok(a.to_vec()),
            _ => refuse(
                format!("it adds data of shapes {:?} and {:?}", inputs[0], inputs[inputs.len() - 1]),
                "bring both to one shape first: sums do not broadcast",
            ),
        }
    }

    fn evaluate(&self, inputs: Inputs<'_>, _shape: &[usize]) -> Vec<f32> {
        inputs.get(0).data.iter().zip(&inputs.get(1).data).map(|(a, b)| a + b).collect()
    }

    fn channels(&self) -> ChannelFlow<'_> {
        ChannelFlow::Summed
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        Some(axis)
    }

    fn moves_only(&self) -> bool {
        false
    }
}
