//! Multiplication by a public integer.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit, ceil_log2,
};
use crate::local::Numbers;
use crate::plan::{Secret, Step};

/// Significant bits of the factor that replaces a division.
const DIVISION_BITS: i32 = 10;

/// Multiplication by a public positive integer, modulo the output's ring.
///
/// In a draft it stands for the division that brings its input's divisor to 1; the factor is then still 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// The factor.
    pub factor: u32,
}

impl Operator for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn numbers(&self) -> String {
        format!("times {}", self.factor)
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        Ok(inputs[0].to_vec())
    }

    fn check_numbers(&self) -> Result<(), String> {
        match self.factor {
            0 => Err("a factor is 0".into()),
            _ => Ok(()),
        }
    }

    fn meaning(&self, _: &[Unit]) -> OutputUnit {
        OutputUnit::Free
    }

    fn bound(&self, inputs: &[Bound], _: Option<&Secret>) -> Bound {
        inputs[0].times(self.factor.into())
    }

    fn load(&self, _: &[&[usize]], _: &[usize]) -> Load {
        Load::default()
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        None
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        let input = fit.inputs[0];
        let bits = DIVISION_BITS + ceil_log2(input.divisor as f64);
        let factor = (f64::from(bits).exp2() / input.divisor as f64).round() as u32;

        (Self { factor }.into(), Unit { divisor: 1, fraction: input.fraction + bits })
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Never
    }
}

impl LocalOperator for Scale {
    fn words<N: Numbers>(&self, numbers: N, inputs: &[&[N::Word]], _: &Shapes<'_>) -> Vec<N::Word> {
        inputs[0].iter().map(|&x| numbers.times(x, self.factor)).collect()
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}
