//! Pads from correlated transfers, made in batches and handed out in any number.
//!
//! | step | who                            | message                            |
//! |------|--------------------------------|------------------------------------|
//! | 1    | as the correlated transfers do | one batch, when the last is used up |
//!
//! An end is made for a phase of known demand: batches have [`BATCH`] transfers, the last one what is left, rounded up
//! to 128. So the messages of a phase depend on the total alone, not on how it is asked for: [`Source::script`]. Requests must be
//! made in step at both ends.
//!
//! [`Source::script`]: super::source::Source::script
//!
//! Every key is hashed once, to 32 bits ([`blindscan_arith::hash`]); the tweak is a seed bound to the session, the
//! direction, this protocol and the first message of the transfers, and the count of keys hashed so far. A word pad is the hash cut to its bits.
//! A 1-of-2^w pad of p bits takes w transfers: the hash of each key holds 2^w fields of p bits, and pad j is the sum over
//! the digit's bits b of *field j* of the hash of key `j_b` of transfer b. Were the field not chosen by j, the pads would
//! be linearly dependent: those of 1 of 4 would sum to zero.
//!
//! An end is closed when all is handed out: the receiver's `claim` and the sender's `answer` are those of the transfers, and
//! no pad may be used before its own end's has passed.
//!
//! Ideal: `ot::ideal` (under the feature `dealer`). Security: that of the transfers; the hash is correlation robust.
//! Source: 1 of 2^w from w transfers is Naor and Pinkas, STOC 1999, with one hash of each key for all messages.

mod receiver;
mod sender;
#[cfg(test)]
mod tests;

pub use receiver::BufferedReceiver;
pub use sender::BufferedSender;

use blindscan_arith::bits::{self, Bits};
use blindscan_arith::hash::CorrelationHash;
use zeroize::Zeroize;

use super::{COT_MULTIPLE, Instance};

/// Correlated transfers made at once.
pub const BATCH: usize = 1 << 16;

/// Transfers that a request is worked on at once: a whole number of words, and small against a batch.
const PIECE: usize = 1 << 12;

/// How many correlated transfers are still to be made and to be handed out.
struct Supply {
    to_make: usize,
    to_hand_out: usize,
}

impl Supply {
    fn new(total: usize) -> Self {
        Self { to_make: total.next_multiple_of(COT_MULTIPLE), to_hand_out: total }
    }

    /// Enters a request.
    fn hand_out(&mut self, count: usize) {
        assert!(count <= self.to_hand_out, "a phase uses no more transfers than its plan demands");
        self.to_hand_out -= count;
    }

    /// The size of the next batch.
    fn next_batch(&mut self) -> usize {
        let count = self.to_make.min(BATCH);
        self.to_make -= count;
        count
    }
}

/// Checks a request for digits, and gives the number of pads of each.
fn pad_count(choice_bits: u32, message_bits: u32) -> usize {
    assert!((1..=4).contains(&choice_bits), "digits have 1 to 4 bits");
    assert!((1..=2).contains(&message_bits), "messages of digits have 1 or 2 bits");
    1 << choice_bits
}

/// The fields of a hash whose number has bit `bit`.
fn fields_with_bit(bit: u32, choice_bits: u32, message_bits: u32) -> u32 {
    let field = |j: u32| ((1 << message_bits) - 1) << (j * message_bits);
    (0..1 << choice_bits).filter(|j| j >> bit & 1 == 1).map(field).fold(0, |a, b| a | b)
}

/// Sizes of the pieces of a request for `n` transfers.
fn pieces(n: usize) -> impl Iterator<Item = usize> {
    (0..n).step_by(PIECE).map(move |start| PIECE.min(n - start))
}

/// The hash of an instance's keys, which are made of what `binding` is a hash of.
pub(crate) fn hash_of(instance: &Instance, binding: [u8; 32]) -> CorrelationHash {
    let mut seed = [0; 16];
    let mut hasher = instance.hasher("blindscan v1 pads of correlated transfers, seed of tweaks");
    hasher.update(&binding).finalize_xof().fill(&mut seed);
    CorrelationHash::new(u128::from_le_bytes(seed))
}

/// The bits that a word pad has.
fn word_mask(bits: u32) -> u32 {
    assert!((1..=32).contains(&bits), "words have 1 to 32 bits");
    u32::MAX >> (32 - bits)
}

/// What of `used` transfers can be dropped so that choices stay in whole words.
fn whole_words(used: usize) -> usize {
    used / 64 * 64
}

/// Drops the first `count` items.
fn drop_front<T: Copy>(items: &mut Vec<T>, count: usize) {
    items.copy_within(count.., 0);
    items.truncate(items.len() - count);
}

/// Makes a vector longer, by zeros. Where it has to move for that, its old place is erased, and the new one has twice the room,
/// so that many small steps copy no more than one large one.
fn grow<T: Copy + Default + Zeroize>(items: &mut Vec<T>, length: usize) {
    if items.capacity() < length {
        let mut moved = Vec::with_capacity(length.max(2 * items.capacity()));
        moved.extend_from_slice(items);
        items.zeroize();
        *items = moved;
    }
    items.resize(length, T::default());
}

/// Bit planes that grow by pieces.
struct Planes {
    planes: Vec<Vec<u64>>,
    len: usize,
}

impl Planes {
    /// `count` planes that will have `len` bits.
    fn new(count: usize, len: usize) -> Self {
        Self { planes: (0..count).map(|_| Vec::with_capacity(len.div_ceil(64))).collect(), len }
    }

    /// Goes on with the lowest bits of `words`: whole pieces but for the last.
    fn push(&mut self, words: &[u32]) {
        let pieces = bits::planes(words, 0, self.planes.len() as u32);
        for (plane, bits) in self.planes.iter_mut().zip(&pieces) {
            plane.extend_from_slice(bits.words());
        }
    }

    fn finish(self) -> Vec<Bits> {
        self.planes.into_iter().map(|words| Bits::from_words(words, self.len)).collect()
    }
}
