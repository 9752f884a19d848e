//! Measures correlated transfers and pads, each end alone: the sender replays what the receiver said.
//!
//! `cargo run --release -p blindscan-protocols --example ot_speed [million transfers]`

use std::hint::black_box;
use std::time::{Duration, Instant};

use blindscan_arith::hash::CorrelationHash;
use blindscan_arith::transpose::BitRows;
use blindscan_protocols::ot::buffered::{BATCH, BufferedReceiver, BufferedSender};
use blindscan_protocols::ot::ferret::sets::SETS;
use blindscan_protocols::ot::ferret::{FerretReceiver, FerretSender};
use blindscan_protocols::ot::pads::{PadReceiver, PadSender};
use blindscan_protocols::ot::security::Checked;
use blindscan_protocols::ot::setup::setup;
use blindscan_protocols::ot::softspoken::{SmallField, SoftSpokenReceiver, SoftSpokenSender};
use blindscan_protocols::ot::{CotReceiver, CotSender, Direction, Instance};
use blindscan_wire::memory::play;
use blindscan_wire::{Channel, Traffic, WireError};

const ROUNDS: usize = 8;

fn main() {
    let millions: usize =
        std::env::args().nth(1).map_or(64, |text| text.parse().expect("millions of transfers"));
    let batches = (millions * 1_000_000).div_ceil(BATCH * ROUNDS);
    arithmetic();
    for field in [SmallField::Bits1, SmallField::Bits2, SmallField::Bits4, SmallField::Bits8] {
        extension(field, if field == SmallField::Bits8 { batches.div_ceil(8) } else { batches });
    }
    silent();
    pads(batches);
}

fn arithmetic() {
    let keys = vec![0x0123_4567_89ab_cdef_u128; BATCH];
    let (mut zero, mut one) = (vec![0; BATCH], vec![0; BATCH]);
    let mut hash = CorrelationHash::new(1);
    report("hash, one word a key (receiver)", 100 * BATCH, || {
        (0..100).for_each(|_| hash.hash(&keys, &mut zero));
    });
    report("hash, two words a key (sender)", 100 * BATCH, || {
        (0..100).for_each(|_| hash.hash_both(&keys, 7, &mut zero, &mut one));
    });
    let (rows, mut blocks) = (BitRows::new(), vec![0; 8192]);
    report("transpose, columns", 1000 * 8192, || {
        (0..1000).for_each(|_| black_box(&rows).transpose_into(&mut blocks));
    });
}

fn extension(field: SmallField, batches: usize) {
    let ((mut sender, _), (_, mut receiver)) = both(field);
    let (mut keys, mut choice) = (vec![0; BATCH], vec![0; BATCH / 64]);
    let mut said = Said::default();
    receiver.extend_into(&mut choice, &mut keys, &mut said).expect("nothing to fail");
    let label = format!("extend, k = {}", field.bits());
    report(&format!("{label}, receiver"), batches * BATCH, || {
        for _ in 0..batches {
            receiver.extend_into(&mut choice, &mut keys, &mut Said::default()).expect("nothing to fail");
        }
    });
    report(&format!("{label}, sender"), batches * BATCH, || {
        for _ in 0..batches {
            sender.extend_into(&mut keys, &mut said).expect("nothing to fail");
        }
    });
}

fn pads(batches: usize) {
    let instance = Instance { session: [0; 32], direction: Direction::Forward };
    let ((sender, _), (_, mut receiver)) = both(SmallField::Bits4);
    let mut said = Said::default();
    receiver.extend_into(&mut vec![0; BATCH / 64], &mut vec![0; BATCH], &mut said).expect("nothing to fail");
    let total = 3 * ROUNDS * batches * BATCH;
    let mut sender = BufferedSender::new(Box::new(sender), &instance, total);
    let mut receiver = BufferedReceiver::new(Box::new(receiver), &instance, total);
    let n = batches * BATCH / 3;
    for (choice_bits, message_bits) in [(3, 2), (3, 1)] {
        let label = format!("pads 1 of 2^{choice_bits}, {message_bits} bits, transfers");
        report(&format!("{label}, receiver"), 3 * n, || {
            black_box(
                receiver.digits(n, choice_bits, message_bits, &mut Said::default()).expect("nothing to fail"),
            );
        });
        report(&format!("{label}, sender"), 3 * n, || {
            black_box(sender.digits(n, choice_bits, message_bits, &mut said).expect("nothing to fail"));
        });
    }
    report("pads of words, receiver", 3 * n, || {
        black_box(receiver.words(3 * n, 32, &mut Said::default()).expect("nothing to fail"));
    });
    report("pads of words, sender", 3 * n, || {
        black_box(sender.words(3 * n, 32, &mut said).expect("nothing to fail"));
    });
}

/// The silent kind, each end alone: what one iteration hands out, the first one's transfers apart.
fn silent() {
    let instance = Instance { session: [0; 32], direction: Direction::Forward };
    for set in SETS {
        let ((sender, _), (_, receiver)) = both(SmallField::Bits4);
        let mut sender = FerretSender::new(set, Box::new(sender), &instance, 1);
        let mut receiver = FerretReceiver::<Checked>::new(set, Box::new(receiver), &instance);
        let (mut keys, mut choice) = (vec![0; BATCH], vec![0; BATCH / 64]);
        play(
            |channel| sender.extend_into(&mut keys, channel).expect("an honest peer"),
            |channel| {
                receiver.extend_into(&mut choice, &mut vec![0; BATCH], channel).expect("an honest peer")
            },
        );
        let batches = set.free_trees() * set.leaves() / BATCH / ROUNDS;
        let mut said = Said::default();
        let label = format!("silent, k = 2^{}", set.k().ilog2());
        report(&format!("{label}, sender"), batches * BATCH, || {
            (0..batches).for_each(|_| sender.extend_into(&mut keys, &mut said).expect("nothing to fail"));
        });
        said = Said(vec![1; 1 << 20]);
        report(&format!("{label}, receiver"), batches * BATCH, || {
            for _ in 0..batches {
                receiver.extend_into(&mut choice, &mut keys, &mut said).expect("nothing to fail");
            }
        });
    }
}

type Ends = (SoftSpokenSender, SoftSpokenReceiver);

fn both(field: SmallField) -> (Ends, Ends) {
    let start = Instant::now();
    let played = play(
        |channel| {
            setup(Direction::Forward, [1; 32], field, &mut rand::rng(), channel).expect("an honest peer")
        },
        |channel| {
            setup(Direction::Backward, [1; 32], field, &mut rand::rng(), channel).expect("an honest peer")
        },
    );
    println!(
        "{:48} {:9.1} ms",
        "setup of both directions, both parties",
        start.elapsed().as_secs_f64() * 1e3
    );
    (played.left, played.right)
}

/// Times the work several times and prints the best: the others had company on the processor.
fn report(what: &str, count: usize, mut work: impl FnMut()) {
    let time = (0..ROUNDS).map(|_| timed(&mut work)).min().expect("some rounds");
    println!(
        "{what:48} {:9.1} million/s {:7.2} ns each",
        count as f64 / time.as_secs_f64() / 1e6,
        time.as_secs_f64() * 1e9 / count as f64
    );
}

fn timed(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Keeps the last message, and gives it back as often as it is asked for.
#[derive(Default)]
struct Said(Vec<u8>);

impl Channel for Said {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.0 = message.to_vec();
        Ok(())
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        // The last batch may be shorter; its bits do not matter to the clock.
        Ok(self.0[..length].to_vec())
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.send(message)?;
        self.receive(length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}
