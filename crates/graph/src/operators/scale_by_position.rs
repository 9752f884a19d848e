//! Multiplication by public integers that depend on the position.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit, elements,
};
use crate::local::Numbers;
use crate::plan::{Secret, Step};

/// Multiplication by a public positive integer that depends on the position: the product of one factor per axis. Behind
/// the sum of a mean that leaves padding out of its divisor: `unit` belongs to a window that sees no padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleByPosition {
    /// One list per axis, as long as the axis; an empty list is all ones.
    pub factors: Vec<Vec<u32>>,
    /// The product that leaves a real value as it is: it is in the output's `fraction` and `divisor`.
    pub unit: u32,
}

impl Operator for ScaleByPosition {
    fn name(&self) -> &'static str {
        "scale by position"
    }

    fn numbers(&self) -> String {
        format!("unit {}", self.unit)
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let (factors, input) = (&self.factors, inputs[0]);
        let fits = |(list, &extent): (&Vec<u32>, &usize)| list.is_empty() || list.len() == extent;
        if factors.len() != input.len() || !factors.iter().zip(input).all(fits) {
            return Err(format!("factors by position do not fit the input {input:?}"));
        }
        Ok(input.to_vec())
    }

    fn check_numbers(&self) -> Result<(), String> {
        let product = self.largest().fold(1u32, |product, most| product.saturating_mul(most));
        let zero = self.unit == 0 || self.factors.iter().flatten().any(|&factor| factor == 0);
        match zero || product == u32::MAX {
            true => Err("a factor by position is 0, or their product does not fit a word".into()),
            false => Ok(()),
        }
    }

    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        OutputUnit::Is(inputs[0].mean_over(self.unit as usize))
    }

    fn bound(&self, inputs: &[Bound], _: Option<&Secret>) -> Bound {
        self.largest().fold(inputs[0], |bound, factor| bound.times(factor.into()))
    }

    /// A factor is made for each element.
    fn load(&self, _: &[&[usize]], output: &[usize]) -> Load {
        Load { gathered: elements(output), ..Load::default() }
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        None
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        (self.clone().into(), fit.inputs[0].mean_over(self.unit as usize))
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Never
    }
}

impl LocalOperator for ScaleByPosition {
    fn words<N: Numbers>(&self, numbers: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word> {
        let by_position = self.factors.iter().zip(shapes.output).fold(vec![1], products);
        inputs[0].iter().zip(by_position).map(|(&x, factor)| numbers.times(x, factor)).collect()
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}

/// Each product so far times each factor of an axis; an axis without a list has ones.
fn products(before: Vec<u32>, (list, &extent): (&Vec<u32>, &usize)) -> Vec<u32> {
    let own = |i: usize| list.get(i).copied().unwrap_or(1);
    before.iter().flat_map(|factor| (0..extent).map(move |i| factor.wrapping_mul(own(i)))).collect()
}

impl ScaleByPosition {
    /// The largest factor of each axis.
    fn largest(&self) -> impl Iterator<Item = u32> {
        self.factors.iter().map(|list| list.iter().max().copied().unwrap_or(1))
    }
}
