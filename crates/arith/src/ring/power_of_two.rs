//! Integers modulo 2^k: what overflows a word is dropped by the word itself.

use super::packing::{pack, packed_bytes, unpack};
use super::{Module, Ring};
use crate::prg::Prg;

/// The ring modulo 2^bits in words of 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ring32 {
    bits: u32,
}

/// The ring modulo 2^bits in words of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ring64 {
    bits: u32,
}

/// The same lines for both widths of words.
macro_rules! power_of_two {
    ($ring:ident, $word:ident, $signed:ident, $draw:ident) => {
        impl $ring {
            /// The ring modulo 2^bits.
            ///
            /// # Panics
            /// When `bits` is not 1 to the width of a word: plans are checked before rings are made of them.
            pub const fn new(bits: u32) -> Self {
                assert!(bits >= 1 && bits <= $word::BITS, "a ring has 1 bit to those of a word");
                Self { bits }
            }

            /// k of 2^k.
            pub const fn bits(self) -> u32 {
                self.bits
            }

            /// 2^k - 1.
            pub const fn mask(self) -> $word {
                $word::MAX >> ($word::BITS - self.bits)
            }
        }

        impl Module for $ring {
            type Word = $word;
            type Scalar = $word;

            #[inline(always)]
            fn reduce(self, word: $word) -> $word {
                word & self.mask()
            }

            #[inline(always)]
            fn add(self, a: $word, b: $word) -> $word {
                self.reduce(a.wrapping_add(b))
            }

            #[inline(always)]
            fn sub(self, a: $word, b: $word) -> $word {
                self.reduce(a.wrapping_sub(b))
            }

            #[inline(always)]
            fn mul(self, word: $word, public: $word) -> $word {
                self.reduce(word.wrapping_mul(public))
            }

            fn packed_bytes(self, count: usize) -> usize {
                packed_bytes(self.bits, count)
            }

            fn pack(self, words: &[$word]) -> Vec<u8> {
                pack(self.bits, words.iter().map(|&word| u64::from(self.reduce(word))))
            }

            fn unpack(self, bytes: &[u8], count: usize) -> Vec<$word> {
                unpack(self.bits, bytes, count).map(|word| word as $word).collect()
            }

            fn uniform(self, prg: &mut Prg, count: usize) -> Vec<$word> {
                let mut words = prg.$draw(count);
                words.iter_mut().for_each(|word| *word = self.reduce(*word));
                words
            }
        }

        impl Ring for $ring {
            #[inline(always)]
            fn of_signed(self, value: i64) -> $word {
                self.reduce(value as $word)
            }

            #[inline(always)]
            fn to_signed(self, word: $word) -> i64 {
                let shift = $word::BITS - self.bits;
                ((word << shift) as $signed >> shift) as i64
            }
        }
    };
}

power_of_two!(Ring32, u32, i32, words32);
power_of_two!(Ring64, u64, i64, words64);
