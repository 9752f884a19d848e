//! The arithmetic of small-field VOLE: many keyed streams, summed with the numbers of the streams as weights.
//!
//! For streams `r_x`, x in 0..2^k, one of the two sums of Roy, "SoftSpokenOT", CRYPTO 2022 (ePrint 2022/192), section
//! 3.1 is the bits `u = sum of r_x`, the other `v = sum of x * r_x` over the field of 2^k elements: k rows of bits, of
//! which row j sums the streams whose number has bit j. Halving the streams k times gives all rows with less
//! than 2^(k+1) additions.

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Block as AesBlock};
use zeroize::Zeroize;

use crate::block::Block;
use crate::transpose::BitRows;

/// Blocks that one call of [`Streams::sum`] takes from every stream at most.
pub const CHUNK_BLOCKS: usize = 64;

const CHUNK_WORDS: usize = CHUNK_BLOCKS * 2;

/// A chunk of one stream, aligned for the widest vectors.
#[derive(Clone)]
#[repr(align(64))]
struct Chunk([u64; CHUNK_WORDS]);

/// The 2^k streams of one group, of which the first may be missing. AES-128 in counter mode under each seed.
pub struct Streams {
    ciphers: Ciphers,
    field_bits: u32,
}

/// Expanded seeds, in the form that the machine's fastest version takes.
enum Ciphers {
    Portable(Vec<Aes128Enc>),
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    Vaes(Vec<crate::vaes::RoundKeys>),
}

impl Streams {
    /// Streams of all 2^k `seeds`, or of all but that of number 0, which then counts as zeros.
    ///
    /// # Panics
    /// When there are neither 2^k nor 2^k - 1 seeds, or k is none of 1, 2, 4 and 8.
    pub fn new(seeds: &[Block], field_bits: u32) -> Self {
        let full = 1 << field_bits;
        assert!(matches!(field_bits, 1 | 2 | 4 | 8), "fields of 2, 4, 16 or 256 elements");
        assert!(
            seeds.len() == full || seeds.len() == full - 1,
            "a seed for each element, but perhaps the first"
        );
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if crate::vaes::available() {
            // SAFETY: `available` has just found every feature.
            let keys = seeds.iter().map(|&seed| unsafe { crate::vaes::RoundKeys::new(seed) }).collect();
            return Self { ciphers: Ciphers::Vaes(keys), field_bits };
        }
        Self::portable(seeds, field_bits)
    }

    fn portable(seeds: &[Block], field_bits: u32) -> Self {
        let ciphers = seeds.iter().map(|seed| Aes128Enc::new(&seed.to_le_bytes().into())).collect();
        Self { ciphers: Ciphers::Portable(ciphers), field_bits }
    }

    /// Writes the sums over the chunk that `counters` stand at: the plain sum u to `total`, and the weighted sum v to
    /// the first words of rows `first_row..first_row + k`. What these rows held is lost.
    pub fn sum(
        &self,
        counters: &Counters,
        workspace: &mut Workspace,
        total: &mut [u64],
        rows: &mut BitRows,
        first_row: usize,
    ) {
        let words = counters.count * 2;
        match &self.ciphers {
            Ciphers::Portable(ciphers) => {
                let mut chunks = &mut workspace.chunks[..1 << self.field_bits];
                fill(ciphers, counters, chunks);
                for j in 0..self.field_bits as usize {
                    halve(chunks, &mut rows.row_mut(first_row + j)[..words]);
                    let half = chunks.len() / 2;
                    chunks = &mut chunks[..half];
                }
            }
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            Ciphers::Vaes(ciphers) => {
                let (first, out) = (counters.first(), &mut workspace.chunks[0].0);
                // SAFETY: this variant is made only where `available` has found every feature.
                unsafe { x86::sum(ciphers, self.field_bits, first, words, out, rows, first_row) };
            }
        }
        total.copy_from_slice(&workspace.chunks[0].0[..words]);
    }
}

/// Fills chunks with the streams; those in front, for which there are no ciphers, with zeros.
fn fill(ciphers: &[Aes128Enc], counters: &Counters, chunks: &mut [Chunk]) {
    let (missing, present) = chunks.split_at_mut(chunks.len() - ciphers.len());
    missing.iter_mut().for_each(|chunk| chunk.0.fill(0));
    let blocks = &counters.blocks[..counters.count];
    for (cipher, chunk) in ciphers.iter().zip(present) {
        let bytes = bytemuck::cast_slice_mut(&mut chunk.0[..counters.count * 2]);
        let (out, _) = AesBlock::slice_as_chunks_mut(bytes);
        cipher.encrypt_blocks_b2b(blocks, out).expect("as many blocks out as in");
    }
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Streams(2^{}, secret)", self.field_bits)
    }
}

/// The counter blocks of the next chunk, the same for every stream of an instance.
pub struct Counters {
    blocks: [AesBlock; CHUNK_BLOCKS],
    next: u64,
    count: usize,
}

impl Counters {
    /// Before the first block of the streams.
    #[expect(clippy::new_without_default, reason = "a counter starts where its owner says so")]
    pub fn new() -> Self {
        Self { blocks: [AesBlock::default(); CHUNK_BLOCKS], next: 0, count: 0 }
    }

