//! A linear layer in the clear: what the shares must sum to.

use blindscan_arith::conv::{LinearShape, convolve_wrapping};
use blindscan_arith::ring::{Module, Ring32};

/// W * input modulo 2^ring_bits.
pub fn linear(shape: &LinearShape, ring_bits: u32, weights: &[i32], input: &[u32]) -> Vec<u32> {
    let ring = Ring32::new(ring_bits);
    convolve_wrapping(shape, weights, input).into_iter().map(|value| ring.reduce(value)).collect()
}
