//! Pads as a stock keeps them: which kinds there are, whose half is held, and what it is as bytes.
//!
//! | kind | the sender's half as bytes | the receiver's |
//! |---|---|---|
//! | [`Digits`] | 2^w pads of p planes | w planes of choices, p planes of its pad |
//! | [`Words`] | two vectors of words | a plane of choices, the words of its pad |

use blindscan_arith::bits::Bits;
use blindscan_wire::Channel;

use super::message::{Reader, Writer, packed_bytes};
use crate::ProtocolError;
use crate::ot::pads::{
    DigitPadsReceiver, DigitPadsSender, PadReceiver, PadSender, WordPadsReceiver, WordPadsSender,
};

/// A kind of pads, by its public numbers: how each half is made, written and read.
pub(super) trait Kind: Copy {
    /// The half of who sends.
    type Sent;
    /// The half of who receives.
    type Received;

    /// Makes the sender's half of n pads.
    fn send(
        self,
        n: usize,
        end: &mut dyn PadSender,
        channel: &mut dyn Channel,
    ) -> Result<Self::Sent, ProtocolError>;

    /// Makes the receiver's half of n pads.
    fn receive(
        self,
        n: usize,
        end: &mut dyn PadReceiver,
        channel: &mut dyn Channel,
    ) -> Result<Self::Received, ProtocolError>;

    fn sent_bytes(self, n: usize) -> usize;
    fn received_bytes(self, n: usize) -> usize;
    fn write_sent(self, pads: &Self::Sent, out: &mut Writer);
    fn write_received(self, pads: &Self::Received, out: &mut Writer);
    fn read_sent(self, from: &mut Reader) -> Self::Sent;
    fn read_received(self, from: &mut Reader) -> Self::Received;
}

/// Random 1-of-2^w transfers of p bits.
#[derive(Clone, Copy)]
pub(super) struct Digits {
    /// w.
    pub(super) choice_bits: u32,
    /// p.
    pub(super) message_bits: u32,
}

/// Random 1-of-2 transfers of words.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub(super) bits: u32,
}

/// One party's half of pads that only one direction has.
pub(super) enum Half<K: Kind> {
    Sent(K, K::Sent),
    Received(K, K::Received),
}

impl<K: Kind> Half<K> {
    pub(super) fn sent(&self) -> &K::Sent {
        match self {
            Self::Sent(_, pads) => pads,
            Self::Received(..) => panic!("a stock holds the halves of the party that made it"),
        }
    }

    pub(super) fn received(&self) -> &K::Received {
        match self {
            Self::Received(_, pads) => pads,
            Self::Sent(..) => panic!("a stock holds the halves of the party that made it"),
        }
    }

    pub(super) fn bytes(sends: bool, kind: K, n: usize) -> usize {
        if sends { kind.sent_bytes(n) } else { kind.received_bytes(n) }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match self {
            Self::Sent(kind, pads) => kind.write_sent(pads, out),
            Self::Received(kind, pads) => kind.write_received(pads, out),
        }
    }

    pub(super) fn read(sends: bool, kind: K, from: &mut Reader) -> Self {
        if sends {
            Self::Sent(kind, kind.read_sent(from))
        } else {
            Self::Received(kind, kind.read_received(from))
        }
    }
}

impl Kind for Digits {
    type Sent = DigitPadsSender;
    type Received = DigitPadsReceiver;

    fn send(
        self,
        n: usize,
        end: &mut dyn PadSender,
        channel: &mut dyn Channel,
    ) -> Result<DigitPadsSender, ProtocolError> {
        end.digits(n, self.choice_bits, self.message_bits, channel)
    }

    fn receive(
        self,
        n: usize,
        end: &mut dyn PadReceiver,
        channel: &mut dyn Channel,
    ) -> Result<DigitPadsReceiver, ProtocolError> {
        end.digits(n, self.choice_bits, self.message_bits, channel)
    }

    fn sent_bytes(self, n: usize) -> usize {
        (self.message_bits << self.choice_bits) as usize * Bits::byte_count(n)
    }

    fn received_bytes(self, n: usize) -> usize {
        (self.choice_bits + self.message_bits) as usize * Bits::byte_count(n)
    }

    fn write_sent(self, pads: &DigitPadsSender, out: &mut Writer) {
        pads.pads.iter().flatten().for_each(|plane| out.plane(plane));
    }

    fn write_received(self, pads: &DigitPadsReceiver, out: &mut Writer) {
        pads.choice.iter().chain(&pads.pad).for_each(|plane| out.plane(plane));
    }

    fn read_sent(self, from: &mut Reader) -> DigitPadsSender {
        let pads = (0..1 << self.choice_bits).map(|_| from.planes(self.message_bits as usize)).collect();
        DigitPadsSender { pads }
    }

    fn read_received(self, from: &mut Reader) -> DigitPadsReceiver {
        let choice = from.planes(self.choice_bits as usize);
        DigitPadsReceiver { choice, pad: from.planes(self.message_bits as usize) }
    }
}

impl Kind for Words {
    type Sent = WordPadsSender;
    type Received = WordPadsReceiver;

    fn send(
        self,
        n: usize,
        end: &mut dyn PadSender,
        channel: &mut dyn Channel,
    ) -> Result<WordPadsSender, ProtocolError> {
        end.words(n, self.bits, channel)
    }

    fn receive(
        self,
        n: usize,
        end: &mut dyn PadReceiver,
        channel: &mut dyn Channel,
    ) -> Result<WordPadsReceiver, ProtocolError> {
        end.words(n, self.bits, channel)
    }

    fn sent_bytes(self, n: usize) -> usize {
        2 * packed_bytes(self.bits, n)
    }

    fn received_bytes(self, n: usize) -> usize {
        Bits::byte_count(n) + packed_bytes(self.bits, n)
    }

    fn write_sent(self, pads: &WordPadsSender, out: &mut Writer) {
        out.words(self.bits, &pads.zero);
        out.words(self.bits, &pads.one);
    }

    fn write_received(self, pads: &WordPadsReceiver, out: &mut Writer) {
        out.plane(&pads.choice);
        out.words(self.bits, &pads.pad);
    }

    fn read_sent(self, from: &mut Reader) -> WordPadsSender {
        WordPadsSender { zero: from.words(self.bits), one: from.words(self.bits) }
    }

    fn read_received(self, from: &mut Reader) -> WordPadsReceiver {
        WordPadsReceiver { choice: from.plane(), pad: from.words(self.bits) }
    }
}
