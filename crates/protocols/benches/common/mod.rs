//! One table for all benches of dialogues: seconds of the wall and of the processor, bytes and turns.

use std::time::Instant;

use blindscan_wire::Traffic;
use rustix::time::{ClockId, clock_gettime};

/// What one part of a dialogue took, both parties in this process.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    wall: f64,
    processor: f64,
}

/// A clock that stands at the beginning of a part.
pub(crate) struct Clock {
    start: Instant,
    processor: f64,
}

impl Clock {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), processor: processor_seconds() }
    }

    /// What was taken since.
    pub(crate) fn taken(&self) -> Taken {
        Taken { wall: self.start.elapsed().as_secs_f64(), processor: processor_seconds() - self.processor }
    }
}

/// Prints the head of the table.
pub(crate) fn head() {
    println!(
        "{:<44} {:>8} {:>8} {:>9} {:>9} {:>6}",
        "both parties in one process", "wall s", "cpu s", "MB up", "MB down", "turns"
    );
}

/// Prints the quickest of some runs, with the image owner's traffic.
pub(crate) fn row(what: &str, runs: &[Taken], traffic: Traffic) {
    let least = |of: fn(&Taken) -> f64| runs.iter().map(of).fold(f64::INFINITY, f64::min);
    println!(
        "{what:<44} {:>8.3} {:>8.3} {:>9.2} {:>9.2} {:>6}",
        least(|taken| taken.wall),
        least(|taken| taken.processor),
        traffic.bytes_sent as f64 / 1e6,
        traffic.bytes_received as f64 / 1e6,
        traffic.turns
    );
}

fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
