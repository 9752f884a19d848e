//! A local linear code: every row of the product is the sum of ten entries of a table, at public places.
//!
//! Row r adds entries `w_j mod k`, j = 0..10, of a table of k blocks. The w are 32-bit words of AES-128 in counter mode
//! under the code's seed: words `10 * r` to `10 * r + 9` of the stream. Two of ten places coincide in a row with
//! probability 45/k, which is left as it is. Source of the form: Yang, Weng, Lan, Zhang and Wang, "Ferret", CCS 2020
//! (ePrint 2020/924), section 5.1, "local linear codes" with d = 10; the code is public and may be fixed.

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Block as AesBlock};

use crate::block::Block;

/// Entries that a row adds.
pub const WEIGHT: usize = 10;

/// Rows whose places are made at once.
pub const CHUNK_ROWS: usize = 64;

const CHUNK_WORDS: usize = CHUNK_ROWS * WEIGHT;

const CHUNK_BLOCKS: usize = CHUNK_WORDS / 4;

/// A code, named by its seed.
pub struct LocalCode {
    seed: Block,
}

impl LocalCode {
    /// The code of a public seed.
    pub fn new(seed: Block) -> Self {
        Self { seed }
    }

    /// Adds rows `first_row..` of the product with `table` to `rows`.
    ///
    /// # Panics
    /// When the table's length is no power of two that words can number, or rows are not whole chunks of 64.
    pub fn add_rows(&self, first_row: u64, table: &[Block], rows: &mut [Block]) {
        assert!(table.len().is_power_of_two() && table.len() <= 1 << 32, "places are bits of a word");
        assert!(
            rows.len().is_multiple_of(CHUNK_ROWS) && first_row.is_multiple_of(CHUNK_ROWS as u64),
            "rows come in chunks of {CHUNK_ROWS}"
        );
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if crate::vaes::available() {
            // SAFETY: `available` has just found every feature.
            return unsafe { x86::add_rows(self.seed, first_row, table, rows) };
        }
        self.add_rows_portable(first_row, table, rows);
    }

    /// The reference.
    fn add_rows_portable(&self, first_row: u64, table: &[Block], rows: &mut [Block]) {
        let cipher = Aes128Enc::new(&self.seed.to_le_bytes().into());
        let first_chunk = first_row / CHUNK_ROWS as u64;
        for (chunk, rows) in rows.chunks_exact_mut(CHUNK_ROWS).enumerate() {
            let first_block = (first_chunk + chunk as u64) * CHUNK_BLOCKS as u64;
            let places = places(&cipher, first_block, table.len());
            for (row, places) in rows.iter_mut().zip(places.chunks_exact(WEIGHT)) {
                *row = places.iter().fold(*row, |sum, &place| sum ^ table[place as usize]);
            }
        }
    }
}

/// The places of one chunk of rows.
fn places(cipher: &Aes128Enc, first_block: u64, entries: usize) -> [u32; CHUNK_WORDS] {
    let mut blocks = [AesBlock::default(); CHUNK_BLOCKS];
    for (i, block) in blocks.iter_mut().enumerate() {
        *block = Block::from(first_block + i as u64).to_le_bytes().into();
    }
    cipher.encrypt_blocks(&mut blocks);
    let mut places = [0; CHUNK_WORDS];
    for (place, bytes) in places.iter_mut().zip(AesBlock::slice_as_flattened(&blocks).chunks_exact(4)) {
        let word = u32::from_le_bytes(bytes.try_into().expect("four bytes"));
        *place = word & (entries - 1) as u32;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Prg;

    fn blocks(count: usize) -> Vec<Block> {
        let mut prg = Prg::new(8);
        (0..count).map(|_| prg.block()).collect()
    }

    #[test]
    fn rows_are_the_formula_of_the_front_page() {
        let (table, mut rows) = (blocks(1 << 10), vec![1; 192]);
        LocalCode::new(21).add_rows(64, &table, &mut rows);
        let words = Prg::new(21).words32(256 * WEIGHT);
        for (row, sum) in rows.iter().enumerate() {
            let words = &words[(64 + row) * WEIGHT..][..WEIGHT];
            let expected = words.iter().fold(1, |sum, &word| sum ^ table[word as usize % table.len()]);
            assert_eq!(*sum, expected, "row {row}");
        }
    }

    #[test]
    fn the_chosen_version_agrees_with_the_portable_one() {
        for entries in [1usize, 64, 1 << 16] {
            let table = blocks(entries);
            let (mut chosen, mut portable) = (blocks(640), blocks(640));
            LocalCode::new(5).add_rows(1 << 20, &table, &mut chosen);
            LocalCode::new(5).add_rows_portable(1 << 20, &table, &mut portable);
            assert_eq!(chosen, portable);
        }
    }

    #[test]
    fn the_product_is_linear_and_does_not_depend_on_how_it_is_cut() {
        let (a, b) = (blocks(256), blocks(512).split_off(256));
        let sum: Vec<Block> = a.iter().zip(&b).map(|(a, b)| a ^ b).collect();
        let code = LocalCode::new(6);
        let mut one_by_one = vec![0; 256];
        code.add_rows(0, &a, &mut one_by_one);
        for (chunk, rows) in one_by_one.chunks_exact_mut(64).enumerate() {
            code.add_rows(chunk as u64 * 64, &b, rows);
        }
        let mut at_once = vec![0; 256];
        code.add_rows(0, &sum, &mut at_once);
        assert_eq!(one_by_one, at_once);
    }
}
