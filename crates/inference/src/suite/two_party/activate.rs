//! ReLU with rescaling, and rescaling alone.
//!
//! | question | answer |
//! |---|---|
//! | ideal | floor(max(x, 0) / 2^drop), or floor(x / 2^drop), bit for bit |
//! | demand | pads of [`Activation`], a stock section a chunk |
//! | cost | [`Activation::script`] once per chunk |
//! | both parties | the same call; see [`blindscan_protocols::nonlinear`] |

use blindscan_protocols::Party;
use blindscan_protocols::nonlinear::{Activation, PadDemand, PadEnds};
use blindscan_protocols::share::{Share, ShareView};
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use super::transfers::Schedule;
use super::{chunked, chunks};
use crate::InferenceError;
use crate::stock::{Stock, StockWriter};

/// One activation layer.
#[derive(Clone, Debug)]
pub(crate) struct Activate {
    pub(crate) protocol: Activation,
    pub(crate) count: usize,
}

impl Activate {
    pub(crate) fn demand(&self) -> PadDemand {
        self.protocol.demand(self.count)
    }

    pub(crate) fn stock_bytes(&self, party: Party) -> usize {
        chunks(self.count, 1).map(|chunk| self.protocol.stock_bytes(party, chunk.len())).sum()
    }

    pub(crate) fn offline_script(&self, schedule: &mut Schedule) -> Script {
        chunks(self.count, 1).map(|chunk| schedule.dialogue(self.protocol.demand(chunk.len()))).collect()
    }

    pub(crate) fn online_script(&self) -> Script {
        chunked(self.count, 1, |count| self.protocol.script(count))
    }

    pub(crate) fn offline(
        &self,
        ends: &mut PadEnds<'_>,
        channel: &mut dyn Channel,
        stock: &mut StockWriter,
    ) -> Result<(), InferenceError> {
        for chunk in chunks(self.count, 1) {
            ends.reserve(self.protocol.demand(chunk.len()), channel)?;
            let part = self.protocol.offline(chunk.len(), ends, channel)?;
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
        let mut output = Share::with_room(self.count);
        for chunk in chunks(self.count, 1) {
            let bytes = stock.section(self.protocol.stock_bytes(party, chunk.len()))?;
            let part = self.protocol.stock_from_bytes(party, chunk.len(), &bytes)?;
            output.append(self.protocol.online(party, input.part(chunk), part, channel)?.view());
        }
        Ok(output)
    }
}
