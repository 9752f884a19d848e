//! The end that gets all pads.

use blindscan_arith::block::Block;
use blindscan_arith::erase::Erased;
use blindscan_arith::hash::CorrelationHash;
use blindscan_wire::{Channel, WireError};
use zeroize::{Zeroize, Zeroizing};

use super::{
    PIECE, Planes, Supply, drop_front, fields_with_bit, grow, hash_of, pad_count, pieces, whole_words,
    word_mask,
};
use crate::ProtocolError;
use crate::ot::pads::{DigitPadsSender, PadSender, WordPadsSender};
use crate::ot::{CotSender, Instance};

/// Makes pads as the sender.
pub struct BufferedSender {
    cot: Option<Box<dyn CotSender + Send>>,
    hash: CorrelationHash,
    supply: Supply,
    keys: Vec<Block>,
    zero: Vec<u32>,
    one: Vec<u32>,
    used: usize,
    receiver_never_waits: bool,
}

impl BufferedSender {
    /// An end for a phase that uses `total` correlated transfers.
    pub fn new(cot: Box<dyn CotSender + Send>, instance: &Instance, total: usize) -> Self {
        let (keys, zero, one) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            receiver_never_waits: cot.receiver_never_waits(),
            hash: hash_of(instance, cot.binding()),
            cot: Some(cot),
            supply: Supply::new(total),
            keys,
            zero,
            one,
            used: 0,
        }
    }

    /// The difference of the two keys of every transfer, unless this end was given up. Secret.
    pub fn delta(&self) -> Option<Block> {
        self.cot.as_ref().map(|cot| cot.delta())
    }

    /// Bytes of the other end's claim.
    ///
    /// # Errors
    /// When this end was given up.
    pub fn claim_bytes(&self) -> Result<usize, ProtocolError> {
        Ok(self.cot.as_ref().ok_or(WireError::Closed)?.claim_bytes())
    }

    /// Closes this end with the other's claim: see [`CotSender::answer`].
    ///
    /// # Errors
    /// When the claim does not fit, or this end was given up.
    pub fn answer(mut self, claim: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        self.cot.take().ok_or(WireError::Closed)?.answer(claim)
    }

    /// The hashes of both keys of the next `count` transfers, made if they are not yet there.
    fn take(&mut self, count: usize, channel: &mut dyn Channel) -> Result<(&[u32], &[u32]), ProtocolError> {
        self.reserve(count, channel)?;
        let range = self.used..self.used + count;
        self.used += count;
        Ok((&self.zero[range.clone()], &self.one[range]))
    }

    /// Makes a batch. When that fails, the instance is given up: what follows an error is an error.
    fn refill(&mut self, channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        let mut cot = self.cot.take().ok_or(WireError::Closed)?;
        drop_front(&mut self.zero, whole_words(self.used));
        drop_front(&mut self.one, whole_words(self.used));
        self.used -= whole_words(self.used);
        let (old, batch) = (self.zero.len(), self.supply.next_batch());
        grow(&mut self.keys, batch);
        cot.extend_into(&mut self.keys, channel)?;
        grow(&mut self.zero, old + batch);
        grow(&mut self.one, old + batch);
        self.hash.hash_both(&self.keys, cot.delta(), &mut self.zero[old..], &mut self.one[old..]);
        self.cot = Some(cot);
        Ok(())
    }
}

impl PadSender for BufferedSender {
    fn reserve(&mut self, transfers: usize, channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        while self.zero.len() - self.used < transfers {
            self.refill(channel)?;
        }
        Ok(())
    }

    fn receiver_never_waits(&self) -> bool {
        self.receiver_never_waits
    }

    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<DigitPadsSender, ProtocolError> {
        let fields = pad_count(choice_bits, message_bits) * message_bits as usize;
        self.supply.hand_out(n * choice_bits as usize);
        let mut planes = Planes::new(fields, n);
        let mut sum = Zeroizing::new([0; PIECE]);
        for length in pieces(n) {
            let sum = &mut sum[..length];
            sum.fill(0);
            let (zero, one) = self.take(length * choice_bits as usize, channel)?;
            for (bit, (zero, one)) in zero.chunks_exact(length).zip(one.chunks_exact(length)).enumerate() {
                add_chosen_fields(sum, zero, one, fields_with_bit(bit as u32, choice_bits, message_bits));
            }
            planes.push(sum);
        }
        let mut planes = planes.finish().into_iter();
        let pads =
            (0..1 << choice_bits).map(|_| planes.by_ref().take(message_bits as usize).collect()).collect();
        Ok(DigitPadsSender { pads })
    }

    fn words(
        &mut self,
        n: usize,
        bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<WordPadsSender, ProtocolError> {
        self.supply.hand_out(n);
        let mask = word_mask(bits);
        let mut pads = WordPadsSender { zero: Erased::with_room(n), one: Erased::with_room(n) };
        for length in pieces(n) {
            let (zero, one) = self.take(length, channel)?;
            pads.zero.append(zero.iter().map(|word| word & mask));
            pads.one.append(one.iter().map(|word| word & mask));
        }
        Ok(pads)
    }
}

impl Drop for BufferedSender {
    fn drop(&mut self) {
        self.keys.zeroize();
        self.zero.zeroize();
        self.one.zeroize();
    }
}

/// Adds the fields in `mask` of the one key's hash, and the others of the zero key's.
fn add_chosen_fields(sum: &mut [u32], zero: &[u32], one: &[u32], mask: u32) {
    for ((sum, zero), one) in sum.iter_mut().zip(zero).zip(one) {
        *sum ^= zero & !mask | one & mask;
    }
}
