//! Elements picked by constant positions.

use super::flow::leaves_channels;
use super::{ChannelFlow, FloatOperator, Inputs, Refusal};
use crate::movement;

/// Picked elements: output position i along an axis is input position `positions[axis][i]`; an empty list takes the whole
/// axis as it is.
#[derive(Clone)]
pub struct GatherOp {
    /// One list per axis.
    pub positions: Vec<Vec<usize>>,
}

impl FloatOperator for GatherOp {
    fn name(&self) -> &'static str {
        "Gather"
    }

    fn details(&self) -> String {
        let counts: Vec<usize> = self.positions.iter().map(Vec::len).collect();
        format!("{counts:?} positions")
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        let picked =
            |(list, &extent): (&Vec<usize>, &usize)| if list.is_empty() { extent } else { list.len() };
        Ok(self.positions.iter().zip(inputs[0]).map(picked).collect())
    }

    fn evaluate(&self, inputs: Inputs<'_>, _shape: &[usize]) -> Vec<f32> {
        let x = inputs.get(0);
        movement::gather(&x.data, &x.shape, &self.positions)
    }

    fn channels(&self) -> ChannelFlow<'_> {
        match leaves_channels(&self.positions, [Vec::new(), Vec::new()]) {
            true => ChannelFlow::Picked,
            false => ChannelFlow::Lost,
        }
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        Some(axis)
    }

    fn moves_only(&self) -> bool {
        true
    }
}
