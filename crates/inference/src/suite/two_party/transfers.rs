//! Where the transfers of a stock come from: fresh base transfers per stock, extended batch by batch as layers ask.
//!
//! The two owners agree on a kind of transfers; the demand of a direction then tells where its transfers come from
//! ([`Source`]), and when messages flow ([`Schedule`]).
//!
//! Every stock has an id of its own, derived from the session's and a count, and fresh instances in both directions: no
//! Delta, key or tweak outlives a stock, and a stock that was cut off takes its whole pool with it.
//!
//! | step | who           | message, when the stock's last pads are made     | bytes               |
//! |------|---------------|--------------------------------------------------|---------------------|
//! | 1    | both, at once | as receiver: the claim                           | 2064, Ferret: 16    |
//! | 2    | both, at once | as sender: the answer                            | none, Ferret: 32    |
//!
//! [`Transfers::close`] is that. Until it has passed, pads are made and kept, and nothing that was said depends on them.

use blindscan_arith::block::Block;
use blindscan_protocols::ProtocolError;
use blindscan_protocols::ot::buffered::{BufferedReceiver, BufferedSender};
use blindscan_protocols::ot::setup::{self, setup};
use blindscan_protocols::ot::softspoken::SmallField;
use blindscan_protocols::ot::source::{Batches, OtKind, Source};
use blindscan_protocols::ot::{Direction, Instance};
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::nonlinear::PadDemand;
use blindscan_wire::Channel;
use blindscan_wire::script::Script;
use rand_core::CryptoRng;

/// The field of the extension: 2^4 elements, 31 bits per transfer.
pub(crate) const FIELD: SmallField = SmallField::Bits4;

/// One party's two ends, ready for the demand of one stock.
pub(crate) struct Transfers {
    /// The direction in which this party sends.
    pub(crate) sending: BufferedSender,
    /// The direction in which it receives.
    pub(crate) receiving: BufferedReceiver,
}

impl Transfers {
    /// Checks both directions, when the last pads are made. An error means that the peer has cheated or has gone; the stock
    /// must then be dropped.
    pub(crate) fn close(self, channel: &mut dyn Channel) -> Result<(), ProtocolError> {
        let claim = self.receiving.claim()?;
        let theirs = channel.exchange(claim.message(), self.sending.claim_bytes()?)?;
        let answer = self.sending.answer(&theirs)?;
        if !answer.is_empty() {
            channel.send(&answer)?;
        }
        let theirs = match claim.answer_bytes() {
            0 => Vec::new(),
            length => channel.receive(length)?,
        };
        claim.accept(&theirs)
    }
}

/// Base transfers for the stock number `count` of a session.
pub(crate) fn transfers(
    party: Party,
    session: &[u8; 32],
    count: u64,
    (ot, demand): (OtKind, PadDemand),
    rng: &mut impl CryptoRng,
    channel: &mut dyn Channel,
) -> Result<Transfers, ProtocolError> {
    let session = stock_session(session, count, ot);
    let (sender, receiver) = setup(party.direction(), session, FIELD, rng, channel)?;
    let sending = Instance { session, direction: party.direction() };
    let receiving = Instance { session, direction: party.peer().direction() };
    let total = |instance: &Instance| match instance.direction {
        Direction::Forward => demand.forward_cots as usize,
        Direction::Backward => demand.backward_cots as usize,
    };
    let source = |instance| Source::choose(ot, FIELD, total(instance));
    let mut seed = [0; 16];
    rng.fill_bytes(&mut seed);
    let sender = source(&sending).sender(sender, &sending, Block::from_le_bytes(seed));
    let receiver = source(&receiving).receiver(receiver, &receiving);
    Ok(Transfers {
        sending: BufferedSender::new(sender, &sending, total(&sending)),
        receiving: BufferedReceiver::new(receiver, &receiving, total(&receiving)),
    })
}

/// The id of one stock's transfers: no other stock, session or kind has it.
fn stock_session(session: &[u8; 32], count: u64, ot: OtKind) -> [u8; 32] {
    let mut hash = blake3::Hasher::new_derive_key("blindscan 1 transfers of a stock");
    hash.update(session).update(&count.to_le_bytes()).update(&[ot as u8]);
    *hash.finalize().as_bytes()
}

