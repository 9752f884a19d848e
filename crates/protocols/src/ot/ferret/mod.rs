//! Ferret: correlated transfers whose number grows faster than their messages ("silent").
//!
//! | step | who      | message                                                             | bytes             |
//! |------|----------|---------------------------------------------------------------------|-------------------|
//! | 1    | receiver | once: k + t*h + 128 transfers by [`super::softspoken`], and its claim | 31/8 a transfer |
//! | 2    | sender   | per tree: for each level both sums, masked; the sum of all leaves   | (2h + 1) * 16     |
//! | 3    | receiver | once, at the end: its claim of all trees (`check.rs`)               | 16                |
//! | 4    | sender   | once: its answer                                                    | 32                |
//!
//! An iteration has t trees of 2^h leaves, one for each block of the noise. Trees are grown when their transfers are asked
//! for, the last ones only when the iteration is used up: their transfers are kept, k + t*h of them, and feed the next.
//! So memory holds no iteration, and what goes over the wire depends on the number of transfers alone.
//!
//! *A tree.* The sender grows 2^h leaves v from a seed. The receiver learns all leaves but number a, and instead of that
//! one `v_a xor Delta`: a noise of one position, times Delta. For each level it needs the sum of the nodes on the side
//! that the path to a leaves out; both sums are sent, each under the hash of one key of a kept transfer, and the receiver
//! can open the one of its choice bit. The paper's receiver first sends h bits per tree, which turn the random choices
//! into positions of its own; here the position *is* the complement of the choices, as random and as hidden from the
//! sender, and that message falls away. *A row.* Transfer i adds to leaf i ten of the k kept keys, at public places
//! ([`blindscan_arith::lpn`]). With s the kept choices, e the noise and A the places, the receiver's choices are
//! `s*A + e`, its keys `t*A + w` and the sender's `q*A + v`: the correlation is kept, and by LPN the choices look random.
//!
//! *Choice bits ride in the keys.* Delta is odd and the lowest bit of every key of the sender is cleared, so that the
//! lowest bit of the receiver's key is its choice, and one sum serves both. Delta has 127 secret bits. The receiver sets the
//! lowest bits of its leaves itself, one in leaf a and zero elsewhere, whatever the sums say: a sender that turned them
//! would take the noise out of the choices.
//!
//! Ideal: as in [`super`]. Cost: [`super::source`]. Security: against a receiver that does anything, for it is checked as
//! in [`super::softspoken`] before the first tree is sent and says nothing later that could hurt, and against a sender that
//! does anything: choices do not depend on it, and what it makes of keys is checked; it may guess where the noise is, and
//! a wrong guess ends the dialogue. LPN with regular noise, of which guesses may tell a little, for the sets of
//! [`sets`], held at 128 bits by a test; the hash of [`blindscan_arith::tree`] is correlation robust, its tweak bound to
//! session, direction, the first message and a running count of trees.
//! Source: Yang, Weng, Lan, Zhang and Wang, "Ferret: fast extension for correlated OT with small communication", CCS 2020
//! (ePrint 2020/924): single-point COT with its check in section 4, extension in section 5; the tree is that of Goldreich, Goldwasser and Micali, JACM 1986.

mod check;
mod ledger;
mod receiver;
mod sender;
pub mod sets;

#[cfg(test)]
mod tests;

pub(super) use check::{ANSWER_BYTES, CLAIM_BYTES};
pub(super) use ledger::{Ledger, Step};
pub use receiver::FerretReceiver;
pub use sender::FerretSender;
pub use sets::LpnSet;

use blindscan_arith::block::Block;
use blindscan_arith::lpn::LocalCode;
use blindscan_arith::tree;
use blindscan_wire::script::Script;
use zeroize::{Zeroize, Zeroizing};

use super::softspoken::{self, SmallField};
use super::{Ends, Instance};

/// Every bit of a block but the lowest, which is the choice's.
const KEY_BITS: Block = !1;

/// Transfers of another kind that are made for the first iteration and for the check.
pub(super) const fn fed(set: LpnSet) -> usize {
    set.kept() + check::SACRIFICED
}

