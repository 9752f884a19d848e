//! ReLU with rescaling, and rescaling alone.
//!
//! | question | answer |
//! |---|---|
//! | ideal | floor(max(x, 0) / 2^drop), or floor(x / 2^drop), bit for bit |
//! | demand | pads of [`Activation`], a stock section a chunk |
//! | cost | [`Activation::online_cost`] a chunk |
//! | both parties | the same call; see [`blindscan_protocols::nonlinear`] |

use blindscan_protocols::Party;
use blindscan_protocols::nonlinear::{Activation, ActivationStock, PadDemand, PadEnds};
use blindscan_wire::Channel;

use super::chunks;
use crate::InferenceError;
use crate::cost::Leg;
use crate::ghost::{self, ELEMENTS, Manner};
use crate::stock::{Stock, StockWriter};
use crate::supply::Schedule;

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

    pub(crate) fn offline_leg(&self, party: Party, schedule: &mut Schedule) -> Leg {
        chunks(self.count, 1).map(|chunk| schedule.leg(self.protocol.demand(chunk.len()), party)).collect()
    }

    pub(crate) fn online_leg(&self, party: Party) -> Leg {
        let stock = self.rehearse(party);
        let manner = Manner::of(|channel| self.protocol.online(party, &[0; ELEMENTS], stock, channel));
        chunks(self.count, 1).map(|chunk| manner.leg(self.protocol.online_cost(party, chunk.len()))).collect()
    }

    fn rehearse(&self, party: Party) -> ActivationStock {
        ghost::offline(party, |ends, channel| self.protocol.offline(ELEMENTS, ends, channel))
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
        input: &[u32],
        stock: &mut Stock,
        channel: &mut dyn Channel,
    ) -> Result<Vec<u32>, InferenceError> {
        let mut output = Vec::with_capacity(self.count);
        for chunk in chunks(self.count, 1) {
            let bytes = stock.section(self.protocol.stock_bytes(party, chunk.len()))?;
            let part = self.protocol.stock_from_bytes(party, chunk.len(), &bytes)?;
            output.extend(self.protocol.online(party, &input[chunk], part, channel)?);
        }
        Ok(output)
    }
}
