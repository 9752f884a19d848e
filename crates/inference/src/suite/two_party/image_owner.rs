//! The image owner: has the scan and the secret key, gets the answer.

use blindscan_arith::ring::{Ring, Ring32};
use blindscan_protocols::ot::source::OtKind;
use blindscan_protocols::share::Share;
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::linear::key_exchange;
use blindscan_rlwe::keys::SecretKey;
use blindscan_wire::Channel;
use rand_core::CryptoRng;

use super::linear::MaskSeed;
use super::sides::{Maker, MakingSide, Runner, RunningSide};
use super::transfers::transfers;
use crate::assigned::AssignedPlan;
use crate::phase::{self, Observer};
use crate::stock::{Stock, StockWriter};
use crate::tap::{NoTap, Tap};
use crate::{InferenceError, Output};

/// One connection's secrets of the image owner: what makes stock.
pub struct ImageOwner {
    keys: SecretKey,
    session: [u8; 32],
    stocks_made: u64,
    ot: OtKind,
}

impl ImageOwner {
    /// Makes a fresh key pair and sends its public half, in step with [`super::ModelOwner::set_up`].
    pub fn set_up(
        session: [u8; 32],
        rng: &mut impl CryptoRng,
        channel: &mut dyn Channel,
    ) -> Result<Self, InferenceError> {
        let keys = key_exchange::image_owner(rng, channel)?;
        Ok(Self { keys, session, stocks_made: 0, ot: OtKind::default() })
    }

    /// Selects the OT extension for stocks made after this call. Both parties must select the same one.
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
        let plan = plan.two_party()?;
        self.stocks_made += 1;
        let how = (self.ot, plan.demand());
        let transfers = transfers(Party::ImageOwner, &self.session, self.stocks_made, how, rng, channel)?;
        let mut seed = MaskSeed([0; 32]);
        rng.fill_bytes(&mut seed.0);
        stock.section(seed.0.to_vec())?;
        let side = MakingSide::ImageOwner { keys: &self.keys, seed };
        phase::offline(plan, Maker { side, transfers, stock, rng, channel }, observer)
    }

    /// Runs one image through the network, using up a stock. `input` holds the fixed-point integers of the plan's input.
    pub fn online(
        plan: &AssignedPlan,
        input: &[i64],
        stock: Stock,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Output, InferenceError> {
        Self::online_under(plan, input, stock, observer, &mut NoTap, channel)
    }

    /// The same under a look at every share: [`crate::tap`].
    pub(crate) fn online_under(
        plan: &AssignedPlan,
        input: &[i64],
        mut stock: Stock,
        observer: &mut dyn Observer,
        tap: &mut impl Tap,
        channel: &mut dyn Channel,
    ) -> Result<Output, InferenceError> {
        let plan = plan.two_party()?;
        let spec = &plan.public.tensors[plan.public.input];
        let expected = spec.count();
        if input.len() != expected {
            return Err(InferenceError::Input { expected, found: input.len() });
        }
        let ring = Ring32::new(spec.ring_bits);
        let words = input.iter().map(|&value| ring.of_signed(value)).collect();
        let seed = MaskSeed(stock.section(32)?[..].try_into().expect("a section has the length asked for"));
        let at = Runner { public: &plan.public, side: RunningSide::ImageOwner { seed }, stock, channel };
        let output = phase::online(plan, Share::of_words(words), at, observer, tap)?;
        Ok(output.expect("the answer is the image owner's"))
    }
}
