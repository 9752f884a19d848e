//! The sender of silent transfers: grows trees, and says of each what the receiver needs.

use blindscan_arith::block::{self, Block};
use blindscan_arith::gf128;
use blindscan_arith::lpn::LocalCode;
use blindscan_arith::prg::Prg;
use blindscan_arith::tree;
use blindscan_wire::{Channel, WireError};
use zeroize::{Zeroize, Zeroizing};

use super::check::{CLAIM_BYTES, TreeHash};
use super::{KEY_BITS, Kept, Leaves, Ledger, LpnSet, Step, Tweaks, code, fed};
use crate::ProtocolError;
use crate::ot::{CotSender, Instance};

/// Ready to extend.
pub struct FerretSender {
    set: LpnSet,
    binding: [u8; 32],
    check: TreeHash,
    sacrificed: Zeroizing<Vec<Block>>,
    delta: Block,
    first: Option<Box<dyn CotSender + Send>>,
    roots: Prg,
    tweaks: Tweaks,
    code: LocalCode,
    ledger: Ledger,
    kept: Kept,
    leaves: Leaves,
    trees_begun: u64,
}

impl FerretSender {
    /// A sender whose first iteration is fed by `first`, and whose trees have roots from the stream of `seed`.
    ///
    /// # Panics
    /// When the Delta of `first` is even.
    pub fn new(set: LpnSet, first: Box<dyn CotSender + Send>, instance: &Instance, seed: Block) -> Self {
        assert!(first.delta() & 1 == 1, "the setup makes an odd Delta");
        let binding = first.binding();
        Self {
            set,
            binding,
            check: TreeHash::new(instance, binding),
            sacrificed: Zeroizing::default(),
            delta: first.delta(),
            first: Some(first),
            roots: Prg::new(seed),
            tweaks: Tweaks::new(instance, binding),
            code: code(),
            ledger: Ledger::new(set),
            kept: Kept::default(),
            leaves: Leaves::new(set),
            trees_begun: 0,
        }
    }

    /// Step 1: the first iteration's keys, and those that mask the claim. No tree is sent before they are checked.
    fn begin(&mut self, channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        let mut first = self.first.take().ok_or(WireError::Closed)?;
        let mut keys = first.extend(fed(self.set), channel)?;
        let claim = channel.receive(first.claim_bytes())?;
        first.answer(&claim)?;
        keys.iter_mut().for_each(|key| *key &= KEY_BITS);
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
        let mut message = Vec::with_capacity(count * self.set.tree_bytes() / 16);
        for tree in first..first + count {
            self.grow_tree(tree, &mut message);
            self.code.add_rows((tree * self.set.leaves()) as u64, &self.kept.table, &mut self.leaves.blocks);
            self.leaves.used = 0;
            keys = self.leaves.hand_out(keys);
        }
        channel.send(&block::bytes_of(&message))?;
        Ok(keys)
    }

    /// Grows one tree, and appends to the message its masked sums and the sum of its leaves and Delta.
    fn grow_tree(&mut self, tree: usize, message: &mut Vec<Block>) {
        let masks = self.kept.masks_of(self.set, tree);
        let [zero, one] = [0, self.delta].map(|shift| self.tweaks.masks(self.trees_begun, masks, shift));
        let (first, mut total) = (message.len(), 0);
        self.leaves.blocks[0] = self.roots.block();
        for (level, (zero, one)) in zero.iter().zip(one.iter()).enumerate() {
            let keep = if level + 1 == self.set.depth() { KEY_BITS } else { Block::MAX };
            let tweak = self.tweaks.level(self.trees_begun, level as u32);
            let [left, right] = tree::grow(tweak, &mut self.leaves.blocks[..2 << level], keep);
            message.extend([left ^ zero, right ^ one]);
            total = left ^ right;
        }
        message.push(total ^ self.delta);
        self.check.add(&message[first..], &self.leaves.blocks);
        self.trees_begun += 1;
    }
}

impl CotSender for FerretSender {
    fn delta(&self) -> Block {
        self.delta
    }

    fn binding(&self) -> [u8; 32] {
        self.binding
    }

    fn receiver_never_waits(&self) -> bool {
        false
    }

    fn extend_into(&mut self, keys: &mut [Block], channel: &mut dyn Channel) -> Result<(), ProtocolError> {
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
        Ok(())
    }

    fn claim_bytes(&self) -> usize {
        CLAIM_BYTES
    }

    fn answer(self: Box<Self>, claim: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let claim = Block::from_le_bytes(claim.try_into().expect("the channel has fixed the claim's length"));
        Ok(self.check.answer(&self.sacrificed, gf128::multiply(claim, self.delta)).to_vec())
    }
}

impl Drop for FerretSender {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}
