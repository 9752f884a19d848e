//! What can go wrong with a scan, in sentences: what, where, what to do.
//!
//! Messages hold paths, sizes, positions in mm and codes of the format. They never hold a value of a tag that says who
//! the patient is, and never a voxel.

use std::path::PathBuf;

/// Why a scan could not be read, used or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImagingError {
    /// The operating system refused.
    #[error("{path} could not be {action}: {source}; check the path, the rights and the space on the disk")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: "read", "written".
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is of no kind that is read here.
    #[error(
        "{path} is no scan that can be read here; give a NIfTI file (.nii, .nii.gz), a DICOM file or folder, a PNG or a JPEG"
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file breaks its own format, or ends too early.
    #[error("{path} is damaged: {what}; copy or export it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        what: String,
    },
    /// The file is sound, but of a kind that is not read.
    #[error("{path} cannot be used: {what}; {advice}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// The file asks for more than the caps in [`crate::limits`].
    #[error("{path} is too large: {what} are {count}, at most {max} are read; crop the scan or split it")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What is counted.
        what: &'static str,
        /// How many came.
        count: u64,
        /// How many may come.
        max: u64,
    },
    /// A folder or a file of several frames holds no image, several series, or slices that make no stack.
    #[error("{path} cannot be used as one series: {what}; {advice}")]
    Series {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// The scan is not what the network was made for.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// A mask and a scan, or two masks, are not on the same grid.
    #[error(
        "{what} has the grid {came}, expected {expected}; use a mask that was made on the same scan, or resample it"
    )]
    GridMismatch {
        /// What came.
        what: &'static str,
        /// Its grid.
        came: String,
        /// The grid that was expected.
        expected: String,
    },
    /// A plane that the scan does not have.
    #[error("plane {index} was asked for, but the scan has {count} planes along the {axis} axis (0 to {last}); ask for one of these", last = count.saturating_sub(1))]
    NoSuchPlane {
        /// The plane.
        index: usize,
        /// How many there are.
        count: usize,
        /// Along which axis.
        axis: blindscan_input_spec::Axis,
    },
    /// A path for an answer has an ending that does not say a known format.
    #[error("{path} cannot be written: its name must end in {expected}")]
    WrongEnding {
        /// The path.
        path: PathBuf,
        /// The endings.
        expected: &'static str,
    },
}

/// What came, what was expected, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the scan does not fit the network: {came} came, {expected} was expected; {advice}")]
pub struct Misfit {
    /// What came.
    pub came: String,
    /// What was expected.
    pub expected: String,
    /// What to do.
    pub advice: &'static str,
}

/// A scan that does not fit: what came, what was expected, what to do.
pub(crate) fn misfit(came: String, expected: String, advice: &'static str) -> ImagingError {
    Misfit { came, expected, advice }.into()
}

/// Errors about one file are built in many places: the path is bound once.
pub(crate) struct At<'a>(pub(crate) &'a std::path::Path);

impl At<'_> {
    pub(crate) fn read(&self, source: std::io::Error) -> ImagingError {
        ImagingError::Io { path: self.0.into(), action: "read", source }
    }

    pub(crate) fn write(&self, source: std::io::Error) -> ImagingError {
        ImagingError::Io { path: self.0.into(), action: "written", source }
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> ImagingError {
        ImagingError::Damaged { path: self.0.into(), what: what.into() }
    }

    pub(crate) fn unsupported(&self, what: impl Into<String>, advice: &'static str) -> ImagingError {
        ImagingError::Unsupported { path: self.0.into(), what: what.into(), advice }
    }

    pub(crate) fn series(&self, what: impl Into<String>, advice: &'static str) -> ImagingError {
        ImagingError::Series { path: self.0.into(), what: what.into(), advice }
    }

    /// Refuses a count above its cap.
    pub(crate) fn at_most(&self, what: &'static str, count: u64, max: u64) -> Result<(), ImagingError> {
        if count > max {
            return Err(ImagingError::TooLarge { path: self.0.into(), what, count, max });
        }
        Ok(())
    }
}
