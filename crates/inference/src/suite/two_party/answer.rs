//! What the image owner learns at the end: labels, or the logits when the server's policy opens them.
//!
//! | question | answer |
//! |---|---|
//! | ideal | index of the largest logit (ties to the lower), or 1 when a single logit is >= 0; or the logits |
//! | demand | pads of [`Label`], a stock section per chunk; none for logits |
//! | messages | [`Label::script`] per chunk; or one message of the logits' shares |
//! | model owner | sends its share of the answer, and learns nothing |
//! | image owner | sends nothing in the last step |
#![deny(clippy::wildcard_enum_match_arm)]

use blindscan_arith::ring::{Module, Ring, Ring32};
use blindscan_protocols::share::{Share, ShareView};
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::nonlinear::{Label, PadDemand};
use blindscan_wire::script::Script;

use super::TwoParty;
use super::chunks::Chunks;
use super::sides::{Maker, Runner};
use super::transfers::Schedule;
use crate::cost::WorkCounts;
use crate::suite::{self, Layer};
use crate::{InferenceError, OffByOne, Output};

/// The label of each position.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    pub(super) protocol: Label,
    /// Elements in front of one step along the class axis.
    pub(super) outer: usize,
    pub(super) classes: usize,
    /// Elements of one step along the class axis.
    pub(super) inner: usize,
}

/// All logits, signed.
#[derive(Clone, Debug)]
pub(super) struct Logits {
    pub(super) ring: Ring32,
    pub(super) count: usize,
}

const KIND: &str = "answer";

impl Labels {
    fn positions(&self) -> usize {
        self.outer * self.inner
    }

    fn chunks(&self) -> Chunks {
        Chunks::new(self.positions(), self.classes - 1)
    }
}

impl Layer<TwoParty> for Labels {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn demand(&self) -> PadDemand {
        self.protocol.demand(self.positions())
    }

    fn work(&self) -> WorkCounts {
        let compared = (self.positions() * (self.classes - 1).max(1)) as u64;
        WorkCounts { compared, ..self.demand().into() }
    }

    fn stock_bytes(&self, party: Party) -> usize {
        self.chunks().lengths().map(|count| self.protocol.stock_bytes(party, count)).sum()
    }

    fn working_bytes(&self) -> u64 {
        0
    }

    fn off_by_one(&self) -> OffByOne {
        OffByOne::NEVER
    }

    fn offline_script(&self, schedule: &mut Schedule) -> Script {
        self.chunks().offline_script(schedule, |count| self.protocol.demand(count))
    }

    fn online_script(&self) -> Script {
        self.chunks().online_script(|count| self.protocol.script(count))
    }

    fn make(&self, at: &mut Maker<'_>) -> Result<(), InferenceError> {
        self.chunks().lengths().try_for_each(|count| {
            at.pads(self.protocol.demand(count), |ends, channel| {
                Ok(self.protocol.offline(count, ends, channel)?.to_bytes())
            })
        })
    }
}

impl suite::AnswerLayer<TwoParty> for Labels {
    fn run(&self, logits: ShareView<'_>, at: &mut Runner<'_>) -> Result<Option<Output>, InferenceError> {
        let Self { protocol, outer, classes, inner } = self;
        let mut candidates: Vec<Share> = (0..*classes).map(|_| Share::with_room(outer * inner)).collect();
        for step in 0..outer * classes {
            candidates[step % classes].append(logits.part(step * inner..(step + 1) * inner));
        }
        let party = at.party();
        let mut labels = Vec::new();
        for chunk in self.chunks().ranges() {
            let bytes = at.stock.section(protocol.stock_bytes(party, chunk.len()))?;
            let part = protocol.stock_from_bytes(party, chunk.len(), &bytes)?;
            let now = candidates.iter().map(|class| class.part(chunk.clone()).copied()).collect();
            match party {
                Party::ImageOwner => labels.extend(protocol.image_owner(now, part, at.channel)?),
                Party::ModelOwner => protocol.model_owner(now, part, at.channel)?,
            }
        }
        Ok(match party {
            Party::ImageOwner => Some(Output::Labels(labels)),
            Party::ModelOwner => None,
        })
    }
}

impl Layer<TwoParty> for Logits {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn work(&self) -> WorkCounts {
        WorkCounts::default()
    }

    fn stock_bytes(&self, _: Party) -> usize {
        0
    }

    fn working_bytes(&self) -> u64 {
        0
    }

    fn off_by_one(&self) -> OffByOne {
        OffByOne::NEVER
    }

    fn online_script(&self) -> Script {
        Party::ModelOwner.sends(self.ring.packed_bytes(self.count)).into()
    }
}

impl suite::AnswerLayer<TwoParty> for Logits {
    fn run(&self, logits: ShareView<'_>, at: &mut Runner<'_>) -> Result<Option<Output>, InferenceError> {
        let Self { ring, count } = self;
        match at.party() {
            Party::ImageOwner => {
                let message = at.channel.receive(ring.packed_bytes(*count))?;
                let mut opened = Share::of_words(ring.unpack(&message, *count));
                opened.add(*ring, logits);
                let signed = opened.words().iter().map(|&word| ring.to_signed(word));
                Ok(Some(Output::Logits(signed.collect())))
            }
            Party::ModelOwner => {
                at.channel.send(&ring.pack(logits.words()))?;
                Ok(None)
            }
        }
    }
}
