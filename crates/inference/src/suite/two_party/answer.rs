//! What the image owner learns at the end: labels, or the logits when the server's policy opens them.
//!
//! | question | answer |
//! |---|---|
//! | ideal | index of the largest logit (ties to the lower), or 1 when a single logit is >= 0; or the logits |
//! | demand | pads of [`Label`], a stock section a chunk; none for logits |
//! | cost | [`Label::script`] once per chunk; or one message of the logits' shares |
//! | model owner | sends its share of the answer, and learns nothing |
//! | image owner | sends nothing in the last step |

use std::ops::Range;

use blindscan_arith::ring::{Module, Ring, Ring32};
use blindscan_protocols::Party;
use blindscan_protocols::nonlinear::{Label, PadDemand, PadEnds};
use blindscan_protocols::share::{Share, ShareView};
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use super::transfers::Schedule;
use super::{chunked, chunks};
use crate::InferenceError;
use crate::stock::{Stock, StockWriter};

/// How the answer is made.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// The label of each position.
    Labels {
        protocol: Label,
        /// Elements in front of one step along the class axis.
        outer: usize,
        classes: usize,
        /// Elements of one step along the class axis.
        inner: usize,
    },
    /// All logits, signed.
    Logits { ring: Ring32, count: usize },
}

/// What came out, at the image owner; nothing at the model owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One label a position.
    Labels(Vec<u8>),
    /// Signed integers at the logits' scale.
    Logits(Vec<i64>),
}

impl Answer {
    fn positions(&self) -> usize {
        match self {
            Self::Labels { outer, inner, .. } => outer * inner,
            Self::Logits { count, .. } => *count,
        }
    }

    fn comparisons(&self) -> usize {
        match self {
            Self::Labels { classes, .. } => classes - 1,
            Self::Logits { .. } => 1,
        }
    }

    fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        chunks(self.positions(), self.comparisons())
    }

    pub(crate) fn demand(&self) -> PadDemand {
        match self {
            Self::Labels { protocol, .. } => protocol.demand(self.positions()),
            Self::Logits { .. } => PadDemand::default(),
        }
    }

    pub(crate) fn compared(&self) -> u64 {
        match self {
            Self::Labels { classes, .. } => (self.positions() * (*classes - 1).max(1)) as u64,
            Self::Logits { .. } => 0,
        }
    }

    pub(crate) fn stock_bytes(&self, party: Party) -> usize {
        match self {
            Self::Labels { protocol, .. } => {
                self.chunks().map(|chunk| protocol.stock_bytes(party, chunk.len())).sum()
            }
            Self::Logits { .. } => 0,
        }
    }

    pub(crate) fn offline_script(&self, schedule: &mut Schedule) -> Script {
        let Self::Labels { protocol, .. } = self else { return Script::default() };
        self.chunks().map(|chunk| schedule.dialogue(protocol.demand(chunk.len()))).collect()
    }

    pub(crate) fn online_script(&self) -> Script {
        match self {
            Self::Labels { protocol, .. } => {
                chunked(self.positions(), self.comparisons(), |count| protocol.script(count))
            }
            Self::Logits { ring, count } => Party::ModelOwner.sends(ring.packed_bytes(*count)).into(),
        }
    }

    pub(crate) fn offline(
        &self,
        ends: &mut PadEnds<'_>,
        channel: &mut dyn Channel,
        stock: &mut StockWriter,
    ) -> Result<(), InferenceError> {
        if let Self::Labels { protocol, .. } = self {
            for chunk in self.chunks() {
                ends.reserve(protocol.demand(chunk.len()), channel)?;
                let part = protocol.offline(chunk.len(), ends, channel)?;
                stock.section(part.to_bytes())?;
            }
        }
        Ok(())
    }

    pub(crate) fn image_owner_online(
        &self,
        logits: ShareView<'_>,
        stock: &mut Stock,
        channel: &mut dyn Channel,
    ) -> Result<Output, InferenceError> {
        match self {
            Self::Labels { .. } => {
                let labels = self.labels(Party::ImageOwner, logits, stock, channel)?;
                Ok(Output::Labels(labels))
            }
            Self::Logits { ring, count } => {
                let message = channel.receive(ring.packed_bytes(*count))?;
                let mut opened = Share::of_words(ring.unpack(&message, *count));
                opened.add(*ring, logits);
                Ok(Output::Logits(opened.words().iter().map(|&word| ring.to_signed(word)).collect()))
            }
        }
    }

    pub(crate) fn model_owner_online(
        &self,
        logits: ShareView<'_>,
        stock: &mut Stock,
        channel: &mut dyn Channel,
    ) -> Result<(), InferenceError> {
        match self {
            Self::Labels { .. } => self.labels(Party::ModelOwner, logits, stock, channel).map(|_| ()),
            Self::Logits { ring, .. } => Ok(channel.send(&ring.pack(logits.words()))?),
        }
    }

    /// The labels at the image owner; nothing at the model owner.
    fn labels(
        &self,
        party: Party,
        logits: ShareView<'_>,
        stock: &mut Stock,
        channel: &mut dyn Channel,
    ) -> Result<Vec<u8>, InferenceError> {
        let Self::Labels { protocol, outer, classes, inner } = self else { return Ok(Vec::new()) };
        let mut candidates: Vec<Share> = (0..*classes).map(|_| Share::with_room(outer * inner)).collect();
        for step in 0..outer * classes {
            candidates[step % classes].append(logits.part(step * inner..(step + 1) * inner));
        }
        let mut labels = Vec::new();
        for chunk in self.chunks() {
            let bytes = stock.section(protocol.stock_bytes(party, chunk.len()))?;
            let part = protocol.stock_from_bytes(party, chunk.len(), &bytes)?;
            let now = candidates.iter().map(|class| class.part(chunk.clone()).copied()).collect();
            match party {
                Party::ImageOwner => labels.extend(protocol.image_owner(now, part, channel)?),
                Party::ModelOwner => protocol.model_owner(now, part, channel)?,
            }
        }
        Ok(labels)
    }
}
