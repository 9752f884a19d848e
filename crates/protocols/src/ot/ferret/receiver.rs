//! The receiver of silent transfers: grows trees again but for one leaf each, whose place nobody sees.

use blindscan_arith::block::{self, Block};
use blindscan_arith::lpn::LocalCode;
use blindscan_arith::tree;
use blindscan_wire::{Channel, WireError};
use zeroize::Zeroizing;

use super::check::TreeHash;
use super::{KEY_BITS, Kept, Leaves, Ledger, LpnSet, Step, Tweaks, code, fed};
use crate::ProtocolError;
use crate::ot::security::{Checked, Security};
use crate::ot::{Claim, CotReceiver, Instance};

/// Ready to extend.
pub struct FerretReceiver<S = Checked> {
    set: LpnSet,
    binding: [u8; 32],
    check: TreeHash,
    sacrificed: Zeroizing<Vec<Block>>,
    first: Option<Box<dyn CotReceiver + Send>>,
    tweaks: Tweaks,
    code: LocalCode,
    ledger: Ledger,
    kept: Kept,
    leaves: Leaves,
    trees_begun: u64,
    security: std::marker::PhantomData<S>,
}

impl<S: Security> FerretReceiver<S> {
    /// A receiver whose first iteration is fed by `first`, the other end of the sender's.
    pub fn new(set: LpnSet, first: Box<dyn CotReceiver + Send>, instance: &Instance) -> Self {
        let binding = first.binding();
        Self {
            set,
            binding,
            check: TreeHash::new(instance, binding),
            sacrificed: Zeroizing::default(),
            first: Some(first),
            tweaks: Tweaks::new(instance, binding),
            code: code(),
            ledger: Ledger::new(set),
            kept: Kept::default(),
            leaves: Leaves::new(set),
            trees_begun: 0,
            security: std::marker::PhantomData,
        }
    }

    /// Step 1: the first iteration's keys, with their choices, and those that mask the claim.
    fn begin(&mut self, channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        let mut first = self.first.take().ok_or(WireError::Closed)?;
        let (choice, mut keys) = first.extend(fed(self.set), channel)?;
        let claim = first.claim();
        channel.send(claim.message())?;
        claim.accept(&[])?;
        for (word, keys) in choice.words().iter().zip(keys.chunks_mut(64)) {
            for (i, key) in keys.iter_mut().enumerate() {
                *key = *key & KEY_BITS | Block::from(word >> i & 1);
            }
        }
        self.sacrificed = Zeroizing::new(keys[self.set.kept()..].to_vec());
        self.kept = Kept::new(self.set, keys);
        Ok(())
    }

    /// Step 2 for the last trees of an iteration.
    fn renew(&mut self, first: usize, count: usize, channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        let mut keys = Zeroizing::new(vec![0; count * self.set.leaves()]);
        let rest = self.grow(first, count, &mut keys, channel)?;
        debug_assert!(rest.is_empty(), "kept trees are whole");
        self.kept = Kept::new(self.set, std::mem::take(&mut *keys));
        Ok(())
    }

    /// Step 2: grows trees and hands out their keys; what remains to be filled of `keys`.
    fn grow<'a>(
        &mut self,
        first: usize,
        count: usize,
        mut keys: &'a mut [Block],
        channel: &mut dyn Channel,
    ) -> Result<&'a mut [Block], ProtocolError> {
        if self.kept.table.is_empty() {
            return Err(WireError::Closed.into());
        }
        let message = block::from_bytes(&channel.receive(count * self.set.tree_bytes())?);
        for (tree, sums) in (first..).zip(message.chunks_exact(self.set.tree_bytes() / 16)) {
            self.grow_tree(tree, sums);
            self.code.add_rows((tree * self.set.leaves()) as u64, &self.kept.table, &mut self.leaves.blocks);
            self.leaves.used = 0;
            keys = self.leaves.hand_out(keys);
        }
        Ok(keys)
    }

    /// Grows one tree from the sender's `message`. Every level holds one wrong node, that on the path to the unknown
    /// leaf; its sibling is mended by the level's sum, and at last the leaf itself by the sum of all.
    ///
    /// Lowest bits are the choices, and the receiver's own: zero in every leaf but the last one that is mended, whatever
    /// the sender sent. Were they taken from its sums, it could turn them and with them the noise.
    fn grow_tree(&mut self, tree: usize, message: &[Block]) {
        let masks = self.kept.masks_of(self.set, tree);
        let pads = self.tweaks.masks(self.trees_begun, masks, 0);
        let (mut path, mut total) = (0, 0);
        self.leaves.blocks[0] = 0;
        for (level, (mask, pad)) in masks.iter().zip(pads.iter()).enumerate() {
            let keep = if level + 1 == self.set.depth() { KEY_BITS } else { Block::MAX };
            let tweak = self.tweaks.level(self.trees_begun, level as u32);
            let nodes = &mut self.leaves.blocks[..2 << level];
            let sums = tree::grow(tweak, nodes, keep);
            let side = mask & 1;
            let mend =
                (chosen([message[2 * level], message[2 * level + 1]], side) ^ pad ^ chosen(sums, side))
                    & keep;
            tree::correct(nodes, path << 1 | side as usize, mend);
            path = path << 1 | (side ^ 1) as usize;
            total = sums[0] ^ sums[1] ^ mend;
        }
        let last = (total ^ message[2 * self.set.depth()]) & KEY_BITS | 1;
        tree::correct(&mut self.leaves.blocks, path, last);
        self.check.add(message, &self.leaves.blocks);
        self.check.add_place(path);
        self.trees_begun += 1;
    }
}

impl<S: Security> CotReceiver for FerretReceiver<S> {
    fn binding(&self) -> [u8; 32] {
        self.binding
    }

    fn never_waits(&self) -> bool {
        false
    }

    fn extend_into(
        &mut self,
        choice: &mut [u64],
        keys: &mut [Block],
        channel: &mut dyn Channel,
    ) -> Result<(), ProtocolError> {
        assert!(choice.len() * 64 == keys.len(), "whole words of choices");
        let steps = self.ledger.request(keys.len());
        let mut rest = self.leaves.hand_out(keys);
        for step in steps {
            match step {
                Step::Begin => self.begin(channel)?,
                Step::Renew { first, count } => self.renew(first, count, channel)?,
                Step::Grow { first, count } => rest = self.grow(first, count, rest, channel)?,
            }
        }
        assert!(rest.is_empty(), "the ledger grows as many trees as a request needs");
        for (word, keys) in choice.iter_mut().zip(keys.chunks_exact(64)) {
            *word = keys.iter().rev().fold(0, |word, key| word << 1 | (key & 1) as u64);
        }
        Ok(())
    }

    fn claim(self: Box<Self>) -> Claim {
        let masks = self.sacrificed.iter().rev().fold(0, |masks, key| masks << 1 | key & 1);
        let claim = self.check.claim(masks).to_le_bytes().to_vec();
        Claim::expecting::<S>(claim, self.check.answer(&self.sacrificed, 0).to_vec())
    }
}

/// The first or the second block, by the lowest bit of `side`.
fn chosen(pair: [Block; 2], side: Block) -> Block {
    pair[0] ^ (pair[0] ^ pair[1]) & (side & 1).wrapping_neg()
}
