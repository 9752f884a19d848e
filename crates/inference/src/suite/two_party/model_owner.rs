//! The model owner: has the weights, learns nothing.

use blindscan_arith::ring::{Module, Ring32};
use blindscan_graph::plan::{LayerWeights, Weights};
use blindscan_protocols::Party;
use blindscan_protocols::linear::key_exchange;
use blindscan_protocols::nonlinear::PadEnds;
use blindscan_protocols::ot::source::OtKind;
use blindscan_protocols::share::Share;
use blindscan_rlwe::keys::PublicKey;
use blindscan_wire::Channel;
use rand_core::CryptoRng;

use super::transfers::{Transfers, transfers};
use crate::InferenceError;
use crate::assign::{AssignedPlan, Operator};
use crate::roles::{Observer, Phase, Progress, local_step};
use crate::shares::Shares;
use crate::stock::{Stock, StockWriter};

const CHECKED: &str = "weights were checked against their plan";

const ME: Party = Party::ModelOwner;

/// One connection's secrets of the model owner: what makes stock.
pub struct ModelOwner {
    peer: PublicKey,
    session: [u8; 32],
    stocks_made: u64,
    ot: OtKind,
}

impl ModelOwner {
    /// Takes the peer's public key, in step with [`super::image_owner::ImageOwner::set_up`].
    pub fn set_up(session: [u8; 32], channel: &mut dyn Channel) -> Result<Self, InferenceError> {
        let peer = key_exchange::model_owner(channel)?;
        Ok(Self { peer, session, stocks_made: 0, ot: OtKind::default() })
    }

    /// Says how the transfers of the stocks to come are made; both owners must say the same.
    pub fn set_ot(&mut self, ot: OtKind) {
        self.ot = ot;
    }

    /// Makes the stock for one image. The caller sends the closing byte when its half is stored: [`ModelOwner::stored`].
    pub fn offline(
        &mut self,
        plan: &AssignedPlan,
        weights: &Weights,
        mut stock: StockWriter,
        rng: &mut impl CryptoRng,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<StockWriter, InferenceError> {
        let mut progress = Progress::new(plan, Phase::Offline, observer);
        self.stocks_made += 1;
        let Transfers { mut sending, mut receiving } =
            transfers(ME, &self.session, self.stocks_made, (self.ot, plan.demand()), rng, channel)?;
        let mut ends = PadEnds::ModelOwner { forward: &mut receiving, backward: &mut sending };
        for (index, operator) in plan.operators.iter().enumerate() {
            match operator {
                Operator::Local(_) => continue,
                Operator::Linear(linear) => {
                    let layer = layer(weights, index);
                    let share = linear.layer.model_owner_offline(&layer.weight, &self.peer, rng, channel)?;
                    stock.section(linear.ring.pack(share.words()))?;
                }
                Operator::Activate(activate) => activate.offline(&mut ends, channel, &mut stock)?,
                Operator::MaxPool(pool) => pool.offline(&mut ends, channel, &mut stock)?,
            }
            progress.step(channel.traffic());
        }
        plan.answer.offline(&mut ends, channel, &mut stock)?;
        Transfers { sending, receiving }.close(channel)?;
        progress.step(channel.traffic());
        Ok(stock)
    }

    /// Tells the image owner that this half is whole: the last message of the offline phase.
    pub fn stored(channel: &mut dyn Channel) -> Result<(), InferenceError> {
        Ok(channel.send(&[1])?)
    }

    /// Serves one image, using up a stock.
    pub fn online(
        plan: &AssignedPlan,
        weights: &Weights,
        mut stock: Stock,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<(), InferenceError> {
        let mut progress = Progress::new(plan, Phase::Online, observer);
        let mut shares = Shares::new(plan.plan());
        let input = plan.plan().input;
        shares.put(input, Share::zeros(plan.plan().tensors[input].shape.iter().product()));
        for (index, (node, operator)) in plan.plan().nodes.iter().zip(&plan.operators).enumerate() {
            let share = match operator {
                Operator::Local(step) => {
                    let mut share = local_step(plan, node, step, &shares);
                    step.add_secret(share.words_mut(), &plan.plan().shapes(node), weights.of(index));
                    share.reduce(Ring32::new(plan.plan().tensors[node.output].ring_bits));
                    share
                }
                Operator::Linear(linear) => {
                    linear.model_owner_online(&mut shares, layer(weights, index), &mut stock, channel)?
                }
                Operator::Activate(activate) => {
                    activate.online(ME, shares.get(node.inputs[0]), &mut stock, channel)?
                }
                Operator::MaxPool(pool) => {
                    pool.online(ME, shares.get(node.inputs[0]), &mut stock, channel)?
                }
            };
            progress.share(node.output, share.view());
            shares.put(node.output, share);
            shares.used(&node.inputs);
            if operator.speaks() {
                progress.step(channel.traffic());
            }
        }
        plan.answer.model_owner_online(shares.get(plan.plan().output), &mut stock, channel)?;
        progress.step(channel.traffic());
        Ok(())
    }
}

/// The weights of a linear node.
fn layer(weights: &Weights, node: usize) -> &LayerWeights {
    weights.layer(node).expect(CHECKED)
}
