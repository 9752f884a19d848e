//! ReLU with rescaling, and rescaling alone: the only narrowing.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, Operator, OutputUnit, Role, Shapes, SpokenOperator, Unit,
    check_shifts, elements,
};
use crate::plan::{Secret, Step};

/// Most bits dropped at once.
const DROP_MAX: i32 = 30;

/// floor(x / 2^drop), of max(x, 0) when `relu`. The input's ring is 2^l.
/// With `relu`: |x| < 2^(l-1). Without: |x| < 2^(l-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activate {
    /// Whether negative values become 0.
    pub relu: bool,
    /// Low bits dropped, 0 to l-2.
    pub drop: u32,
}

impl Operator for Activate {
    fn name(&self) -> &'static str {
        if self.relu { "relu" } else { "rescale" }
    }

    fn numbers(&self) -> String {
        format!("drops {}", self.drop)
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        Ok(inputs[0].to_vec())
    }

    fn check_numbers(&self) -> Result<(), String> {
        check_shifts(std::slice::from_ref(&self.drop))
    }

    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        OutputUnit::Is(Unit { fraction: inputs[0].fraction - self.drop as i32, ..inputs[0] })
    }

    /// A floor takes negative values away from zero; zeros and positive ones it does not.
    fn bound(&self, inputs: &[Bound], _: Option<&Secret>) -> Bound {
        let Bound { most, non_negative } = inputs[0];
        match self.relu {
            true => Bound { most: most >> self.drop, non_negative: true },
            false => Bound { most: most.div_ceil(1 << self.drop), non_negative },
        }
    }

    fn load(&self, inputs: &[&[usize]], output: &[usize]) -> Load {
        Load { comparisons: elements(inputs[0]).max(elements(output)), ..Load::default() }
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        None
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        let input = fit.inputs[0];
        let drop = (input.fraction - fit.wanted).clamp(0, DROP_MAX);
        let step = Self { drop: drop as u32, ..*self };

        (step.into(), Unit { fraction: input.fraction - drop, ..input })
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Never
    }
}

impl SpokenOperator for Activate {
    fn clear(&self, inputs: &[&[i64]], _: &Shapes<'_>, _: Option<&Secret>) -> Vec<i64> {
        let least = if self.relu { 0 } else { i64::MIN };
        inputs[0].iter().map(|&x| x.max(least) >> self.drop).collect()
    }

    fn keeps_ring(&self) -> bool {
        false
    }

    fn bits_dropped(&self) -> u32 {
        self.drop
    }

    fn role(&self) -> Role {
        Role::Narrows
    }
}
