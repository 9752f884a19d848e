//! Picked elements of a tensor.

use serde::{Deserialize, Serialize};

use super::{Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit};
use crate::local::Numbers;
use crate::movement;
use crate::plan::{Secret, Step};

/// Picks elements: output position i along an axis is input position `positions[axis][i]`; an empty list takes the whole
/// axis as it is. Crops, strided slices, turned axes, and padding that repeats the edge or mirrors at it are this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// One list per axis.
    pub positions: Vec<Vec<usize>>,
}

impl Operator for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn numbers(&self) -> String {
        String::new()
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let (positions, input) = (&self.positions, inputs[0]);
        if positions.len() != input.len() {
            return Err(format!("a gather has one list per axis, the input has {} axes", input.len()));
        }
        let mut shape = input.to_vec();
        for (axis, list) in positions.iter().enumerate().filter(|(_, list)| !list.is_empty()) {
            if let Some(position) = list.iter().find(|&&position| position >= input[axis]) {
                return Err(format!("position {position} of axis {axis}, which has {}", input[axis]));
            }
            shape[axis] = list.len();
        }
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

impl LocalOperator for Gather {
    fn words<N: Numbers>(&self, _: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word> {
        movement::gather(inputs[0], shapes.inputs[0], &self.positions)
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}
