//! Levels of a tree of seeds, whole or with one leaf that nobody here knows, and the hash that grows them.
//!
//! The hash is that of [`crate::hash`] at full width: block number j of a level becomes `E_K(y) xor y` with
//! `y = x xor (j mod 128)` and `K = key xor (j / 128)`, so that one AES key serves 128 blocks and a guessed seed can
//! be compared with few others. A node's two children are hashes of the same node under neighbouring numbers.
//! Nothing here reads, writes or branches by where a block is missing: that place is the receiver's secret.

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Block as AesBlock};

use crate::block::Block;

/// Blocks hashed under one AES key.
pub const GROUP: usize = 128;

/// Grows a level in place: its nodes stand in the first half of `nodes`, their children will fill all of it, cut to the
/// bits of `keep`. The sums of the left and of the right children.
///
/// The keys used are `key xor g` for g below the number of groups of 128 children.
///
/// # Panics
/// When `nodes` has no two halves of a power of two.
pub fn grow(key: Block, nodes: &mut [Block], keep: Block) -> [Block; 2] {
    assert!(nodes.len().is_power_of_two() && nodes.len() >= 2, "a level has a power of two of nodes");
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if crate::vaes::available() {
        // SAFETY: `available` has just found every feature.
        return unsafe { x86::grow(key, nodes, keep) };
    }
    grow_portable(key, nodes, keep)
}

/// The reference. From the back, so that no node is overwritten before its children are made.
fn grow_portable(key: Block, nodes: &mut [Block], keep: Block) -> [Block; 2] {
    let mut sums = [0; 2];
    for group in (0..nodes.len().div_ceil(GROUP)).rev() {
        let first = group * GROUP;
        let mut children = [0; GROUP];
        let children = &mut children[..GROUP.min(nodes.len())];
        for (j, child) in children.iter_mut().enumerate() {
            *child = nodes[(first + j) / 2];
        }
        hash(key ^ group as Block, children);
        for (j, (node, child)) in nodes[first..].iter_mut().zip(children).enumerate() {
            *node = *child & keep;
            sums[j % 2] ^= *node;
        }
    }
    sums
}

/// Hashes at most [`GROUP`] blocks under one key, in place.
///
/// # Panics
/// When there are more.
pub fn hash(key: Block, blocks: &mut [Block]) {
    assert!(blocks.len() <= GROUP, "one key serves {GROUP} blocks");
    let mut cipher_blocks = [AesBlock::default(); GROUP];
    let cipher_blocks = &mut cipher_blocks[..blocks.len()];
    for (j, (cipher_block, block)) in cipher_blocks.iter_mut().zip(&mut *blocks).enumerate() {
        *block ^= j as Block;
        *cipher_block = block.to_le_bytes().into();
    }
    Aes128Enc::new(&key.to_le_bytes().into()).encrypt_blocks(cipher_blocks);
    for (block, cipher_block) in blocks.iter_mut().zip(cipher_blocks) {
        *block ^= Block::from_le_bytes((*cipher_block).into());
    }
}

/// Adds `value` to node number `index`, touching all nodes alike.
pub fn correct(nodes: &mut [Block], index: usize, value: Block) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if crate::vaes::available() && nodes.len().is_multiple_of(4) {
        // SAFETY: `available` has just found every feature.
        return unsafe { x86::correct(nodes, index, value) };
    }
    correct_portable(nodes, index, value);
}

fn correct_portable(nodes: &mut [Block], index: usize, value: Block) {
    for (i, node) in nodes.iter_mut().enumerate() {
        // All ones where the difference is zero: only then does the subtraction borrow.
        let mask = (((i ^ index) as i128 - 1) >> 127) as Block;
        *node ^= value & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Prg;

    fn blocks(count: usize) -> Vec<Block> {
        let mut prg = Prg::new(3);
        (0..count).map(|_| prg.block()).collect()
    }

    #[test]
    fn children_are_the_formula_of_the_front_page() {
        for level in [2usize, 8, 64, 128, 256, 1024] {
            let parents = blocks(level / 2);
            let mut nodes = [parents.clone(), vec![0; level / 2]].concat();
            let sums = grow(55, &mut nodes, !1);
            let mut expected = [0; 2];
            for (j, node) in nodes.iter().enumerate() {
                let y = parents[j / 2] ^ (j % GROUP) as Block;
                let mut block: AesBlock = y.to_le_bytes().into();
                Aes128Enc::new(&(55 ^ (j / GROUP) as Block).to_le_bytes().into()).encrypt_block(&mut block);
                assert_eq!(*node, (Block::from_le_bytes(block.into()) ^ y) & !1, "child {j} of {level}");
                expected[j % 2] ^= node;
            }
            assert_eq!(sums, expected);
        }
    }

    #[test]
    fn the_chosen_versions_agree_with_the_portable_ones() {
        for level in [2usize, 4, 16, 32, 64, 512] {
            let (mut chosen, mut portable) = (blocks(level), blocks(level));
            assert_eq!(grow(7, &mut chosen, Block::MAX), grow_portable(7, &mut portable, Block::MAX));
            assert_eq!(chosen, portable);
            correct(&mut chosen, level / 2, 99);
            correct_portable(&mut portable, level / 2, 99);
            assert_eq!(chosen, portable);
        }
    }

    #[test]
    fn a_correction_changes_one_node_by_its_value() {
        for index in 0..8 {
            let (before, mut after) = (blocks(8), blocks(8));
            correct(&mut after, index, 5 << 100);
            for i in 0..8 {
                assert_eq!(before[i] ^ after[i], if i == index { 5 << 100 } else { 0 });
            }
        }
    }
}
