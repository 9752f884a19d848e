//! ReLU with rescaling, and rescaling alone.
//!
//! | question | answer |
//! |---|---|
//! | ideal | floor(max(x, 0) / 2^drop), or floor(x / 2^drop), bit for bit |
//! | demand | pads of [`Activation`], a stock section per chunk |
//! | messages | [`Activation::script`] per chunk |
//! | both parties | the same call; see [`blindscan_protocols::two_party::nonlinear`] |

use blindscan_graph::plan::PlanNode;
use blindscan_protocols::share::Share;
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::nonlinear::{Activation, PadDemand};
use blindscan_wire::script::Script;

use super::TwoParty;
use super::chunks::Chunks;
use super::sides::{Maker, Runner};
use super::transfers::Schedule;
use crate::cost::WorkCounts;
use crate::shares::Shares;
use crate::suite::{Layer, NodeLayer};
use crate::{InferenceError, OffByOne};

/// One activation layer.
#[derive(Clone, Debug)]
pub(super) struct Activate {
    pub(super) protocol: Activation,
    pub(super) count: usize,
}

impl Activate {
    fn chunks(&self) -> Chunks {
        Chunks::new(self.count, 1)
    }
}

impl Layer<TwoParty> for Activate {
    fn kind(&self) -> &'static str {
        if self.protocol.relu { "relu" } else { "rescale" }
    }

    fn demand(&self) -> PadDemand {
        self.protocol.demand(self.count)
    }

    fn work(&self) -> WorkCounts {
        WorkCounts { compared: self.count as u64, ..self.demand().into() }
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

impl NodeLayer<TwoParty> for Activate {
    fn run(
        &self,
        node: &PlanNode,
        shares: &mut Shares,
        at: &mut Runner<'_>,
    ) -> Result<Share, InferenceError> {
        let (party, input) = (at.party(), shares.get(node.inputs[0]));
        let mut output = Share::with_room(self.count);
        for chunk in self.chunks().ranges() {
            let bytes = at.stock.section(self.protocol.stock_bytes(party, chunk.len()))?;
            let part = self.protocol.stock_from_bytes(party, chunk.len(), &bytes)?;
            output.append(self.protocol.online(party, input.part(chunk), part, at.channel)?.view());
        }
        Ok(output)
    }
}
