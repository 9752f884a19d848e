//! Where pads come from: the two ends and the demand; and what is wrong with a stock or with numbers.

use blindscan_wire::Channel;
use thiserror::Error;

use super::message::Reader;
use super::pads::{Half, Kind};
use crate::ProtocolError;
use crate::ot::pads::{PadReceiver, PadSender};
use crate::two_party::Party;

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

    /// Makes transfers ready for a demand, so that the offline steps that follow neither send nor wait; in steps, so that the
    /// messages under way stay small.
    ///
    /// | extension | image owner's order | model owner's order |
    /// |---|---|---|
    /// | SoftSpoken both ways: a receiver only sends | backward, forward | forward, backward |
    /// | any other | forward, backward | forward, backward |
    ///
    /// In the first row each party begins as the receiver, so both work at the same time. Where a receiver also waits, that order
    /// would deadlock: each would wait for a direction that its peer leaves for later.
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

    /// Pads of the forward direction: the image owner's half is the sender's.
    pub(super) fn forward<K: Kind>(
        &mut self,
        kind: K,
        n: usize,
        channel: &mut dyn Channel,
    ) -> Result<Half<K>, ProtocolError> {
        Ok(match self {
            Self::ImageOwner { forward, .. } => Half::Sent(kind, kind.send(n, *forward, channel)?),
            Self::ModelOwner { forward, .. } => Half::Received(kind, kind.receive(n, *forward, channel)?),
        })
    }

    /// Pads of both directions, forward first: what this party sends, and what it receives.
    pub(super) fn both<K: Kind>(
        &mut self,
        kind: K,
        n: usize,
        channel: &mut dyn Channel,
    ) -> Result<(K::Sent, K::Received), ProtocolError> {
        match self {
            Self::ImageOwner { forward, backward } => {
                let sent = kind.send(n, *forward, channel)?;
                Ok((sent, kind.receive(n, *backward, channel)?))
            }
            Self::ModelOwner { forward, backward } => {
                let received = kind.receive(n, *forward, channel)?;
                Ok((kind.send(n, *backward, channel)?, received))
            }
        }
    }
}

/// The bytes of a stock are not those of the protocol they are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a stock of {found} bytes was read where {expected} were due; was it cut, or made for another plan?")]
pub struct StockLengthError {
    /// Bytes due.
    pub expected: usize,
    /// Bytes found.
    pub found: usize,
}

impl StockLengthError {
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
