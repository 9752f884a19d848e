//! The sender of correlated transfers: one difference Delta, one key each.

use blindscan_arith::block::Block;
use blindscan_arith::transpose::BitRows;
use blindscan_arith::vole::{Counters, Streams, Workspace};
use blindscan_wire::Channel;
use zeroize::{Zeroize, Zeroizing};

use super::{BATCH, CHUNK, SmallField, TREE_BYTES, tree};
use crate::ProtocolError;
use crate::ot::CotSender;

/// Ready to extend.
pub struct SoftSpokenSender {
    field: SmallField,
    delta: Block,
    groups: Vec<Streams>,
    counters: Counters,
    workspace: Workspace,
    rows: BitRows,
}

impl SoftSpokenSender {
    /// Step 1: grows all but one leaf of each tree, from the base keys of `choices` and the receiver's message of
    /// [`TREE_BYTES`] bytes. Delta is the complement of `choices`.
    pub fn new(base_keys: &[Block], choices: Block, field: SmallField, told: &[u8]) -> Self {
        assert_eq!(told.len(), TREE_BYTES, "the channel has fixed the message's length");
        let delta = !choices;
        let sums: Zeroizing<Vec<Block>> = Zeroizing::new(
            (0..128)
                .map(|transfer| {
                    chosen(&told[transfer * 32..][..32], choices >> transfer) ^ base_keys[transfer]
                })
                .collect(),
        );
        let groups = (0..field.groups()).map(|group| {
            let first = group * field.bits();
            let missing = (delta >> first) as u32 & ((1 << field.bits()) - 1);
            // The root's level is the highest bit of the leaf's number.
            let known: Zeroizing<Vec<Block>> =
                Zeroizing::new(sums[first..first + field.bits()].iter().rev().copied().collect());
            Streams::new(&tree::regrow(&known, missing), field.bits() as u32)
        });
        Self {
            field,
            delta,
            groups: groups.collect(),
            counters: Counters::new(),
            workspace: Workspace::new(field.bits() as u32),
            rows: BitRows::new(),
        }
    }

    /// Step 2, for the chunk at `start` of a batch.
    fn extend_chunk(&mut self, start: usize, batch: usize, message: &[u8], keys: &mut [Block]) {
        self.counters.advance(keys.len() / 128);
        let mut unused = [0; CHUNK / 64];
        let words = keys.len() / 64;
        for (group, streams) in self.groups.iter().enumerate() {
            let first_row = group * self.field.bits();
            streams.sum(&self.counters, &mut self.workspace, &mut unused[..words], &mut self.rows, first_row);
            if let Some(part) = group.checked_sub(1) {
                let part = &message[(part * batch + start) / 8..][..words * 8];
                for row in first_row..first_row + self.field.bits() {
                    correct(&mut self.rows.row_mut(row)[..words], part, (self.delta >> row & 1) as u64);
                }
            }
        }
        self.rows.transpose_into(keys);
    }
}

impl CotSender for SoftSpokenSender {
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
            for (index, keys) in keys.chunks_mut(CHUNK).enumerate() {
                self.extend_chunk(index * CHUNK, batch, &message, keys);
            }
        }
        Ok(())
    }
}

impl Drop for SoftSpokenSender {
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

/// The first or the second block of 32 bytes, by the lowest bit of `choice`.
fn chosen(pair: &[u8], choice: Block) -> Block {
    let [zero, one] =
        [0, 16].map(|at| Block::from_le_bytes(pair[at..at + 16].try_into().expect("sixteen bytes")));
    zero ^ (zero ^ one) & (choice & 1).wrapping_neg()
}
