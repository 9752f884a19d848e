//! Zeros around a tensor.

use serde::{Deserialize, Serialize};

use super::{Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit};
use crate::local::Numbers;
use crate::movement;
use crate::plan::{Secret, Step};

/// Zeros around.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pad {
    /// Before each axis.
    pub begin: Vec<usize>,
    /// Behind each axis.
    pub end: Vec<usize>,
}

impl Operator for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn numbers(&self) -> String {
        String::new()
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let (begin, end, input) = (&self.begin, &self.end, inputs[0]);
        if begin.len() != input.len() || end.len() != input.len() {
            return Err(format!("padding has one number per axis, the input has {} axes", input.len()));
        }
        let padded = |axis: usize| input[axis].saturating_add(begin[axis]).saturating_add(end[axis]);
        Ok((0..input.len()).map(padded).collect())
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

impl LocalOperator for Pad {
    fn words<N: Numbers>(&self, _: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word> {
        movement::pad(inputs[0], shapes.inputs[0], shapes.output, &self.begin)
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}
