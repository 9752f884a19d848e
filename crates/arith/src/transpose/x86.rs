//! Faster versions for x86-64, and the choice among them at run time.

use std::arch::x86_64::*;

use super::{COLUMNS_MAX, Line, ROWS, STRIDE, portable};
use crate::block::Block;

/// Transposes with the best version there is, or says that there is none.
pub(super) fn transpose(lines: &[Line], blocks: &mut [Block]) -> bool {
    if has_gfni() {
        // SAFETY: `has_gfni` has just found every feature that the function is compiled for.
        unsafe { transpose_gfni(lines, blocks) };
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the feature has just been found.
        unsafe { transpose_avx2(lines, blocks) };
    } else {
        return false;
    }
    true
}

/// A version with its name.
#[cfg(test)]
type Named = (&'static str, fn(&[Line], &mut [Block]));

/// Every version that this machine can run, for tests.
#[cfg(test)]
pub(super) fn versions() -> Vec<Named> {
    let mut versions: Vec<Named> = Vec::new();
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the feature has just been found.
        versions.push(("AVX2", |lines, blocks| unsafe { transpose_avx2(lines, blocks) }));
    }
    if has_gfni() {
        // SAFETY: `has_gfni` has just found every feature that the function is compiled for.
        versions.push(("GFNI", |lines, blocks| unsafe { transpose_gfni(lines, blocks) }));
    }
    versions
}

fn has_gfni() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("gfni")
}

/// The portable body, compiled for 256-bit vectors.
#[target_feature(enable = "avx2")]
fn transpose_avx2(lines: &[Line], blocks: &mut [Block]) {
    portable::transpose_inlined(lines, blocks);
}

/// 512 columns at a time: bytes of 128 rows are gathered column by column, then each square of 8 x 8 bits is turned
/// by one affine transformation. What is left of fewer than 512 columns goes the portable way.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni,avx2")]
fn transpose_gfni(lines: &[Line], blocks: &mut [Block]) {
    assert!(lines.len() == ROWS * STRIDE && blocks.len() <= COLUMNS_MAX, "a whole matrix");
    let tail_start = blocks.len() / 512 * 512;
    let (whole, tail) = blocks.split_at_mut(tail_start);
    for (column_line, out) in whole.chunks_exact_mut(512).enumerate() {
        let out: &mut [Block; 512] = out.try_into().expect("chunks of 512");
        transpose_512(lines, column_line, out);
    }
    if !tail.is_empty() {
        let mut padded = [0; 512];
        transpose_512(lines, tail_start / 512, &mut padded);
        tail.copy_from_slice(&padded[..tail.len()]);
    }
}

/// One line of 512 columns of all 128 rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni,avx2")]
fn transpose_512(lines: &[Line], column_line: usize, out: &mut [Block; 512]) {
    // `columns[c]` collects the 128 bytes of column byte c: 16 words, each of 8 rows in falling order.
    let mut columns = [[Line([0; 8]); 2]; 64];
    for half in 0..2 {
        let mut groups = [[_mm512_setzero_si512(); 8]; 8];
        for (group, sets) in groups.iter_mut().enumerate() {
            let last = half * 64 + group * 8 + 7;
            let mut rows = [_mm512_setzero_si512(); 8];
            for (back, row) in rows.iter_mut().enumerate() {
                *row = load(&lines[(last - back) * STRIDE + column_line]);
            }
            *sets = interleave_bytes(rows);
        }
        for set in 0..8 {
            let mut words = [_mm512_setzero_si512(); 8];
            for (group, word) in words.iter_mut().enumerate() {
                *word = groups[group][set];
            }
            for (position, word) in transpose_words(words).into_iter().enumerate() {
                store(&mut columns[column_byte(set, position)][half], word);
            }
        }
    }
    let (low, high) = (load(&GATHER_LOW), load(&GATHER_HIGH));
    for (column, eight) in columns.iter().zip(out.chunks_exact_mut(8)) {
        let rows = [turn_squares(load(&column[0])), turn_squares(load(&column[1]))];
        let (first, second) = eight.split_at_mut(4);
        store_blocks(first, _mm512_permutex2var_epi8(rows[0], low, rows[1]));
        store_blocks(second, _mm512_permutex2var_epi8(rows[0], high, rows[1]));
    }
}

/// The column byte whose word stands at `position` of set `set` of [`interleave_bytes`].
const fn column_byte(set: usize, position: usize) -> usize {
    position / 2 * 16 + set * 2 + position % 2
}

