//! A pair of channels inside one process: two threads, two queues, and [`play`] for tests.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::{Channel, Meter, Traffic, WireError};

/// One end of a pair.
pub struct MemoryChannel {
    outgoing: Option<Sender<Vec<u8>>>,
    incoming: Receiver<Vec<u8>>,
    deadline: Duration,
    meter: Meter,
}

/// Two joined ends; a wait longer than `deadline` is an error.
pub fn pair(deadline: Duration) -> (MemoryChannel, MemoryChannel) {
    let (to_right, from_left) = channel();
    let (to_left, from_right) = channel();
    let end = |outgoing, incoming| MemoryChannel {
        outgoing: Some(outgoing),
        incoming,
        deadline,
        meter: Meter::default(),
    };
    (end(to_right, from_right), end(to_left, from_left))
}

impl Channel for MemoryChannel {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.meter.sent(message.len());
        let outgoing = self.outgoing.as_ref().ok_or(WireError::Closed)?;
        outgoing.send(message.to_vec()).map_err(|_| WireError::Closed)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        let message = self.incoming.recv_timeout(self.deadline).map_err(|e| match e {
            RecvTimeoutError::Timeout => WireError::Deadline(self.deadline),
            RecvTimeoutError::Disconnected => WireError::Closed,
        })?;
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

/// Both results of a dialogue, and what each end carried.
#[derive(Debug)]
pub struct Played<L, R> {
    /// What the left role returned.
    pub left: L,
    /// What the right role returned.
    pub right: R,
    /// The left end's traffic.
    pub left_traffic: Traffic,
    /// The right end's traffic.
    pub right_traffic: Traffic,
}

/// Plays two roles against each other in two threads. A role that returns early closes only its outgoing half.
///
/// # Panics
/// When a role panics.
pub fn play<L: Send, R: Send>(
    left: impl FnOnce(&mut MemoryChannel) -> L + Send,
    right: impl FnOnce(&mut MemoryChannel) -> R + Send,
) -> Played<L, R> {
    play_within(Duration::from_secs(60), left, right)
}

/// [`play`] with another deadline for each wait: for roles that compute for minutes.
///
/// # Panics
/// When a role panics.
pub fn play_within<L: Send, R: Send>(
    deadline: Duration,
    left: impl FnOnce(&mut MemoryChannel) -> L + Send,
    right: impl FnOnce(&mut MemoryChannel) -> R + Send,
) -> Played<L, R> {
    let (mut a, mut b) = pair(deadline);
    std::thread::scope(|scope| {
        let other = scope.spawn(move || {
            let result = right(&mut b);
            let _ = b.finish();
            (result, b)
        });
        let left = left(&mut a);
        let _ = a.finish();
        let (right, b) = other.join().expect("the right role does not panic");
        Played { left, right, left_traffic: a.traffic(), right_traffic: b.traffic() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_turns_are_counted_at_each_end() {
        let played = play(
            |channel| {
                channel.send(b"one").unwrap();
                channel.send(b"two").unwrap();
                channel.receive(5).unwrap();
                channel.exchange(b"x", 2).unwrap();
            },
            |channel| {
                channel.receive(3).unwrap();
                channel.receive(3).unwrap();
                channel.send(b"three").unwrap();
                channel.exchange(b"yz", 1).unwrap();
            },
        );
        assert_eq!(played.left_traffic, Traffic { bytes_sent: 7, bytes_received: 7, turns: 2 });
        assert_eq!(played.right_traffic, Traffic { bytes_sent: 7, bytes_received: 7, turns: 1 });
    }

    #[test]
    fn a_short_message_is_an_error_and_not_a_panic() {
        let played = play(|channel| channel.send(b"ab").unwrap(), |channel| channel.receive(3));
        assert!(matches!(played.right, Err(WireError::UnexpectedLength { expected: 3, found: 2 })));
    }

    #[test]
    fn a_peer_that_leaves_is_an_error() {
        let played = play(|_| (), |channel| channel.receive(1));
        assert!(matches!(played.right, Err(WireError::Closed)));
    }
}
