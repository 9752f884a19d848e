//! The end that gets one pad of each transfer, by its random choice.

use blindscan_arith::bits::Bits;
use blindscan_arith::block::Block;
use blindscan_arith::erase::Erased;
use blindscan_arith::hash::CorrelationHash;
use blindscan_wire::{Channel, WireError};
use zeroize::{Zeroize, Zeroizing};

use super::{PIECE, Planes, Supply, drop_front, grow, hash_of, pad_count, pieces, whole_words, word_mask};
use crate::ProtocolError;
use crate::ot::pads::{DigitPadsReceiver, PadReceiver, WordPadsReceiver};
use crate::ot::{Claim, CotReceiver, Instance};

/// Makes pads as the receiver.
pub struct BufferedReceiver {
    cot: Option<Box<dyn CotReceiver + Send>>,
    hash: CorrelationHash,
    supply: Supply,
    keys: Vec<Block>,
    hashes: Vec<u32>,
    choices: Vec<u64>,
    used: usize,
    never_waits: bool,
}

impl BufferedReceiver {
    /// An end for a phase that uses `total` correlated transfers.
    pub fn new(cot: Box<dyn CotReceiver + Send>, instance: &Instance, total: usize) -> Self {
        let (keys, hashes, choices) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            never_waits: cot.never_waits(),
            hash: hash_of(instance, cot.binding()),
            cot: Some(cot),
            supply: Supply::new(total),
            keys,
            hashes,
            choices,
            used: 0,
        }
    }

    /// Closes this end: what it claims of its transfers.
    ///
    /// # Errors
    /// When this end was given up.
    pub fn claim(mut self) -> Result<Claim, ProtocolError> {
        Ok(self.cot.take().ok_or(WireError::Closed)?.claim())
    }

    /// The hashes of the keys of the next `count` transfers, made if they are not yet there, all choices there are, and
    /// where among them those of the next transfers begin.
    fn take(
        &mut self,
        count: usize,
        channel: &mut dyn Channel,
    ) -> Result<(&[u32], &[u64], usize), ProtocolError> {
        self.reserve(count, channel)?;
        let start = self.used;
        self.used += count;
        Ok((&self.hashes[start..start + count], &self.choices, start))
    }

    /// Makes a batch. When that fails, the instance is given up: what follows an error is an error.
    fn refill(&mut self, channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        let mut cot = self.cot.take().ok_or(WireError::Closed)?;
        drop_front(&mut self.hashes, whole_words(self.used));
        drop_front(&mut self.choices, whole_words(self.used) / 64);
        self.used -= whole_words(self.used);
        let (old, batch) = (self.hashes.len(), self.supply.next_batch());
        grow(&mut self.keys, batch);
        grow(&mut self.choices, (old + batch) / 64);
        cot.extend_into(&mut self.choices[old / 64..], &mut self.keys, channel)?;
        grow(&mut self.hashes, old + batch);
        self.hash.hash(&self.keys, &mut self.hashes[old..]);
        self.cot = Some(cot);
        Ok(())
    }
}

impl PadReceiver for BufferedReceiver {
    fn reserve(&mut self, transfers: usize, channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        while self.hashes.len() - self.used < transfers {
            self.refill(channel)?;
        }
        Ok(())
    }

    fn never_waits(&self) -> bool {
        self.never_waits
    }

    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<DigitPadsReceiver, ProtocolError> {
        let fields = pad_count(choice_bits, message_bits) * message_bits as usize;
        self.supply.hand_out(n * choice_bits as usize);
        let mut planes = Planes::new(fields, n);
        let mut choice = vec![Vec::with_capacity(n.div_ceil(64)); choice_bits as usize];
        let mut sum = Zeroizing::new([0; PIECE]);
        for length in pieces(n) {
            let sum = &mut sum[..length];
            sum.fill(0);
            let (hashes, choices, start) = self.take(length * choice_bits as usize, channel)?;
            for (bit, hashes) in hashes.chunks_exact(length).enumerate() {
                sum.iter_mut().zip(hashes).for_each(|(sum, hash)| *sum ^= hash);
                append_bits(&mut choice[bit], choices, start + bit * length, length);
            }
            planes.push(sum);
        }
        let choice: Vec<Bits> = choice.into_iter().map(|words| Bits::from_words(words, n)).collect();
        let pad = chosen_field(planes.finish(), &choice, message_bits as usize);
        Ok(DigitPadsReceiver { choice, pad })
    }

    fn words(
        &mut self,
        n: usize,
        bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<WordPadsReceiver, ProtocolError> {
        self.supply.hand_out(n);
        let mask = word_mask(bits);
        let (mut choice, mut pad) = (Vec::with_capacity(n.div_ceil(64)), Erased::with_room(n));
        for length in pieces(n) {
            let (hashes, choices, start) = self.take(length, channel)?;
            pad.append(hashes.iter().map(|word| word & mask));
            append_bits(&mut choice, choices, start, length);
        }
        Ok(WordPadsReceiver { choice: Bits::from_words(choice, n), pad })
    }
}

impl Drop for BufferedReceiver {
    fn drop(&mut self) {
        self.keys.zeroize();
        self.hashes.zeroize();
        self.choices.zeroize();
    }
}

/// Appends bits `start..start + len` of `from`, in whole words; the last may hold bits past the end.
fn append_bits(to: &mut Vec<u64>, from: &[u64], start: usize, len: usize) {
    let (first, shift) = (start / 64, start % 64);
    to.extend((first..first + len.div_ceil(64)).map(|i| {
        let above = from.get(i + 1).map_or(0, |word| word << 1 << (63 - shift));
        from[i] >> shift | above
    }));
}

/// Of 2^w fields of p planes each, those whose number is the choice: halved once for each bit, without an index.
fn chosen_field(mut fields: Vec<Bits>, choice: &[Bits], message_bits: usize) -> Vec<Bits> {
    for bit in choice {
        fields = fields
            .chunks_exact(2 * message_bits)
            .flat_map(|pair| {
                let (even, odd) = pair.split_at(message_bits);
                even.iter().zip(odd).map(|(even, odd)| select(even, odd, bit))
            })
            .collect();
    }
    fields
}

/// Bit by bit, the bit of `one` where the choice is one, else that of `zero`.
fn select(zero: &Bits, one: &Bits, choice: &Bits) -> Bits {
    let mut difference = zero.xor(one).and(choice);
    difference.xor_assign(zero);
    difference
}
