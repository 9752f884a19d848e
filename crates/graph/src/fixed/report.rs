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
    /// A value does not fit the ring, with the bits that its readers reserve: a private run goes wrong.
    pub overflows: bool,
}

/// Measures a tensor's values.
pub(super) fn measured(spec: &TensorSpec, headroom: u32, values: &[i64]) -> TensorReport {
    let most = values.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
    let limit = 1u64 << (spec.ring_bits - headroom);
    let negative = spec.non_negative && values.iter().any(|&x| x < 0);

    TensorReport {
        name: spec.name.clone(),
        margin_bits: (limit as f64).log2() - (most.max(1) as f64).log2(),
        beyond_bound: negative || most > spec.bound,
        overflows: most >= limit,
    }
}
