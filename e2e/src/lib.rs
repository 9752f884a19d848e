//! The stage for whole-system tests: the program under test, a vendor and a hospital as processes, files made to order.
//!
//! Every test has folders and ports of its own, bounded waits, and children that die with it. The tests are those of the program,
//! in `apps/blindscan/tests/system`: Cargo builds the program before them.
#![forbid(unsafe_code)]

pub mod files;
pub mod hospital;
mod plans;
pub mod program;
pub mod vendor;

use std::path::{Path, PathBuf};

pub use plans::{classifier_plan, segmenter_plan};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("this package lies in the repository")
}

/// A file of the demonstration's CT.
pub fn ct(name: &str) -> String {
    text(&root().join("demo/covid-ct").join(name))
}

/// A file of the demonstration's X-ray.
pub fn xray(name: &str) -> String {
    text(&root().join("demo/xray").join(name))
}

/// The network that segments.
pub fn segmenter() -> String {
    ct("covid_unet_w8_128.onnx")
}

/// The network that classifies.
pub fn classifier() -> String {
    xray("dnn1_150x125.onnx")
}

/// A path as an argument.
pub fn text(path: &Path) -> String {
    path.to_str().expect("paths of tests are text").to_string()
}
