//! What can be wrong with a model, its card or a saved plan, before any scan is there.

use std::path::PathBuf;

use thiserror::Error;

/// Why a model cannot be taken as it is.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file beside the model is no card.
    #[error("{} is not a model card", path.display())]
    NoCard {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A model that scales its input itself has a card that scales it too.
    #[error(
        "the model takes grey values from {low} to {high} as they are stored, and its card normalises them first: leave `normalisation` out, or export the model without its own scaling"
    )]
    NormalisedTwice {
        /// The model's smallest value.
        low: f32,
        /// Its largest.
        high: f32,
    },
    /// The card's range and the model's have nothing in common.
    #[error(
        "the card declares an input from {} to {}, and the model itself takes {} to {}: declare what it takes",
        card.0, card.1, model.0, model.1
    )]
    OtherRange {
        /// The card's smallest and largest value.
        card: (f32, f32),
        /// The model's.
        model: (f32, f32),
    },
    /// The card names no samples to fit ranges to.
    #[error(
        "{} names no calibration samples; add `calibration = \"FILE\"` to it or give --calibrate FILE",
        card.display()
    )]
    NoSamples {
        /// The card.
        card: PathBuf,
    },
    /// Options that make a plan were given for a plan that is made.
    #[error(
        "{} is a saved plan: its shapes and widths are fixed, and {option} cannot change them; give the ONNX file to make another",
        folder.display()
    )]
    PlanIsMade {
        /// The saved plan.
        folder: PathBuf,
        /// The first of the options, as the command line has it.
        option: &'static str,
    },
    /// A range of a saved plan is only calibrated, and that was ruled out.
    #[error(
        "{} is a saved plan: the range of {tensor} was fitted to samples, and --proven-only refuses such ranges; make the plan again from the ONNX file",
        folder.display()
    )]
    NotProven {
        /// The saved plan.
        folder: PathBuf,
        /// The first such tensor.
        tensor: String,
    },
    /// A saved plan has other widths than were asked for.
    #[error(
        "{} is a saved plan: its input has {found} bits, and --input-bits asks for {asked}; make the plan again from the ONNX file",
        folder.display()
    )]
    OtherInputBits {
        /// The saved plan.
        folder: PathBuf,
        /// Asked for.
        asked: u32,
        /// The plan's.
        found: i32,
    },
    /// Labels are asked of a saved plan whose answer is plain values.
    #[error(
        "{} is a saved plan whose answer is plain values, and --policy labels asks for labels: make the plan again from the ONNX file with --class-axis AXIS, or leave --policy out",
        folder.display()
    )]
    NoLabels {
        /// The saved plan.
        folder: PathBuf,
    },
    /// The record beside a saved plan cannot be read.
    #[error("{} is no record of a plan: make the plan again, or remove the file", path.display())]
    NoRecord {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
}
