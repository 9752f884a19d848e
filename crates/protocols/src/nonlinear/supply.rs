//! Where pads come from and how they are kept: the two ends, the demand, and pads that are erased when they
//! are spent.

use blindscan_arith::bits::Bits;
use blindscan_wire::Channel;
use thiserror::Error;
use zeroize::Zeroize;

use super::message::{Reader, Writer, packed_bytes};
use crate::ot::pads::{
    DigitPadsReceiver, DigitPadsSender, PadReceiver, PadSender, WordPadsReceiver, WordPadsSender,
};
use crate::{Party, ProtocolError};

/// Correlated transfers that a stock uses up. Forward: the image owner is the sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PadDemand {
    /// Image owner to model owner.
    pub forward_cots: u64,
    /// Model owner to image owner.
    pub backward_cots: u64,
}

/// Transfers of one direction that are made ready at once: 8 MB of messages at 31 bits each.
pub const STEP: u64 = 1 << 21;

impl PadDemand {
    /// Growing parts of this demand, the last of them the whole: the steps in which [`PadEnds::reserve`] works.
    pub fn steps(self) -> impl Iterator<Item = Self> {
        let steps = self.forward_cots.max(self.backward_cots).div_ceil(STEP);
        (1..=steps).map(move |step| Self {
            forward_cots: self.forward_cots * step / steps,
            backward_cots: self.backward_cots * step / steps,
        })
    }
}

impl std::ops::Add for PadDemand {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            forward_cots: self.forward_cots + other.forward_cots,
            backward_cots: self.backward_cots + other.backward_cots,
        }
    }
}

impl std::iter::Sum for PadDemand {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |a, b| a + b)
    }
}

impl std::ops::Mul<usize> for PadDemand {
    type Output = Self;
    fn mul(self, n: usize) -> Self {
        Self { forward_cots: self.forward_cots * n as u64, backward_cots: self.backward_cots * n as u64 }
    }
}

/// One party's two ends of the transfers.
pub enum PadEnds<'a> {
    /// The image owner sends forward and receives backward.
    ImageOwner {
        /// Image owner to model owner.
        forward: &'a mut dyn PadSender,
        /// Model owner to image owner.
        backward: &'a mut dyn PadReceiver,
    },
    /// The model owner receives forward and sends backward.
    ModelOwner {
        /// Image owner to model owner.
        forward: &'a mut dyn PadReceiver,
        /// Model owner to image owner.
        backward: &'a mut dyn PadSender,
    },
}

