//! Axes exchanged.

use super::flow::leaves_channels;
use super::{ChannelFlow, FloatOperator, Inputs, Refusal};
use crate::movement;

/// Axes exchanged.
#[derive(Clone)]
pub struct TransposeOp {
    /// Output axis i is input axis `perm[i]`.
    pub perm: Vec<usize>,
}

impl FloatOperator for TransposeOp {
    fn name(&self) -> &'static str {
        "Transpose"
    }

    fn details(&self) -> String {
        format!("{:?}", self.perm)
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        Ok(self.perm.iter().map(|&axis| inputs[0][axis]).collect())
    }

    fn evaluate(&self, inputs: Inputs<'_>, _shape: &[usize]) -> Vec<f32> {
        let x = inputs.get(0);
        movement::transpose(&x.data, &x.shape, &self.perm)
    }

    fn channels(&self) -> ChannelFlow<'_> {
        match leaves_channels(&self.perm, [0, 1]) {
            true => ChannelFlow::Kept { zeros: false },
            false => ChannelFlow::Lost,
        }
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        self.perm.iter().position(|&from| from == axis)
    }

    fn moves_only(&self) -> bool {
        true
    }
}
