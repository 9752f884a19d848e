//! Pseudorandom streams: AES-128 in counter mode, produced in batches.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Block as AesBlock};
use zeroize::Zeroize;

use crate::block::Block;

/// Blocks produced by one call of the cipher: enough to fill the widest vector units.
const BATCH: usize = 64;

/// A seeded stream of bytes. One seed gives one stream, always.
pub struct Prg {
    cipher: Aes128Enc,
    counter: u128,
    buffer: [u8; BATCH * 16],
    used: usize,
}

impl Prg {
    /// The stream of `seed`, from its beginning.
    pub fn new(seed: Block) -> Self {
        let cipher = Aes128Enc::new(&seed.to_le_bytes().into());
        Self { cipher, counter: 0, buffer: [0; BATCH * 16], used: BATCH * 16 }
    }

    /// The next bytes of the stream. Long reads are encrypted in place, without the buffer.
    pub fn fill(&mut self, out: &mut [u8]) {
        let buffered = out.len().min(self.buffer.len() - self.used);
        let (now, rest) = out.split_at_mut(buffered);
        self.drain(now);
        let (bulk, tail) = rest.split_at_mut(rest.len() / self.buffer.len() * self.buffer.len());
        let (blocks, _) = AesBlock::slice_as_chunks_mut(bulk);
        for batch in blocks.chunks_exact_mut(BATCH) {
            self.next_batch(batch);
        }
        if !tail.is_empty() {
            self.refill();
            self.drain(tail);
        }
    }

    /// The next `count` 64-bit words.
    pub fn words64(&mut self, count: usize) -> Vec<u64> {
        let mut words = vec![0u64; count];
        self.fill(bytemuck::cast_slice_mut(&mut words));
        words
    }

    /// The next `count` 32-bit words.
    pub fn words32(&mut self, count: usize) -> Vec<u32> {
        let mut words = vec![0u32; count];
        self.fill(bytemuck::cast_slice_mut(&mut words));
        words
    }

    /// The next block.
    pub fn block(&mut self) -> Block {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        Block::from_le_bytes(bytes)
    }

    fn drain(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.buffer[self.used..self.used + out.len()]);
        self.used += out.len();
    }

    fn refill(&mut self) {
        let mut blocks = [AesBlock::default(); BATCH];
        self.next_batch(&mut blocks);
        self.buffer.copy_from_slice(AesBlock::slice_as_flattened(&blocks));
        self.used = 0;
    }

    fn next_batch(&mut self, blocks: &mut [AesBlock]) {
        for block in &mut *blocks {
            *block = self.counter.to_le_bytes().into();
            self.counter += 1;
        }
        self.cipher.encrypt_blocks(blocks);
    }
}

impl Drop for Prg {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

impl std::fmt::Debug for Prg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prg(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_does_not_depend_on_how_it_is_read() {
        let mut whole = vec![0u8; 5000];
        Prg::new(7).fill(&mut whole);
        for size in [1, 37, 1023, 1024, 1025, 2049] {
            let mut parts = vec![0u8; 5000];
            let mut prg = Prg::new(7);
            for piece in parts.chunks_mut(size) {
                prg.fill(piece);
            }
            assert_eq!(whole, parts, "read in pieces of {size}");
        }
    }

    #[test]
    fn blocks_are_those_of_an_independent_cipher() {
        let vectors = include_str!("../../../vectors/prg.txt");
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let [seed, index, expected] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            // Hexadecimal shows a block's first byte first; blocks are little endian.
            let block = |text: &str| Block::from_str_radix(text, 16).unwrap().swap_bytes();
            let index: usize = index.parse().unwrap();
            let mut stream = vec![0u8; 16 * (index + 1)];
            Prg::new(block(seed)).fill(&mut stream);
            assert_eq!(stream[16 * index..], block(expected).to_le_bytes(), "block {index} of seed {seed}");
        }
    }
}
