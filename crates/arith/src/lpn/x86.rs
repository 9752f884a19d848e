//! Rows of a local linear code: places by four blocks at a time, entries by whole registers.

use std::arch::x86_64::*;

use super::{CHUNK_BLOCKS, CHUNK_ROWS, CHUNK_WORDS, WEIGHT};
use crate::block::Block;
use crate::vaes::{RoundKeys, counters};

/// Vectors encrypted at once.
const TILE: usize = 8;

/// The places of a chunk, aligned for the widest vectors.
#[repr(align(64))]
struct Places([u32; CHUNK_WORDS]);

/// See [`super::LocalCode::add_rows`].
///
/// # Panics
/// When the table's length is no power of two.
#[target_feature(enable = "avx512f,vaes,aes")]
pub(super) fn add_rows(seed: Block, first_row: u64, table: &[Block], rows: &mut [Block]) {
    assert!(table.len().is_power_of_two(), "places are the low bits of a word");
    let cipher = RoundKeys::new(seed);
    let first_chunk = first_row / CHUNK_ROWS as u64;
    let mut places = Places([0; CHUNK_WORDS]);
    for (chunk, rows) in rows.chunks_exact_mut(CHUNK_ROWS).enumerate() {
        let first_block = (first_chunk + chunk as u64) * CHUNK_BLOCKS as u64;
        fill(&cipher, first_block, (table.len() - 1) as u32, &mut places);
        for (row, places) in rows.iter_mut().zip(places.0.chunks_exact(WEIGHT)) {
            add_row(row, table, places.try_into().expect("a row's places"));
        }
    }
}

/// The places of one chunk of rows.
#[inline]
#[target_feature(enable = "avx512f,vaes")]
fn fill(cipher: &RoundKeys, first_block: u64, mask: u32, places: &mut Places) {
    let mask = _mm512_set1_epi32(mask as i32);
    for (tile, words) in places.0.chunks_exact_mut(TILE * 16).enumerate() {
        let mut vectors = [_mm512_setzero_si512(); TILE];
        for (i, vector) in vectors.iter_mut().enumerate() {
            *vector = counters(first_block + (tile * TILE + i) as u64 * 4);
        }
        cipher.encrypt(&mut vectors);
        for (sixteen, vector) in words.chunks_exact_mut(16).zip(vectors) {
            // SAFETY: sixteen words are 64 writable bytes; the store needs no alignment.
            unsafe {
                _mm512_storeu_si512(sixteen.as_mut_ptr().cast(), _mm512_and_si512(vector, mask));
            }
        }
    }
}

/// Adds the entries at `places`, which `fill` has cut to less than the table's length.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_row(row: &mut Block, table: &[Block], places: &[u32; WEIGHT]) {
    let entry = |place: u32| {
        debug_assert!((place as usize) < table.len());
        // SAFETY: `fill` cuts every place to the bits below the table's length, which `add_rows` has found to be a power
        // of two; an entry is 16 readable bytes, and the load needs no alignment.
        unsafe { _mm_loadu_si128(table.as_ptr().add(place as usize).cast()) }
    };
    // Two sums, so that additions need not wait for each other.
    let (mut even, mut odd) = (entry(places[0]), entry(places[1]));
    for pair in places[2..].chunks_exact(2) {
        even = _mm_xor_si128(even, entry(pair[0]));
        odd = _mm_xor_si128(odd, entry(pair[1]));
    }
    // SAFETY: a block is 16 readable and writable bytes; neither access needs alignment.
    unsafe {
        let place = std::ptr::from_mut(row).cast();
        _mm_storeu_si128(place, _mm_xor_si128(_mm_loadu_si128(place), _mm_xor_si128(even, odd)));
    }
}