/// The messages of a step.
pub(super) fn script(ends: Ends, step: Step, field: SmallField, set: LpnSet) -> Script {
    match step {
        Step::Begin => {
            let mut script = softspoken::script(ends, fed(set), field);
            script.message(ends.receiver_sends(softspoken::CLAIM_BYTES));
            script
        }
        Step::Renew { count, .. } | Step::Grow { count, .. } => {
            ends.sender_sends(count * set.tree_bytes()).into()
        }
    }
}

/// The places of the code: public, and the same for all.
fn code() -> LocalCode {
    LocalCode::new(Block::from_le_bytes(*b"blindscan code 1"))
}

/// Where the hashes of one instance start. None is used for two trees, levels or purposes.
struct Tweaks {
    nodes: Block,
    masks: Block,
}

impl Tweaks {
    /// After the message that `binding` is a hash of, so that the receiver's first keys are fixed before the tweaks are.
    fn new(instance: &Instance, binding: [u8; 32]) -> Self {
        let start = |purpose| {
            let mut bytes = [0; 16];
            instance.hasher(purpose).update(&binding).finalize_xof().fill(&mut bytes);
            Block::from_le_bytes(bytes)
        };
        Self {
            nodes: start("blindscan v1 nodes of silent transfers, start of tweaks"),
            masks: start("blindscan v1 masks of silent transfers, start of tweaks"),
        }
    }

    /// For the children of a level of a tree: a level has less than 2^16 groups.
    fn level(&self, tree: u64, level: u32) -> Block {
        self.nodes ^ Block::from(tree) << 32 ^ Block::from(level) << 16
    }

    /// The masks of a tree, one per level, from the keys of its kept transfers.
    ///
    /// Each level has an AES key of its own. A receiver has a say in its keys: were two levels hashed under one AES key, it could
    /// make their masks coincide, and the sum of two messages would be that of a hidden node and its hidden child. The child is
    /// `E(y) xor y` of the node y, but for public positions, so that the node falls out of the sum, E is inverted, and Delta is bare.
    fn masks(&self, tree: u64, keys: &[Block], shift: Block) -> Zeroizing<Vec<Block>> {
        let mut masks = Zeroizing::new(keys.to_vec());
        for (level, mask) in masks.iter_mut().enumerate() {
            *mask ^= shift;
            let start = self.masks ^ Block::from(tree) << 32 ^ Block::from(level as u64) << 16;
            tree::hash(start, std::slice::from_mut(mask));
        }
        masks
    }
}

/// What is kept of one iteration for the next: keys, with the receiver's choices in their lowest bits.
#[derive(Default)]
struct Kept {
    /// The k keys that rows add up.
    table: Vec<Block>,
    /// The t * h keys that mask sums.
    masks: Vec<Block>,
}

impl Kept {
    /// Divides the first keys of `keys`; what is over is dropped.
    fn new(set: LpnSet, mut keys: Vec<Block>) -> Self {
        let masks = keys[set.k()..set.kept()].to_vec();
        keys[set.k()..].zeroize();
        keys.truncate(set.k());
        Self { table: keys, masks }
    }

    /// The keys that mask the sums of tree number `tree` of the iteration.
    fn masks_of(&self, set: LpnSet, tree: usize) -> &[Block] {
        &self.masks[tree * set.depth()..][..set.depth()]
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.table.zeroize();
        self.masks.zeroize();
    }
}

/// The leaves of the last tree, and how many have been handed out.
struct Leaves {
    blocks: Vec<Block>,
    used: usize,
}

impl Leaves {
    /// None at hand.
    fn new(set: LpnSet) -> Self {
        Self { blocks: vec![0; set.leaves()], used: set.leaves() }
    }

    /// Copies what is at hand to the front of `keys`; what remains to be filled.
    fn hand_out<'a>(&mut self, keys: &'a mut [Block]) -> &'a mut [Block] {
        let count = keys.len().min(self.blocks.len() - self.used);
        let (now, rest) = keys.split_at_mut(count);
        now.copy_from_slice(&self.blocks[self.used..self.used + count]);
        self.used += count;
        rest
    }
}

impl Drop for Leaves {
    fn drop(&mut self) {
        self.blocks.zeroize();
    }
}