/// The messages of base transfers.
pub(crate) fn setup_script() -> Script {
    setup::script(Party::SEATS, FIELD)
}

/// When the transfers of a stock are made, and by which messages: the arithmetic of both ends, without the transfers.
pub(crate) struct Schedule {
    forward: Batches,
    backward: Batches,
}

impl Schedule {
    /// The schedule of a stock of this demand.
    pub(crate) fn new(ot: OtKind, demand: PadDemand) -> Self {
        let making = |direction: Direction, total: u64| {
            let total = total as usize;
            Batches::new(Source::choose(ot, FIELD, total), direction.ends(Party::SEATS), total)
        };
        Self {
            forward: making(Direction::Forward, demand.forward_cots),
            backward: making(Direction::Backward, demand.backward_cots),
        }
    }

    /// The messages that make the transfers of one dialogue ready, which then are used: those of
    /// [`PadEnds::reserve`](blindscan_protocols::two_party::nonlinear::PadEnds::reserve).
    pub(crate) fn dialogue(&mut self, demand: PadDemand) -> Script {
        let together = [&self.forward, &self.backward].iter().all(|end| end.source().receiver_never_waits());
        let mut script = Script::default();
        for part in demand.steps() {
            let forward = self.forward.reserve(part.forward_cots as usize);
            let backward = self.backward.reserve(part.backward_cots as usize);
            if together {
                script.at_once([forward.messages(), backward.messages()].concat());
            } else {
                script.then(forward);
                script.then(backward);
            }
        }
        self.forward.hand_out(demand.forward_cots as usize);
        self.backward.hand_out(demand.backward_cots as usize);
        script
    }

    /// The messages of [`Transfers::close`]: both claims, then the answers.
    pub(crate) fn closing(&self) -> Script {
        let ends = [self.forward.closing(), self.backward.closing()];
        let mut script = Script::default();
        for round in 0..2 {
            script.at_once(ends.map(|messages| messages[round]));
        }
        script
    }
}

#[cfg(test)]
mod tests {
    use blindscan_protocols::ot::pads::{PadReceiver, PadSender};
    use blindscan_wire::memory::{MemoryChannel, play};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn every_stock_session_and_kind_has_transfers_of_its_own() {
        let first = stock_session(&[1; 32], 1, OtKind::SoftSpoken);
        let others = [
            stock_session(&[2; 32], 1, OtKind::SoftSpoken),
            stock_session(&[1; 32], 2, OtKind::SoftSpoken),
            stock_session(&[1; 32], 1, OtKind::Ferret),
        ];
        assert!(others.iter().all(|other| *other != first));
    }

    #[test]
    fn two_stocks_of_one_connection_have_different_deltas_and_pads() {
        let total = 500;
        let demand = PadDemand { forward_cots: total as u64, backward_cots: total as u64 };
        let stocks = |party, seed| {
            move |channel: &mut MemoryChannel| {
                let rng = &mut ChaCha20Rng::seed_from_u64(seed);
                [1, 2].map(|count| {
                    let how = (OtKind::SoftSpoken, demand);
                    let mut made = transfers(party, &[7; 32], count, how, rng, channel).unwrap();
                    let theirs = made.receiving.words(total, 32, channel).unwrap();
                    let mine = made.sending.words(total, 32, channel).unwrap();
                    let delta = made.sending.delta().unwrap();
                    made.close(channel).unwrap();
                    (delta, mine.zero, theirs.pad)
                })
            }
        };
        let played = play(stocks(Party::ImageOwner, 1), stocks(Party::ModelOwner, 2));
        let differ = |a: &[u32], b: &[u32]| a.iter().zip(b).all(|(a, b)| a != b);
        for [first, second] in [&played.left, &played.right] {
            assert_ne!(first.0, second.0);
            assert!(differ(&first.1, &second.1) && differ(&first.2, &second.2));
        }
    }
}
