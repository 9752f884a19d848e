//! Zeros between the elements of a tensor.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit, shapes,
};
use crate::local::Numbers;
use crate::movement;
use crate::plan::{Secret, Step};

/// Zeros between neighbours along each spatial axis: element i comes to stand at `strides * i`, nothing behind the last.
/// What is left of a general transposed convolution before its taps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interleave {
    /// One per spatial axis.
    pub strides: Vec<usize>,
}

impl Operator for Interleave {
    fn name(&self) -> &'static str {
        "interleave"
    }

    fn numbers(&self) -> String {
        String::new()
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let input = inputs[0];
        shapes::check_factors(&self.strides, input)?;
        let spread = |(size, stride): (&usize, &usize)| (size - 1).saturating_mul(*stride).saturating_add(1);
        let mut shape = input[..2].to_vec();
        shape.extend(input[2..].iter().zip(&self.strides).map(spread));
        Ok(shape)
    }

    fn check_numbers(&self) -> Result<(), String> {
        Ok(())
    }

    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        OutputUnit::Is(inputs[0])
    }

    fn bound(&self, inputs: &[Bound], _: Option<&Secret>) -> Bound {
        inputs[0]
    }

    fn load(&self, _: &[&[usize]], _: &[usize]) -> Load {
        Load::default()
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        None
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        (self.clone().into(), fit.inputs[0])
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Moves
    }
}

impl LocalOperator for Interleave {
    fn words<N: Numbers>(&self, _: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word> {
        movement::scatter(inputs[0], shapes.inputs[0], shapes.output, |axis, i| match axis {
            0 | 1 => i,
            _ => i * self.strides[axis - 2],
        })
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}
