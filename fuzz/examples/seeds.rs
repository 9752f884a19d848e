//! Writes the seeds of the targets `plan` and `frame` anew, from the models in `corpus/onnx`: needed when a plan's or a handshake's layout changes.
//!
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`, in the repository's root.

use std::error::Error;
use std::fs;
use std::path::Path;

use blindscan_graph::calibrate::{Options, calibrate};
use blindscan_graph::ir::Tensor;
use blindscan_graph::onnx;
use blindscan_graph::plan::{InputSpec, PublicPlan};
use blindscan_session::handshake::{self, Binding};
use blindscan_wire::fingerprint::Fingerprint;
use blindscan_wire::memory::play;
use blindscan_wire::{Channel, Traffic, WireError};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for name in ["classifier", "unet", "shapes"] {
        let plan = plan_of(&corpus.join("onnx").join(format!("{name}.onnx")))?;
        fs::write(corpus.join("plan").join(name), postcard::to_stdvec(&plan)?)?;
        fs::write(corpus.join("plan").join(format!("{name}.saved")), plan.to_bytes())?;
        fs::write(corpus.join("frame").join(name), what_a_server_says(&plan))?;
    }
    Ok(())
}

fn plan_of(model: &Path) -> Result<PublicPlan, Box<dyn Error>> {
    let graph = onnx::read(model, &onnx::Options::default())?.into_graph()?;
    let shape = graph.values[graph.input].shape.clone();
    let sample = Tensor { data: (0..Tensor::count(&shape)).map(|i| i as f32 / 32.0).collect(), shape };
    Ok(calibrate(&graph, &InputSpec::tensor((0.0, 1.0)), &[sample], &Options::default())?.public)
}

/// A whole handshake, as the frames that the server sends in it.
fn what_a_server_says(plan: &PublicPlan) -> Vec<u8> {
    let binding =
        Binding::two_party([1; 32], Fingerprint::from_bytes([2; 32]), Fingerprint::from_bytes([3; 32]));
    let rng = |seed| ChaCha8Rng::seed_from_u64(seed);
    let played = play(
        |channel| {
            handshake::client(&binding, None, &mut rng(0), channel)
                .map(drop)
                .expect("an honest server is accepted")
        },
        |channel| {
            let mut recorder = Recorder { channel, frames: Vec::new() };
            handshake::server(&binding, plan, &mut rng(1), &mut recorder)
                .expect("an honest client is accepted");
            recorder.frames
        },
    );
    played.right
}

/// Keeps what is sent, each message behind its length as on TCP.
struct Recorder<'c> {
    channel: &'c mut dyn Channel,
    frames: Vec<u8>,
}

impl Recorder<'_> {
    fn record(&mut self, message: &[u8]) {
        self.frames.extend((message.len() as u64).to_le_bytes());
        self.frames.extend(message);
    }
}

impl Channel for Recorder<'_> {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.record(message);
        self.channel.send(message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        self.channel.receive(length)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.record(message);
        self.channel.exchange(message, length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        self.channel.finish()
    }

    fn traffic(&self) -> Traffic {
        self.channel.traffic()
    }
}
