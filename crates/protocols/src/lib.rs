//! Two-party dialogues on vectors. No images, no ONNX, no clock, never async.
//!
//! | folder | what |
//! |---|---|
//! | [`ot`] | base OT, extension to correlated OT, pads made of it |
//! | [`linear`] | shares of W*r by RLWE, offline |
//! | [`nonlinear`] | comparison, ReLU with rescaling, maximum, argmax |
#![forbid(unsafe_code)]

pub mod linear;
pub mod nonlinear;
pub mod ot;

use blindscan_wire::WireError;
use thiserror::Error;

/// Which of the two owners runs this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Has the scan.
    ImageOwner,
    /// Has the weights.
    ModelOwner,
}

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
