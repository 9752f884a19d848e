//! The receiver of correlated transfers: random choices, one key each.

use blindscan_arith::block::Block;
use blindscan_arith::transpose::BitRows;
use blindscan_arith::vole::{Counters, Streams, Workspace};
use blindscan_wire::Channel;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::check::{self, RowHash, TagDigest};
use super::{BATCH, CHUNK, SACRIFICED, SmallField, tree};
use crate::ProtocolError;
use crate::ot::base::SenderKeys;
use crate::ot::security::{Checked, Security};
use crate::ot::{Claim, CotReceiver, Instance};

/// Ready to extend.
pub struct SoftSpokenReceiver<S = Checked> {
    field: SmallField,
    check: RowHash,
    groups: Vec<Streams>,
    counters: Counters,
    workspace: Workspace,
    rows: BitRows,
    message: Vec<u8>,
    security: std::marker::PhantomData<S>,
}

impl<S: Security> SoftSpokenReceiver<S> {
    /// Step 1: grows the trees, and makes the message that tells all but one leaf of each to the holder of one base key
    /// of each transfer, with what the check of trees needs, and the differences of the sacrificed transfers.
    pub fn new<R: CryptoRng + ?Sized>(
        base_keys: &SenderKeys,
        field: SmallField,
        instance: &Instance,
        rng: &mut R,
    ) -> (Self, Vec<u8>) {
        let mut first_message = Vec::with_capacity(field.first_bytes());
        let (mut groups, mut tag_sums) = (Vec::with_capacity(field.groups()), Vec::new());
        let mut digest = TagDigest::new(instance);
        for (group, keys) in base_keys.chunks_exact(field.bits()).enumerate() {
            let mut root = Zeroizing::new([0; 16]);
            rng.fill_bytes(&mut *root);
            let (leaves, sums) = tree::grow(Block::from_le_bytes(*root), field.bits());
            let (seeds, tags) = check::seeds_and_tags(instance, group, &leaves);
            groups.push(Streams::new(&seeds, field.bits() as u32));
            tag_sums.extend(check::sum_of(&tags));
            digest.group(&tags);
            // Transfer j of a group is for bit j of the leaf's number; the root's level is the highest bit.
            for (pair, sums) in keys.iter().zip(sums.iter().rev()) {
                first_message
                    .extend([pair[0] ^ sums[0], pair[1] ^ sums[1]].iter().flat_map(|sum| sum.to_le_bytes()));
            }
        }
        first_message.extend(tag_sums.iter().flat_map(|sum| sum.to_le_bytes()));
        first_message.extend(digest.finish());
        let receiver = Self {
            field,
            check: RowHash::new(instance),
            groups,
            counters: Counters::new(),
            workspace: Workspace::new(field.bits() as u32),
            rows: BitRows::new(),
            message: Vec::new(),
            security: std::marker::PhantomData,
        };
        receiver.sacrifice(first_message)
    }

    /// Makes the sacrificed transfers, and appends their differences to the first message.
    fn sacrifice(mut self, mut first_message: Vec<u8>) -> (Self, Vec<u8>) {
        let mut choice = Zeroizing::new([0; SACRIFICED / 64]);
        self.message.resize(self.field.batch_bytes(SACRIFICED), 0);
        self.sum_chunk(0, SACRIFICED, &mut *choice);
        first_message.extend(&self.message);
        self.check.begin(&first_message);
        self.check.add_choices(&*choice);
        self.check.add_rows(&self.rows, SACRIFICED / 64);
        (self, first_message)
    }

    /// The rows of the chunk at `start` of a batch, its choices, and its part of the batch's message.
    fn sum_chunk(&mut self, start: usize, transfers: usize, choice: &mut [u64]) {
        self.counters.advance(transfers / 128);
        let mut total = [0; CHUNK / 64];
        let total = &mut total[..choice.len()];
        let message = &mut self.message[self.field.batch_bytes(start)..][..self.field.batch_bytes(transfers)];
        for (group, streams) in self.groups.iter().enumerate() {
            let first_row = group * self.field.bits();
            streams.sum(&self.counters, &mut self.workspace, total, &mut self.rows, first_row);
            match group.checked_sub(1) {
                None => choice.copy_from_slice(total),
                Some(part) => {
                    let part = &mut message[part * transfers / 8..][..transfers / 8];
                    differences(total, choice, part);
                }
            }
        }
    }

    /// Step 2, for the chunk at `start` of a batch: choices, keys, and this chunk's part of the batch's message.
    fn extend_chunk(&mut self, start: usize, choice: &mut [u64], keys: &mut [Block]) {
        self.sum_chunk(start, keys.len(), choice);
        let differences =
            &self.message[self.field.batch_bytes(start)..][..self.field.batch_bytes(keys.len())];
        self.check.enter(differences);
        self.check.add_choices(choice);
        self.check.add_rows(&self.rows, choice.len());
        self.rows.transpose_into(keys);
    }
}

impl<S: Security> CotReceiver for SoftSpokenReceiver<S> {
    fn binding(&self) -> [u8; 32] {
        self.check.binding()
    }

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
                self.extend_chunk(index * CHUNK, choice, keys);
            }
            channel.send(&self.message)?;
        }
        Ok(())
    }

    fn claim(self: Box<Self>) -> Claim {
        Claim::final_word(self.check.claim())
    }
}

fn differences(total: &[u64], choice: &[u64], part: &mut [u8]) {
    for ((bytes, total), choice) in part.chunks_exact_mut(8).zip(total).zip(choice) {
        bytes.copy_from_slice(&(total ^ choice).to_le_bytes());
    }
}
