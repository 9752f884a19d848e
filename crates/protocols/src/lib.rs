//! Dialogues on vectors, by suite; what suites share stands above them. No images, no ONNX, no clock, never async.
//!
//! | folder | what |
//! |---|---|
//! | [`ot`] | base OT, extension to correlated OT, pads made of it |
//! | [`two_party`] | what the image owner and the model owner say: linear and non-linear layers |
//! | [`share`] | shares as a type: what dialogues take and give |
#![forbid(unsafe_code)]

pub mod ot;
pub mod share;
pub mod two_party;

use blindscan_wire::WireError;
use thiserror::Error;

/// Why a dialogue ended early. Numbers and names of steps only, never what was shared.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The connection failed, or a message had another length than the step has.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The peer sent a value that the step does not allow: another version, or a lying peer.
    #[error("the peer sent {0}; the job cannot go on")]
    Peer(&'static str),
    /// A consistency check failed: the peer left the protocol, or a machine is broken. Nothing of this job may be used.
    #[error("the peer failed the check of {0}; the job cannot go on")]
    FailedCheck(&'static str),
}
