//! Why something that was given cannot become the network's input.

use std::path::PathBuf;

use thiserror::Error;

/// Why a scan, a picture or a tensor does not fit.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InputError {
    /// A scan for a network of tensors.
    #[error("a scan came, and the model takes tensors; give a .npy file")]
    ScanForTensors,
    /// The scan makes another tensor than the network takes.
    #[error("{what} makes an input of shape {made:?}; the model takes {shape:?}")]
    OtherSize {
        /// The scan, or its slice.
        what: String,
        /// The shape of its tensor.
        made: Vec<usize>,
        /// The network's input.
        shape: Vec<usize>,
    },
    /// An image for a network of which no card says how images become inputs.
    #[error(
        "{}: the model has no card that says how an image becomes its input of shape {shape:?}; write one beside it, or give a .npy file",
        path.display()
    )]
    NoCard {
        /// The image.
        path: PathBuf,
        /// The network's input.
        shape: Vec<usize>,
    },
    /// A tensor of another shape.
    #[error("{} has shape {found:?}; the model takes {shape:?}: give an array of that shape", path.display())]
    OtherShape {
        /// The file.
        path: PathBuf,
        /// Its shape.
        found: Vec<usize>,
        /// The network's input.
        shape: Vec<usize>,
    },
    /// A slice that is not there.
    #[error("slice {slice} was asked for, and the scan has {count} (counted from 0)")]
    NoSuchSlice {
        /// Asked for.
        slice: usize,
        /// Slices of the scan.
        count: usize,
    },
    /// A range of slices that holds none.
    #[error("--slices {text}: {part} names no slice; the end of a range is not included")]
    EmptyRange {
        /// All that was given.
        text: String,
        /// The range.
        part: String,
    },
    /// A list of slices that cannot be read.
    #[error(
        "--slices takes all, a slice (7), a range whose end is not included (5..9), one with a step (30..60:5), or a list of these (3,7..20); not {text}"
    )]
    NoSlices {
        /// What was given.
        text: String,
    },
    /// One of several slices must be named.
    #[error("the scan has {count} slices, and one is classified; name it with --slice")]
    WhichSlice {
        /// Slices of the scan.
        count: usize,
    },
    /// A tensor where a scan is needed.
    #[error("segment wants a scan or an image; for tensors there is `classify`")]
    NoScan,
    /// The network's answer is no mask.
    #[error("this server's model gives no masks of planes; use `classify`")]
    NoMask,
    /// A folder of a DICOM series and of other images.
    #[error(
        "{} holds DICOM files ({slices} of them, such as {slice}) and other images (such as {image}): give one scan, or a folder of pictures, tensors and NIfTI files; move the others out of it, or name one file",
        folder.display()
    )]
    Mixed {
        /// The folder.
        folder: PathBuf,
        /// DICOM files in it.
        slices: usize,
        /// One of them.
        slice: String,
        /// One of the others.
        image: String,
    },
}
