//! Why an inference could not be made or finished.

use blindscan_protocols::ProtocolError;
use blindscan_protocols::two_party::nonlinear;
use blindscan_wire::WireError;
use thiserror::Error;

use crate::stock::StockError;

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
    Stock(#[from] StockError),
    /// A section of the stock is of another plan.
    #[error("stock: {0}")]
    Section(#[from] nonlinear::StockLengthError),
}

impl InferenceError {
    /// Whether the peer was caught by a consistency check: it left the protocol, or a machine is broken.
    pub fn is_failed_check(&self) -> bool {
        matches!(self, Self::Protocol(ProtocolError::FailedCheck(_)))
    }
}

impl From<WireError> for InferenceError {
    fn from(error: WireError) -> Self {
        Self::Protocol(error.into())
    }
}
