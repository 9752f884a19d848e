//! Additive homomorphic encryption over RLWE, in the one form that linear layers need. Never sends.
//!
//! | module | what |
//! |---|---|
//! | [`parameters`] | parameter sets as data, and the gate they pass |
//! | [`noise`] | how far rounding noise reaches, and how often a share is off by one |
//! | [`context`] | transforms, the Chinese remainder, exact scaling between Z_q and Z_2^l |
//! | [`poly`] | polynomials in coefficient and in transformed form: two types |
//! | [`sampling`] | uniform, ternary and binomial polynomials from seeded streams |
//! | [`keys`] | secret and public keys |
//! | [`ciphertext`] | symmetric encryption of masks, and its wire form |
//! | [`answer`] | products with weights; masked, re-randomised, rounded answers; their wire form |
//! | [`packing`] | where the values of a layer lie in polynomials |
//! | [`bits`] | residues packed at their width |
//!
//! A ciphertext is (c0, c1) with phase c0 + c1*s; a value x of Z_t, t = 2^l, is encoded as round(q*x/t).
#![forbid(unsafe_code)]

pub mod answer;
pub mod bits;
pub mod ciphertext;
pub mod context;
pub mod keys;
pub mod noise;
pub mod packing;
pub mod parameters;
pub mod poly;
pub mod sampling;

use thiserror::Error;

/// Why bytes do not make a key, a ciphertext or an answer. The peer has another version, or lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidBytes {
    /// Another length than this object has.
    #[error("{found} bytes where the object has {expected}")]
    Length {
        /// Bytes of the object.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A residue is not below its prime, or a rounded coefficient not below the modulus.
    #[error("a residue is not below its modulus")]
    Residue,
}
