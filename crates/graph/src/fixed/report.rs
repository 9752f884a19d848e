//! How far the values of a tensor went, against its bound and its ring.

use crate::plan::TensorSpec;

/// What was measured of one tensor.
#[derive(Clone, PartialEq)]
pub struct TensorReport {
    /// The tensor's name.
    pub name: String,
    /// Bits between the largest value and what the ring holds; negative when it does not hold it.
    pub margin_bits: f64,
    /// A value went beyond the promised bound.
    pub beyond_bound: bool,
    /// How many.
    pub values_beyond_bound: u64,
    /// A value does not fit the ring, with the bits that its readers reserve: a private run goes wrong.
    pub overflows: bool,
}

/// Measures a tensor's values.
pub(super) fn measured(spec: &TensorSpec, headroom: u32, values: &[i64]) -> TensorReport {
    let most = values.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
    let limit = 1u64 << (spec.ring_bits - headroom);
    let beyond = |x: &&i64| x.unsigned_abs() > spec.bound || (spec.non_negative && **x < 0);
    let values_beyond_bound = values.iter().filter(beyond).count() as u64;

    TensorReport {
        name: spec.name.clone(),
        margin_bits: (limit as f64).log2() - (most.max(1) as f64).log2(),
        beyond_bound: values_beyond_bound > 0,
        values_beyond_bound,
        overflows: most >= limit,
    }
}
