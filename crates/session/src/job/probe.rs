//! The probe of a link: the time of [`PROBE_BYTES`] from the server tells the client the link's bandwidth.

use std::time::Duration;

/// Bytes of a probe.
pub const PROBE_BYTES: usize = 1 << 20;

/// Result of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// From the question to the server's reply.
    pub round_trip: Duration,
    /// From then to the last byte.
    pub transfer: Duration,
}

impl Probe {
    /// The bandwidth that the client saw.
    pub fn bits_per_second(&self) -> u64 {
        (PROBE_BYTES as f64 * 8.0 / self.transfer.as_secs_f64().max(1e-9)) as u64
    }
}
