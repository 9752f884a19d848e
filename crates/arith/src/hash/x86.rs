//! The hash of one group of keys in registers.

use std::arch::x86_64::*;

use super::GROUP;
use crate::block::Block;
use crate::vaes::{RoundKeys, broadcast};

/// Keys whose words fill a vector.
const VECTOR_WORDS: usize = 16;

/// Hashes a group under the AES key `key`.
///
/// # Panics
/// When there are not as many keys, or words, as a group has.
#[target_feature(enable = "avx512f,vaes,aes")]
pub(super) fn hash_group(key: Block, offsets: &[Block; GROUP], keys: &[Block], words: &mut [u32]) {
    assert!(keys.len() == GROUP && words.len() == GROUP, "a whole group");
    let cipher = RoundKeys::new(key);
    for first in (0..GROUP).step_by(VECTOR_WORDS) {
        let inputs = load(&keys[first..], &offsets[first..]);
        let mut blocks = inputs;
        cipher.encrypt(&mut blocks);
        store(&mut words[first..], low_words(inputs, blocks));
    }
}

/// Hashes a group, and the same group shifted by `delta`, under the AES key `key`.
///
/// # Panics
/// When there are not as many keys, or words, as a group has.
#[target_feature(enable = "avx512f,vaes,aes")]
pub(super) fn hash_both_group(
    key: Block,
    offsets: &[Block; GROUP],
    keys: &[Block],
    delta: Block,
    zero: &mut [u32],
    one: &mut [u32],
) {
    assert!(keys.len() == GROUP && zero.len() == GROUP && one.len() == GROUP, "a whole group");
    let (cipher, delta) = (RoundKeys::new(key), broadcast(delta));
    for first in (0..GROUP).step_by(VECTOR_WORDS) {
        let [a, b, c, d] = load(&keys[first..], &offsets[first..]);
        let shift = |vector| _mm512_xor_si512(vector, delta);
        let inputs = [a, b, c, d, shift(a), shift(b), shift(c), shift(d)];
        let mut blocks = inputs;
        cipher.encrypt(&mut blocks);
        let half = |v: [__m512i; 8], i: usize| [v[i], v[i + 1], v[i + 2], v[i + 3]];
        store(&mut zero[first..], low_words(half(inputs, 0), half(blocks, 0)));
        store(&mut one[first..], low_words(half(inputs, 4), half(blocks, 4)));
    }
}

/// Sixteen keys, each with the offset of its position added.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(keys: &[Block], offsets: &[Block]) -> [__m512i; 4] {
    let mut vectors = [_mm512_setzero_si512(); 4];
    for (vector, (keys, offsets)) in vectors.iter_mut().zip(keys.chunks_exact(4).zip(offsets.chunks_exact(4)))
    {
        // SAFETY: four blocks are 64 readable bytes; the loads need no alignment.
        let (keys, offsets) = unsafe {
            (_mm512_loadu_si512(keys.as_ptr().cast()), _mm512_loadu_si512(offsets.as_ptr().cast()))
        };
        *vector = _mm512_xor_si512(keys, offsets);
    }
    vectors
}

/// The low 32 bits of the sum of every block of `a` and `b`.
#[inline]
#[target_feature(enable = "avx512f")]
fn low_words(a: [__m512i; 4], b: [__m512i; 4]) -> __m512i {
    // Words 0, 4, 8, 12 of two vectors.
    let every_fourth = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 28, 24, 20, 16, 12, 8, 4, 0);
    let sum = |i: usize| _mm512_xor_si512(a[i], b[i]);
    let low = _mm512_permutex2var_epi32(sum(0), every_fourth, sum(1));
    let high = _mm512_permutex2var_epi32(sum(2), every_fourth, sum(3));
    _mm512_inserti64x4::<1>(low, _mm512_castsi512_si256(high))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u32], vector: __m512i) {
    let sixteen = &mut words[..VECTOR_WORDS];
    // SAFETY: sixteen words are 64 writable bytes; the store needs no alignment.
    unsafe { _mm512_storeu_si512(sixteen.as_mut_ptr().cast(), vector) };
}
