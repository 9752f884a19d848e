//! What a connection promises: deadlines and bounds, the errors of setting it up, and the description of a link.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::fingerprint::Fingerprint;

/// Deadlines and bounds of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// The longest wait for anything to move, receiving or sending. Longer than the peer's longest computation.
    pub deadline: Duration,
    /// The longest time from the TCP connection to the end of the handshake.
    pub handshake_deadline: Duration,
    /// A message must move at this rate at least, after `deadline` is granted once: a peer that
    /// dribbles bytes cannot hold a connection for ever.
    pub bytes_per_second_min: u64,
    /// Memory of each of the two queues between the protocol and the wire.
    pub queue_bytes: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(120),
            handshake_deadline: Duration::from_secs(10),
            bytes_per_second_min: 4096,
            queue_bytes: 32 << 20,
        }
    }
}

/// Why no connection came about.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Nobody listens there, or the name is unknown.
    #[error("{address} cannot be reached: {source}; check the address, and that the server runs")]
    Unreachable {
        /// Where to.
        address: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The handshake took too long.
    #[error("the handshake was not finished within {0:?}; is the other end a blindscan server?")]
    Deadline(Duration),
    /// The server's certificate is not the one that was agreed.
    #[error(
        "the server shows certificate {found} where {expected} was agreed: \
         another server answers there, or its keys were renewed; ask its operator for a new join line"
    )]
    WrongServer {
        /// The agreed fingerprint.
        expected: Fingerprint,
        /// The fingerprint shown.
        found: Fingerprint,
    },
    /// The server refused this client's certificate.
    #[error("the server does not know this client: fingerprint {fingerprint}; ask the operator to add it")]
    UnknownHere {
        /// This client's own fingerprint.
        fingerprint: Fingerprint,
    },
    /// This server refused a client's certificate.
    #[error("refused an unknown client: fingerprint {fingerprint}")]
    ClientRefused {
        /// The client's fingerprint.
        fingerprint: Fingerprint,
    },
    /// The server has as many connections as it takes.
    #[error("the server is at its limit of connections; try again later")]
    Busy,
    /// The other end closed during the handshake.
    #[error("the other end closed the connection during the handshake; is it a blindscan program?")]
    Closed,
    /// The other end does not speak as a blindscan of this version does.
    #[error("the other end does not speak this version's protocol: {0}")]
    Protocol(&'static str),
    /// The listener was told to stop.
    #[error("the listener was stopped")]
    Stopped,
    /// A certificate and key that do not make an identity, or any other refusal by TLS.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// The operating system's own error.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
}

/// A link's bandwidth and **round-trip** time, as in `1gbit:1ms` or `100mbit:50ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkSpec {
    /// Bandwidth each way.
    pub bits_per_second: u64,
    /// Time there and back; each way takes half of it.
    pub round_trip: Duration,
}

impl LinkSpec {
    /// A link of this bandwidth and round-trip time.
    ///
    /// # Panics
    /// When the bandwidth is zero: such a link carries nothing.
    pub fn new(bits_per_second: u64, round_trip: Duration) -> Self {
        assert!(bits_per_second > 0, "a link has some bandwidth");
        Self { bits_per_second, round_trip }
    }

    /// How long `bytes` occupy the link, latency aside.
    pub fn occupied_by(&self, bytes: u64) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / self.bits_per_second as f64)
    }

    /// The time one way.
    pub fn one_way(&self) -> Duration {
        self.round_trip / 2
    }
}

impl fmt::Display for LinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits_per_second as f64;
        let (unit, size) = match bits {
            _ if bits >= 1e9 => ("gbit", 1e9),
            _ if bits >= 1e6 => ("mbit", 1e6),
            _ => ("kbit", 1e3),
        };
        write!(f, "{}{unit}:{}ms", bits / size, self.round_trip.as_secs_f64() * 1e3)
    }
}

/// A text that describes no link.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkSpecError {
    /// There is no colon.
    #[error("a link is written BANDWIDTH:ROUND-TRIP, for example 1gbit:1ms; `{0}` has no colon")]
    NoColon(String),
    /// The part before the colon.
    #[error("a bandwidth is a positive number with kbit, mbit or gbit, for example 100mbit; found `{0}`")]
    Bandwidth(String),
    /// The part after the colon.
    #[error("a round-trip time is a number with us, ms or s, at most 60s, for example 50ms; found `{0}`")]
    RoundTrip(String),
}

impl FromStr for LinkSpec {
    type Err = LinkSpecError;

    fn from_str(text: &str) -> Result<Self, LinkSpecError> {
        let (bandwidth, round_trip) =
            text.trim().split_once(':').ok_or_else(|| LinkSpecError::NoColon(text.into()))?;
        let bits = with_unit(bandwidth, &[("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9)])
            .filter(|&bits| (1.0..=1e15).contains(&bits))
            .ok_or_else(|| LinkSpecError::Bandwidth(bandwidth.into()))?;
        let seconds = with_unit(round_trip, &[("us", 1e-6), ("ms", 1e-3), ("s", 1.0)])
            .filter(|seconds| (0.0..=60.0).contains(seconds))
            .ok_or_else(|| LinkSpecError::RoundTrip(round_trip.into()))?;
        Ok(Self::new(bits as u64, Duration::from_secs_f64(seconds)))
    }
}

/// A number followed by one of the units, times what the unit stands for.
fn with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    number.trim().parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_in_every_unit() {
        let read = |text: &str| text.parse::<LinkSpec>().unwrap();
        assert_eq!(read("1gbit:1ms"), LinkSpec::new(1_000_000_000, Duration::from_millis(1)));
        assert_eq!(read("2.5MBit:0.1s"), LinkSpec::new(2_500_000, Duration::from_millis(100)));
        assert_eq!(read("56kbit:250us"), LinkSpec::new(56_000, Duration::from_micros(250)));
    }

    #[test]
    fn links_are_printed_as_they_are_read() {
        for text in ["1gbit:1ms", "100mbit:50ms", "2.5mbit:0.5ms", "56kbit:300ms"] {
            assert_eq!(text.parse::<LinkSpec>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let read = |text: &str| text.parse::<LinkSpec>().unwrap_err();
        assert_eq!(read("1gbit"), LinkSpecError::NoColon("1gbit".into()));
        for wrong in ["1", "0gbit", "-1mbit", "nankbit", "inf gbit", "gbit", "1e30gbit"] {
            assert_eq!(read(&format!("{wrong}:1ms")), LinkSpecError::Bandwidth(wrong.into()));
        }
        for wrong in ["1", "ms", "-1ms", "61s", "1min"] {
            assert_eq!(read(&format!("1gbit:{wrong}")), LinkSpecError::RoundTrip(wrong.into()));
        }
    }

    #[test]
    fn bytes_occupy_a_link_by_its_bandwidth() {
        let link = LinkSpec::new(8_000_000, Duration::from_millis(10));
        assert_eq!(link.occupied_by(1_000_000), Duration::from_secs(1));
        assert_eq!(link.one_way(), Duration::from_millis(5));
    }
}
