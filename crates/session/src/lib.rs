//! What two deployed programs agree on: identities, handshake, versions, limits, deadlines.
#![forbid(unsafe_code)]

pub mod allow;
pub mod control;
pub mod enrol;
pub mod failed_checks;
pub mod files;
pub mod handshake;
pub mod job;
pub mod join;
pub mod keys;
pub mod limits;

use blindscan_inference::InferenceError;
use blindscan_wire::WireError;
use blindscan_wire::fingerprint::Fingerprint;
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
    /// The peer was caught by a consistency check. This job is lost, and it has been counted.
    #[error(
        "{source}. Peer {peer} has failed {failures} of the {most} checks with which it is refused; a cheat or a broken machine does that, and nothing of this job may be used",
        most = failed_checks::MOST
    )]
    FailedCheck {
        /// Who.
        peer: Fingerprint,
        /// How often it has failed by now.
        failures: u32,
        /// Which check.
        source: Box<InferenceError>,
    },
    /// The same, and it could not be counted.
    #[error(
        "{source}. Peer {peer} has failed a check, and that could not be written down: {reason}. It is refused until this program is started again"
    )]
    UncountedCheck {
        /// Who.
        peer: Fingerprint,
        /// Which check.
        source: Box<InferenceError>,
        /// Why it could not be counted.
        reason: Box<files::StoreError>,
    },
    /// The server serves another plan than the one that was agreed on.
    #[error(
        "the server serves the plan {found}, and {expected} was expected (--plan-digest); nothing was sent to it. Ask its operator what has changed"
    )]
    OtherPlan {
        /// Digest of the expected plan.
        expected: PlanDigest,
        /// Digest of the server's.
        found: PlanDigest,
    },
    /// The job itself failed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
}

/// Digest of a public plan: what both sides compute, to the bit, and not with which weights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlanDigest(pub [u8; 32]);

impl std::fmt::Display for PlanDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for PlanDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PlanDigest({self})")
    }
}

impl std::str::FromStr for PlanDigest {
    type Err = String;

    /// Reads 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
        match digits.as_deref() {
            Some(digits) if digits.len() == 64 => Ok(Self(std::array::from_fn(|i| digits[2 * i] << 4 | digits[2 * i + 1]))),
            _ => Err("a plan's digest has 64 hexadecimal digits, as `blindscan plan` and `blindscan serve` print it".into()),
        }
    }
}

/// An error of the stock as one of the session.
fn inference(error: impl Into<InferenceError>) -> SessionError {
    SessionError::Inference(error.into())
}
