//! What can hinder a comparison of two answers.

use std::path::PathBuf;

use thiserror::Error;

/// Why two answers cannot be held against each other.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A saved plan has no float model.
    #[error("a saved plan has no float model to hold against --expected")]
    NoFloat,
    /// The other framework's answer has another size.
    #[error("{} has {found} values, the model's answer has {wanted}", path.display())]
    OtherAnswer {
        /// The answer.
        path: PathBuf,
        /// Its values.
        found: usize,
        /// The model's.
        wanted: usize,
    },
    /// Two answers of different size.
    #[error("one answer has {one} values and the other {other}")]
    Lengths {
        /// Of one.
        one: usize,
        /// Of the other.
        other: usize,
    },
    /// The reference is another model.
    #[error("{} is not the model that the server serves: its answers have another shape; give the plan that is served", path.display())]
    OtherModel {
        /// The reference.
        path: PathBuf,
    },
    /// Floats that are no numbers.
    #[error(
        "{whose} is not finite at value {index}, so nothing can be held against it: look for numbers that grow beyond floats in the model, or for an input that is none of its kind"
    )]
    NotFinite {
        /// Whose.
        whose: String,
        /// The first such value.
        index: usize,
    },
    /// The parties' shares do not belong together.
    #[error("the model owner gave no share of {tensor}: this is a defect of the program")]
    NoShare {
        /// The tensor.
        tensor: String,
    },
}
