//! Sets `cfg(shared)` where the folder of research data lies beside the repository. Tests that need it are ignored elsewhere, so
//! that the test runner counts them. Whoever adds the folder later touches this file once.

use std::path::Path;

/// The folder.
const SHARED: &str = "../../../shared";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(shared)");
    println!("cargo::rerun-if-changed=build.rs");
    let sign = Path::new(SHARED).join("DESIGN.md");
    if sign.exists() {
        println!("cargo::rerun-if-changed={}", sign.display());
        println!("cargo::rustc-cfg=shared");
    }
}
