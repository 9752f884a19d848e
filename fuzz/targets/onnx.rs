//! ONNX files: what a vendor or a stranger offers as a model.
#![no_main]

use blindscan_graph::onnx::{Options, read_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(import) = read_bytes(bytes.to_vec(), &Options::default()) {
        assert_eq!(
            import.graph.is_some(),
            import.report.accepted(),
            "a graph is there exactly when nothing was refused"
        );
    }
});
