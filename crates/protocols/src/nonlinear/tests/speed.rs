//! How long an activation takes, one role alone: the peer's messages are recorded first and replayed.
//!
//! `cargo test --release -p blindscan-protocols --lib nonlinear::tests::speed -- --ignored --nocapture`

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::*;

const N: usize = 1 << 18;
const REPEATS: usize = 10;

#[test]
#[ignore = "a measurement, not a check"]
fn nanoseconds_an_element_of_each_role() {
    let of = Activation::new(26, 9, 26, true, 3).unwrap();
    let mut rng = rng(20);
    let values = values(25, N, &mut rng);
    let (x0, x1) = shares(Ring::new(26), &values, &mut rng);
    let record = |party: Party, x: &[u32], ends: &mut PadEnds, channel: &mut MemoryChannel| {
        let (stock, offline) = timed(|| of.offline(N, ends, channel).unwrap());
        let bytes = stock.to_bytes();
        let stock = of.stock_from_bytes(party, N, &bytes).unwrap();
        let mut channel = Watched::recording(channel);
        of.online(party, x, stock, &mut channel).unwrap();
        (bytes, offline, channel.sent())
    };
    let played = dialogue(
        |ends, channel| record(Party::ImageOwner, &x0, ends, channel),
        |ends, channel| record(Party::ModelOwner, &x1, ends, channel),
    );
    let sides = [
        (Party::ImageOwner, &x0, &played.left, &played.right.2),
        (Party::ModelOwner, &x1, &played.right, &played.left.2),
    ];
    for (party, x, (bytes, offline, _), incoming) in sides {
        let mut best = [Duration::MAX; 3];
        for _ in 0..REPEATS {
            let (stock, read) = timed(|| of.stock_from_bytes(party, N, bytes).unwrap());
            let (_, written) = timed(|| stock.to_bytes());
            let stock = of.stock_from_bytes(party, N, bytes).unwrap();
            let mut channel = Replay(incoming.iter().cloned().collect());
            let (_, online) = timed(|| of.online(party, x, stock, &mut channel).unwrap());
            best = [best[0].min(read), best[1].min(written), best[2].min(online)];
        }
        let ns = |time: Duration| time.as_nanos() as f64 / N as f64;
        let [read, written, online] = best.map(ns);
        println!(
            "{party:?}: offline over dealt pads {:.1} ns, stock written {written:.1} ns and read {read:.1} ns",
            ns(*offline)
        );
        println!(
            "{party:?}: online {online:.1} ns, stock {:.1} bytes, {:?}",
            bytes.len() as f64 / N as f64,
            of.online_cost(party, N)
        );
    }
}

fn timed<T>(action: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = action();
    (result, start.elapsed())
}

/// A peer whose messages are known.
struct Replay(VecDeque<Vec<u8>>);

impl Channel for Replay {
    fn send(&mut self, _message: &[u8]) -> Result<(), WireError> {
        Ok(())
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        let message = self.0.pop_front().ok_or(WireError::Closed)?;
        assert_eq!(message.len(), length, "what was recorded is replayed");
        Ok(message)
    }

    fn exchange(&mut self, _message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.receive(length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}
