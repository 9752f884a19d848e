//! How much of an input lies outside the range that the plan declares: it is clamped, and its owner should know.
//!
//! A value counts when clamping changes its integer; what rounds to the end of the range anyway does not.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::ir::Tensor;
use crate::plan::PublicPlan;

/// A larger share of clamped values says that the input is not what the model was made for.
const FEW: f64 = 0.01;

/// Input values that were clamped. It holds counts and the declared range, no value of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clamped {
    /// Values below the range.
    pub below: u64,
    /// Values above the range.
    pub above: u64,
    /// All values.
    pub total: u64,
    /// The declared range.
    pub range: (f32, f32),
}

impl Clamped {
    /// How many.
    pub fn count(&self) -> u64 {
        self.below + self.above
    }

    /// Of all values, 0 to 1.
    pub fn share(&self) -> f64 {
        self.count() as f64 / self.total.max(1) as f64
    }

    /// Whether so many were clamped that the answer should not be relied on: more than one in a hundred.
    pub fn is_much(&self) -> bool {
        self.share() > FEW
    }
}

impl AddAssign for Clamped {
    /// Joins the counts of inputs of one plan.
    fn add_assign(&mut self, other: Self) {
        self.below += other.below;
        self.above += other.above;
        self.total += other.total;
        self.range = other.range;
    }
}

impl fmt::Display for Clamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.range;
        write!(
            f,
            "{} of {} input values ({:.1} %) lie outside the declared range {low} to {high} and were clamped to it, {} below and {} above",
            self.count(),
            self.total,
            100.0 * self.share(),
            self.below,
            self.above
        )
    }
}

/// Counts what [`super::quantise_input`] clamps; nothing where the model itself clips its input.
pub fn clamped(plan: &PublicPlan, input: &Tensor) -> Clamped {
    let spec = &plan.tensors[plan.input];
    let (low, high) = plan.input_spec.range;
    let scale = f64::from(spec.fraction).exp2() * f64::from(spec.divisor);
    let integer = |x: f32| (f64::from(x) * scale).round();
    let (least, most) = (integer(low), integer(high));
    let count = |outside: &dyn Fn(f64) -> bool| match plan.input_spec.clips {
        true => 0,
        false => input.data.iter().filter(|&&x| outside(integer(x))).count() as u64,
    };
    Clamped {
        below: count(&|x| x < least),
        above: count(&|x| x > most),
        total: input.data.len() as u64,
        range: (low, high),
    }
}
