//! Secret integers added to a tensor.
//!
//! The shift is local on both shares; the constants are added by whoever holds them, to its own share. Nothing is sent.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, FloatSecret, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit,
    check_shifts, shifted_bound,
};
use crate::local::Numbers;
use crate::movement;
use crate::plan::{Constants, Secret, Step};

/// The addition of integers that the model owner alone holds: one per channel, per feature or per element.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AddConstant {
    /// Extents of the constants: as many axes as the input, each 1 (repeated along it) or the input's.
    pub shape: Vec<usize>,
    /// |constant| < 2^(bits - 1): disclosed for the whole tensor, never per channel.
    pub bits: u32,
    /// The input is first shifted left by this many bits.
    pub shift_left: u32,
}

impl AddConstant {
    /// Constants of a draft, before they have a width.
    pub(crate) fn unfitted(shape: Vec<usize>) -> Self {
        Self { shape, bits: 2, shift_left: 0 }
    }

    fn shifts(&self) -> &[u32] {
        std::slice::from_ref(&self.shift_left)
    }
}

/// The constants of a checked node.
fn values(secret: Option<&Secret>) -> &[i64] {
    match secret {
        Some(Secret::Constants(constants)) => &constants.values,
        Some(Secret::Linear(_)) | None => {
            panic!("secrets are checked against their plan before they are used")
        }
    }
}

impl Operator for AddConstant {
    fn name(&self) -> &'static str {
        "add constant"
    }

    fn numbers(&self) -> String {
        format!("constants {} bits, shifts {}", self.bits, self.shift_left)
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let (shape, input) = (&self.shape, inputs[0]);
        let repeats = |(&own, &other): (&usize, &usize)| own == 1 || own == other;
        match shape.len() == input.len() && shape.iter().zip(input).all(repeats) {
            true => Ok(input.to_vec()),
            false => Err(format!("constants of shape {shape:?} do not fit {input:?}")),
        }
    }

    fn check_numbers(&self) -> Result<(), String> {
        check_shifts(self.shifts())?;
        match self.bits {
            2..=32 => Ok(()),
            bits => Err(format!("constants of {bits} bits; 2 to 32 are allowed")),
        }
    }

    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        Unit::shared(inputs, self.shifts())
    }

    fn bound(&self, inputs: &[Bound], secret: Option<&Secret>) -> Bound {
        let most = values(secret).iter().map(|value| value.unsigned_abs()).max().unwrap_or(0);
        let shifted = shifted_bound(inputs, self.shifts(), |a, b| a + b);

        Bound::new(u128::from(shifted.most) + u128::from(most), false)
    }

    fn load(&self, _: &[&[usize]], _: &[usize]) -> Load {
        Load::default()
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        Some(self)
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        (self.clone().into(), fit.inputs[0])
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Own
    }
}

impl HasSecret for AddConstant {
    fn problem(&self, secret: Option<&Secret>) -> Option<&'static str> {
        let Some(Secret::Constants(constants)) = secret else {
            return Some("its constants are missing or in the wrong place");
        };
        if constants.values.len() != self.shape.iter().product::<usize>() {
            return Some("the number of constants is not what its shape says");
        }
        let limit = 1u64 << (self.bits - 1);
        if constants.values.iter().any(|value| value.unsigned_abs() >= limit) {
            return Some("a constant is wider than the plan declares");
        }
        None
    }

    fn integers(&self, floats: &FloatSecret, divisor: u32, fraction: i32) -> Secret {
        let FloatSecret::Constants(constants) = floats else { panic!("an added constant has constants") };
        let scale = f64::from(fraction).exp2() * f64::from(divisor);
        let integer = |&c: &f32| (f64::from(c) * scale).round() as i64;

        Secret::Constants(Constants { values: constants.iter().map(integer).collect() })
    }

    fn declaring(&self, secret: &Secret) -> Step {
        let most = values(Some(secret)).iter().map(|value| value.unsigned_abs()).max().unwrap_or(0);
        // The least width of at least 2 with |value| < 2^(bits - 1) for all values.
        let bits = (u64::BITS - most.leading_zeros() + 1).max(2);

        Self { bits, ..self.clone() }.into()
    }
}

impl LocalOperator for AddConstant {
    fn words<N: Numbers>(&self, numbers: N, inputs: &[&[N::Word]], _: &Shapes<'_>) -> Vec<N::Word> {
        inputs[0].iter().map(|&x| numbers.times(x, 1 << self.shift_left)).collect()
    }

    fn addend(&self, shapes: &Shapes<'_>, secret: Option<&Secret>) -> Option<Vec<i64>> {
        Some(movement::broadcast(values(secret), &self.shape, shapes.output))
    }
}
