//! Tensors joined along an axis.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit, check_shifts,
    finest, shifted_bound,
};
use crate::local::Numbers;
use crate::movement;
use crate::plan::{Secret, Step};

/// Joins inputs along an axis, each first shifted left by its amount and reduced to the output's ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
    /// One per input.
    pub shift_left: Vec<u32>,
}

impl Operator for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn numbers(&self) -> String {
        format!("shifts {:?}", self.shift_left)
    }

    fn input_count(&self) -> usize {
        self.shift_left.len()
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let mut shape = inputs[0].to_vec();
        if self.axis >= shape.len() {
            return Err(format!("axis {} of {} axes", self.axis, shape.len()));
        }
        for input in &inputs[1..] {
            let fits = input.len() == shape.len()
                && (0..shape.len()).all(|other| other == self.axis || input[other] == shape[other]);
            if !fits {
                return Err(format!("{input:?} cannot be joined to {shape:?} along axis {}", self.axis));
            }
            shape[self.axis] = shape[self.axis].saturating_add(input[self.axis]);
        }
        Ok(shape)
    }

    fn check_numbers(&self) -> Result<(), String> {
        check_shifts(&self.shift_left)
    }

    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        Unit::shared(inputs, &self.shift_left)
    }

    fn bound(&self, inputs: &[Bound], _: Option<&Secret>) -> Bound {
        shifted_bound(inputs, &self.shift_left, std::cmp::max)
    }

    fn load(&self, _: &[&[usize]], _: &[usize]) -> Load {
        Load::default()
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        None
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        let (finest, shift_left) = finest(fit.inputs);

        (Self { shift_left, ..*self }.into(), finest)
    }

    fn addition(&self) -> Addition<'_> {
        Addition::ToAll(&self.shift_left)
    }
}

impl LocalOperator for Concat {
    fn words<N: Numbers>(&self, numbers: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word> {
        let outer = shapes.output[..self.axis].iter().product();
        movement::concat(inputs, outer, |input, x| numbers.times(x, 1 << self.shift_left[input]))
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}
