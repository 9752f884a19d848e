//! What can go wrong, as types; and how an error is said in one line.
//!
//! Errors of the crates below come through as they are. [`WorkflowError::At`] says at which file or image it was; where a room
//! of this crate refuses something itself, it has a type of its own: [`ModelError`], [`InputError`], [`CanaryError`],
//! [`CompareError`], [`PairError`].

mod canary;
mod compare;
mod input;
mod model;
mod pair;

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use blindscan_graph::float::EvaluateError;
use blindscan_graph::npy::NpyError;
use blindscan_graph::onnx::OnnxError;
use blindscan_graph::plan::PlanError;
use blindscan_imaging::ImagingError;
use blindscan_inference::InferenceError;
use blindscan_inference::stock::StockError;
use blindscan_session::SessionError;
use blindscan_session::enrol::EnrolError;
use blindscan_session::failed_checks::RefusedPeer;
use blindscan_session::files::StoreError;
use blindscan_session::join::JoinLineError;
use blindscan_wire::WireError;
use blindscan_wire::link::LinkError;
use thiserror::Error;

pub use canary::CanaryError;
pub use compare::CompareError;
pub use input::InputError;
pub use model::ModelError;
pub use pair::PairError;

/// A result of this crate.
pub type Result<T, E = WorkflowError> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkflowError {
    /// Where it went wrong: a file, a folder, an image.
    #[error("{place}")]
    At {
        /// The place, in words.
        place: String,
        /// What went wrong there.
        source: Box<WorkflowError>,
    },
    /// A file could not be written; what was there before is there still.
    #[error("{} could not be written", path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The join line cannot be read.
    #[error("--server wants the join line that the server printed, or @FILE that holds it")]
    JoinLine(#[from] JoinLineError),
    /// A file is no card of what a model takes.
    #[error("{} is no card that says what a model takes: it needs a table [input]", path.display())]
    NoCard {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The port cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The connection is not encrypted.
    #[error("the connection has no TLS, and nothing is sent without it; this is a defect of the program")]
    NoTls,
    /// Prepared stock does not suffice; none of it was spent.
    #[error(
        "{images} images are to be run, canaries included, and {unused} unused stocks are there; run `blindscan prepare --count {}` first",
        images.saturating_sub(*unused)
    )]
    TooLittleStock {
        /// Images to be run.
        images: usize,
        /// Unused stocks.
        unused: usize,
    },
    /// A model or a saved plan is refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A scan, a picture or a tensor does not fit.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A set of images with known answers is refused.
    #[error(transparent)]
    Canary(#[from] CanaryError),
    /// Two answers cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A process of a pair failed.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Something could not be written as JSON, or read.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Something could not be written as TOML.
    #[error("the server's card cannot be written as TOML")]
    Toml(#[from] toml::ser::Error),
    /// A plan is refused.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An ONNX file is refused.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A `.npy` file is refused.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// The float model cannot be evaluated.
    #[error("float evaluation")]
    Float(#[from] EvaluateError),
    /// A scan is refused.
    #[error(transparent)]
    Imaging(#[from] ImagingError),
    /// An inference could not be made or finished.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// Stock could not be made or used.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// A session could not begin or go on.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A client could not be admitted, or a server refused this one.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// A peer has failed too many checks.
    #[error(transparent)]
    RefusedPeer(#[from] RefusedPeer),
    /// A file of an identity or of a list is refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A connection could not be made.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// A connection broke.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl WorkflowError {
    /// What went wrong, wherever it was.
    pub fn reason(&self) -> &Self {
        match self {
            Self::At { source, .. } => source.reason(),
            other => other,
        }
    }

    /// The error in one line.
    pub fn one_line(&self) -> String {
        one_line(self)
    }
}

/// Says where it was.
pub(crate) trait At<T> {
    /// At this file or folder.
    fn at(self, path: &Path) -> Result<T>;

    /// At a place that needs words.
    fn at_place(self, place: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<WorkflowError>> At<T> for std::result::Result<T, E> {
    fn at(self, path: &Path) -> Result<T> {
        self.at_place(|| path.display().to_string())
    }

    fn at_place(self, place: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| WorkflowError::At { place: place(), source: Box::new(error.into()) })
    }
}

/// An error and its causes in one line. A cause that its neighbour's words hold already is left out, for many errors
/// repeat the file's name or the system's words.
pub fn one_line(error: &(dyn StdError + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        match parts.last_mut() {
            Some(last) if last.contains(&part) => {}
            Some(last) if part.contains(last.as_str()) => *last = part,
            _ => parts.push(part),
        }
        next = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_each_thing_once() {
        let refused = std::io::Error::other("Connection refused");
        let twice = Err::<(), _>(refused)
            .at_place(|| "host:1 cannot be reached: Connection refused; check it".into())
            .unwrap_err();
        assert_eq!(twice.one_line(), "host:1 cannot be reached: Connection refused; check it");
        let damaged = Err::<(), _>(std::io::Error::other("x.nii is damaged"));
        let path = damaged.at(Path::new("x.nii")).at(Path::new("out")).unwrap_err();
        assert_eq!(path.one_line(), "out: x.nii is damaged");
    }

    #[test]
    fn a_cause_is_found_below_the_places_where_it_was() {
        let made: Result<()> = Err(InputError::NoScan).at(Path::new("a")).at(Path::new("b"));
        assert!(matches!(made.unwrap_err().reason(), WorkflowError::Input(InputError::NoScan)));
    }
}
