//! How far the other end of transfers is trusted, as a type, and the checks that stand in for trust.

use crate::ProtocolError;

/// Which form of the checks, and of the messages that they need, this program has: raised when either changes.
pub const CHECKS: u32 = 2;

/// A check that the other end's messages may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// The trees of seeds of an extension do not fit their digest.
    SeedTrees,
    /// The groups of an extension have different choices.
    Differences,
    /// The trees of silent transfers do not fit their digest.
    SilentTrees,
}

impl Check {
    /// What [`ProtocolError::FailedCheck`] says of it, and nothing else.
    pub fn name(self) -> &'static str {
        match self {
            Self::SeedTrees => "seed trees",
            Self::Differences => "choices of the extension",
            Self::SilentTrees => "silent trees",
        }
    }
}

/// Whether an end of transfers looks at what the checks say. Messages are the same.
pub trait Security: sealed::Sealed + Send + 'static {
    /// The verdict of a check.
    fn judge(check: Check, passed: bool) -> Result<(), ProtocolError>;
}

/// Stands against a peer that sends anything: a check that fails ends the dialogue.
pub struct Checked;

impl Security for Checked {
    fn judge(check: Check, passed: bool) -> Result<(), ProtocolError> {
        if passed { Ok(()) } else { Err(ProtocolError::FailedCheck(check.name())) }
    }
}

/// Trusts the peer to follow the protocol: the sabotage of every check, for tests that show what would then go wrong.
#[cfg(any(test, feature = "dealer"))]
pub struct SemiHonest;

#[cfg(any(test, feature = "dealer"))]
impl Security for SemiHonest {
    fn judge(_: Check, _: bool) -> Result<(), ProtocolError> {
        Ok(())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Checked {}
    #[cfg(any(test, feature = "dealer"))]
    impl Sealed for super::SemiHonest {}
}
