//! Transposition of bit matrices of 128 rows: rows of n bits become n blocks of 128 bits.
//!
//! [`BitRows`] holds the rows, [`BitRows::transpose_into`] chooses the fastest version that the processor has.
//! The portable version is the reference; all versions give the same blocks.

mod portable;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86;

use bytemuck::{Pod, Zeroable};
use zeroize::Zeroize;

use crate::block::Block;

/// Rows of every matrix: the bits of a block.
pub const ROWS: usize = 128;

/// Most columns of a matrix: 128 rows of them stay inside a second-level cache.
pub const COLUMNS_MAX: usize = 8192;

/// A cache line of a row.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// Lines from one row to the next. One more than a row has, so that a column of rows does not fall into few cache sets.
const STRIDE: usize = COLUMNS_MAX / 512 + 1;

/// 128 rows of up to [`COLUMNS_MAX`] bits, aligned to cache lines. The bits are secret.
pub struct BitRows {
    lines: Vec<Line>,
}

impl BitRows {
    /// All bits zero.
    #[expect(clippy::new_without_default, reason = "a quarter of a megabyte is not made by accident")]
    pub fn new() -> Self {
        Self { lines: vec![Line([0; 8]); ROWS * STRIDE] }
    }

    /// The words of row `row`, first column in the least significant bit of the first word.
    pub fn row(&self, row: usize) -> &[u64] {
        let (start, end) = span(row);
        bytemuck::cast_slice(&self.lines[start..end])
    }

    /// The words of row `row`, to be written.
    pub fn row_mut(&mut self, row: usize) -> &mut [u64] {
        let (start, end) = span(row);
        bytemuck::cast_slice_mut(&mut self.lines[start..end])
    }

    /// The first `blocks.len()` columns as blocks: bit i of block c is bit c of row i.
    ///
    /// # Panics
    /// When the number of blocks is not a multiple of 128, or exceeds [`COLUMNS_MAX`].
    pub fn transpose_into(&self, blocks: &mut [Block]) {
        assert!(
            blocks.len().is_multiple_of(128) && blocks.len() <= COLUMNS_MAX,
            "whole squares of the matrix"
        );
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if x86::transpose(&self.lines, blocks) {
            return;
        }
        portable::transpose(&self.lines, blocks);
    }
}

impl Drop for BitRows {
    fn drop(&mut self) {
        bytemuck::cast_slice_mut::<Line, u64>(&mut self.lines).zeroize();
    }
}

impl std::fmt::Debug for BitRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BitRows(secret)")
    }
}

fn span(row: usize) -> (usize, usize) {
    (row * STRIDE, (row + 1) * STRIDE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Prg;

    fn random_rows(seed: Block) -> BitRows {
        let mut rows = BitRows::new();
        let mut prg = Prg::new(seed);
        for row in 0..ROWS {
            prg.fill(bytemuck::cast_slice_mut(rows.row_mut(row)));
        }
        rows
    }

    fn bit_of_row(rows: &BitRows, row: usize, column: usize) -> u128 {
        u128::from(rows.row(row)[column / 64] >> (column % 64) & 1)
    }

    #[test]
    fn bit_i_of_block_c_is_bit_c_of_row_i() {
        let rows = random_rows(3);
        for columns in [0, 128, 384, 512, 640, 1024, COLUMNS_MAX] {
            let mut blocks = vec![0; columns];
            rows.transpose_into(&mut blocks);
            for (column, &block) in blocks.iter().enumerate() {
                let expected = (0..ROWS).fold(0, |sum, row| sum | bit_of_row(&rows, row, column) << row);
                assert_eq!(block, expected, "column {column} of {columns}");
            }
        }
    }

    #[test]
    fn every_version_this_machine_can_run_agrees_with_the_portable_one() {
        let rows = random_rows(4);
        for columns in [128, 512, 896, COLUMNS_MAX] {
            let mut reference = vec![0; columns];
            portable::transpose(&rows.lines, &mut reference);
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            for (name, version) in x86::versions() {
                let mut blocks = vec![0; columns];
                version(&rows.lines, &mut blocks);
                assert_eq!(blocks, reference, "{name} at {columns} columns");
            }
        }
    }
}
