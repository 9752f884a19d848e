//! Messages and stocks as bytes: planes and packed words one after another; and what a dialogue costs, counted from its script.
//!
//! A plane of n bits takes ceil(n / 8) bytes, n words of k bits take ceil(n * k / 8). There are no headers: both ends know the shape.

use blindscan_arith::bits::Bits;
use blindscan_arith::ring::Ring;
use blindscan_wire::{Meter, Traffic};

use crate::Party;

/// Bytes of n words of `bits` bits each; none when there are no bits.
pub(super) fn packed_bytes(bits: u32, n: usize) -> usize {
    (n * bits as usize).div_ceil(8)
}

/// A message that grows.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty message with room for `bytes`.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// Appends a plane.
    pub(super) fn plane(&mut self, plane: &Bits) {
        let bytes: &[u8] = bytemuck::cast_slice(plane.words());
        self.bytes.extend_from_slice(&bytes[..Bits::byte_count(plane.len())]);
    }

    /// Appends words at `bits` bits each.
    pub(super) fn words(&mut self, bits: u32, words: &[u32]) {
        self.bytes.extend_from_slice(&Ring::new(bits).pack(words));
    }

    /// Appends zeros and lends them to be filled.
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let start = self.bytes.len();
        self.bytes.resize(start + bytes, 0);
        &mut self.bytes[start..]
    }

    /// What was written.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A message of known length, read from its start.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    n: usize,
}

impl<'a> Reader<'a> {
    /// Reads vectors of `n` elements from `bytes`, whose length has been checked.
    pub(super) fn new(bytes: &'a [u8], n: usize) -> Self {
        Self { rest: bytes, n }
    }

    /// Elements of each vector.
    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// The next plane.
    pub(super) fn plane(&mut self) -> Bits {
        Bits::from_bytes(self.take(Bits::byte_count(self.n)), self.n)
    }

    /// The next `count` planes.
    pub(super) fn planes(&mut self, count: usize) -> Vec<Bits> {
        (0..count).map(|_| self.plane()).collect()
    }

    /// The next words of `bits` bits each.
    pub(super) fn words(&mut self, bits: u32) -> Vec<u32> {
        Ring::new(bits).unpack(self.take(packed_bytes(bits, self.n)), self.n)
    }

    /// The next bytes as they are.
    pub(super) fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (now, later) = self.rest.split_at(bytes);
        self.rest = later;
        now
    }
}

/// The messages of a dialogue in order, by their lengths; empty ones are not sent.
#[derive(Clone, Default)]
pub(super) struct Script {
    steps: Vec<Step>,
}

#[derive(Clone, Copy)]
enum Step {
    ModelOwnerSends(usize),
    ImageOwnerSends(usize),
    Exchange { image_owner: usize, model_owner: usize },
}

impl Script {
    /// A message of the model owner.
    pub(super) fn model_owner_sends(&mut self, bytes: usize) {
        if bytes > 0 {
            self.steps.push(Step::ModelOwnerSends(bytes));
        }
    }

    /// A message of the image owner.
    pub(super) fn image_owner_sends(&mut self, bytes: usize) {
        if bytes > 0 {
            self.steps.push(Step::ImageOwnerSends(bytes));
        }
    }

    /// Both send at once.
    pub(super) fn exchange(&mut self, image_owner: usize, model_owner: usize) {
        if image_owner + model_owner > 0 {
            self.steps.push(Step::Exchange { image_owner, model_owner });
        }
    }

    /// The steps of another dialogue, afterwards.
    pub(super) fn then(&mut self, other: Self) {
        self.steps.extend(other.steps);
    }

    /// What a channel counts at `party`'s end, from rest.
    pub(super) fn traffic(&self, party: Party) -> Traffic {
        let mut meter = Meter::default();
        for &step in &self.steps {
            match (step, party) {
                (Step::ModelOwnerSends(bytes), Party::ImageOwner)
                | (Step::ImageOwnerSends(bytes), Party::ModelOwner) => meter.received(bytes),
                (Step::ModelOwnerSends(bytes), Party::ModelOwner)
                | (Step::ImageOwnerSends(bytes), Party::ImageOwner) => meter.sent(bytes),
                (Step::Exchange { image_owner, model_owner }, Party::ImageOwner) => {
                    meter.sent(image_owner);
                    meter.received(model_owner);
                }
                (Step::Exchange { image_owner, model_owner }, Party::ModelOwner) => {
                    meter.sent(model_owner);
                    meter.received(image_owner);
                }
            }
        }
        meter.traffic()
    }
}
