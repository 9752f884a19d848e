//! AES-128 on four blocks at a time, for the places where it is most of the work.
//!
//! The crate `aes` is the reference, and what other processors use; it passes every batch through memory, which
//! costs about three times the rounds themselves.

use std::arch::x86_64::*;

use zeroize::Zeroize;

use crate::block::Block;

/// Whether this processor has all that the functions here, and their callers, are compiled for.
pub(crate) fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("vaes") && is_x86_feature_detected!("aes")
}

/// An expanded key, erased when dropped.
#[repr(align(16))]
pub(crate) struct RoundKeys([Block; 11]);

impl RoundKeys {
    /// The key schedule of FIPS 197, section 5.2.
    #[inline]
    #[target_feature(enable = "aes")]
    pub(crate) fn new(key: Block) -> Self {
        let mut keys = [_mm_set_epi64x((key >> 64) as i64, key as i64); 11];
        keys[1] = next_key::<0x01>(keys[0]);
        keys[2] = next_key::<0x02>(keys[1]);
        keys[3] = next_key::<0x04>(keys[2]);
        keys[4] = next_key::<0x08>(keys[3]);
        keys[5] = next_key::<0x10>(keys[4]);
        keys[6] = next_key::<0x20>(keys[5]);
        keys[7] = next_key::<0x40>(keys[6]);
        keys[8] = next_key::<0x80>(keys[7]);
        keys[9] = next_key::<0x1b>(keys[8]);
        keys[10] = next_key::<0x36>(keys[9]);
        let mut blocks = [0; 11];
        for (block, key) in blocks.iter_mut().zip(keys) {
            // SAFETY: a block is 16 writable bytes; the store needs no alignment.
            unsafe { _mm_storeu_si128(std::ptr::from_mut(block).cast(), key) };
        }
        Self(blocks)
    }

    /// Encrypts N vectors of four blocks.
    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(crate) fn encrypt<const N: usize>(&self, vectors: &mut [__m512i; N]) {
        let first = self.round(0);
        for vector in &mut *vectors {
            *vector = _mm512_xor_si512(*vector, first);
        }
        for round in 1..10 {
            let key = self.round(round);
            for vector in &mut *vectors {
                *vector = _mm512_aesenc_epi128(*vector, key);
            }
        }
        let last = self.round(10);
        for vector in vectors {
            *vector = _mm512_aesenclast_epi128(*vector, last);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn round(&self, round: usize) -> __m512i {
        broadcast(self.0[round])
    }
}

impl Drop for RoundKeys {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Four times the same block.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn broadcast(block: Block) -> __m512i {
    _mm512_broadcast_i32x4(_mm_set_epi64x((block >> 64) as i64, block as i64))
}

/// The blocks `first`, `first + 1`, `first + 2`, `first + 3`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn counters(first: u64) -> __m512i {
    let block = |i: u64| (first + i) as i64;
    _mm512_set_epi64(0, block(3), 0, block(2), 0, block(1), 0, block(0))
}

#[inline]
#[target_feature(enable = "aes")]
fn next_key<const ROUND_CONSTANT: i32>(key: __m128i) -> __m128i {
    let word = _mm_shuffle_epi32::<0xff>(_mm_aeskeygenassist_si128::<ROUND_CONSTANT>(key));
    let mut sums = _mm_xor_si128(key, _mm_slli_si128::<4>(key));
    sums = _mm_xor_si128(sums, _mm_slli_si128::<8>(sums));
    _mm_xor_si128(sums, word)
}

#[cfg(test)]
mod tests {
    use aes::cipher::{BlockCipherEncrypt, KeyInit};

    use super::*;

    #[test]
    fn encryption_is_that_of_the_crate_aes() {
        if !available() {
            return;
        }
        for key in [0, 1, 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100, Block::MAX] {
            let mut expected: Vec<aes::Block> = (5..17u128).map(|i| i.to_le_bytes().into()).collect();
            aes::Aes128Enc::new(&key.to_le_bytes().into()).encrypt_blocks(&mut expected);
            // SAFETY: `available` has just found every feature.
            let blocks = unsafe { encrypted_counters(key) };
            let expected: Vec<Block> =
                expected.iter().map(|block| Block::from_le_bytes((*block).into())).collect();
            assert_eq!(blocks[..], expected);
        }
    }

    #[target_feature(enable = "avx512f,vaes,aes")]
    fn encrypted_counters(key: Block) -> [Block; 12] {
        let mut vectors = [counters(5), counters(9), counters(13)];
        RoundKeys::new(key).encrypt(&mut vectors);
        let mut blocks = [0; 12];
        for (four, vector) in blocks.chunks_exact_mut(4).zip(vectors) {
            // SAFETY: four blocks are 64 writable bytes; the store needs no alignment.
            unsafe { _mm512_storeu_si512(four.as_mut_ptr().cast(), vector) };
        }
        blocks
    }
}
