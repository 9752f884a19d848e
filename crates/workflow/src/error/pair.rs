//! What can go wrong with the two processes of a pair.

use std::process::ExitStatus;

use thiserror::Error;

/// Why a job between two processes failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PairError {
    /// A process could not be started.
    #[error("the {whose} process could not be started")]
    NotStarted {
        /// Whose.
        whose: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The vendor ended before it listened.
    #[error("the vendor's process did not start; its reason is above")]
    NoVendor,
    /// The hospital failed.
    #[error("the hospital's process failed ({status}); its reason is above")]
    Hospital {
        /// How it ended.
        status: ExitStatus,
    },
    /// The hospital's report cannot be read.
    #[error("the hospital's report cannot be read")]
    NoReport {
        /// Why.
        source: serde_json::Error,
    },
    /// The hospital's report lacks something.
    #[error("the hospital's report has no {what}: is the program of another version?")]
    Lacks {
        /// What.
        what: &'static str,
    },
}
