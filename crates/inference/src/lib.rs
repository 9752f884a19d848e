//! The only place where a layer meets a protocol: assignment, demand, cost, roles, offline, online.
//!
//! ```text
//! PublicPlan -> AssignedPlan -> cost(party)
//!                  |-> offline(connection) -> Stock -> online(input, stock) -> Output
//! ```
//!
//! * [`assigned`]: a plan with a layer of its suite on every node; the one place that tells suites apart.
//! * `suite`: what a suite is asked, and a room for each; a file for each layer.
//! * [`phase`]: the loops of the offline and the online phase, for every suite and party.
//! * [`cost`]: bytes and turns before anything runs; [`estimate`]: seconds and memory.
//! * [`roles`]: who takes part; [`tap`]: a look at their shares, for `compare` and tests.
//! * [`stock`]: one-time material on disk, taken once.
#![forbid(unsafe_code)]

pub mod assigned;
pub mod cost;
mod error;
pub mod estimate;
pub mod phase;
pub mod roles;
mod shares;
pub mod stock;
mod suite;
pub mod tap;

pub use assigned::{AssignedPlan, OffByOne};
pub use blindscan_protocols::ot::source::OtKind;
pub use error::InferenceError;
pub use phase::Output;

/// Digest of every number that is not in the plan and that all parties must share: cryptographic parameters, and what
/// layers and messages are cut by. Each suite adds its own.
pub fn parameters_digest() -> [u8; 32] {
    *blake3::hash(assigned::parameters().as_bytes()).as_bytes()
}
