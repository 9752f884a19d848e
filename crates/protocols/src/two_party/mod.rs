//! The dialogues of the image owner and the model owner.
//!
//! | file | what |
//! |---|---|
//! | [`linear`] | shares of W*r by RLWE, offline |
//! | [`nonlinear`] | comparison, ReLU with rescaling, maximum, argmax |

pub mod linear;
pub mod nonlinear;

use blindscan_wire::script::{Message, Seat};

use crate::ot::Direction;

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

    /// The seats of both, the image owner's first.
    pub const SEATS: [Seat; 2] = [Self::ImageOwner.seat(), Self::ModelOwner.seat()];

    /// The direction of transfers in which it is the sender: forward is the image owner's.
    pub const fn direction(self) -> Direction {
        match self {
            Self::ImageOwner => Direction::Forward,
            Self::ModelOwner => Direction::Backward,
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
