//! Integers modulo a prime, as residues in words of 64 bits; no branch on a value.

use super::packing::{pack, packed_bytes, unpack};
use super::{Module, Ring};
use crate::erase::Erased;
use crate::modulus::Modulus;
use crate::prg::Prg;

/// The field of a prime modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrimeField(Modulus);

impl PrimeField {
    /// The field modulo `prime`. That it is prime is the caller's statement.
    ///
    /// # Panics
    /// When `prime` is even, below 3 or has more than 50 bits: see [`Modulus::new`].
    pub const fn new(prime: u64) -> Self {
        Self(Modulus::new(prime))
    }

    /// The prime.
    pub const fn prime(self) -> u64 {
        self.0.value()
    }

    /// Bits of a residue.
    const fn bits(self) -> u32 {
        u64::BITS - self.prime().leading_zeros()
    }
}

impl Module for PrimeField {
    type Word = u64;
    type Scalar = u64;

    #[inline(always)]
    fn reduce(self, word: u64) -> u64 {
        self.0.reduce(word)
    }

    #[inline(always)]
    fn add(self, a: u64, b: u64) -> u64 {
        self.0.add(a, b)
    }

    #[inline(always)]
    fn sub(self, a: u64, b: u64) -> u64 {
        self.0.subtract(a, b)
    }

    #[inline(always)]
    fn mul(self, word: u64, public: u64) -> u64 {
        self.0.multiply(word, public)
    }

    fn packed_bytes(self, count: usize) -> usize {
        packed_bytes(self.bits(), count)
    }

    fn pack(self, words: &[u64]) -> Vec<u8> {
        pack(self.bits(), words.iter().copied())
    }

    fn unpack(self, bytes: &[u8], count: usize) -> Vec<u64> {
        unpack(self.bits(), bytes, count).map(|word| self.reduce(word)).collect()
    }

    /// By rejection: how many words of the stream are passed over says nothing of those that are kept.
    fn uniform(self, prg: &mut Prg, count: usize) -> Vec<u64> {
        let mut words = Vec::with_capacity(count);
        while words.len() < count {
            let drawn = Erased::from(prg.words64(count - words.len()));
            let shortened = drawn.iter().map(|word| word >> (u64::BITS - self.bits()));
            words.extend(shortened.filter(|&word| word < self.prime()));
        }
        words
    }
}

impl Ring for PrimeField {
    #[inline(always)]
    fn of_signed(self, value: i64) -> u64 {
        let magnitude = self.reduce(value.unsigned_abs());
        let negative = (value >> 63) as u64;
        self.neg(magnitude) & negative | magnitude & !negative
    }

    #[inline(always)]
    fn to_signed(self, word: u64) -> i64 {
        // All ones where the word is above (p - 1) / 2: then p is subtracted.
        let negative = ((self.prime() / 2).wrapping_sub(word) as i64 >> 63) as u64;
        word.wrapping_sub(self.prime() & negative) as i64
    }
}
