//! Random oblivious transfers as pads: what correlated OT is turned into, and what the stock keeps. Erased on drop.
//!
//! | kind | sender has | receiver has |
//! |---|---|---|
//! | digits, n times 1 of 2^w | 2^w pads of p bits each | random choice of w bits, its pad |
//! | words, n times 1 of 2 | two pads of m bits each | random choice bit, its pad |

use blindscan_arith::bits::Bits;
use blindscan_arith::erase::Erased;
use blindscan_wire::Channel;

use crate::ProtocolError;

/// The sender's half of n random 1-of-2^w transfers of p-bit messages, as bit planes of n bits.
pub struct DigitPadsSender {
    /// `pads[message][plane]`, 2^w messages of p planes.
    pub pads: Vec<Vec<Bits>>,
}

/// The receiver's half.
pub struct DigitPadsReceiver {
    /// The random choice, w planes, least significant first.
    pub choice: Vec<Bits>,
    /// The pad of that message, p planes.
    pub pad: Vec<Bits>,
}

/// The sender's half of n random 1-of-2 transfers of m-bit words.
pub struct WordPadsSender {
    /// Pad of message 0.
    pub zero: Erased<u32>,
    /// Pad of message 1.
    pub one: Erased<u32>,
}

/// The receiver's half.
pub struct WordPadsReceiver {
    /// The random choice.
    pub choice: Bits,
    /// The pad of that message.
    pub pad: Erased<u32>,
}

/// Makes pads as the sender. Each pad is made once and handed out once.
pub trait PadSender {
    /// Makes this many correlated transfers ready, so that requests for them neither send nor wait.
    fn reserve(&mut self, _transfers: usize, _channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        Ok(())
    }

    /// Whether the other end only sends when transfers are made: its [`PadReceiver::never_waits`].
    fn receiver_never_waits(&self) -> bool {
        false
    }

    /// n transfers 1 of 2^choice_bits (1 to 4) of message_bits (1 or 2) each; uses n * choice_bits correlated OTs.
    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<DigitPadsSender, ProtocolError>;

    /// n transfers 1 of 2 of words of `bits` (1 to 32); uses n correlated OTs.
    fn words(
        &mut self,
        n: usize,
        bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<WordPadsSender, ProtocolError>;
}

/// Makes pads as the receiver, in step with a [`PadSender`].
pub trait PadReceiver {
    /// See [`PadSender::reserve`].
    fn reserve(&mut self, _transfers: usize, _channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        Ok(())
    }

    /// Whether this end only sends when transfers are made, and never waits.
    fn never_waits(&self) -> bool {
        false
    }

    /// See [`PadSender::digits`].
    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<DigitPadsReceiver, ProtocolError>;

    /// See [`PadSender::words`].
    fn words(
        &mut self,
        n: usize,
        bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<WordPadsReceiver, ProtocolError>;
}
