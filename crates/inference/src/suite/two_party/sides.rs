//! What a party has at hand in each phase: its side's secrets, the stock, and the way to its peer.

use blindscan_graph::plan::{PublicPlan, Weights};
use blindscan_protocols::ProtocolError;
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::nonlinear::{PadDemand, PadEnds};
use blindscan_rlwe::keys::{PublicKey, SecretKey};
use blindscan_wire::{Channel, Traffic};
use rand_core::CryptoRng;

use super::STORED;
use super::linear::MaskSeed;
use super::transfers::Transfers;
use crate::InferenceError;
use crate::stock::{Stock, StockWriter};
use crate::suite;

/// A party while it makes a stock.
pub(crate) struct Maker<'a> {
    pub(super) side: MakingSide<'a>,
    pub(super) transfers: Transfers,
    pub(super) stock: StockWriter,
    pub(super) rng: &'a mut dyn CryptoRng,
    pub(super) channel: &'a mut dyn Channel,
}

/// Whoever serves weights has had them checked against the plan.
pub(super) const CHECKED: &str = "weights were checked against their plan";

/// What a side makes stock with.
pub(super) enum MakingSide<'a> {
    ImageOwner { keys: &'a SecretKey, seed: MaskSeed },
    ModelOwner { weights: &'a Weights, peer: &'a PublicKey },
}

/// A party while it uses a stock up.
pub(crate) struct Runner<'a> {
    pub(super) public: &'a PublicPlan,
    pub(super) side: RunningSide<'a>,
    pub(super) stock: Stock,
    pub(super) channel: &'a mut dyn Channel,
}

/// What a side runs an image with.
pub(super) enum RunningSide<'a> {
    ImageOwner { seed: MaskSeed },
    ModelOwner { weights: &'a Weights },
}

impl Maker<'_> {
    /// Makes the transfers of one dialogue, and the section that is kept of them.
    pub(super) fn pads(
        &mut self,
        demand: PadDemand,
        make: impl FnOnce(&mut PadEnds<'_>, &mut dyn Channel) -> Result<Vec<u8>, ProtocolError>,
    ) -> Result<(), InferenceError> {
        let Transfers { sending, receiving } = &mut self.transfers;
        let mut ends = match self.side {
            MakingSide::ImageOwner { .. } => PadEnds::ImageOwner { forward: sending, backward: receiving },
            MakingSide::ModelOwner { .. } => PadEnds::ModelOwner { forward: receiving, backward: sending },
        };
        ends.reserve(demand, self.channel)?;
        let section = make(&mut ends, self.channel)?;
        Ok(self.stock.section(section)?)
    }
}

impl suite::MakesStock for Maker<'_> {
    fn traffic(&self) -> Traffic {
        self.channel.traffic()
    }

    /// Checks the transfers. The image owner then hears that the model owner's half is stored, which its caller says.
    fn close(self) -> Result<(StockWriter, Traffic), InferenceError> {
        self.transfers.close(self.channel)?;
        if let MakingSide::ImageOwner { .. } = self.side {
            self.channel.receive(STORED.len())?;
        }
        Ok((self.stock, self.channel.traffic()))
    }
}

impl Runner<'_> {
    /// Whose half this is.
    pub(super) fn party(&self) -> Party {
        match self.side {
            RunningSide::ImageOwner { .. } => Party::ImageOwner,
            RunningSide::ModelOwner { .. } => Party::ModelOwner,
        }
    }
}

impl suite::UsesStock for Runner<'_> {
    fn traffic(&self) -> Traffic {
        self.channel.traffic()
    }
}