    /// Blocks of the chunk they stand at.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of the chunk's first block.
    fn first(&self) -> u64 {
        self.next - self.count as u64
    }

    /// Goes on to the next `count` blocks. No block is ever given twice.
    ///
    /// # Panics
    /// When `count` exceeds [`CHUNK_BLOCKS`].
    pub fn advance(&mut self, count: usize) {
        assert!(count <= CHUNK_BLOCKS, "a chunk holds {CHUNK_BLOCKS} blocks");
        for block in &mut self.blocks[..count] {
            *block = Block::from(self.next).to_le_bytes().into();
            self.next += 1;
        }
        self.count = count;
    }
}

/// Room for one chunk of each stream of a group, reused from call to call.
pub struct Workspace {
    chunks: Vec<Chunk>,
}

impl Workspace {
    /// Room for 2^`field_bits` streams.
    pub fn new(field_bits: u32) -> Self {
        Self { chunks: vec![Chunk([0; CHUNK_WORDS]); 1 << field_bits] }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        self.chunks.iter_mut().for_each(|chunk| chunk.0.zeroize());
    }
}

/// One halving: `row` becomes the sum of the chunks of odd number, and chunk i the sum of chunks 2i and 2i + 1.
fn halve(chunks: &mut [Chunk], row: &mut [u64]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the feature has just been found.
        return unsafe { halve_avx2(chunks, row) };
    }
    halve_inlined(chunks, row);
}

/// The portable body, compiled for 256-bit vectors.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[target_feature(enable = "avx2")]
fn halve_avx2(chunks: &mut [Chunk], row: &mut [u64]) {
    halve_inlined(chunks, row);
}

#[inline(always)]
fn halve_inlined(chunks: &mut [Chunk], row: &mut [u64]) {
    row.fill(0);
    for i in 0..chunks.len() / 2 {
        let (below, pair) = chunks.split_at_mut(2 * i);
        let (even, odd) = pair.split_at_mut(1);
        let (even, odd) = (&mut even[0].0[..row.len()], &odd[0].0[..row.len()]);
        for ((sum, even), odd) in row.iter_mut().zip(&mut *even).zip(odd) {
            *sum ^= odd;
            *even ^= odd;
        }
        if let Some(target) = below.get_mut(i) {
            target.0[..row.len()].copy_from_slice(even);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Prg;

    /// The sums as the definition has them: total, then k rows.
    fn sums_by_definition(seeds: &[Block], field_bits: u32, words: usize) -> Vec<Vec<u64>> {
        let first = (1 << field_bits) - seeds.len();
        let mut sums = vec![vec![0; words]; field_bits as usize + 1];
        for (index, &seed) in seeds.iter().enumerate() {
            let x = first + index;
            let stream = Prg::new(seed).words64(words);
            for (j, sum) in sums.iter_mut().enumerate() {
                let weight = if j == 0 { 1 } else { x >> (j - 1) & 1 };
                sum.iter_mut().zip(&stream).for_each(|(sum, word)| *sum ^= word * weight as u64);
            }
        }
        sums
    }

    fn summed_in_chunks(streams: &Streams, chunks: &[usize]) -> Vec<Vec<u64>> {
        let (mut counters, field_bits) = (Counters::new(), streams.field_bits);
        let mut workspace = Workspace::new(field_bits);
        let mut sums = vec![Vec::new(); field_bits as usize + 1];
        for &blocks in chunks {
            counters.advance(blocks);
            let (mut total, mut rows) = (vec![0; blocks * 2], BitRows::new());
            streams.sum(&counters, &mut workspace, &mut total, &mut rows, 5);
            sums[0].extend(total);
            for (j, sum) in sums[1..].iter_mut().enumerate() {
                sum.extend(&rows.row(5 + j)[..blocks * 2]);
            }
        }
        sums
    }

    #[test]
    fn sums_are_those_of_the_definition_for_every_field_and_with_the_first_stream_missing() {
        for field_bits in [1, 2, 4, 8] {
            let seeds: Vec<Block> = (1..=1 << field_bits).map(|x| x * 0x9e37_79b9_7f4a_7c15).collect();
            for seeds in [&seeds[..], &seeds[1..]] {
                let expected = sums_by_definition(seeds, field_bits, 2 * (64 + 3 + 17));
                for streams in [Streams::new(seeds, field_bits), Streams::portable(seeds, field_bits)] {
                    assert_eq!(summed_in_chunks(&streams, &[64, 3, 17]), expected);
                }
            }
        }
    }

    #[test]
    fn halving_gives_the_same_in_every_version_this_machine_can_run() {
        let mut prg = Prg::new(6);
        let chunks: Vec<Chunk> =
            (0..8).map(|_| Chunk(prg.words64(CHUNK_WORDS).try_into().expect("a chunk"))).collect();
        let (mut reference, mut expected) = (chunks.clone(), vec![0; CHUNK_WORDS]);
        halve_inlined(&mut reference, &mut expected);
        let (mut chosen, mut row) = (chunks.clone(), vec![1; CHUNK_WORDS]);
        halve(&mut chosen, &mut row);
        assert_eq!(row, expected);
        assert!((0..4).all(|i| chosen[i].0 == reference[i].0));
    }
}
