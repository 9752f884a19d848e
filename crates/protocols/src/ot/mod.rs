//! Oblivious transfer: base OT, extension to correlated OT, and pads made of it.
//!
//! | file | what it makes |
//! |------|---------------|
//! | [`base`] | 128 transfers of random keys from public-key cryptography |
//! | [`softspoken`] | any number of correlated transfers from 128 base transfers |
//! | [`ferret`] | many correlated transfers from some, with few messages |
//! | [`source`] | which of the two serves a phase |
//! | [`setup`] | both directions of a session, ready to extend |
//! | [`buffered`] | pads, handed out in any number, from correlated transfers |
//! | [`pads`] | the form of pads, and the traits of their two ends |
//! | [`security`] | the checks against a peer that cheats |
//!
//! Ideal of a correlated transfer: the sender has Delta, once for all, and a key q; the receiver has a random bit c
//! and the key `t = q xor c * Delta`. Two independent instances serve a session, one per direction, each with its own
//! Delta and its own base transfers: in `forward` the first of two parties is the sender, in `backward` the second.
//! Security: with [`security::Checked`], the only level that deployed programs can name, against a peer that does anything.
//! When all transfers of an instance are made, its receiver *claims* them, and its sender *answers*; an end may use what it has
//! made when its own side of that has passed.

pub mod base;
pub mod buffered;
#[cfg(test)]
mod constant;
#[cfg(any(test, feature = "dealer"))]
pub mod dealer;
pub mod ferret;
#[cfg(any(test, feature = "dealer"))]
pub mod ideal;
pub mod pads;
pub mod security;
pub mod setup;
pub mod softspoken;
pub mod source;

use blindscan_arith::bits::Bits;
use blindscan_arith::block::Block;
use blindscan_wire::Channel;
use blindscan_wire::script::{Message, Seat};
use subtle::ConstantTimeEq;

use self::security::{Check, Security};
use crate::ProtocolError;

/// Correlated transfers are made in multiples of this; what is left over is dropped.
pub const COT_MULTIPLE: usize = 128;

/// The end of correlated transfers that has Delta. Both ends call in step.
pub trait CotSender {
    /// The difference of the two keys of every transfer of this instance.
    fn delta(&self) -> Block;

    /// A hash of all that the receiver's keys are made of: what may not be known when they are chosen is derived from it.
    fn binding(&self) -> [u8; 32];

    /// Whether the other end only sends when transfers are made: its [`CotReceiver::never_waits`].
    fn receiver_never_waits(&self) -> bool;

    /// Keys of the next transfers, a multiple of [`COT_MULTIPLE`] of them.
    fn extend_into(&mut self, keys: &mut [Block], channel: &mut dyn Channel) -> Result<(), ProtocolError>;

    /// Keys of the next `count` transfers.
    fn extend(&mut self, count: usize, channel: &mut dyn Channel) -> Result<Vec<Block>, ProtocolError> {
        let mut keys = vec![0; count.next_multiple_of(COT_MULTIPLE)];
        self.extend_into(&mut keys, channel)?;
        keys.truncate(count);
        Ok(keys)
    }

    /// Bytes of the other end's [`CotReceiver::claim`].
    fn claim_bytes(&self) -> usize;

    /// Checks the other end's claim, when all transfers are made; the answer, which may be empty.
    ///
    /// # Errors
    /// When the claim does not fit. Nothing that this end has made may then be used.
    ///
    /// # Panics
    /// When the claim has not [`CotSender::claim_bytes`] bytes.
    fn answer(self: Box<Self>, claim: &[u8]) -> Result<Vec<u8>, ProtocolError>;
}

/// What a receiver says when all transfers are made, and what it must hear.
#[must_use = "transfers are checked only when the answer to their claim is taken"]
pub struct Claim {
    message: Vec<u8>,
    expected: Vec<u8>,
    judge: fn(Check, bool) -> Result<(), ProtocolError>,
}

impl Claim {
    /// A claim without an answer.
    fn final_word(message: Vec<u8>) -> Self {
        Self { message, expected: Vec::new(), judge: |_, _| Ok(()) }
    }

    /// A claim whose answer must be `expected`.
    fn expecting<S: Security>(message: Vec<u8>, expected: Vec<u8>) -> Self {
        Self { message, expected, judge: S::judge }
    }

    /// What is sent.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Bytes of the answer.
    pub fn answer_bytes(&self) -> usize {
        self.expected.len()
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// When it is another than it must be. Nothing that this end has made may then be used.
    pub fn accept(self, answer: &[u8]) -> Result<(), ProtocolError> {
        (self.judge)(Check::SilentTrees, self.expected.ct_eq(answer).into())
    }
}

/// The end of correlated transfers that has the choices, which are random.
pub trait CotReceiver {
    /// See [`CotSender::binding`].
    fn binding(&self) -> [u8; 32];

    /// Whether extending only sends, and never waits.
    fn never_waits(&self) -> bool;

    /// Choices (64 a word) and keys of the next transfers, a multiple of [`COT_MULTIPLE`] of them.
    fn extend_into(
        &mut self,
        choice: &mut [u64],
        keys: &mut [Block],
        channel: &mut dyn Channel,
    ) -> Result<(), ProtocolError>;

    /// Choices and keys of the next `count` transfers.
    fn extend(
        &mut self,
        count: usize,
        channel: &mut dyn Channel,
    ) -> Result<(Bits, Vec<Block>), ProtocolError> {
        let made = count.next_multiple_of(COT_MULTIPLE);
        let (mut choice, mut keys) = (vec![0; made / 64], vec![0; made]);
        self.extend_into(&mut choice, &mut keys, channel)?;
        keys.truncate(count);
        choice.truncate(count.div_ceil(64));
        Ok((Bits::from_words(choice, count), keys))
    }

    /// What this end claims of the transfers that it has made. Afterwards it makes no more.
    fn claim(self: Box<Self>) -> Claim;
}

/// Which of a session's two instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The first party is the sender; the bulk of transfers.
    Forward,
    /// The second party is the sender.
    Backward,
}

impl Direction {
    /// The other one.
    pub const fn reversed(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }

    /// Who has its ends, between a first party and a second.
    pub const fn ends(self, [first, second]: [Seat; 2]) -> Ends {
        match self {
            Self::Forward => Ends { sender: first, receiver: second },
            Self::Backward => Ends { sender: second, receiver: first },
        }
    }
}

/// Who has the two ends of transfers, for their scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Has Delta.
    pub sender: Seat,
    /// Has the choices.
    pub receiver: Seat,
}

impl Ends {
    /// A message of the sender.
    fn sender_sends(self, bytes: usize) -> Message {
        Message { from: self.sender, to: self.receiver, bytes }
    }

    /// A message of the receiver.
    fn receiver_sends(self, bytes: usize) -> Message {
        Message { from: self.receiver, to: self.sender, bytes }
    }
}

/// One instance of one session: what every hash and every tweak is bound to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// The session's id, which no other session may share.
    pub session: [u8; 32],
    /// The direction.
    pub direction: Direction,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Instance({:?})", self.direction)
    }
}

impl Instance {
    /// A hash for one purpose, which no other purpose, session or direction shares.
    fn hasher(&self, purpose: &'static str) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        hasher.update(&self.session).update(&[self.direction as u8]);
        hasher
    }
}
