//! Sums of products by the carry-less multiplication of x86-64: one element at a time, or four.

use std::arch::x86_64::*;

use super::Sum;
use crate::block::Block;

/// Adds by the best version there is, or says that there is none.
pub(super) fn add(sum: &mut Sum, coefficients: &[Block], words: &[u64]) -> bool {
    if has_vectors() {
        // SAFETY: `has_vectors` has just found every feature.
        unsafe { by_fours(sum, coefficients, words) };
    } else if is_x86_feature_detected!("pclmulqdq") {
        // SAFETY: the feature has just been found.
        unsafe { one_by_one(sum, coefficients, words) };
    } else {
        return false;
    }
    true
}

fn has_vectors() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("vpclmulqdq")
        && is_x86_feature_detected!("pclmulqdq")
}

/// A version with its name.
#[cfg(test)]
type Named = (&'static str, fn(&mut Sum, &[Block], &[u64]));

/// Every version that this machine can run, for tests.
#[cfg(test)]
pub(super) fn versions() -> Vec<Named> {
    let mut versions: Vec<Named> = Vec::new();
    if is_x86_feature_detected!("pclmulqdq") {
        // SAFETY: the feature has just been found.
        versions.push(("PCLMULQDQ", |sum, a, b| unsafe { one_by_one(sum, a, b) }));
    }
    if has_vectors() {
        // SAFETY: `has_vectors` has just found every feature.
        versions.push(("VPCLMULQDQ", |sum, a, b| unsafe { by_fours(sum, a, b) }));
    }
    versions
}

#[target_feature(enable = "pclmulqdq")]
fn one_by_one(sum: &mut Sum, coefficients: &[Block], words: &[u64]) {
    let [mut low, mut middle, mut high] = [_mm_setzero_si128(); 3];
    for (&coefficient, element) in coefficients.iter().zip(words.chunks_exact(2)) {
        let a = _mm_set_epi64x((coefficient >> 64) as i64, coefficient as i64);
        let b = _mm_set_epi64x(element[1] as i64, element[0] as i64);
        low = _mm_xor_si128(low, _mm_clmulepi64_si128::<0x00>(a, b));
        middle = _mm_xor_si128(middle, _mm_clmulepi64_si128::<0x01>(a, b));
        middle = _mm_xor_si128(middle, _mm_clmulepi64_si128::<0x10>(a, b));
        high = _mm_xor_si128(high, _mm_clmulepi64_si128::<0x11>(a, b));
    }
    let block = |vector| {
        let mut block = 0;
        // SAFETY: a block is 16 writable bytes; the store needs no alignment.
        unsafe { _mm_storeu_si128(std::ptr::from_mut::<Block>(&mut block).cast(), vector) };
        block
    };
    sum.low[0] ^= block(low);
    sum.middle[0] ^= block(middle);
    sum.high[0] ^= block(high);
}

#[target_feature(enable = "avx512f,vpclmulqdq,pclmulqdq")]
fn by_fours(sum: &mut Sum, coefficients: &[Block], words: &[u64]) {
    let [mut low, mut middle, mut other, mut high] = [_mm512_setzero_si512(); 4];
    for (four, elements) in coefficients.chunks_exact(4).zip(words.chunks_exact(8)) {
        // SAFETY: four blocks, and eight words, are 64 readable bytes; the loads need no alignment.
        let (a, b) = unsafe {
            (_mm512_loadu_si512(four.as_ptr().cast()), _mm512_loadu_si512(elements.as_ptr().cast()))
        };
        low = _mm512_xor_si512(low, _mm512_clmulepi64_epi128::<0x00>(a, b));
        middle = _mm512_xor_si512(middle, _mm512_clmulepi64_epi128::<0x01>(a, b));
        other = _mm512_xor_si512(other, _mm512_clmulepi64_epi128::<0x10>(a, b));
        high = _mm512_xor_si512(high, _mm512_clmulepi64_epi128::<0x11>(a, b));
    }
    accumulate(&mut sum.low, low);
    accumulate(&mut sum.middle, _mm512_xor_si512(middle, other));
    accumulate(&mut sum.high, high);
    let whole = coefficients.len() / 4 * 4;
    if whole < coefficients.len() {
        one_by_one(sum, &coefficients[whole..], &words[2 * whole..]);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn accumulate(parts: &mut [u128; 4], vector: __m512i) {
    // SAFETY: four blocks are 64 readable and writable bytes; neither access needs alignment.
    unsafe {
        let before = _mm512_loadu_si512(parts.as_ptr().cast());
        _mm512_storeu_si512(parts.as_mut_ptr().cast(), _mm512_xor_si512(before, vector));
    }
}
