//! Axes exchanged.

use serde::{Deserialize, Serialize};

use super::{Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit};
use crate::local::Numbers;
use crate::movement;
use crate::plan::{Secret, Step};

/// Axes exchanged: output axis i is input axis `perm[i]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transpose {
    /// The permutation.
    pub perm: Vec<usize>,
}

impl Operator for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn numbers(&self) -> String {
        String::new()
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let mut sorted = self.perm.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..inputs[0].len()) {
            return Err(format!("{:?} is no permutation of {} axes", self.perm, inputs[0].len()));
        }
        Ok(self.perm.iter().map(|&axis| inputs[0][axis]).collect())
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

impl LocalOperator for Transpose {
    fn words<N: Numbers>(&self, _: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word> {
        movement::transpose(inputs[0], shapes.inputs[0], &self.perm)
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blindscan_arith::ring::Ring32;

    use crate::local::Integers;

    #[test]
    fn shares_move_exactly_as_their_values_do() {
        let input: Vec<i64> = (0..24).collect();
        let left: Vec<u32> = (0..24u32).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
        let right: Vec<u32> = input.iter().zip(&left).map(|(&x, l)| (x as u32).wrapping_sub(*l)).collect();
        for perm in [[0usize, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let output = perm.map(|axis| [2, 3, 4][axis]);
            let shapes = Shapes { inputs: vec![&[2, 3, 4]], output: &output };
            let step = Transpose { perm: perm.to_vec() };
            let right = step.words(Ring32::new(32), &[&right[..]], &shapes);
            let joined = step
                .words(Ring32::new(32), &[&left[..]], &shapes)
                .into_iter()
                .zip(right)
                .map(|(l, r)| i64::from(l.wrapping_add(r)));
            assert_eq!(step.words(Integers, &[&input[..]], &shapes), joined.collect::<Vec<_>>());
        }
    }
}
