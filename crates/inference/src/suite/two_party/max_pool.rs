//! Maximum over windows, one axis at a time.
//!
//! | question | answer |
//! |---|---|
//! | ideal | the maximum over each window, padding as minus infinity |
//! | demand | pads of [`Tournament`], a stock section a chunk, axis by axis |
//! | cost | [`Tournament::script`] once per chunk |
//! | both parties | gather what each tap sees, then the same call |

use std::ops::Range;

use blindscan_arith::ring::Ring32;
use blindscan_protocols::Party;
use blindscan_protocols::nonlinear::{PadDemand, PadEnds, Tournament};
use blindscan_protocols::share::{Share, ShareView};
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use super::transfers::Schedule;
use super::windows::AxisPool;
use super::{chunked, chunks};
use crate::InferenceError;
use crate::stock::{Stock, StockWriter};

/// One max-pool layer.
#[derive(Clone, Debug)]
pub(crate) struct MaxPool {
    pub(crate) stages: Vec<Stage>,
    /// What stands where a window leaves the image: no larger than any value.
    pub(crate) padding: u32,
    pub(crate) ring: Ring32,
}

/// One axis: `None` when the axis is only thinned out.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) pool: AxisPool,
    pub(crate) protocol: Option<Tournament>,
}

impl MaxPool {
    pub(crate) fn demand(&self) -> PadDemand {
        self.dialogues().map(|(protocol, count)| protocol.demand(count)).sum()
    }

    pub(crate) fn compared(&self) -> u64 {
        self.stages.iter().map(|s| (s.pool.output_count() * (s.pool.candidates() - 1)) as u64).sum()
    }

    pub(crate) fn stock_bytes(&self, party: Party) -> usize {
        self.dialogues().map(|(protocol, count)| protocol.stock_bytes(party, count)).sum()
    }

    pub(crate) fn offline_script(&self, schedule: &mut Schedule) -> Script {
        self.dialogues().map(|(protocol, count)| schedule.dialogue(protocol.demand(count))).collect()
    }

    pub(crate) fn online_script(&self) -> Script {
        self.stages.iter().filter_map(Stage::script).collect()
    }

    pub(crate) fn offline(
        &self,
        ends: &mut PadEnds<'_>,
        channel: &mut dyn Channel,
        stock: &mut StockWriter,
    ) -> Result<(), InferenceError> {
        for (protocol, count) in self.dialogues() {
            ends.reserve(protocol.demand(count), channel)?;
            let part = protocol.offline(count, ends, channel)?;
            stock.section(part.to_bytes())?;
        }
        Ok(())
    }

    pub(crate) fn online(
        &self,
        party: Party,
        input: ShareView<'_>,
        stock: &mut Stock,
        channel: &mut dyn Channel,
    ) -> Result<Share, InferenceError> {
        let padding = match party {
            Party::ImageOwner => self.padding,
            Party::ModelOwner => 0,
        };
        let mut share = input.copied();
        share.reduce(self.ring);
        for stage in &self.stages {
            let taps = stage.pool.gather(share.view(), padding);
            share = match &stage.protocol {
                None => taps.into_iter().next().expect("a window has at least one tap"),
                Some(protocol) => {
                    let mut largest = Share::with_room(stage.pool.output_count());
                    for chunk in stage.chunks() {
                        let bytes = stock.section(protocol.stock_bytes(party, chunk.len()))?;
                        let part = protocol.stock_from_bytes(party, chunk.len(), &bytes)?;
                        let candidates = taps.iter().map(|tap| tap.part(chunk.clone()).copied()).collect();
                        largest.append(protocol.online(party, candidates, part, channel)?.view());
                    }
                    largest
                }
            };
        }
        Ok(share)
    }

    /// Every dialogue in order: the protocol and its number of elements.
    fn dialogues(&self) -> impl Iterator<Item = (&Tournament, usize)> {
        self.stages
            .iter()
            .filter_map(|stage| Some((stage, stage.protocol.as_ref()?)))
            .flat_map(|(stage, protocol)| stage.chunks().map(move |chunk| (protocol, chunk.len())))
    }
}

impl Stage {
    fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        chunks(self.pool.output_count(), self.pool.candidates() - 1)
    }

    fn script(&self) -> Option<Script> {
        let protocol = self.protocol.as_ref()?;
        let comparisons = self.pool.candidates() - 1;
        Some(chunked(self.pool.output_count(), comparisons, |count| protocol.script(count)))
    }
}
