//! Two-party dialogues on vectors. No images, no ONNX, no clock, never async.
//!
//! | folder | what |
//! |---|---|
//! | [`ot`] | base OT, extension to correlated OT, pads made of it |
//! | [`linear`] | shares of W*r by RLWE, offline |
//! | [`nonlinear`] | comparison, ReLU with rescaling, maximum, argmax |
//! | [`share`] | shares as a type: what dialogues take and give |
#![forbid(unsafe_code)]

pub mod linear;
pub mod nonlinear;
pub mod ot;
pub mod share;

use blindscan_wire::WireError;
use blindscan_wire::script::{Message, Seat};
use thiserror::Error;

/// Which of the two owners runs this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Has the scan.
    ImageOwner,
    /// Has the weights.
    ModelOwner,
}

impl Party {
    /// The other owner.
    pub const fn peer(self) -> Self {
        match self {
            Self::ImageOwner => Self::ModelOwner,
            Self::ModelOwner => Self::ImageOwner,
        }
    }

    /// Its number among those that take part.
    pub const fn seat(self) -> Seat {
        match self {
            Self::ImageOwner => Seat(0),
            Self::ModelOwner => Seat(1),
        }
    }

    /// A message of this party to the other.
    pub const fn sends(self, bytes: usize) -> Message {
        Message { from: self.seat(), to: self.peer().seat(), bytes }
    }

    /// One message of each party, at once.
    pub const fn exchange(image_owner: usize, model_owner: usize) -> [Message; 2] {
        [Self::ImageOwner.sends(image_owner), Self::ModelOwner.sends(model_owner)]
    }
}

impl From<Party> for Seat {
    fn from(party: Party) -> Self {
        party.seat()
    }
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
