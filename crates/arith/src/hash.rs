//! A tweakable correlation-robust hash of keys to 32-bit words, by AES in batches.
//!
//! The i-th key x that a stream hashes gives `E_K(y) xor y` with `y = x xor o_(i mod 128)` and `K = start xor (i / 128)`,
//! cut to its low 32 bits. The counter i is the tweak: it runs through the life of the stream and is never reset. Start and
//! the 128 offsets o are the stream of a seed.
//!
//! Why this form. `E_K(x) xor x` is correlation robust for an ideal cipher (Guo, Katz, Wang and Yu, "Efficient and
//! secure multiparty computation from fixed-key block ciphers", S&P 2020, ePrint 2019/074), but when one AES key serves C
//! hashes, finding the secret correlation costs an attacker only about 2^128 / C calls: 2^98 for the 1.3 * 10^9 keys of
//! one slice. A fresh AES key every 128 hashes, from a start that is random in each session, keeps C at 128 for ever,
//! so about 2^120, for one bit of the correlation is public: the idea of the multi-instance hash of Guo, Katz, Wang, Weng
//! and Yu, "Better concrete security for half-gates garbling", CRYPTO 2020, ePrint 2019/1168, with 128 tweaks to a key. The
//! offsets keep equal keys apart. No message of a transfer is a function of the correlation, so nothing is circular, and
//! the linear orthomorphism that garbling needs is left out.
//!
//! A *malicious* receiver of transfers has a say in its own keys. Were offsets known beforehand, it could choose keys such
//! that two y under one AES key coincide, with them both pads of two transfers. So the seed must be fixed after the keys.
//! What is left is work: a receiver may try one first message after another, with keys that stay as they are, until two y
//! under one AES key coincide by chance. The n keys of a phase have about 2^6 n pairs, so that takes some 2^122 / n tries of a few
//! hashes each, about 2^94 hashes for the 1.3 * 10^9 keys of one slice. One coincident pair gives it the sum of two messages
//! that it should not have, and nothing of the correlation.

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Block as AesBlock};

use crate::block::Block;
use crate::prg::Prg;

/// Keys hashed under one AES key.
pub const GROUP: usize = 128;

/// A stream of hashes. Two parties that hash the same keys in the same order from the same start get the same words.
pub struct CorrelationHash {
    start: Block,
    offsets: Box<[Block; GROUP]>,
    groups_done: u64,
}

impl CorrelationHash {
    /// The stream of `seed`, which must be random, used for this stream alone, and fixed after what makes its keys; it need
    /// not be secret.
    pub fn new(seed: Block) -> Self {
        let mut stream = Prg::new(seed);
        let start = stream.block();
        Self { start, offsets: Box::new(std::array::from_fn(|_| stream.block())), groups_done: 0 }
    }

    /// The words of the next keys.
    ///
    /// # Panics
    /// When there are not as many words as keys, or not whole groups of them.
    pub fn hash(&mut self, keys: &[Block], words: &mut [u32]) {
        assert!(
            keys.len() == words.len() && keys.len().is_multiple_of(GROUP),
            "whole groups, one word a key"
        );
        for (keys, words) in keys.chunks_exact(GROUP).zip(words.chunks_exact_mut(GROUP)) {
            hash_group(self.next_key(), &self.offsets, keys, words);
        }
    }

    /// The words of the next keys, and those of the keys shifted by `delta` under the same tweaks.
    ///
    /// # Panics
    /// When there are not as many words as keys, or not whole groups of them.
    pub fn hash_both(&mut self, keys: &[Block], delta: Block, zero: &mut [u32], one: &mut [u32]) {
        assert!(keys.len() == zero.len() && keys.len() == one.len(), "one pair of words a key");
        assert!(keys.len().is_multiple_of(GROUP), "whole groups of keys");
        let pairs = zero.chunks_exact_mut(GROUP).zip(one.chunks_exact_mut(GROUP));
        for (keys, (zero, one)) in keys.chunks_exact(GROUP).zip(pairs) {
            hash_both_group(self.next_key(), &self.offsets, keys, delta, zero, one);
        }
    }

    fn next_key(&mut self) -> Block {
        let key = self.start ^ Block::from(self.groups_done);
        self.groups_done += 1;
        key
    }
}

impl std::fmt::Debug for CorrelationHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CorrelationHash(after {} groups)", self.groups_done)
    }
}

/// Hashes one group with the fastest version there is.
fn hash_group(key: Block, offsets: &[Block; GROUP], keys: &[Block], words: &mut [u32]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if crate::vaes::available() {
        // SAFETY: `available` has just found every feature.
        return unsafe { x86::hash_group(key, offsets, keys, words) };
    }
    hash_group_portable(key, offsets, keys, 0, words);
}

/// Hashes one group plain and shifted with the fastest version there is.
fn hash_both_group(
    key: Block,
    offsets: &[Block; GROUP],
    keys: &[Block],
    delta: Block,
    zero: &mut [u32],
    one: &mut [u32],
) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if crate::vaes::available() {
        // SAFETY: `available` has just found every feature.
        return unsafe { x86::hash_both_group(key, offsets, keys, delta, zero, one) };
    }
    hash_group_portable(key, offsets, keys, 0, zero);
    hash_group_portable(key, offsets, keys, delta, one);
}

