//! The sum of two tensors.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit, check_shifts,
    finest, shifted_bound,
};
use crate::local::Numbers;
use crate::plan::{Secret, Step};

/// Sum of both inputs, each first shifted left by its amount and reduced to the output's ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add {
    /// One per input.
    pub shift_left: [u32; 2],
}

impl Operator for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn numbers(&self) -> String {
        format!("shifts {:?}", self.shift_left)
    }

    fn input_count(&self) -> usize {
        2
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        match inputs[0] == inputs[1] {
            true => Ok(inputs[0].to_vec()),
            false => Err(format!("shapes {:?} and {:?} differ", inputs[0], inputs[1])),
        }
    }

    fn check_numbers(&self) -> Result<(), String> {
        check_shifts(&self.shift_left)
    }

    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        Unit::shared(inputs, &self.shift_left)
    }

    fn bound(&self, inputs: &[Bound], _: Option<&Secret>) -> Bound {
        shifted_bound(inputs, &self.shift_left, |a, b| a + b)
    }

    fn load(&self, _: &[&[usize]], _: &[usize]) -> Load {
        Load::default()
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        None
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        let (finest, shifts) = finest(fit.inputs);

        (Self { shift_left: [shifts[0], shifts[1]] }.into(), finest)
    }

    fn addition(&self) -> Addition<'_> {
        Addition::ToOne(&self.shift_left)
    }
}

impl LocalOperator for Add {
    fn words<N: Numbers>(&self, numbers: N, inputs: &[&[N::Word]], _: &Shapes<'_>) -> Vec<N::Word> {
        let [a, b] = self.shift_left.map(|shift| 1 << shift);
        inputs[0]
            .iter()
            .zip(inputs[1])
            .map(|(&x, &y)| numbers.plus(numbers.times(x, a), numbers.times(y, b)))
            .collect()
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}
