//! The two-party suite: the image owner and the model owner, exact to the bit, nobody else.
//!
//! | phase | who | what |
//! |---|---|---|
//! | set-up | image owner | a fresh key pair, its public half to the model owner |
//! | offline | both | base transfers, one fresh instance per direction |
//! | offline | both | layer by layer: shares of W*r, pads; each half written to that party's stock |
//! | offline | both | the check of all transfers of this stock |
//! | offline | model owner | one byte: its half is stored |
//! | online | both | layer by layer, from the stock |
//!
//! Cost: [`crate::AssignedPlan::cost`], equal to what the channel counts. Security: two parties, no helper; the image stays private
//! whatever the model owner does, the weights do while the image owner follows the protocol.
//! The image owner's role is built from the public plan alone; the model owner's from a plan and its weights.
//!
//! Each layer is a file that answers the questions of [`Layer`](super::Layer): material, messages, both parties' steps. Where the
//! parties do different things, the file says so by a `match` on the side; nothing above it knows of sides.

mod activate;
mod answer;
mod assign;
mod chunks;
mod image_owner;
mod linear;
mod local;
mod max_pool;
mod model_owner;
mod sides;
mod transfers;
mod windows;

use blindscan_graph::plan::{PublicPlan, Rounding};
use blindscan_protocols::ot::buffered::BATCH;
use blindscan_protocols::ot::ferret::sets::SETS;
use blindscan_protocols::ot::security::CHECKS;
use blindscan_protocols::ot::source::OtKind;
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::linear::{AGREED, key_exchange};
use blindscan_protocols::two_party::nonlinear::{self, PadDemand};
use blindscan_wire::script::Script;

pub use image_owner::ImageOwner;
pub use model_owner::ModelOwner;

use super::{Assignment, Suite};
use crate::InferenceError;
use crate::cost::WorkCounts;
use sides::{Maker, Runner};
use transfers::Schedule;

/// The two-party suite.
pub(crate) struct TwoParty;

impl Suite for TwoParty {
    type Party = Party;
    type Numbers = Numbers;
    type Word = u32;
    type Demand = PadDemand;
    type Schedule = Schedule;
    type Maker<'a> = Maker<'a>;
    type Runner<'a> = Runner<'a>;

    const PARTIES: &'static [(Party, &'static str)] =
        &[(Party::ImageOwner, "image owner"), (Party::ModelOwner, "model owner")];
    const NAME: &'static str = "two-party";

    fn parameters() -> String {
        format!(
            "{:?} {AGREED:?} {:?} {SETS:?} checks {CHECKS} batch {BATCH} step {} chunk {}",
            blindscan_rlwe::parameters::EXACT,
            transfers::FIELD,
            nonlinear::STEP,
            chunks::CHUNK
        )
    }

    fn assign(plan: &PublicPlan, numbers: Numbers) -> Result<Assignment<Self>, InferenceError> {
        assign::assign(plan, numbers)
    }

    fn schedule(ot: OtKind, demand: PadDemand) -> Schedule {
        Schedule::new(ot, demand)
    }

    fn set_up_script() -> Script {
        key_exchange::script()
    }

    fn opening_script() -> Script {
        transfers::setup_script()
    }

    fn closing_script(schedule: &Schedule) -> Script {
        let mut script = schedule.closing();
        script.message(Party::ModelOwner.sends(STORED.len()));
        script
    }
}

/// The suite's own numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    /// Bits of a digit in comparisons.
    pub(crate) radix_bits: u32,
    /// How rescaling rounds.
    pub(crate) rounding: Rounding,
}

impl From<PadDemand> for WorkCounts {
    fn from(PadDemand { forward_cots, backward_cots }: PadDemand) -> Self {
        Self { forward_cots, backward_cots, ..Self::default() }
    }
}

/// The model owner's last word offline: its half is stored.
const STORED: [u8; 1] = [1];
