//! Numbers: power-of-two rings, prime moduli, NTT, bit matrices, PRG and integer convolution.
//!
//! The only crate of the workspace that may contain `unsafe`, and only behind a portable twin.

pub mod bits;
pub mod block;
pub mod conv;
pub mod erase;
#[cfg(feature = "testing")]
pub mod freed;
pub mod gf128;
pub mod hash;
pub mod lpn;
pub mod modulus;
pub mod ntt;
pub mod prg;
pub mod ring;
pub mod transpose;
pub mod tree;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod vaes;
pub mod vole;
