//! The sums in one pass: four vectors of each stream are encrypted and added where they belong, all in registers.

use std::arch::x86_64::*;

use super::CHUNK_WORDS;
use crate::transpose::BitRows;
use crate::vaes::{RoundKeys, counters};

/// Vectors worked on at once: enough to hide the latency of a round, few enough for the registers.
const TILE: usize = 4;

const VECTOR_WORDS: usize = 8;

/// Adds up the streams of `ciphers`, of which the last has number 2^k - 1, from block `first_block` on, in whole tiles.
/// Writes the plain sum to `total` and the k rows of the weighted sum from `first_row` on.
///
/// # Panics
/// When k is none of 1, 2, 4 and 8.
#[target_feature(enable = "avx512f,vaes")]
pub(super) fn sum(
    ciphers: &[RoundKeys],
    field_bits: u32,
    first_block: u64,
    words: usize,
    total: &mut [u64; CHUNK_WORDS],
    rows: &mut BitRows,
    first_row: usize,
) {
    for first_word in (0..words).step_by(TILE * VECTOR_WORDS) {
        let block = first_block + first_word as u64 / 2;
        let place = Place { total, rows, first_row, first_word };
        match field_bits {
            1 => sum_tile::<1>(ciphers, block, place),
            2 => sum_tile::<2>(ciphers, block, place),
            4 => sum_tile::<4>(ciphers, block, place),
            8 => sum_tile::<8>(ciphers, block, place),
            other => panic!("fields of 2^{other} elements have no fast sum"),
        }
    }
}

/// Where the sums of a tile go.
struct Place<'a> {
    total: &'a mut [u64; CHUNK_WORDS],
    rows: &'a mut BitRows,
    first_row: usize,
    first_word: usize,
}

/// Bits of a stream's number whose rows stay in registers from stream to stream, beside a subtotal.
const LOW_BITS: usize = 4;

#[inline]
#[target_feature(enable = "avx512f,vaes")]
fn sum_tile<const K: usize>(ciphers: &[RoundKeys], block: u64, place: Place<'_>) {
    let mut total = [_mm512_setzero_si512(); TILE];
    let mut rows = [[_mm512_setzero_si512(); TILE]; K];
    let first = (1 << K) - ciphers.len();
    let (low_bits, high_bits) = (K.min(LOW_BITS), K - K.min(LOW_BITS));
    for high in 0..1 << high_bits {
        let mut subtotal = [_mm512_setzero_si512(); TILE];
        for x in first.max(high << low_bits)..(high + 1) << low_bits {
            let mut stream =
                [counters(block), counters(block + 4), counters(block + 8), counters(block + 12)];
            ciphers[x - first].encrypt(&mut stream);
            add(&mut subtotal, &stream, true);
            for (j, row) in rows[..low_bits].iter_mut().enumerate() {
                add(row, &stream, x >> j & 1 == 1);
            }
        }
        add(&mut total, &subtotal, true);
        for (j, row) in rows[low_bits..].iter_mut().enumerate() {
            add(row, &subtotal, high >> j & 1 == 1);
        }
    }
    let Place { total: total_out, rows: rows_out, first_row, first_word } = place;
    store(&mut total_out[first_word..], total);
    for (j, row) in rows.into_iter().enumerate() {
        store(&mut rows_out.row_mut(first_row + j)[first_word..], row);
    }
}

/// Adds `stream` when its number, which is public, has a row's bit.
#[inline]
#[target_feature(enable = "avx512f")]
fn add(sum: &mut [__m512i; TILE], stream: &[__m512i; TILE], has_bit: bool) {
    let lanes = __mmask8::from(has_bit).wrapping_neg();
    for i in 0..TILE {
        sum[i] = _mm512_mask_xor_epi64(sum[i], lanes, sum[i], stream[i]);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u64], vectors: [__m512i; TILE]) {
    for (eight, vector) in words.chunks_exact_mut(VECTOR_WORDS).zip(vectors) {
        // SAFETY: eight words are 64 writable bytes; the store needs no alignment.
        unsafe { _mm512_storeu_si512(eight.as_mut_ptr().cast(), vector) };
    }
}
