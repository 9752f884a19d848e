//! The integer operators as a plan names them, in two types: what each party does alone, and what takes a dialogue.
//!
//! The words and the rules of each are in [`crate::operators`], one file per operator.

use serde::{Deserialize, Serialize};

use crate::operators::{
    Activate, Add, AddConstant, Concat, Gather, Interleave, Linear, MaxPool, Pad, PixelShuffle, Reshape,
    Scale, ScaleByPosition, SumPool, Transpose,
};

/// What is done at a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// Each party on its own share.
    Local(Local),
    /// By messages.
    Spoken(Spoken),
}

/// Steps that are linear with public coefficients: the same on values and on additive shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Local {
    /// Sums over windows.
    SumPool(SumPool),
    /// Sum of two tensors.
    Add(Add),
    /// Secret integers added by the model owner.
    AddConstant(AddConstant),
    /// Tensors joined along an axis.
    Concat(Concat),
    /// Zeros around.
    Pad(Pad),
    /// Another shape.
    Reshape(Reshape),
    /// Axes exchanged.
    Transpose(Transpose),
    /// Channels spread over positions.
    PixelShuffle(PixelShuffle),
    /// Zeros between.
    Interleave(Interleave),
    /// Picked elements.
    Gather(Gather),
    /// A public factor.
    Scale(Scale),
    /// A public factor for each position.
    ScaleByPosition(ScaleByPosition),
}

/// Steps that take a dialogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Spoken {
    /// A convolution or dense layer.
    Linear(Linear),
    /// ReLU and rescaling.
    Activate(Activate),
    /// Maxima over windows.
    MaxPool(MaxPool),
}
