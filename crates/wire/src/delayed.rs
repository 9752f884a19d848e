//! A pair of channels inside one process whose messages take the time of a given link.
//!
//! Each direction carries one message after another at the link's bandwidth, and each arrives half a round trip after
//! its last byte left. Sending never blocks, as on a link with an unbounded queue. Payload alone counts as bytes.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::link::LinkSpec;
use crate::{Channel, Meter, Traffic, WireError};

/// One end of a pair over a slow link.
pub struct DelayedChannel {
    outgoing: Option<Sender<(Instant, Vec<u8>)>>,
    incoming: Receiver<(Instant, Vec<u8>)>,
    pace: Pace,
    deadline: Duration,
    meter: Meter,
}

/// Two ends joined by a link. The deadline counts the peer's silence, and not the time its message is under way.
pub fn delayed_pair(link: LinkSpec, deadline: Duration) -> (DelayedChannel, DelayedChannel) {
    let (to_right, from_left) = channel();
    let (to_left, from_right) = channel();
    let end = |outgoing, incoming| DelayedChannel {
        outgoing: Some(outgoing),
        incoming,
        pace: Pace::new(link),
        deadline,
        meter: Meter::default(),
    };
    (end(to_right, from_right), end(to_left, from_left))
}

/// When bytes leave and arrive in one direction of a link.
pub(crate) struct Pace {
    link: LinkSpec,
    free: Instant,
}

impl Pace {
    pub(crate) fn new(link: LinkSpec) -> Self {
        Self { link, free: Instant::now() }
    }

    /// Puts bytes on the link: when the last has left, and when it arrives.
    pub(crate) fn carry(&mut self, bytes: usize) -> (Instant, Instant) {
        self.free = self.free.max(Instant::now()) + self.link.occupied_by(bytes as u64);
        (self.free, self.free + self.link.one_way())
    }
}

/// Sleeps until an instant.
pub(crate) fn sleep_until(instant: Instant) {
    thread::sleep(instant.saturating_duration_since(Instant::now()));
}

impl Channel for DelayedChannel {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        let (_, arrives) = self.pace.carry(message.len());
        let outgoing = self.outgoing.as_ref().ok_or(WireError::Closed)?;
        outgoing.send((arrives, message.to_vec())).map_err(|_| WireError::Closed)?;
        self.meter.sent(message.len());
        Ok(())
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        let (arrives, message) = self.incoming.recv_timeout(self.deadline).map_err(|error| match error {
            RecvTimeoutError::Timeout => WireError::Deadline(self.deadline),
            RecvTimeoutError::Disconnected => WireError::Closed,
        })?;
        sleep_until(arrives);
        if message.len() != length {
            return Err(WireError::UnexpectedLength { expected: length, found: message.len() as u64 });
        }
        self.meter.received(length);
        Ok(message)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.send(message)?;
        self.receive(length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        self.outgoing = None;
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.meter.traffic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_cost_round_trips_and_bytes_cost_bandwidth() {
        // 40 ms there and back; 100 kB take 80 ms at 10 Mbit/s.
        let (mut left, mut right) = delayed_pair("10mbit:40ms".parse().unwrap(), Duration::from_secs(5));
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..3 {
                    right.receive(1).unwrap();
                    right.send(b"y").unwrap();
                }
                right.send(&vec![7; 100_000]).unwrap();
            });
            for _ in 0..3 {
                left.send(b"x").unwrap();
                left.receive(1).unwrap();
            }
            let turns = start.elapsed();
            assert!(turns >= Duration::from_millis(120), "{turns:?}");
            assert_eq!(left.receive(100_000).unwrap().len(), 100_000);
            assert!(start.elapsed() - turns >= Duration::from_millis(75), "{:?}", start.elapsed() - turns);
            assert_eq!(left.traffic(), Traffic { bytes_sent: 3, bytes_received: 100_003, turns: 3 });
        });
    }

    #[test]
    fn silence_ends_at_the_deadline() {
        let (mut left, right) = delayed_pair("1gbit:0ms".parse().unwrap(), Duration::from_millis(50));
        assert!(matches!(left.receive(1), Err(WireError::Deadline(_))));
        drop(right);
        assert!(matches!(left.receive(1), Err(WireError::Closed)));
    }
}
