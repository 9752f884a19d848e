//! A constant added.

use super::{ChannelFlow, FloatOperator, Inputs, Refusal, Tensor, refuse};
use crate::movement::broadcast;

/// A constant added.
#[derive(Clone)]
pub struct AddConstantOp {
    /// What is added: as many axes as the value, each of extent 1 or the value's.
    pub constant: Tensor,
}

impl FloatOperator for AddConstantOp {
    fn name(&self) -> &'static str {
        "AddConstant"
    }

    fn details(&self) -> String {
        format!("{:?}", self.constant)
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        let (data, constant) = (inputs[0], &self.constant.shape);
        let fits = data.len() == constant.len() && data.iter().zip(constant).all(|(x, c)| *c == 1 || c == x);
        match fits {
            true => Ok(data.to_vec()),
            false => refuse(
                format!("its constant of shape {constant:?} would enlarge data of shape {data:?}"),
                "expand the data before it, or check the exporter",
            ),
        }
    }

    fn evaluate(&self, inputs: Inputs<'_>, shape: &[usize]) -> Vec<f32> {
        let constants = broadcast(&self.constant.data, &self.constant.shape, shape);
        inputs.get(0).data.iter().zip(constants).map(|(a, b)| a + b).collect()
    }

    fn channels(&self) -> ChannelFlow<'_> {
        ChannelFlow::Shifted(&self.constant)
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        Some(axis)
    }

    fn moves_only(&self) -> bool {
        false
    }
}
