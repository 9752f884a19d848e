//! Writes the seeds of the targets `plan` and `frame` anew, from the models in `corpus/onnx`: needed when the plan's layout changes.
//!
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`, in the repository's root.

use std::error::Error;
use std::fs;
use std::path::Path;

use blindscan_graph::calibrate::{Options, calibrate};
use blindscan_graph::ir::Tensor;
use blindscan_graph::onnx;
use blindscan_graph::plan::{InputSpec, PublicPlan};
use blindscan_session::handshake::PROTOCOL_VERSION;

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for name in ["classifier", "unet", "shapes"] {
        let graph = onnx::read(&corpus.join("onnx").join(format!("{name}.onnx")), &onnx::Options::default())?
            .into_graph()?;
        let shape = graph.values[graph.input].shape.clone();
        let sample = Tensor { data: (0..Tensor::count(&shape)).map(|i| i as f32 / 32.0).collect(), shape };
        let plan = calibrate(&graph, &InputSpec::tensor((0.0, 1.0)), &[sample], &Options::default())?.public;
        fs::write(corpus.join("plan").join(name), postcard::to_stdvec(&plan)?)?;
        fs::write(corpus.join("plan").join(format!("{name}.saved")), plan.to_bytes())?;
        fs::write(corpus.join("frame").join(name), greeting(&plan)?)?;
    }
    Ok(())
}

/// What a server says first, in frames: hello, the plan's length, the plan.
fn greeting(plan: &PublicPlan) -> Result<Vec<u8>, Box<dyn Error>> {
    let body = postcard::to_stdvec(plan)?;
    let hello =
        [b"BLINDSCN".as_slice(), &PROTOCOL_VERSION.to_le_bytes(), &0u32.to_le_bytes(), &[7; 32]].concat();
    let length = u32::try_from(body.len())?.to_le_bytes().to_vec();
    let frame = |message: Vec<u8>| [(message.len() as u64).to_le_bytes().to_vec(), message].concat();
    Ok([hello, length, body].into_iter().flat_map(frame).collect())
}
