//! The numbers that shares are made of: integers modulo 2^k or modulo a prime, in words.
//!
//! | ring | words | integers modulo |
//! |---|---|---|
//! | [`Ring32`] | `u32` | 2^k, k from 1 to 32 |
//! | [`Ring64`] | `u64` | 2^k, k from 1 to 64 |
//! | [`PrimeField`] | `u64` | an odd prime below 2^50 |
//!
//! The two-party suite uses the first; the others are there for suites to come, and hold the interface to more than one kind.
//!
//! A ring is a small `Copy` value that holds its modulus; words do not know it. Every operation gives the representative
//! from 0 on. Those modulo 2^k take any word, for its upper bits mean nothing; those modulo a prime take residues.
//!
//! [`Module`] is what shares need, and [`Ring`] adds what numbers have besides. A value with its authentication tag is a
//! module without being a ring: it can be added and multiplied by a public number, and nobody can make one of an integer
//! alone.

mod packing;
mod power_of_two;
mod prime_field;
#[cfg(test)]
mod tests;

pub use power_of_two::{Ring32, Ring64};
pub use prime_field::PrimeField;

use crate::prg::Prg;

/// Words that can be added, multiplied by public numbers, sent and drawn at random.
pub trait Module: Copy + Send + Sync + 'static {
    /// One word, whose default is zero. Plain data: overwriting it leaves nothing.
    type Word: Copy + Default + Send + Sync + 'static;
    /// What words are multiplied by.
    type Scalar: Copy;

    /// The representative of a word.
    fn reduce(self, word: Self::Word) -> Self::Word;

    /// Sum.
    fn add(self, a: Self::Word, b: Self::Word) -> Self::Word;

    /// Difference.
    fn sub(self, a: Self::Word, b: Self::Word) -> Self::Word;

    /// The word that adds up to zero with this one.
    #[inline]
    fn neg(self, a: Self::Word) -> Self::Word {
        self.sub(Self::Word::default(), a)
    }

    /// Multiple by a public number.
    fn mul(self, word: Self::Word, public: Self::Scalar) -> Self::Word;

    /// Bytes of `count` words in packed form.
    fn packed_bytes(self, count: usize) -> usize;

    /// The words at the width of the modulus, one after another, least significant bit first.
    fn pack(self, words: &[Self::Word]) -> Vec<u8>;

    /// The words of their packed form. All bytes are words: one that no [`Module::pack`] gives is reduced.
    ///
    /// # Panics
    /// When `bytes` is not [`Module::packed_bytes`] long: the channel has already fixed it.
    fn unpack(self, bytes: &[u8], count: usize) -> Vec<Self::Word>;

    /// The next `count` words of a stream, uniform.
    fn uniform(self, prg: &mut Prg, count: usize) -> Vec<Self::Word>;
}

/// A module whose words are numbers themselves.
pub trait Ring: Module<Scalar = <Self as Module>::Word> {
    /// The residue of a signed integer.
    fn of_signed(self, value: i64) -> Self::Word;

    /// The representative nearest to zero; of two, the negative one.
    fn to_signed(self, word: Self::Word) -> i64;
}
