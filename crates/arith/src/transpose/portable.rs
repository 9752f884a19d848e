//! The reference: squares of 128 x 128 bits, halves swapped at widths 64, 32, ..., 1 (Eklundh 1972).

use super::{COLUMNS_MAX, Line, ROWS, STRIDE};
use crate::block::Block;

/// Transposes as many columns as there are blocks.
pub(super) fn transpose(lines: &[Line], blocks: &mut [Block]) {
    transpose_inlined(lines, blocks);
}

/// The body, to be compiled once for each instruction set.
#[inline(always)]
pub(super) fn transpose_inlined(lines: &[Line], blocks: &mut [Block]) {
    assert!(lines.len() == ROWS * STRIDE && blocks.len() <= COLUMNS_MAX, "a whole matrix");
    for (index, square) in blocks.chunks_exact_mut(128).enumerate() {
        let square: &mut [Block; 128] = square.try_into().expect("chunks of 128");
        for (row, block) in square.iter_mut().enumerate() {
            let line = &lines[row * STRIDE + index / 4].0;
            let word = index % 4 * 2;
            *block = u128::from(line[word]) | u128::from(line[word + 1]) << 64;
        }
        transpose_square(square);
    }
}

#[inline(always)]
fn transpose_square(rows: &mut [Block; 128]) {
    let mut mask = u128::from(u64::MAX);
    let mut width = 64;
    while width > 0 {
        for pairs in rows.chunks_exact_mut(2 * width) {
            let (low, high) = pairs.split_at_mut(width);
            for (a, b) in low.iter_mut().zip(high) {
                let swap = (*a >> width ^ *b) & mask;
                *a ^= swap << width;
                *b ^= swap;
            }
        }
        width /= 2;
        mask ^= mask << width;
    }
}
