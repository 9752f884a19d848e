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
use super::pads::{Kind, Words};
use super::products;
use super::supply::{PadDemand, PadEnds};
use crate::ProtocolError;
use crate::ot::pads::{WordPadsReceiver, WordPadsSender};
use crate::share::Share;

/// One party's pads for n selections.
pub(super) struct SelectStock {
    given: WordPadsSender,
    taken: WordPadsReceiver,
}

/// A selection between its two messages.
pub(super) struct Selection {
    taken: WordPadsReceiver,
    bit: Bits,
    share: Share,
}

pub(super) const DEMAND: PadDemand = PadDemand { forward_cots: 1, backward_cots: 1 };

impl SelectStock {
    pub(super) fn offline(
        n: usize,
        bits: u32,
        ends: &mut PadEnds,
        channel: &mut dyn Channel,
    ) -> Result<Self, ProtocolError> {
        let (given, taken) = ends.both(Words { bits }, n, channel)?;
        Ok(Self { given, taken })
    }

    pub(super) fn stock_bytes(n: usize, bits: u32) -> usize {
        let kind = Words { bits };
        kind.sent_bytes(n) + kind.received_bytes(n)
    }

    pub(super) fn write(&self, bits: u32, out: &mut Writer) {
        let kind = Words { bits };
        kind.write_sent(&self.given, out);
        kind.write_received(&self.taken, out);
    }

    pub(super) fn read(bits: u32, from: &mut Reader) -> Self {
        let kind = Words { bits };
        Self { given: kind.read_sent(from), taken: kind.read_received(from) }
    }

    /// What goes out in step 1.
    pub(super) fn correct(&self, bit: &Bits) -> Bits {
        bit.xor(&self.taken.choice)
    }

    /// What goes out in step 2, given what came in step 1.
    pub(super) fn offer(
        self,
        bit: Bits,
        mut share: Share,
        word_bits: u32,
        corrections: &Bits,
        out: &mut Writer,
    ) -> Selection {
        let words = share.words_mut();
        products::offer(&self.given, corrections, word_bits, out, |block, product| {
            let (own, value) = (products::masks(&bit, block), products::load(words, block));
            products::update(words, block, |i, word| (word & own[i]).wrapping_add(product[i]));
            std::array::from_fn(|i| (value[i] ^ own[i]).wrapping_sub(own[i]))
        });
        Selection { taken: self.taken, bit, share }
    }
}

impl Selection {
    /// The share of the product, given what came in step 2. Upper bits are not reduced.
    pub(super) fn accept(mut self, word_bits: u32, from: &mut Reader) -> Share {
        let sum = self.share.words_mut();
        products::accept(&self.taken, &self.bit, word_bits, from, |block, share| {
            products::update(sum, block, |i, sum| sum.wrapping_add(share[i]));
        });
        self.share
    }
}
