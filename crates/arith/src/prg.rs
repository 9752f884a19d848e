//! Pseudorandom streams: AES-128 in counter mode, produced in batches.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Block as AesBlock};
use zeroize::Zeroize;

use crate::block::Block;

/// Blocks produced by one call of the cipher: enough to fill the widest vector units.
const BATCH: usize = 64;

/// A seeded stream of bytes. One seed gives one stream, always.
pub struct Prg {
    cipher: Aes128,
    counter: u128,
    buffer: [u8; BATCH * 16],
    used: usize,
}

impl Prg {
    /// The stream of `seed`, from its beginning.
    pub fn new(seed: Block) -> Self {
        let cipher = Aes128::new(&seed.to_le_bytes().into());
        Self { cipher, counter: 0, buffer: [0; BATCH * 16], used: BATCH * 16 }
    }

    /// The next bytes of the stream.
    pub fn fill(&mut self, out: &mut [u8]) {
        let mut rest = out;
        while !rest.is_empty() {
            if self.used == self.buffer.len() {
                self.refill();
            }
            let count = rest.len().min(self.buffer.len() - self.used);
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&self.buffer[self.used..self.used + count]);
            self.used += count;
            rest = later;
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

    fn refill(&mut self) {
        let mut blocks = [AesBlock::default(); BATCH];
        for block in &mut blocks {
            *block = self.counter.to_le_bytes().into();
            self.counter += 1;
        }
        self.cipher.encrypt_blocks(&mut blocks);
        for (bytes, block) in self.buffer.chunks_exact_mut(16).zip(&blocks) {
            bytes.copy_from_slice(block);
        }
        self.used = 0;
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
        let mut parts = vec![0u8; 5000];
        let mut prg = Prg::new(7);
        for piece in parts.chunks_mut(37) {
            prg.fill(piece);
        }
        assert_eq!(whole, parts);
    }

    #[test]
    fn the_first_block_is_the_encryption_of_zero() {
        // FIPS 197 arithmetic with the all-zero key: a published value.
        let mut first = [0u8; 16];
        Prg::new(0).fill(&mut first);
        assert_eq!(
            first,
            [0x66, 0xe9, 0x4b, 0xd4, 0xef, 0x8a, 0x2c, 0x3b, 0x88, 0x4c, 0xfa, 0x59, 0xca, 0x34, 0x2b, 0x2e]
        );
    }
}
