//! The suite that a plan is made for, with that suite's own numbers: words only, part of the digest.
//!
//! A suite says here how many bits a ring must have beyond those of its values. What it does with them is cryptography, and
//! said elsewhere. The enum is exhaustive on purpose: a new suite is named by the compiler wherever suites are told apart.

use serde::{Deserialize, Serialize};

use super::{Activate, Spoken, Step};

/// Which protocols compute a plan, and the numbers that they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuiteSpec {
    /// Two parties, exact: comparisons of shares modulo 2^k digit by digit, linear layers under homomorphic encryption.
    TwoParty {
        /// Bits of a digit in comparisons, 1 to 4.
        radix_bits: u32,
        /// How rescaling rounds.
        rounding: Rounding,
    },
}

/// How a rescaling rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rounding {
    /// Every rescaling floors, bit for bit.
    Exact,
}

impl SuiteSpec {
    /// The two-party suite with digits of so many bits.
    pub fn two_party(radix_bits: u32) -> Self {
        Self::TwoParty { radix_bits, rounding: Rounding::Exact }
    }

    /// The first number that lies outside its range: its name, its value, and the least and the largest allowed.
    pub fn out_of_range(&self) -> Option<(&'static str, u32, u32, u32)> {
        match *self {
            Self::TwoParty { radix_bits, rounding: Rounding::Exact } => {
                (!(1..=4).contains(&radix_bits)).then_some(("radix_bits", radix_bits, 1, 4))
            }
        }
    }

    /// Bits that the ring of each of a step's inputs must have beyond those of its bound: one for the sign, and one more where the step
    /// takes differences (a maximum of signed values) or adds an offset (a signed rescaling). `non_negative`: that input's.
    pub fn headroom(&self, step: &Step, non_negative: bool) -> u32 {
        match self {
            Self::TwoParty { .. } => two_party_headroom(step, non_negative),
        }
    }

    /// The fewest bits of the ring of each of a step's inputs: two remain where bits are dropped.
    pub fn ring_bits_min(&self, step: &Step) -> u32 {
        match self {
            Self::TwoParty { .. } => step.bits_dropped() + 2,
        }
    }

    /// The same headroom for the answer, whose logits are compared.
    pub fn answer_headroom(&self) -> u32 {
        match self {
            Self::TwoParty { .. } => 2,
        }
    }
}

fn two_party_headroom(step: &Step, non_negative: bool) -> u32 {
    match step {
        Step::Local(_) | Step::Spoken(Spoken::Linear(_)) => 1,
        Step::Spoken(Spoken::Activate(Activate { relu, .. })) => 2 - u32::from(*relu),
        Step::Spoken(Spoken::MaxPool(_)) => 2 - u32::from(non_negative),
    }
}
