//! How a plan is made: precision, margins, the suite, what is opened.

use crate::plan::{OutputPolicy, PlanError, SuiteSpec};

/// Most bits of a weight with its sign, the extra ones of small layers included: what the homomorphic step takes.
pub const WEIGHT_BITS_MAX: u32 = 16;

/// How a plan is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Bits that the largest activation of the samples fills, 4 to 16.
    pub activation_bits: u32,
    /// Bits that the input's declared range fills, 4 to 16.
    pub input_bits: u32,
    /// Bits of a weight with its sign, 4 to 16.
    pub weight_bits: u32,
    /// How much further than on the samples values may go, 1 to 1024.
    pub margin: f32,
    /// Whether ranges must follow from the weights and the input's range alone.
    pub proven_only: bool,
    /// The suite that the plan is made for.
    pub suite: SuiteSpec,
    /// The widest ring allowed, 8 to 32.
    pub ring_bits_max: u32,
    /// How much of the answer the image owner gets.
    pub policy: OutputPolicy,
    /// Names of the classes, in order; may be empty.
    pub class_names: Vec<String>,
    /// The plan's name, when it is not the graph's.
    pub name: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            activation_bits: 9,
            input_bits: 9,
            weight_bits: 12,
            margin: 2.0,
            proven_only: false,
            suite: SuiteSpec::two_party(3),
            ring_bits_max: 32,
            policy: OutputPolicy::Labels,
            class_names: Vec::new(),
            name: None,
        }
    }
}

impl Options {
    /// Fewest bytes: weights of 10 bits. 3 to 7 % fewer bytes than the default; errors up to 3 times as large on the networks
    /// of docs/performance.md.
    pub fn fast() -> Self {
        Self { weight_bits: 10, ..Self::default() }
    }

    /// Smallest errors: 12 bits for input, activations and weights. 5 to 8 % more bytes than the default.
    pub fn best() -> Self {
        Self { activation_bits: 12, input_bits: 12, ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), PlanError> {
        if let Some((option, given, low, high)) = self.suite.out_of_range() {
            return Err(PlanError::Option {
                option,
                given: given.into(),
                low: low.into(),
                high: high.into(),
            });
        }
        let limits: [(&'static str, f64, f64, f64); 5] = [
            ("activation_bits", f64::from(self.activation_bits), 4.0, 16.0),
            ("input_bits", f64::from(self.input_bits), 4.0, 16.0),
            ("weight_bits", f64::from(self.weight_bits), 4.0, f64::from(WEIGHT_BITS_MAX)),
            ("margin", f64::from(self.margin), 1.0, 1024.0),
            ("ring_bits_max", f64::from(self.ring_bits_max), 8.0, 32.0),
        ];
        match limits.into_iter().find(|&(_, given, low, high)| !(low..=high).contains(&given)) {
            Some((option, given, low, high)) => Err(PlanError::Option { option, given, low, high }),
            None => Ok(()),
        }
    }
}
