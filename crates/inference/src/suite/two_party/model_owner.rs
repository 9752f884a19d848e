//! The model owner: has the weights, learns nothing.

use blindscan_graph::plan::Weights;
use blindscan_protocols::ot::source::OtKind;
use blindscan_protocols::share::Share;
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::linear::key_exchange;
use blindscan_rlwe::keys::PublicKey;
use blindscan_wire::Channel;
use rand_core::CryptoRng;

use super::STORED;
use super::sides::{Maker, MakingSide, Runner, RunningSide};
use super::transfers::transfers;
use crate::InferenceError;
use crate::assigned::AssignedPlan;
use crate::phase::{self, Observer};
use crate::stock::{Stock, StockWriter};
use crate::tap::{NoTap, Tap};

/// One connection's secrets of the model owner: what makes stock.
pub struct ModelOwner {
    peer: PublicKey,
    session: [u8; 32],
    stocks_made: u64,
    ot: OtKind,
}

impl ModelOwner {
    /// Takes the peer's public key, in step with [`super::ImageOwner::set_up`].
    pub fn set_up(session: [u8; 32], channel: &mut dyn Channel) -> Result<Self, InferenceError> {
        let peer = key_exchange::model_owner(channel)?;
        Ok(Self { peer, session, stocks_made: 0, ot: OtKind::default() })
    }

    /// Selects the OT extension for stocks made after this call. Both parties must select the same one.
    pub fn set_ot(&mut self, ot: OtKind) {
        self.ot = ot;
    }

    /// Makes the stock for one image. The caller sends the closing byte when its half is stored: [`ModelOwner::stored`].
    pub fn offline(
        &mut self,
        plan: &AssignedPlan,
        weights: &Weights,
        stock: StockWriter,
        rng: &mut impl CryptoRng,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<StockWriter, InferenceError> {
        let plan = plan.two_party()?;
        self.stocks_made += 1;
        let how = (self.ot, plan.demand());
        let transfers = transfers(Party::ModelOwner, &self.session, self.stocks_made, how, rng, channel)?;
        let side = MakingSide::ModelOwner { weights, peer: &self.peer };
        phase::offline(plan, Maker { side, transfers, stock, rng, channel }, observer)
    }

    /// Tells the image owner that this half is whole: the last message of the offline phase.
    pub fn stored(channel: &mut dyn Channel) -> Result<(), InferenceError> {
        Ok(channel.send(&STORED)?)
    }

    /// Serves one image, using up a stock.
    pub fn online(
        plan: &AssignedPlan,
        weights: &Weights,
        stock: Stock,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<(), InferenceError> {
        Self::online_under(plan, weights, stock, observer, &mut NoTap, channel)
    }

    /// The same under a look at every share: [`crate::tap`].
    pub(crate) fn online_under(
        plan: &AssignedPlan,
        weights: &Weights,
        stock: Stock,
        observer: &mut dyn Observer,
        tap: &mut impl Tap,
        channel: &mut dyn Channel,
    ) -> Result<(), InferenceError> {
        let plan = plan.two_party()?;
        let input = Share::zeros(plan.public.tensors[plan.public.input].count());
        let at = Runner { public: &plan.public, side: RunningSide::ModelOwner { weights }, stock, channel };
        let output = phase::online(plan, input, at, observer, tap)?;
        assert!(output.is_none(), "the answer is not the model owner's");
        Ok(())
    }
}
