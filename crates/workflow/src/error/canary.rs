//! What can be wrong with a set of images with known answers.

use std::path::PathBuf;

use blindscan_session::PlanDigest;
use thiserror::Error;

/// Why a set of images with known answers is refused; nothing was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CanaryError {
    /// There are notes already.
    #[error(
        "{} exists; noted answers are never overwritten: move it away first if they are no longer wanted",
        path.display()
    )]
    Noted {
        /// The notes.
        path: PathBuf,
    },
    /// There is nothing to note.
    #[error("{} holds no image; put the images with known answers into it", folder.display())]
    NoImage {
        /// The set.
        folder: PathBuf,
    },
    /// The notes hold nothing.
    #[error("{} holds no answer; note them with `blindscan canaries`", path.display())]
    NoAnswer {
        /// The notes.
        path: PathBuf,
    },
    /// The answers were never noted.
    #[error("{}: a set of canaries has its answers noted by `blindscan canaries`", path.display())]
    NotNoted {
        /// Where the notes should be.
        path: PathBuf,
        /// Why they cannot be read.
        source: std::io::Error,
    },
    /// A file's name cannot be noted.
    #[error("{}: a file's name is not text: {name}", folder.display())]
    Name {
        /// The set.
        folder: PathBuf,
        /// The name, as far as it can be shown.
        name: String,
    },
    /// The noted answers are another plan's.
    #[error(
        "the answers in {} are those of plan {noted}, and the server serves plan {served}; nothing was asked. If the change was announced, note the answers anew",
        path.display()
    )]
    OtherPlan {
        /// The notes.
        path: PathBuf,
        /// Digest of their plan.
        noted: String,
        /// Digest of the server's.
        served: PlanDigest,
    },
    /// A note names something outside the set.
    #[error("{}: `{name}` is no name of a file in that folder", path.display())]
    Outside {
        /// The notes.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A noted slice is not there.
    #[error("{} has no slice {slice}: it has changed since its answer was noted; note the answers anew", path.display())]
    NoSlice {
        /// The image.
        path: PathBuf,
        /// The slice.
        slice: usize,
    },
    /// An image has changed since its answer was noted.
    #[error("{} is not the image whose answer was noted: note the answers anew", path.display())]
    Changed {
        /// The image.
        path: PathBuf,
    },
}
