//! Bytes between two parties, counted. Never interprets what it carries.
//!
//! [`Channel`] is what protocols speak through. [`memory`] joins two threads, [`delayed`] does so over a slow link;
//! [`stream`] joins two machines over TCP, with TLS 1.3 from [`tls`] or in the clear; [`listener`] is its server side;
//! [`relay`] stands between two programs and misbehaves on request. [`script`] is what a dialogue will say, by its lengths.
//! A message is sent whole; the receiver states the length it expects, and any other length is an error.
#![forbid(unsafe_code)]

mod codec;
pub mod delayed;
pub mod fingerprint;
mod greeting;
pub mod link;
pub mod listener;
pub mod memory;
mod pipes;
pub mod relay;
pub mod script;
pub mod stream;
pub mod tls;

use std::time::Duration;

use thiserror::Error;

/// What went over one end of a channel. Payload bytes: framing and TLS are stated apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Times this endpoint waited for an answer to something it had sent.
    pub turns: u64,
}

impl Traffic {
    /// What was added since an earlier reading of the same channel.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            bytes_sent: self.bytes_sent - earlier.bytes_sent,
            bytes_received: self.bytes_received - earlier.bytes_received,
            turns: self.turns - earlier.turns,
        }
    }
}

impl std::ops::Add for Traffic {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            bytes_sent: self.bytes_sent + other.bytes_sent,
            bytes_received: self.bytes_received + other.bytes_received,
            turns: self.turns + other.turns,
        }
    }
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |a, b| a + b)
    }
}

/// Why a message did not come or go. Numbers only: never what was carried.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WireError {
    /// The peer sent another length than the protocol's step has. A peer of another version, or a lying one.
    #[error("the peer sent a message of {found} bytes where {expected} were due")]
    UnexpectedLength {
        /// Bytes due.
        expected: usize,
        /// Bytes announced by the peer.
        found: u64,
    },
    /// The peer closed its side before the dialogue was over.
    #[error("the peer closed the connection before the end of the dialogue")]
    Closed,
    /// Nothing came, or nothing could be sent, within the deadline.
    #[error("the peer was silent for {0:?}, the deadline of a wait")]
    Deadline(Duration),
    /// The peer's bytes do not make a valid message.
    #[error("the peer sent an invalid message: {0}")]
    Invalid(&'static str),
    /// TLS refused the peer's bytes, or the peer refused ours: changed on the way, or an impostor.
    #[error("the protected connection broke: {0}")]
    Tls(#[from] rustls::Error),
    /// The operating system's own error.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
}

/// One end of a connection between two parties. Both ends call in step.
pub trait Channel {
    /// Sends one message. May return before it has left.
    fn send(&mut self, message: &[u8]) -> Result<(), WireError>;

    /// Receives the next message, which must be exactly `length` bytes.
    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError>;

    /// Sends one message and receives one of `length` bytes, both ways at once: neither end waits for the other first.
    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError>;

    /// Closes the outgoing half; what the peer still sends can be received.
    fn finish(&mut self) -> Result<(), WireError>;

    /// What this end has carried so far.
    fn traffic(&self) -> Traffic;
}

/// Counts traffic in the one way that all channels share.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    traffic: Traffic,
    waiting: bool,
}

impl Meter {
    /// A message of `bytes` left.
    pub fn sent(&mut self, bytes: usize) {
        self.traffic.bytes_sent += bytes as u64;
        self.waiting = true;
    }

    /// A message of `bytes` came: one turn if something had been sent since the last.
    pub fn received(&mut self, bytes: usize) {
        self.traffic.bytes_received += bytes as u64;
        self.traffic.turns += u64::from(self.waiting);
        self.waiting = false;
    }

    /// The reading.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }
}
