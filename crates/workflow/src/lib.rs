//! The whole way of a job without a screen: load a model, open a scan, connect, run, report, compare with a reference, serve.
//!
//! Programs stand on this crate: the command line of `apps/blindscan` is one. It prints nothing, parses no command line and
//! ends no process.
//!
//! | whose | module |
//! |---|---|
//! | the model owner's | [`model`]: an ONNX file with its card, or a saved plan; [`serve`]: a model behind a port |
//! | the image owner's | [`segment`](mod@segment), [`classify`](mod@classify), [`prepare`](mod@prepare), which stand on [`study`]: what was read; [`fit`]: does it fit, and the network's inputs; [`connection`]; [`job`]; [`canaries`]; [`report`] |
//! | of one who holds both files | [`reference`](mod@reference): what the answer should be; [`compare`]; [`pair`]: both parties as processes; [`speed`] |
#![forbid(unsafe_code)]

pub mod canaries;
pub mod card;
pub mod classify;
pub mod compare;
pub mod connection;
pub mod error;
pub mod events;
mod files;
pub mod fit;
pub mod images;
pub mod job;
pub mod machine;
pub mod model;
pub mod out;
pub mod pair;
pub mod prepare;
pub mod random;
pub mod reference;
pub mod report;
pub mod segment;
pub mod serve;
pub mod slices;
pub mod speed;
pub mod study;
pub mod transfers;
pub mod watch;

pub use error::{Result, WorkflowError, told};

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