/// Eight rows of 64 bytes to 64 words of 8 bytes, one from each row: words of column bytes 2s and 2s + 1 of each
/// 128-bit lane stand in set s. Interleaves bytes, then pairs, then fours.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleave_bytes(r: [__m512i; 8]) -> [__m512i; 8] {
    let mut sets = [_mm512_setzero_si512(); 8];
    for half in 0..2 {
        let pair = |a, b| if half == 0 { _mm512_unpacklo_epi8(a, b) } else { _mm512_unpackhi_epi8(a, b) };
        let (p01, p23, p45, p67) = (pair(r[0], r[1]), pair(r[2], r[3]), pair(r[4], r[5]), pair(r[6], r[7]));
        let (low_first, low_last) = (_mm512_unpacklo_epi16(p01, p23), _mm512_unpacklo_epi16(p45, p67));
        let (high_first, high_last) = (_mm512_unpackhi_epi16(p01, p23), _mm512_unpackhi_epi16(p45, p67));
        sets[half * 4] = _mm512_unpacklo_epi32(low_first, low_last);
        sets[half * 4 + 1] = _mm512_unpackhi_epi32(low_first, low_last);
        sets[half * 4 + 2] = _mm512_unpacklo_epi32(high_first, high_last);
        sets[half * 4 + 3] = _mm512_unpackhi_epi32(high_first, high_last);
    }
    sets
}

/// Word j of vector i becomes word i of vector j.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_words(v: [__m512i; 8]) -> [__m512i; 8] {
    let mut out = [_mm512_setzero_si512(); 8];
    for odd in 0..2 {
        let pair = |a, b| if odd == 0 { _mm512_unpacklo_epi64(a, b) } else { _mm512_unpackhi_epi64(a, b) };
        let (p01, p23, p45, p67) = (pair(v[0], v[1]), pair(v[2], v[3]), pair(v[4], v[5]), pair(v[6], v[7]));
        // Lane l of a pair holds words 2l + odd; 0x88 takes lanes 0 and 2 of both, 0xdd lanes 1 and 3.
        let (even_low, even_high) =
            (_mm512_shuffle_i64x2::<0x88>(p01, p23), _mm512_shuffle_i64x2::<0x88>(p45, p67));
        let (odd_low, odd_high) =
            (_mm512_shuffle_i64x2::<0xdd>(p01, p23), _mm512_shuffle_i64x2::<0xdd>(p45, p67));
        out[odd] = _mm512_shuffle_i64x2::<0x88>(even_low, even_high);
        out[odd + 4] = _mm512_shuffle_i64x2::<0xdd>(even_low, even_high);
        out[odd + 2] = _mm512_shuffle_i64x2::<0x88>(odd_low, odd_high);
        out[odd + 6] = _mm512_shuffle_i64x2::<0xdd>(odd_low, odd_high);
    }
    out
}

/// Transposes the 8 x 8 bits of each word whose bytes are rows in falling order: the affine transformation by the
/// matrix m maps the byte with bit k alone to column k of m, and counts the rows of m from its last byte.
#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn turn_squares(m: __m512i) -> __m512i {
    let unit_bytes = _mm512_set1_epi64(0x8040_2010_0804_0201_u64 as i64);
    _mm512_gf2p8affine_epi64_epi8::<0>(unit_bytes, m)
}

/// For columns 0 to 3 of eight: byte g of a column's block is byte 8g + column of the two vectors of turned squares.
const GATHER_LOW: Line = gather(0);
/// The same for columns 4 to 7.
const GATHER_HIGH: Line = gather(4);

const fn gather(first_column: usize) -> Line {
    let mut words = [0; 8];
    let mut byte = 0;
    while byte < 64 {
        let source = byte % 16 * 8 + first_column + byte / 16;
        words[byte / 8] |= (source as u64) << (byte % 8 * 8);
        byte += 1;
    }
    Line(words)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> __m512i {
    // SAFETY: a `Line` is 64 readable bytes, aligned to 64.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(line: &mut Line, value: __m512i) {
    // SAFETY: a `Line` is 64 writable bytes, aligned to 64.
    unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), value) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_blocks(blocks: &mut [Block], value: __m512i) {
    let four: &mut [Block; 4] = blocks.try_into().expect("four blocks");
    // SAFETY: four blocks are 64 writable bytes; the store needs no alignment.
    unsafe { _mm512_storeu_si512(four.as_mut_ptr().cast(), value) }
}