impl PadEnds<'_> {
    /// Whose ends these are.
    pub fn party(&self) -> Party {
        match self {
            Self::ImageOwner { .. } => Party::ImageOwner,
            Self::ModelOwner { .. } => Party::ModelOwner,
        }
    }

    /// Makes transfers ready for a demand, so that the offline steps that follow neither send nor wait. Where receivers of
    /// both directions only send, each party first does that, so that both work at the same time; in steps, so that what
    /// is under way stays small. Elsewhere a receiver would wait for the direction that its peer leaves for later.
    pub fn reserve(&mut self, demand: PadDemand, channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        for part in demand.steps() {
            let (forward_cots, backward_cots) = (part.forward_cots as usize, part.backward_cots as usize);
            match self {
                Self::ImageOwner { forward, backward }
                    if forward.receiver_never_waits() && backward.never_waits() =>
                {
                    backward.reserve(backward_cots, channel)?;
                    forward.reserve(forward_cots, channel)?;
                }
                Self::ImageOwner { forward, backward } => {
                    forward.reserve(forward_cots, channel)?;
                    backward.reserve(backward_cots, channel)?;
                }
                Self::ModelOwner { forward, backward } => {
                    forward.reserve(forward_cots, channel)?;
                    backward.reserve(backward_cots, channel)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn forward_digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<DigitPads, ProtocolError> {
        Ok(match self {
            Self::ImageOwner { forward, .. } => {
                DigitPads::Sender(forward.digits(n, choice_bits, message_bits, channel)?)
            }
            Self::ModelOwner { forward, .. } => {
                DigitPads::Receiver(forward.digits(n, choice_bits, message_bits, channel)?)
            }
        })
    }

    pub(super) fn backward_digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<DigitPads, ProtocolError> {
        Ok(match self {
            Self::ImageOwner { backward, .. } => {
                DigitPads::Receiver(backward.digits(n, choice_bits, message_bits, channel)?)
            }
            Self::ModelOwner { backward, .. } => {
                DigitPads::Sender(backward.digits(n, choice_bits, message_bits, channel)?)
            }
        })
    }

    pub(super) fn forward_words(
        &mut self,
        n: usize,
        bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<WordPads, ProtocolError> {
        Ok(match self {
            Self::ImageOwner { forward, .. } => WordPads::Sender(forward.words(n, bits, channel)?),
            Self::ModelOwner { forward, .. } => WordPads::Receiver(forward.words(n, bits, channel)?),
        })
    }

    pub(super) fn backward_words(
        &mut self,
        n: usize,
        bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<WordPads, ProtocolError> {
        Ok(match self {
            Self::ImageOwner { backward, .. } => WordPads::Receiver(backward.words(n, bits, channel)?),
            Self::ModelOwner { backward, .. } => WordPads::Sender(backward.words(n, bits, channel)?),
        })
    }
}

/// Either half of digit pads. Erased on drop.
pub(super) enum DigitPads {
    Sender(DigitPadsSender),
    Receiver(DigitPadsReceiver),
}

impl DigitPads {
    pub(super) fn sender(&self) -> &DigitPadsSender {
        match self {
            Self::Sender(pads) => pads,
            Self::Receiver(_) => panic!("a stock holds the halves of the party that made it"),
        }
    }

    pub(super) fn receiver(&self) -> &DigitPadsReceiver {
        match self {
            Self::Receiver(pads) => pads,
            Self::Sender(_) => panic!("a stock holds the halves of the party that made it"),
        }
    }

    pub(super) fn stock_bytes(sends: bool, n: usize, choice_bits: u32, message_bits: u32) -> usize {
        let planes = if sends { message_bits << choice_bits } else { choice_bits + message_bits };
        planes as usize * Bits::byte_count(n)
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match self {
            Self::Sender(pads) => pads.pads.iter().flatten().for_each(|plane| out.plane(plane)),
            Self::Receiver(pads) => pads.choice.iter().chain(&pads.pad).for_each(|plane| out.plane(plane)),
        }
    }

    pub(super) fn read(sends: bool, choice_bits: u32, message_bits: u32, from: &mut Reader) -> Self {
        let (choice_bits, message_bits) = (choice_bits as usize, message_bits as usize);
        if sends {
            let pads = (0..1 << choice_bits).map(|_| from.planes(message_bits)).collect();
            Self::Sender(DigitPadsSender { pads })
        } else {
            let (choice, pad) = (from.planes(choice_bits), from.planes(message_bits));
            Self::Receiver(DigitPadsReceiver { choice, pad })
        }
    }
}

impl Drop for DigitPads {
    fn drop(&mut self) {
        match self {
            Self::Sender(pads) => pads.pads.iter_mut().flatten().for_each(Zeroize::zeroize),
            Self::Receiver(pads) => pads.choice.iter_mut().chain(&mut pads.pad).for_each(Zeroize::zeroize),
        }
    }
}

/// Either half of word pads. Erased on drop.
pub(super) enum WordPads {
    Sender(WordPadsSender),
    Receiver(WordPadsReceiver),
}

impl WordPads {
    pub(super) fn sender(&self) -> &WordPadsSender {
        match self {
            Self::Sender(pads) => pads,
            Self::Receiver(_) => panic!("a stock holds the halves of the party that made it"),
        }
    }

    pub(super) fn receiver(&self) -> &WordPadsReceiver {
        match self {
            Self::Receiver(pads) => pads,
            Self::Sender(_) => panic!("a stock holds the halves of the party that made it"),
        }
    }

    pub(super) fn stock_bytes(sends: bool, n: usize, bits: u32) -> usize {
        if sends { 2 * packed_bytes(bits, n) } else { Bits::byte_count(n) + packed_bytes(bits, n) }
    }

    pub(super) fn write(&self, bits: u32, out: &mut Writer) {
        match self {
            Self::Sender(pads) => {
                out.words(bits, &pads.zero);
                out.words(bits, &pads.one);
            }
            Self::Receiver(pads) => {
                out.plane(&pads.choice);
                out.words(bits, &pads.pad);
            }
        }
    }

    pub(super) fn read(sends: bool, bits: u32, from: &mut Reader) -> Self {
        if sends {
            Self::Sender(WordPadsSender { zero: from.words(bits), one: from.words(bits) })
        } else {
            Self::Receiver(WordPadsReceiver { choice: from.plane(), pad: from.words(bits) })
        }
    }
}

impl Drop for WordPads {
    fn drop(&mut self) {
        match self {
            Self::Sender(pads) => {
                erase(&mut pads.zero);
                erase(&mut pads.one);
            }
            Self::Receiver(pads) => {
                pads.choice.zeroize();
                erase(&mut pads.pad);
            }
        }
    }
}

/// Zeros that the compiler keeps, written at the speed of `fill`.
fn erase(words: &mut [u32]) {
    words.fill(0);
    zeroize::optimization_barrier(words);
}

/// The bytes of a stock are not those of the protocol they are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a stock of {found} bytes was read where {expected} were due; was it cut, or made for another plan?")]
pub struct StockError {
    /// Bytes due.
    pub expected: usize,
    /// Bytes found.
    pub found: usize,
}

impl StockError {
    /// The bytes as a reader, when there are exactly as many as expected.
    pub(super) fn check(bytes: &[u8], expected: usize, n: usize) -> Result<Reader<'_>, Self> {
        if bytes.len() == expected {
            Ok(Reader::new(bytes, n))
        } else {
            Err(Self { expected, found: bytes.len() })
        }
    }
}

/// Public numbers that do not make a protocol. A plan that was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A number is outside its range.
    #[error("{what} is {found}, and must be {least} to {most}")]
    Range {
        /// Which number.
        what: &'static str,
        /// What it is.
        found: u32,
        /// The smallest allowed.
        least: u32,
        /// The largest allowed.
        most: u32,
    },
}

impl ShapeError {
    pub(super) fn check(what: &'static str, found: u32, least: u32, most: u32) -> Result<(), Self> {
        if (least..=most).contains(&found) { Ok(()) } else { Err(Self::Range { what, found, least, most }) }
    }
}
