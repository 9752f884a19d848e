//! Maximum over windows, one axis at a time.
//!
//! | question | answer |
//! |---|---|
//! | ideal | the maximum over each window, padding as minus infinity |
//! | demand | pads of [`Tournament`], a stock section per chunk, axis by axis |
//! | messages | [`Tournament::script`] per chunk |
//! | both parties | gather what each tap sees, then the same call |

use blindscan_arith::ring::Ring32;
use blindscan_graph::plan::PlanNode;
use blindscan_protocols::share::Share;
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::nonlinear::{PadDemand, Tournament};
use blindscan_wire::script::Script;

use super::TwoParty;
use super::chunks::Chunks;
use super::sides::{Maker, Runner};
use super::transfers::Schedule;
use super::windows::AxisPool;
use crate::cost::WorkCounts;
use crate::shares::Shares;
use crate::suite::{Layer, NodeLayer};
use crate::{InferenceError, OffByOne};

/// One max-pool layer.
#[derive(Clone, Debug)]
pub(super) struct MaxPool {
    pub(super) stages: Vec<Stage>,
    /// What stands where a window leaves the image: no larger than any value.
    pub(super) padding: u32,
    pub(super) ring: Ring32,
}

/// One axis: `None` when the axis is only thinned out.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) pool: AxisPool,
    pub(super) protocol: Option<Tournament>,
}

impl MaxPool {
    /// The axes on which something is compared.
    fn tournaments(&self) -> impl Iterator<Item = (&Tournament, Chunks)> {
        self.stages.iter().filter_map(|stage| Some((stage.protocol.as_ref()?, stage.chunks())))
    }

    /// Every dialogue in order: the protocol and its number of elements.
    fn dialogues(&self) -> impl Iterator<Item = (&Tournament, usize)> {
        self.tournaments().flat_map(|(protocol, chunks)| chunks.lengths().map(move |count| (protocol, count)))
    }
}

impl Stage {
    fn chunks(&self) -> Chunks {
        Chunks::new(self.pool.output_count(), self.pool.candidates() - 1)
    }
}

impl Layer<TwoParty> for MaxPool {
    fn kind(&self) -> &'static str {
        "max pool"
    }

    fn demand(&self) -> PadDemand {
        self.dialogues().map(|(protocol, count)| protocol.demand(count)).sum()
    }

    fn work(&self) -> WorkCounts {
        let compared =
            self.stages.iter().map(|s| (s.pool.output_count() * (s.pool.candidates() - 1)) as u64).sum();
        WorkCounts { compared, ..self.demand().into() }
    }

    fn stock_bytes(&self, party: Party) -> usize {
        self.dialogues().map(|(protocol, count)| protocol.stock_bytes(party, count)).sum()
    }

    fn working_bytes(&self) -> u64 {
        0
    }

    fn off_by_one(&self) -> OffByOne {
        OffByOne::NEVER
    }

    fn offline_script(&self, schedule: &mut Schedule) -> Script {
        let of = |(protocol, chunks): (&Tournament, Chunks)| {
            chunks.offline_script(schedule, |count| protocol.demand(count))
        };
        self.tournaments().map(of).collect()
    }

    fn online_script(&self) -> Script {
        let of =
            |(protocol, chunks): (&Tournament, Chunks)| chunks.online_script(|count| protocol.script(count));
        self.tournaments().map(of).collect()
    }

    fn make(&self, at: &mut Maker<'_>) -> Result<(), InferenceError> {
        self.dialogues().try_for_each(|(protocol, count)| {
            at.pads(protocol.demand(count), |ends, channel| {
                Ok(protocol.offline(count, ends, channel)?.to_bytes())
            })
        })
    }
}

impl NodeLayer<TwoParty> for MaxPool {
    fn run(
        &self,
        node: &PlanNode,
        shares: &mut Shares,
        at: &mut Runner<'_>,
    ) -> Result<Share, InferenceError> {
        let party = at.party();
        let padding = match party {
            Party::ImageOwner => self.padding,
            Party::ModelOwner => 0,
        };
        let mut share = shares.get(node.inputs[0]).copied();
        share.reduce(self.ring);
        for stage in &self.stages {
            let taps = stage.pool.gather(share.view(), padding);
            share = match &stage.protocol {
                None => taps.into_iter().next().expect("a window has at least one tap"),
                Some(protocol) => {
                    let mut largest = Share::with_room(stage.pool.output_count());
                    for chunk in stage.chunks().ranges() {
                        let bytes = at.stock.section(protocol.stock_bytes(party, chunk.len()))?;
                        let part = protocol.stock_from_bytes(party, chunk.len(), &bytes)?;
                        let candidates = taps.iter().map(|tap| tap.part(chunk.clone()).copied()).collect();
                        largest.append(protocol.online(party, candidates, part, at.channel)?.view());
                    }
                    largest
                }
            };
        }
        Ok(share)
    }
}