/// The reference: one group of keys, shifted.
fn hash_group_portable(
    key: Block,
    offsets: &[Block; GROUP],
    keys: &[Block],
    shift: Block,
    words: &mut [u32],
) {
    let inputs: [Block; GROUP] = std::array::from_fn(|i| keys[i] ^ offsets[i] ^ shift);
    let mut blocks = inputs.map(|input| AesBlock::from(input.to_le_bytes()));
    Aes128Enc::new(&key.to_le_bytes().into()).encrypt_blocks(&mut blocks);
    for ((word, block), input) in words.iter_mut().zip(&blocks).zip(inputs) {
        *word = u32::from_le_bytes([block[0], block[1], block[2], block[3]]) ^ input as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Prg;

    fn keys(count: usize) -> Vec<Block> {
        let mut prg = Prg::new(11);
        (0..count).map(|_| prg.block()).collect()
    }

    fn hashed(keys: &[Block], seed: Block) -> Vec<u32> {
        let mut words = vec![0; keys.len()];
        CorrelationHash::new(seed).hash(keys, &mut words);
        words
    }

    /// Positions that hold the same word as an earlier one: birthdays apart, none when equal keys give unrelated words.
    fn repeats(words: &[u32]) -> usize {
        let distinct: std::collections::HashSet<_> = words.iter().collect();
        words.len() - distinct.len()
    }

    #[test]
    fn a_hash_is_the_formula_of_the_front_page() {
        let (keys, mut stream) = (keys(384), Prg::new(77));
        let start = stream.block();
        let offsets: Vec<Block> = (0..GROUP).map(|_| stream.block()).collect();
        for (i, (&key, &word)) in keys.iter().zip(&hashed(&keys, 77)).enumerate() {
            let y = key ^ offsets[i % GROUP];
            let cipher = Aes128Enc::new(&(start ^ (i / GROUP) as Block).to_le_bytes().into());
            let mut block: AesBlock = y.to_le_bytes().into();
            cipher.encrypt_block(&mut block);
            assert_eq!(word, (Block::from_le_bytes(block.into()) ^ y) as u32);
        }
    }

    #[test]
    fn the_chosen_version_agrees_with_the_portable_one() {
        let (keys, offsets, delta) = (keys(GROUP), CorrelationHash::new(8).offsets, 0xfeed << 100);
        let mut reference = [[0; GROUP]; 2];
        hash_group_portable(6, &offsets, &keys, 0, &mut reference[0]);
        hash_group_portable(6, &offsets, &keys, delta, &mut reference[1]);
        let [mut plain, mut zero, mut one] = [[0; GROUP]; 3];
        hash_group(6, &offsets, &keys, &mut plain);
        hash_both_group(6, &offsets, &keys, delta, &mut zero, &mut one);
        assert_eq!((plain, [zero, one]), (reference[0], reference));
    }

    #[test]
    fn the_sender_of_both_words_agrees_with_a_receiver_of_either() {
        let (keys, delta) = (keys(1280), 0x1234_5678_9abc_def0_0fed_cba9_8765_4321);
        let shifted: Vec<Block> = keys.iter().map(|key| key ^ delta).collect();
        let (mut zero, mut one) = (vec![0; 1280], vec![0; 1280]);
        CorrelationHash::new(5).hash_both(&keys, delta, &mut zero, &mut one);
        assert_eq!(zero, hashed(&keys, 5));
        assert_eq!(one, hashed(&shifted, 5));
    }

    #[test]
    fn the_stream_does_not_depend_on_how_it_is_cut() {
        let keys = keys(1024);
        let (mut hash, mut words) = (CorrelationHash::new(9), vec![0; 1024]);
        hash.hash(&keys[..128], &mut words[..128]);
        hash.hash(&keys[128..640], &mut words[128..640]);
        hash.hash(&keys[640..], &mut words[640..]);
        assert_eq!(words, hashed(&keys, 9));
    }

    #[test]
    fn equal_keys_at_different_positions_give_unrelated_words() {
        assert_eq!(repeats(&hashed(&[42; 1024], 3)), 0);
    }

    #[test]
    fn the_detector_of_equal_words_sees_a_tweak_that_is_constant() {
        // Sabotage: the same hash with its counter set back before every group, then also before every key.
        let mut group_reset = vec![0; 1024];
        for words in group_reset.chunks_mut(GROUP) {
            words.copy_from_slice(&hashed(&[42; GROUP], 3));
        }
        assert_eq!(repeats(&group_reset), 1024 - GROUP);
        let constant: Vec<u32> = (0..1024).map(|_| hashed(&[42; GROUP], 3)[0]).collect();
        assert_eq!(repeats(&constant), 1023);
    }

    #[test]
    fn different_seeds_give_unrelated_words() {
        let keys = keys(1024);
        let same = hashed(&keys, 1).iter().zip(hashed(&keys, 2)).filter(|(a, b)| **a == *b).count();
        assert_eq!(same, 0);
    }
}
