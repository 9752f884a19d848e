//! Models in the clear: `file -> Graph -> simplified Graph -> FixedPlan = PublicPlan + Weights`.
//!
//! * [`ir`]: the graph in floats, shapes resolved.
//! * [`onnx`]: reading `.onnx` files, and the report of what is supported.
//! * [`float`]: evaluation in floats.
//! * [`local`]: the steps that need no dialogue, for values and for shares.
//! * [`plan`]: the model in integers, the specification of the answer.
//! * [`calibrate`]: from the one to the other.
//! * [`fixed`]: the clear evaluation of a fixed plan, the ideal of the whole system.
//!
//! No cryptography here.
#![forbid(unsafe_code)]

pub mod ir;
pub mod local;
pub mod plan;
