//! A million exact ReLUs over real pads, both parties, offline and online apart; and the extension alone.
//!
//! `cargo bench -p blindscan-protocols --bench relu [rounds]`. Ring of 32 bits, 12 dropped, 2^20 elements: the like of what
//! OpenCheetah does in 12 CPU-s and 32 MB, there not exact.

mod common;

use blindscan_arith::prg::Prg;
use blindscan_protocols::ProtocolError;
use blindscan_protocols::ot::buffered::{BATCH, BufferedReceiver, BufferedSender};
use blindscan_protocols::ot::setup::setup;
use blindscan_protocols::ot::softspoken::{SmallField, SoftSpokenReceiver, SoftSpokenSender};
use blindscan_protocols::ot::source::{OtKind, Source};
use blindscan_protocols::ot::{CotReceiver, CotSender, Direction, Instance};
use blindscan_protocols::share::Share;
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::nonlinear::{Activation, ActivationStock, PadEnds};
use blindscan_wire::memory::{MemoryChannel, play};
use blindscan_wire::{Channel, Traffic};
use common::{Clock, Taken};

const N: usize = 1 << 20;
const FIELD: SmallField = SmallField::Bits4;
const SESSION: [u8; 32] = [7; 32];

type Ends = (SoftSpokenSender, SoftSpokenReceiver);

fn main() {
    let rounds = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(3);
    common::head();
    let runs: Vec<(Taken, Traffic)> = (0..rounds).map(|_| extension()).collect();
    report("2^24 correlated transfers, SoftSpoken", &runs);
    let of = Activation::new(32, 12, 32, true, 3).expect("numbers in their ranges");
    for kind in [OtKind::SoftSpoken, OtKind::Ferret] {
        let runs: Vec<[(Taken, Traffic); 3]> = (0..rounds).map(|_| relus(of, kind)).collect();
        for (part, what) in ["set-up", "offline", "online"].into_iter().enumerate() {
            let runs: Vec<(Taken, Traffic)> = runs.iter().map(|run| run[part]).collect();
            report(&format!("2^20 ReLUs of 32 bits, {kind:?}, {what}"), &runs);
        }
    }
}

fn report(what: &str, runs: &[(Taken, Traffic)]) {
    let taken: Vec<Taken> = runs.iter().map(|run| run.0).collect();
    common::row(what, &taken, runs[0].1);
}

/// Base transfers of both directions.
fn set_up(party: Party, channel: &mut MemoryChannel) -> Ends {
    setup(party.direction(), SESSION, FIELD, &mut rand::rng(), channel).expect("an honest peer")
}

/// One direction, in batches as stocks ask for them; set-up is not timed.
fn extension() -> (Taken, Traffic) {
    let made =
        play(|channel| set_up(Party::ImageOwner, channel), |channel| set_up(Party::ModelOwner, channel));
    let ((mut sender, _), (_, mut receiver)) = (made.left, made.right);
    let clock = Clock::start();
    let played = play(
        |channel| {
            let mut keys = vec![0; BATCH];
            for _ in 0..(1 << 24) / BATCH {
                sender.extend_into(&mut keys, channel).expect("an honest peer");
            }
        },
        |channel| {
            let (mut choice, mut keys) = (vec![0; BATCH / 64], vec![0; BATCH]);
            for _ in 0..(1 << 24) / BATCH {
                receiver.extend_into(&mut choice, &mut keys, channel).expect("an honest peer");
            }
        },
    );
    (clock.taken(), played.left_traffic)
}

/// Set-up, offline and online, one after the other. Stocks stay in memory.
fn relus(of: Activation, kind: OtKind) -> [(Taken, Traffic); 3] {
    let clock = Clock::start();
    let made =
        play(|channel| set_up(Party::ImageOwner, channel), |channel| set_up(Party::ModelOwner, channel));
    let set_up = (clock.taken(), made.left_traffic);

    let clock = Clock::start();
    let stocks = play(
        |channel| offline(of, Party::ImageOwner, made.left, kind, channel),
        |channel| offline(of, Party::ModelOwner, made.right, kind, channel),
    );
    let offline = (clock.taken(), stocks.left_traffic);

    let share = |seed| Share::of_words(Prg::new(seed).words32(N));
    let (image, model) = (share(1), share(2));
    let clock = Clock::start();
    let played = play(
        |channel| of.online(Party::ImageOwner, image.view(), stocks.left, channel).expect("an honest peer"),
        |channel| of.online(Party::ModelOwner, model.view(), stocks.right, channel).expect("an honest peer"),
    );
    [set_up, offline, (clock.taken(), played.left_traffic)]
}

fn offline(
    of: Activation,
    party: Party,
    (sender, receiver): Ends,
    kind: OtKind,
    channel: &mut dyn Channel,
) -> ActivationStock {
    let demand = of.demand(N);
    let instance = |direction| Instance { session: SESSION, direction };
    let total = |direction| match direction {
        Direction::Forward => demand.forward_cots as usize,
        Direction::Backward => demand.backward_cots as usize,
    };
    let (sends, receives) = (party.direction(), party.peer().direction());
    let source = |direction| Source::choose(kind, FIELD, total(direction));
    let sender = source(sends).sender(sender, &instance(sends), rand::random());
    let receiver = source(receives).receiver(receiver, &instance(receives));
    let mut sender = BufferedSender::new(sender, &instance(sends), total(sends));
    let mut receiver = BufferedReceiver::new(receiver, &instance(receives), total(receives));
    let mut ends = match party {
        Party::ImageOwner => PadEnds::ImageOwner { forward: &mut sender, backward: &mut receiver },
        Party::ModelOwner => PadEnds::ModelOwner { forward: &mut receiver, backward: &mut sender },
    };
    let stock = of.offline(N, &mut ends, channel).expect("an honest peer");
    close(sender, receiver, channel).expect("an honest peer");
    stock
}

/// The check of both directions.
fn close(
    sender: BufferedSender,
    receiver: BufferedReceiver,
    channel: &mut dyn Channel,
) -> Result<(), ProtocolError> {
    let claim = receiver.claim()?;
    let theirs = channel.exchange(claim.message(), sender.claim_bytes()?)?;
    let answer = sender.answer(&theirs)?;
    let theirs = match claim.answer_bytes() {
        0 => Vec::new(),
        length => channel.exchange(&answer, length)?,
    };
    claim.accept(&theirs)
}
