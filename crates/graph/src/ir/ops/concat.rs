//! Values joined along an axis.

use super::{ChannelFlow, FloatOperator, Inputs, Refusal, refuse};
use crate::movement;

/// Joins values along an axis.
#[derive(Clone)]
pub struct ConcatOp {
    /// The axis.
    pub axis: usize,
}

impl FloatOperator for ConcatOp {
    fn name(&self) -> &'static str {
        "Concat"
    }

    fn details(&self) -> String {
        format!("axis {}", self.axis)
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        let (axis, first) = (self.axis, inputs[0]);
        let mut shape = first.to_vec();
        for other in &inputs[1..] {
            let alike = |i: usize| i == axis || other[i] == first[i];
            if other.len() != first.len() || !(0..first.len()).all(alike) {
                return refuse(
                    format!("it joins {first:?} and {other:?} along axis {axis}, and other axes differ"),
                    "export with an input size that every pooling divides",
                );
            }
            shape[axis] = shape[axis].saturating_add(other[axis]);
        }
        Ok(shape)
    }

    fn evaluate(&self, inputs: Inputs<'_>, shape: &[usize]) -> Vec<f32> {
        let parts: Vec<&[f32]> = inputs.all().map(|input| input.data.as_slice()).collect();
        movement::concat(&parts, shape[..self.axis].iter().product(), |_, x| x)
    }

    fn channels(&self) -> ChannelFlow<'_> {
        match self.axis {
            1 => ChannelFlow::Joined,
            axis => ChannelFlow::Stacked { axis },
        }
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        Some(axis)
    }

    fn moves_only(&self) -> bool {
        false
    }
}
