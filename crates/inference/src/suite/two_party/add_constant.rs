//! Constants that the model owner adds to its own share.
//!
//! Ideal: shares of x * 2^s + c modulo the output's ring. No demand, no message, no stock: both shift their shares, as in
//! every local step, and the model owner adds c. Security: the image owner's program holds the constants' shape and width,
//! from the public plan, and nothing else of them.

use blindscan_graph::movement;
use blindscan_graph::plan::Constants;

/// How constants meet a tensor.
#[derive(Clone, Debug)]
pub(crate) struct AddConstant {
    /// Extents of the constants.
    pub(crate) shape: Vec<usize>,
    /// Extents of the output.
    pub(crate) output: Vec<usize>,
}

impl AddConstant {
    /// Adds the constants to the model owner's share, modulo 2^32; the caller reduces it to the ring.
    pub(crate) fn add(&self, share: &mut [u32], constants: &Constants) {
        let constants = movement::broadcast(&constants.values, &self.shape, &self.output);
        for (word, constant) in share.iter_mut().zip(constants) {
            // A negative number's low bits are its residue.
            *word = word.wrapping_add(constant as u32);
        }
    }
}
