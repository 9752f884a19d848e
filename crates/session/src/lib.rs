//! What two deployed programs agree on: identities, handshake, versions, limits, deadlines.
#![forbid(unsafe_code)]

pub mod allow;
pub mod control;
pub mod enrol;
pub mod files;
pub mod handshake;
pub mod job;
pub mod join;
pub mod keys;
pub mod limits;

use blindscan_inference::InferenceError;
use blindscan_wire::WireError;
use thiserror::Error;

/// Why a session could not begin or go on. Numbers and public names only.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The connection failed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A control message announced more than its cap.
    #[error("the peer announced a control message of {found} bytes; at most {cap} are read")]
    TooLong {
        /// The cap.
        cap: usize,
        /// What was announced.
        found: usize,
    },
    /// A control message could not be read: another version, or a lying peer.
    #[error("the peer sent a control message that cannot be read; is it of the same version?")]
    Unreadable,
    /// The peer does not speak our protocol.
    #[error("the peer is not a Blindscan program, or the address is of another service")]
    Stranger,
    /// The peer is of another version.
    #[error(
        "the peer speaks protocol version {theirs}, this program speaks {ours}; use programs of the same version"
    )]
    Version {
        /// Ours.
        ours: u32,
        /// The peer's.
        theirs: u32,
    },
    /// The server's plan is not valid.
    #[error("the server sent a plan that is not valid: {0}")]
    Plan(String),
    /// The server's plan is valid, and asks for more than a client accepts.
    #[error(
        "the server's plan asks for {found} {what}, at most {most} are accepted; ask its operator what it serves"
    )]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many, at most.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// The ends do not hold the same session id: something between them was changed.
    #[error("the two ends disagree about the session; somebody may stand between them, nothing was sent")]
    Disagreement,
    /// The server refused what was asked.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The job itself failed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
}

/// An error of the stock as one of the session.
fn inference(error: impl Into<InferenceError>) -> SessionError {
    SessionError::Inference(error.into())
}
