//! Zeros around a value, on all axes.

use super::flow::leaves_channels;
use super::{ChannelFlow, FloatOperator, Inputs, Refusal};
use crate::movement;

/// Padding with zeros, all axes.
#[derive(Clone)]
pub struct PadOp {
    /// Before each axis.
    pub begin: Vec<usize>,
    /// Behind each axis.
    pub end: Vec<usize>,
}

impl FloatOperator for PadOp {
    fn name(&self) -> &'static str {
        "Pad"
    }

    fn details(&self) -> String {
        format!("{:?}, {:?}", self.begin, self.end)
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        let padded = |((extent, begin), end): ((&usize, &usize), &usize)| {
            extent.saturating_add(*begin).saturating_add(*end)
        };
        Ok(inputs[0].iter().zip(&self.begin).zip(&self.end).map(padded).collect())
    }

    fn evaluate(&self, inputs: Inputs<'_>, shape: &[usize]) -> Vec<f32> {
        let x = inputs.get(0);
        movement::pad(&x.data, &x.shape, shape, &self.begin)
    }

    fn channels(&self) -> ChannelFlow<'_> {
        match leaves_channels(&self.begin, [0, 0]) && leaves_channels(&self.end, [0, 0]) {
            true => ChannelFlow::Kept { zeros: true },
            false => ChannelFlow::Lost,
        }
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        Some(axis)
    }

    fn moves_only(&self) -> bool {
        false
    }
}
