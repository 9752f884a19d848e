//! Where the transfers of a stock come from: fresh base transfers a stock, extended batch by batch as layers ask.
//!
//! Every stock has an id of its own, derived from the session's and a count, and fresh instances in both directions: no
//! Delta, key or tweak outlives a stock, and a stock that was cut off takes its whole pool with it.

use blindscan_protocols::nonlinear::PadDemand;
use blindscan_protocols::ot::buffered::{self, BATCH, BufferedReceiver, BufferedSender};
use blindscan_protocols::ot::setup::{self, setup};
use blindscan_protocols::ot::softspoken::SmallField;
use blindscan_protocols::ot::{COT_MULTIPLE, Direction, Instance};
use blindscan_protocols::{Party, ProtocolError};
use blindscan_wire::{Channel, Traffic};
use rand_core::CryptoRng;

use crate::cost::Leg;
use crate::ghost::Request;

/// The field of the extension: 2^4 elements, 32 bits a transfer.
pub(crate) const FIELD: SmallField = SmallField::Bits4;

/// One party's two ends, ready for the demand of one stock.
pub(crate) struct Transfers {
    /// The direction in which this party sends.
    pub(crate) sending: BufferedSender,
    /// The direction in which it receives.
    pub(crate) receiving: BufferedReceiver,
}

/// Base transfers for the stock number `count` of a session.
pub(crate) fn transfers(
    party: Party,
    session: &[u8; 32],
    count: u64,
    demand: PadDemand,
    rng: &mut impl CryptoRng,
    channel: &mut dyn Channel,
) -> Result<Transfers, ProtocolError> {
    let session = stock_session(session, count);
    let (sender, receiver) = setup(party, session, FIELD, rng, channel)?;
    let sending = Instance { session, direction: Direction::of_sender(party) };
    let receiving = Instance { session, direction: Direction::of_receiver(party) };
    let total = |direction| match direction {
        Direction::Forward => demand.forward_cots as usize,
        Direction::Backward => demand.backward_cots as usize,
    };
    Ok(Transfers {
        sending: BufferedSender::new(Box::new(sender), &sending, total(sending.direction)),
        receiving: BufferedReceiver::new(Box::new(receiver), &receiving, total(receiving.direction)),
    })
}

/// The id of one stock's transfers.
fn stock_session(session: &[u8; 32], count: u64) -> [u8; 32] {
    let mut hash = blake3::Hasher::new_derive_key("blindscan 1 transfers of a stock");
    hash.update(session).update(&count.to_le_bytes());
    *hash.finalize().as_bytes()
}

/// What base transfers cost each party.
pub(crate) fn setup_leg() -> Leg {
    Leg::declared(setup::cost(), false, false)
}

/// When batches of transfers are made, and what that costs: the arithmetic of [`buffered`], without the transfers.
pub(crate) struct Schedule {
    forward: Remaining,
    backward: Remaining,
}

struct Remaining {
    to_make: usize,
    at_hand: usize,
}

impl Schedule {
    /// The schedule of a stock of this demand.
    pub(crate) fn new(demand: PadDemand) -> Self {
        let remaining =
            |total: u64| Remaining { to_make: (total as usize).next_multiple_of(COT_MULTIPLE), at_hand: 0 };
        Self { forward: remaining(demand.forward_cots), backward: remaining(demand.backward_cots) }
    }

    /// What these requests, for `n` elements, cost `party`.
    pub(crate) fn leg(&mut self, requests: &[Request], n: usize, party: Party) -> Leg {
        requests.iter().fold(Leg::NONE, |sum, &(direction, transfers)| {
            sum.then(self.request(direction, transfers * n, party))
        })
    }

    fn request(&mut self, direction: Direction, transfers: usize, party: Party) -> Leg {
        let remaining = match direction {
            Direction::Forward => &mut self.forward,
            Direction::Backward => &mut self.backward,
        };
        let mut leg = Leg::NONE;
        while remaining.at_hand < transfers {
            let batch = remaining.to_make.min(BATCH);
            remaining.to_make -= batch;
            remaining.at_hand += batch;
            leg = leg.then(batch_leg(batch, direction == Direction::of_sender(party)));
        }
        remaining.at_hand -= transfers;
        leg
    }
}

/// One batch: a message from the receiver to the sender.
fn batch_leg(transfers: usize, sends: bool) -> Leg {
    let traffic: Traffic = match sends {
        true => buffered::sender_cost(transfers, FIELD),
        false => buffered::receiver_cost(transfers, FIELD),
    };
    Leg::declared(traffic, sends, !sends)
}
