//! Models in the clear: `file -> Graph -> simplified Graph -> FixedPlan = PublicPlan + Weights`.
//!
//! * [`ir`]: the graph in floats, shapes resolved; its operators, one file each.
//! * [`onnx`]: reading `.onnx` files, and the report of what is supported.
//! * [`float`]: evaluation in floats.
//! * [`npy`]: tensors from and to NumPy's files.
//! * [`plan`]: the model in integers, the specification of the answer.
//! * [`operators`]: the integer steps, one file each.
//! * [`movement`]: elements moved from place to place, whatever they are.
//! * [`local`]: the words of steps that need no dialogue.
//! * [`equalise`]: channels of very different size brought to one, in floats.
//! * [`calibrate`]: from the one to the other.
//! * [`fixed`]: the clear evaluation of a fixed plan, the ideal of the whole system.
//! * [`table`]: a plan to read.
//!
//! No cryptography here.
#![forbid(unsafe_code)]

pub mod calibrate;
mod dead;
mod draft;
pub mod equalise;
mod factors;
pub mod fixed;
pub mod float;
pub mod ir;
pub mod local;
pub mod movement;
pub mod npy;
pub mod onnx;
pub mod operators;
pub mod plan;
#[cfg(any(test, feature = "testing"))]
pub mod random;
pub mod table;
