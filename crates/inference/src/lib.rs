//! The only place where a layer meets a protocol: assignment, demand, cost, roles, offline, online.
//!
//! ```text
//! PublicPlan -> AssignedPlan -> cost(party)
//!                  |-> offline(connection) -> Stock -> online(input, stock) -> Output
//! ```
//!
//! * [`assign`]: a protocol on every node; [`cost`]: bytes and turns before anything runs.
//! * [`estimate`]: seconds and memory.
//! * `suite`: a room for each suite; in it each layer that speaks, four questions a file.
//! * [`roles`]: the two owners, set-up, offline and online.
//! * [`stock`]: one-time material on disk, taken once.
#![forbid(unsafe_code)]

pub mod assign;
pub mod cost;
pub mod estimate;
pub mod roles;
mod shares;
pub mod stock;
mod suite;

use blindscan_protocols::ProtocolError;
use blindscan_protocols::linear::AGREED;
use blindscan_protocols::nonlinear;
use blindscan_protocols::ot::buffered::BATCH;
use blindscan_protocols::ot::ferret::sets::SETS;
use blindscan_protocols::ot::security::CHECKS;
use blindscan_wire::WireError;
use suite::two_party::{self, transfers};
use thiserror::Error;

pub use assign::{AssignedPlan, OffByOne};
pub use blindscan_protocols::ot::source::OtKind;
pub use suite::two_party::answer::Output;

/// Why an inference could not be made or finished.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InferenceError {
    /// The plan is not valid.
    #[error("the plan is not valid: {0}")]
    Plan(String),
    /// A layer does not fit the suite.
    #[error("layer {name}: {reason}")]
    Layer {
        /// The layer's name in the model.
        name: String,
        /// Why.
        reason: String,
    },
    /// The input has another number of values than the plan.
    #[error("the model takes {expected} input values, and {found} were given")]
    Input {
        /// Of the plan.
        expected: usize,
        /// Given.
        found: usize,
    },
    /// The dialogue ended early.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The stock could not be made or used.
    #[error(transparent)]
    Stock(#[from] stock::StockError),
    /// A section of the stock is of another plan.
    #[error("stock: {0}")]
    Section(#[from] nonlinear::StockError),
}

impl InferenceError {
    /// Whether the peer was caught by a consistency check: it left the protocol, or a machine is broken.
    pub fn is_failed_check(&self) -> bool {
        matches!(self, Self::Protocol(ProtocolError::FailedCheck(_)))
    }
}

/// Digest of every number that is not in the plan and that both ends must share: cryptographic parameters, and what
/// layers and messages are cut by.
pub fn parameters_digest() -> [u8; 32] {
    let parameters = format!(
        "{:?} {AGREED:?} {:?} {SETS:?} checks {CHECKS} batch {BATCH} step {} chunk {}",
        blindscan_rlwe::parameters::EXACT,
        transfers::FIELD,
        nonlinear::STEP,
        two_party::CHUNK
    );
    *blake3::hash(parameters.as_bytes()).as_bytes()
}

impl From<WireError> for InferenceError {
    fn from(error: WireError) -> Self {
        Self::Protocol(error.into())
    }
}
