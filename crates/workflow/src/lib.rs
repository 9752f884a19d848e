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
//!
//! A server and a client in one program; `tests/headless.rs` runs the same:
//!
//! ```no_run
//! use std::path::Path;
//! use std::time::Duration;
//!
//! use blindscan_workflow::Result;
//! use blindscan_workflow::canaries::CanaryOptions;
//! use blindscan_workflow::connection::{ServerOptions, identity};
//! use blindscan_workflow::events::Silent;
//! use blindscan_workflow::model::{self, PlanOptions};
//! use blindscan_workflow::segment::{SegmentOptions, segment};
//! use blindscan_workflow::serve::{ModelServer, ServeOptions};
//! use blindscan_workflow::study::StudyOptions;
//! use blindscan_workflow::transfers::OtChoice;
//!
//! fn main() -> Result<()> {
//!     let deadline = Duration::from_secs(120);
//!     // The client's fingerprint stands in `allowed.toml`, or the join line has a secret that enrols it.
//!     println!("{}", identity(Path::new("hospital"), &Silent)?.fingerprint());
//!     let model = model::load(Path::new("plan"), &PlanOptions::default(), None)?;
//!     let server = ModelServer::open(
//!         model,
//!         &ServeOptions {
//!             listen: "127.0.0.1:0".into(),
//!             host: None,
//!             clients: Some("allowed.toml".into()),
//!             enrol: false,
//!             keys: "vendor".into(),
//!             stock: "vendor/stock".into(),
//!             clients_max: 4,
//!             deadline,
//!         },
//!         &Silent,
//!         Box::new(Silent),
//!     )?;
//!     let options = SegmentOptions {
//!         server: ServerOptions {
//!             server: server.join_line().to_string(),
//!             keys: "hospital".into(),
//!             plan_digest: None,
//!             deadline,
//!             ot: OtChoice::Auto,
//!         },
//!         study: StudyOptions::default(),
//!         canaries: CanaryOptions::default(),
//!         out: "answers".into(),
//!         slices: "all".into(),
//!         stock: None,
//!         reference: Some("plan".into()),
//!         expert: None,
//!     };
//!     let stopper = server.stopper()?;
//!     let report = std::thread::scope(|scope| {
//!         scope.spawn(|| server.run());
//!         let report = segment(Path::new("scan.nii.gz"), &options, &Silent);
//!         stopper.stop();
//!         report
//!     })?;
//!     assert_eq!(report.equals_reference, Some(true));
//!     Ok(())
//! }
//! ```
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

pub use error::{Result, WorkflowError, one_line};

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
