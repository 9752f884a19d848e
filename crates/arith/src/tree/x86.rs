//! A level of a tree in registers, 32 children at a time.

use std::arch::x86_64::*;

use super::GROUP;
use crate::block::Block;
use crate::vaes::{RoundKeys, broadcast, counters};

/// Nodes whose children are made at once: their children are eight vectors.
const PARENTS: usize = 16;

/// See [`super::grow`].
#[target_feature(enable = "avx512f,vaes,aes")]
pub(super) fn grow(key: Block, nodes: &mut [Block], keep: Block) -> [Block; 2] {
    let keep_lanes = broadcast(keep);
    if nodes.len() < 2 * PARENTS {
        return grow_small(key, nodes, keep_lanes);
    }
    let mut sums = _mm512_setzero_si512();
    for group in (0..nodes.len().div_ceil(GROUP)).rev() {
        let cipher = RoundKeys::new(key ^ group as Block);
        let end = ((group + 1) * GROUP).min(nodes.len());
        for first in (group * GROUP..end).step_by(2 * PARENTS).rev() {
            let parents = load(&nodes[first / 2..][..PARENTS]);
            let children = children(&cipher, parents, first % GROUP, keep_lanes);
            for child in children {
                sums = _mm512_xor_si512(sums, child);
            }
            store(&mut nodes[first..][..2 * PARENTS], children);
        }
    }
    fold(sums)
}

/// A level that does not fill the vectors.
#[target_feature(enable = "avx512f,vaes,aes")]
fn grow_small(key: Block, nodes: &mut [Block], keep: __m512i) -> [Block; 2] {
    let mut parents = [0; PARENTS];
    parents[..nodes.len() / 2].copy_from_slice(&nodes[..nodes.len() / 2]);
    let mut made = [0; 2 * PARENTS];
    store(&mut made, children(&RoundKeys::new(key), load(&parents), 0, keep));
    nodes.copy_from_slice(&made[..nodes.len()]);
    nodes.chunks_exact(2).fold([0; 2], |[left, right], pair| [left ^ pair[0], right ^ pair[1]])
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(parents: &[Block]) -> [__m512i; 4] {
    let mut vectors = [_mm512_setzero_si512(); 4];
    for (vector, four) in vectors.iter_mut().zip(parents.chunks_exact(4)) {
        // SAFETY: four blocks are 64 readable bytes; the load needs no alignment.
        *vector = unsafe { _mm512_loadu_si512(four.as_ptr().cast()) };
    }
    vectors
}

/// The children of 16 nodes, of which the first has number `first` in its group.
#[inline]
#[target_feature(enable = "avx512f,vaes")]
fn children(cipher: &RoundKeys, parents: [__m512i; 4], first: usize, keep: __m512i) -> [__m512i; 8] {
    let (low, high) = (_mm512_set_epi64(3, 2, 3, 2, 1, 0, 1, 0), _mm512_set_epi64(7, 6, 7, 6, 5, 4, 5, 4));
    let mut inputs = [_mm512_setzero_si512(); 8];
    for (i, input) in inputs.iter_mut().enumerate() {
        let twice = _mm512_permutexvar_epi64(if i % 2 == 0 { low } else { high }, parents[i / 2]);
        *input = _mm512_xor_si512(twice, counters((first + 4 * i) as u64));
    }
    let mut blocks = inputs;
    cipher.encrypt(&mut blocks);
    for (block, input) in blocks.iter_mut().zip(inputs) {
        *block = _mm512_and_si512(_mm512_xor_si512(*block, input), keep);
    }
    blocks
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(children: &mut [Block], vectors: [__m512i; 8]) {
    for (four, vector) in children.chunks_exact_mut(4).zip(vectors) {
        // SAFETY: four blocks are 64 writable bytes; the store needs no alignment.
        unsafe { _mm512_storeu_si512(four.as_mut_ptr().cast(), vector) };
    }
}

/// The sums of the blocks of even and of odd number.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold(vector: __m512i) -> [Block; 2] {
    let mut four = [0; 4];
    // SAFETY: four blocks are 64 writable bytes; the store needs no alignment.
    unsafe { _mm512_storeu_si512(four.as_mut_ptr().cast(), vector) };
    [four[0] ^ four[2], four[1] ^ four[3]]
}

/// See [`super::correct`]. Nodes come in fours.
#[target_feature(enable = "avx512f")]
pub(super) fn correct(nodes: &mut [Block], index: usize, value: Block) {
    let (value, index) = (broadcast(value), _mm512_set1_epi64(index as i64));
    let mut numbers = _mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0);
    for four in nodes.chunks_exact_mut(4) {
        let lanes = _mm512_cmpeq_epi64_mask(numbers, index);
        // SAFETY: four blocks are 64 readable and writable bytes; neither access needs alignment.
        unsafe {
            let before = _mm512_loadu_si512(four.as_ptr().cast());
            let after = _mm512_mask_xor_epi64(before, lanes, before, value);
            _mm512_storeu_si512(four.as_mut_ptr().cast(), after);
        }
        numbers = _mm512_add_epi64(numbers, _mm512_set1_epi64(4));
    }
}
