//! The sender of correlated transfers: one difference Delta, one key each.

use blindscan_arith::block::Block;
use blindscan_arith::transpose::BitRows;
use blindscan_arith::vole::{Counters, Streams, Workspace};
use blindscan_wire::Channel;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::check::{self, CLAIM_BYTES, RowHash, TagDigest};
use super::{BATCH, CHUNK, SACRIFICED, SmallField, TREE_BYTES, tree};
use crate::ProtocolError;
use crate::ot::security::{Check, Checked, Security};
use crate::ot::{CotSender, Instance};

/// Ready to extend.
pub struct SoftSpokenSender<S = Checked> {
    field: SmallField,
    check: RowHash,
    delta: Block,
    groups: Vec<Streams>,
    counters: Counters,
    workspace: Workspace,
    rows: BitRows,
    security: std::marker::PhantomData<S>,
}

impl<S: Security> SoftSpokenSender<S> {
    /// Step 1: grows all but one leaf of each tree, from the base keys of `choices` and the receiver's first message. Delta
    /// is the complement of `choices`.
    ///
    /// # Errors
    /// When the message does not pass the check of trees.
    ///
    /// # Panics
    /// When the message has not [`SmallField::first_bytes`] bytes.
    pub fn new(
        base_keys: &[Block],
        choices: Block,
        field: SmallField,
        instance: &Instance,
        first_message: &[u8],
    ) -> Result<Self, ProtocolError> {
        assert_eq!(first_message.len(), field.first_bytes(), "the channel has fixed the message's length");
        let (their_sums, their_check) = first_message.split_at(TREE_BYTES);
        let delta = Zeroizing::new(!choices);
        let sums: Zeroizing<Vec<Block>> = Zeroizing::new(
            (0..128)
                .map(|transfer| {
                    chosen(&their_sums[transfer * 32..][..32], choices >> transfer) ^ base_keys[transfer]
                })
                .collect(),
        );
        let mut digest = TagDigest::new(instance);
        let groups = (0..field.groups()).map(|group| {
            let first = group * field.bits();
            let missing = (*delta >> first) as u32 & ((1 << field.bits()) - 1);
            // The root's level is the highest bit of the leaf's number.
            let known: Zeroizing<Vec<Block>> =
                Zeroizing::new(sums[first..first + field.bits()].iter().rev().copied().collect());
            let (seeds, known_tags) = check::seeds_and_tags(instance, group, &tree::regrow(&known, missing));
            let [mut low, mut high] = check::sum_of(&known_tags);
            low ^= block_at(their_check, 2 * group);
            high ^= block_at(their_check, 2 * group + 1);
            let mut tags = Zeroizing::new(vec![[low, high]]);
            tags.extend_from_slice(&known_tags);
            check::shift_places(&mut tags, missing);
            digest.group(&tags);
            Streams::new(&seeds, field.bits() as u32)
        });
        let groups: Vec<Streams> = groups.collect();
        let (their_digest, differences) = their_check[field.groups() * 32..].split_at(32);
        S::judge(Check::SeedTrees, digest.finish().ct_eq(their_digest).into())?;
        let mut sender = Self {
            field,
            check: RowHash::new(instance),
            delta: *delta,
            groups,
            counters: Counters::new(),
            workspace: Workspace::new(field.bits() as u32),
            rows: BitRows::new(),
            security: std::marker::PhantomData,
        };
        sender.check.begin(first_message);
        sender.sum_chunk(differences, SACRIFICED);
        sender.check.add_rows(&sender.rows, SACRIFICED / 64);
        Ok(sender)
    }

    /// The rows of a chunk, from its part of the batch's message.
    fn sum_chunk(&mut self, message: &[u8], transfers: usize) {
        self.counters.advance(transfers / 128);
        let mut unused = [0; CHUNK / 64];
        let words = transfers / 64;
        for (group, streams) in self.groups.iter().enumerate() {
            let first_row = group * self.field.bits();
            streams.sum(&self.counters, &mut self.workspace, &mut unused[..words], &mut self.rows, first_row);
            if let Some(part) = group.checked_sub(1) {
                let part = &message[part * transfers / 8..][..transfers / 8];
                for row in first_row..first_row + self.field.bits() {
                    correct(&mut self.rows.row_mut(row)[..words], part, (self.delta >> row & 1) as u64);
                }
            }
        }
    }

    /// Step 2, for a chunk.
    fn extend_chunk(&mut self, message: &[u8], keys: &mut [Block]) {
        self.sum_chunk(message, keys.len());
        self.check.enter(message);
        self.check.add_rows(&self.rows, keys.len() / 64);
        self.rows.transpose_into(keys);
    }
}

impl<S: Security> CotSender for SoftSpokenSender<S> {
    fn binding(&self) -> [u8; 32] {
        self.check.binding()
    }

    fn delta(&self) -> Block {
        self.delta
    }

    fn receiver_never_waits(&self) -> bool {
        true
    }

    fn extend_into(&mut self, keys: &mut [Block], channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        assert!(keys.len().is_multiple_of(128), "whole words of choices");
        for keys in keys.chunks_mut(BATCH) {
            let batch = keys.len();
            let message = channel.receive(self.field.batch_bytes(batch))?;
            for (keys, part) in keys.chunks_mut(CHUNK).zip(message.chunks(self.field.batch_bytes(CHUNK))) {
                self.extend_chunk(part, keys);
            }
        }
        Ok(())
    }

    fn claim_bytes(&self) -> usize {
        CLAIM_BYTES
    }

    fn answer(self: Box<Self>, claim: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        S::judge(Check::Differences, self.check.fits(self.delta, claim))?;
        Ok(Vec::new())
    }
}

impl<S> Drop for SoftSpokenSender<S> {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

/// Adds the differences to a row where the bit of Delta is one.
fn correct(row: &mut [u64], differences: &[u8], bit_of_delta: u64) {
    let mask = bit_of_delta.wrapping_neg();
    for (word, bytes) in row.iter_mut().zip(differences.chunks_exact(8)) {
        *word ^= u64::from_le_bytes(bytes.try_into().expect("eight bytes")) & mask;
    }
}

/// Block number `index` of a message.
fn block_at(message: &[u8], index: usize) -> Block {
    Block::from_le_bytes(message[index * 16..][..16].try_into().expect("sixteen bytes"))
}

/// The first or the second block of 32 bytes, by the lowest bit of `choice`.
fn chosen(pair: &[u8], choice: Block) -> Block {
    let [zero, one] =
        [0, 16].map(|at| Block::from_le_bytes(pair[at..at + 16].try_into().expect("sixteen bytes")));
    zero ^ (zero ^ one) & (choice & 1).wrapping_neg()
}
