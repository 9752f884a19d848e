//! Multiplexer: a shared bit times a shared word, both parties doing the same.
//!
//! | step | who | message | bits |
//! |---|---|---|---|
//! | 1 | both, at once | own share of the bit xor own choice | 1 |
//! | 2 | both, at once | the product's message ([`super::products`]) | m |
//!
//! Ideal: `([s] mod 2, [v] mod 2^m) -> [s * v] mod 2^m`. With s = s0 xor s1 and v = v0 + v1,
//! s * v0 is s0 * v0 and s1 * (1 - 2 s0) * v0 together, so each party offers (1 - 2 s_own) * v_own to the
//! other's bit. One transfer of m bits in each direction.
//! Source: the multiplexer of Rathee et al., CrypTFlow2, CCS 2020, with correlated transfers.

use blindscan_arith::bits::Bits;
use blindscan_wire::Channel;

use super::message::{Reader, Writer};
use super::products;
use super::supply::{PadDemand, PadEnds, WordPads};
use crate::{Party, ProtocolError};

/// One party's pads for n selections.
pub(super) struct SelectStock {
    given: WordPads,
    taken: WordPads,
}

/// A selection between its two messages.
pub(super) struct Selection {
    taken: WordPads,
    bit: Bits,
    share: Vec<u32>,
}

pub(super) const DEMAND: PadDemand = PadDemand { forward_cots: 1, backward_cots: 1 };

impl SelectStock {
    pub(super) fn offline(
        n: usize,
        bits: u32,
        ends: &mut PadEnds,
        channel: &mut dyn Channel,
    ) -> Result<Self, ProtocolError> {
        let forward = ends.forward_words(n, bits, channel)?;
        let backward = ends.backward_words(n, bits, channel)?;
        Ok(match ends.party() {
            Party::ImageOwner => Self { given: forward, taken: backward },
            Party::ModelOwner => Self { given: backward, taken: forward },
        })
    }

    pub(super) fn stock_bytes(n: usize, bits: u32) -> usize {
        WordPads::stock_bytes(true, n, bits) + WordPads::stock_bytes(false, n, bits)
    }

    pub(super) fn write(&self, bits: u32, out: &mut Writer) {
        self.given.write(bits, out);
        self.taken.write(bits, out);
    }

    pub(super) fn read(bits: u32, from: &mut Reader) -> Self {
        Self { given: WordPads::read(true, bits, from), taken: WordPads::read(false, bits, from) }
    }

    /// What goes out in step 1.
    pub(super) fn correct(&self, bit: &Bits) -> Bits {
        bit.xor(&self.taken.receiver().choice)
    }

    /// What goes out in step 2, given what came in step 1.
    pub(super) fn offer(
        self,
        bit: Bits,
        mut words: Vec<u32>,
        word_bits: u32,
        corrections: &Bits,
        out: &mut Writer,
    ) -> Selection {
        products::offer(self.given.sender(), corrections, word_bits, out, |block, share| {
            let (own, value) = (products::masks(&bit, block), products::load(&words, block));
            products::update(&mut words, block, |i, word| (word & own[i]).wrapping_add(share[i]));
            std::array::from_fn(|i| (value[i] ^ own[i]).wrapping_sub(own[i]))
        });
        Selection { taken: self.taken, bit, share: words }
    }
}

impl Selection {
    /// The share of the product, given what came in step 2. Upper bits are not reduced.
    pub(super) fn accept(mut self, word_bits: u32, from: &mut Reader) -> Vec<u32> {
        let sum = &mut self.share;
        products::accept(self.taken.receiver(), &self.bit, word_bits, from, |block, share| {
            products::update(sum, block, |i, sum| sum.wrapping_add(share[i]));
        });
        self.share
    }
}
