//! The same elements under another shape.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit, shapes,
};
use crate::local::Numbers;
use crate::plan::{Secret, Step};

/// The same elements, the output's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshape;

impl Operator for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn numbers(&self) -> String {
        String::new()
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], declared: &[usize]) -> Result<Vec<usize>, String> {
        let input = inputs[0];
        if shapes::count(declared)? != shapes::count(input)? {
            return Err(format!("{input:?} and {declared:?} differ in their number of elements"));
        }
        Ok(declared.to_vec())
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
        ((*self).into(), fit.inputs[0])
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Moves
    }
}

impl LocalOperator for Reshape {
    fn words<N: Numbers>(&self, _: N, inputs: &[&[N::Word]], _: &Shapes<'_>) -> Vec<N::Word> {
        inputs[0].to_vec()
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}
