//! The check of the sender's trees: what either end adds up, and what is compared at last.
//!
//! With chi a random coefficient for every leaf of every tree, v the sender's leaves, w the receiver's and a the place of
//! the noise, `sum of chi * w = sum of chi * v + (sum of chi_a over the trees) * Delta`. The receiver tells the last sum of
//! coefficients, under the choices of 128 transfers that it sacrifices for that; the sender answers with a hash of what the
//! receiver's sum must then be. Leaves that are not the sender's, Delta apart, give the right sum only if the sender has
//! guessed where the noise is.
//!
//! The coefficients of a tree are a hash of all messages up to that tree (Fiat and Shamir): products of one of 128 blocks,
//! for the leaf's last seven bits, and of one block for the rest of its number. Their sum over wrong leaves hits a given
//! value with probability 2^-127. The receiver tells nothing else of what depends on its choices, so one comparison for all
//! iterations, when no transfer is used yet, gives a cheating sender no more than one for each of them.
//! Source: Yang and others (see [`super`]), section 4, the check of single-point transfers in batches.

use blindscan_arith::block::{self, Block};
use blindscan_arith::gf128;
use blindscan_arith::prg::Prg;
use zeroize::Zeroize;

use crate::ot::Instance;

/// Bytes of the receiver's claim.
pub(in crate::ot) const CLAIM_BYTES: usize = 16;

/// Bytes of the sender's answer.
pub(in crate::ot) const ANSWER_BYTES: usize = 32;

/// Transfers that mask the claim: a bit each.
pub(super) const SACRIFICED: usize = 128;

/// Leaves that share a coefficient of the second kind: a power of two, so that a secret place is cut by shift and mask.
const GROUP_BITS: u32 = 7;
const GROUP: usize = 1 << GROUP_BITS;

/// One end's sum over all leaves so far, and the hash of all messages.
pub(super) struct TreeHash {
    instance: Instance,
    transcript: [u8; 32],
    coefficients: Coefficients,
    leaves: Block,
    places: Block,
}

#[derive(Default)]
struct Coefficients {
    within: Vec<Block>,
    groups: Vec<Block>,
}

impl TreeHash {
    /// Before the first tree, after what `binding` is a hash of.
    pub(super) fn new(instance: &Instance, binding: [u8; 32]) -> Self {
        let coefficients = Coefficients::default();
        Self { instance: *instance, transcript: binding, coefficients, leaves: 0, places: 0 }
    }

    /// Enters what the sender tells of a tree, whose coefficients are now fixed, and adds its leaves.
    pub(super) fn add(&mut self, message: &[Block], leaves: &[Block]) {
        let mut hasher = self.instance.hasher("blindscan v1 silent transfers, coefficients of the check");
        let mut out = [0; 48];
        hasher.update(&self.transcript).update(&block::bytes_of(message)).finalize_xof().fill(&mut out);
        let (transcript, seed) = out.split_at(32);
        self.transcript.copy_from_slice(transcript);
        let mut stream = Prg::new(Block::from_le_bytes(seed.try_into().expect("sixteen bytes")));
        let Coefficients { within, groups } = &mut self.coefficients;
        within.resize(GROUP.min(leaves.len()), 0);
        groups.resize(leaves.len() / within.len(), 0);
        stream.fill(bytemuck::cast_slice_mut(within));
        stream.fill(bytemuck::cast_slice_mut(groups));
        for (leaves, group) in leaves.chunks_exact(within.len()).zip(groups) {
            self.leaves ^=
                gf128::multiply(gf128::inner_product(within, bytemuck::cast_slice(leaves)), *group);
        }
    }

    /// Adds the coefficient of the leaf at `place` of the tree that was added last. Touches all alike, for the place is secret.
    pub(super) fn add_place(&mut self, place: usize) {
        let Coefficients { within, groups } = &self.coefficients;
        // A tree of fewer leaves than a group has the one group zero.
        let (group, place) = (place >> GROUP_BITS, place & (GROUP - 1));
        self.places ^= gf128::multiply(at(within, place), at(groups, group));
    }

    /// The receiver's claim: the coefficients of its places, under the choices of the sacrificed transfers.
    pub(super) fn claim(&self, masks: Block) -> Block {
        self.places ^ masks
    }

    /// What the sender answers, and the receiver must hear. Keys are those of the sacrificed transfers; at the sender, what
    /// Delta adds to the receiver's sum.
    pub(super) fn answer(&self, sacrificed: &[Block], shift: Block) -> [u8; ANSWER_BYTES] {
        let powers: Vec<Block> = (0..sacrificed.len()).map(|bit| 1 << bit).collect();
        let mut sum = self.leaves ^ gf128::inner_product(&powers, bytemuck::cast_slice(sacrificed)) ^ shift;
        let mut hasher = self.instance.hasher("blindscan v1 silent transfers, answer of the check");
        let answer = *hasher.update(&self.transcript).update(&sum.to_le_bytes()).finalize().as_bytes();
        sum.zeroize();
        answer
    }
}

impl Drop for TreeHash {
    fn drop(&mut self) {
        self.leaves.zeroize();
        self.places.zeroize();
    }
}

/// The block at a secret place.
fn at(blocks: &[Block], place: usize) -> Block {
    blocks.iter().enumerate().fold(0, |sum, (i, block)| {
        // All ones where the difference is zero: only then does the subtraction borrow.
        let mask = (((i ^ place) as i128 - 1) >> 127) as Block;
        sum ^ block & mask
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::Direction;

    #[test]
    fn a_leaf_that_differs_by_delta_is_balanced_by_its_place() {
        let instance = Instance { session: [1; 32], direction: Direction::Forward };
        let [mut sender, mut receiver] = [(); 2].map(|()| TreeHash::new(&instance, [2; 32]));
        for (tree, place) in [(3, 0), (4, 700), (5, 1023)] {
            let leaves: Vec<Block> = (0..1024).map(|leaf| leaf << tree).collect();
            let mut others = leaves.clone();
            others[place] ^= 99;
            sender.add(&[tree], &leaves);
            receiver.add(&[tree], &others);
            receiver.add_place(place);
        }
        let (claim, keys) = (receiver.claim(0), [0; SACRIFICED]);
        assert_eq!(sender.answer(&keys, gf128::multiply(claim, 99)), receiver.answer(&keys, 0));
        assert_ne!(sender.answer(&keys, gf128::multiply(claim, 98)), receiver.answer(&keys, 0));
    }
}
