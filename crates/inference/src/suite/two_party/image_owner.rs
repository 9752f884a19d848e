//! The image owner: has the scan and the secret key, gets the answer.

use blindscan_arith::ring::{Module, Ring, Ring32};
use blindscan_protocols::Party;
use blindscan_protocols::linear::key_exchange;
use blindscan_protocols::nonlinear::PadEnds;
use blindscan_protocols::ot::source::OtKind;
use blindscan_protocols::share::Share;
use blindscan_rlwe::keys::SecretKey;
use blindscan_wire::Channel;
use rand_core::CryptoRng;

use super::linear::MaskSeed;
use super::transfers::{Transfers, transfers};
use crate::assign::{AssignedPlan, Operator};
use crate::roles::{Observer, Phase, Progress, local_step};
use crate::shares::Shares;
use crate::stock::{Stock, StockWriter};
use crate::{InferenceError, Output};

const ME: Party = Party::ImageOwner;

/// One connection's secrets of the image owner: what makes stock.
pub struct ImageOwner {
    keys: SecretKey,
    session: [u8; 32],
    stocks_made: u64,
    ot: OtKind,
}

impl ImageOwner {
    /// Makes a fresh key pair and sends its public half, in step with [`super::model_owner::ModelOwner::set_up`].
    pub fn set_up(
        session: [u8; 32],
        rng: &mut impl CryptoRng,
        channel: &mut dyn Channel,
    ) -> Result<Self, InferenceError> {
        let keys = key_exchange::image_owner(rng, channel)?;
        Ok(Self { keys, session, stocks_made: 0, ot: OtKind::default() })
    }

    /// Says how the transfers of the stocks to come are made; both owners must say the same.
    pub fn set_ot(&mut self, ot: OtKind) {
        self.ot = ot;
    }

    /// Makes the stock for one image.
    pub fn offline(
        &mut self,
        plan: &AssignedPlan,
        mut stock: StockWriter,
        rng: &mut impl CryptoRng,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<StockWriter, InferenceError> {
        let mut progress = Progress::new(plan, Phase::Offline, observer);
        self.stocks_made += 1;
        let Transfers { mut sending, mut receiving } =
            transfers(ME, &self.session, self.stocks_made, (self.ot, plan.demand()), rng, channel)?;
        let mut ends = PadEnds::ImageOwner { forward: &mut sending, backward: &mut receiving };
        let mut seed = MaskSeed([0; 32]);
        rng.fill_bytes(&mut seed.0);
        stock.section(seed.0.to_vec())?;
        for operator in &plan.operators {
            match operator {
                Operator::Local(_) => continue,
                Operator::Linear(linear) => {
                    let mut mask = linear.input.mask(&seed);
                    mask.reduce(linear.ring);
                    let share = linear.layer.image_owner_offline(mask.view(), &self.keys, rng, channel)?;
                    stock.section(linear.ring.pack(share.words()))?;
                }
                Operator::Activate(activate) => activate.offline(&mut ends, channel, &mut stock)?,
                Operator::MaxPool(pool) => pool.offline(&mut ends, channel, &mut stock)?,
            }
            progress.step(channel.traffic());
        }
        plan.answer.offline(&mut ends, channel, &mut stock)?;
        Transfers { sending, receiving }.close(channel)?;
        channel.receive(1)?;
        progress.step(channel.traffic());
        Ok(stock)
    }

    /// Runs one image through the network, using up a stock. `input` holds the fixed-point integers of the plan's input.
    pub fn online(
        plan: &AssignedPlan,
        input: &[i64],
        mut stock: Stock,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Output, InferenceError> {
        let spec = &plan.plan().tensors[plan.plan().input];
        let expected = spec.shape.iter().product();
        if input.len() != expected {
            return Err(InferenceError::Input { expected, found: input.len() });
        }
        let ring = Ring32::new(spec.ring_bits);
        let mut progress = Progress::new(plan, Phase::Online, observer);
        let mut shares = Shares::new(plan.plan());
        let words = input.iter().map(|&value| ring.of_signed(value)).collect();
        shares.put(plan.plan().input, Share::of_words(words));
        let seed = MaskSeed(stock.section(32)?[..].try_into().expect("a section has the length asked for"));
        for (node, operator) in plan.plan().nodes.iter().zip(&plan.operators) {
            let share = match operator {
                Operator::Local(step) => {
                    let mut share = local_step(plan, node, step, &shares);
                    share.reduce(Ring32::new(plan.plan().tensors[node.output].ring_bits));
                    share
                }
                Operator::Linear(linear) => {
                    linear.image_owner_online(&mut shares, &seed, &mut stock, channel)?
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
        let logits = shares.get(plan.plan().output);
        let output = plan.answer.image_owner_online(logits, &mut stock, channel)?;
        progress.step(channel.traffic());
        Ok(output)
    }
}
