//! The receiver of correlated transfers: random choices, one key each.

use blindscan_arith::block::Block;
use blindscan_arith::transpose::BitRows;
use blindscan_arith::vole::{Counters, Streams, Workspace};
use blindscan_wire::Channel;
use rand_core::CryptoRng;

use super::{BATCH, CHUNK, SmallField, TREE_BYTES, tree};
use crate::ProtocolError;
use crate::ot::CotReceiver;
use crate::ot::base::SenderKeys;

/// Ready to extend.
pub struct SoftSpokenReceiver {
    field: SmallField,
    groups: Vec<Streams>,
    counters: Counters,
    workspace: Workspace,
    rows: BitRows,
    message: Vec<u8>,
}

impl SoftSpokenReceiver {
    /// Step 1: grows the trees, and makes the message that tells all but one leaf of each to the holder of one base key
    /// of each transfer.
    pub fn new<R: CryptoRng + ?Sized>(
        base_keys: &SenderKeys,
        field: SmallField,
        rng: &mut R,
    ) -> (Self, Vec<u8>) {
        let mut told = Vec::with_capacity(TREE_BYTES);
        let mut groups = Vec::with_capacity(field.groups());
        for keys in base_keys.chunks_exact(field.bits()) {
            let mut root = [0; 16];
            rng.fill_bytes(&mut root);
            let (leaves, sums) = tree::grow(Block::from_le_bytes(root), field.bits());
            groups.push(Streams::new(&leaves, field.bits() as u32));
            // Transfer j of a group is for bit j of the leaf's number; the root's level is the highest bit.
            for (pair, sums) in keys.iter().zip(sums.iter().rev()) {
                told.extend([pair[0] ^ sums[0], pair[1] ^ sums[1]].iter().flat_map(|sum| sum.to_le_bytes()));
            }
        }
        let receiver = Self {
            field,
            groups,
            counters: Counters::new(),
            workspace: Workspace::new(field.bits() as u32),
            rows: BitRows::new(),
            message: Vec::new(),
        };
        (receiver, told)
    }

    /// Step 2, for the chunk at `start` of a batch: choices, keys, and this chunk's part of the batch's message.
    fn extend_chunk(&mut self, start: usize, batch: usize, choice: &mut [u64], keys: &mut [Block]) {
        self.counters.advance(keys.len() / 128);
        let mut total = [0; CHUNK / 64];
        let total = &mut total[..choice.len()];
        for (group, streams) in self.groups.iter().enumerate() {
            let first_row = group * self.field.bits();
            streams.sum(&self.counters, &mut self.workspace, total, &mut self.rows, first_row);
            match group.checked_sub(1) {
                None => choice.copy_from_slice(total),
                Some(part) => {
                    let part = &mut self.message[(part * batch + start) / 8..][..choice.len() * 8];
                    differences(total, choice, part);
                }
            }
        }
        self.rows.transpose_into(keys);
    }
}

impl CotReceiver for SoftSpokenReceiver {
    fn never_waits(&self) -> bool {
        true
    }

    fn extend_into(
        &mut self,
        choice: &mut [u64],
        keys: &mut [Block],
        channel: &mut dyn Channel,
    ) -> Result<(), ProtocolError> {
        assert!(keys.len().is_multiple_of(128) && choice.len() == keys.len() / 64, "whole words of choices");
        for (choice, keys) in choice.chunks_mut(BATCH / 64).zip(keys.chunks_mut(BATCH)) {
            let batch = keys.len();
            self.message.resize(self.field.batch_bytes(batch), 0);
            let chunks = choice.chunks_mut(CHUNK / 64).zip(keys.chunks_mut(CHUNK));
            for (index, (choice, keys)) in chunks.enumerate() {
                self.extend_chunk(index * CHUNK, batch, choice, keys);
            }
            channel.send(&self.message)?;
        }
        Ok(())
    }
}

fn differences(total: &[u64], choice: &[u64], part: &mut [u8]) {
    for ((bytes, total), choice) in part.chunks_exact_mut(8).zip(total).zip(choice) {
        bytes.copy_from_slice(&(total ^ choice).to_le_bytes());
    }
}
