//! The offline phase of three linear layers, and the online convolution of each, both parties.
//!
//! `cargo bench -p blindscan-protocols --bench linear [rounds]`. Peers on the first two (64 channels of 56x56 and 16 of
//! 256x256, windows of 3x3): OpenCheetah 1.2 and 3.1 CPU-s.

mod common;

use std::hint::black_box;

use blindscan_arith::conv::{LinearShape, convolve_wrapping};
use blindscan_arith::prg::Prg;
use blindscan_arith::ring::{Module, Ring32};
use blindscan_protocols::share::Share;
use blindscan_protocols::two_party::linear::{LinearLayer, key_exchange};
use blindscan_wire::Traffic;
use blindscan_wire::memory::play;
use common::{Clock, Taken};

const RING_BITS: u32 = 32;

fn main() {
    let rounds = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(5);
    common::head();
    for (channels, size) in [(64, 56), (16, 256), (256, 16)] {
        let layer = LinearLayer::new(shape(channels, size), RING_BITS).expect("the layer fits");
        let name = format!("{channels} x {size} x {size}, 3 x 3");
        let runs: Vec<(Taken, Traffic)> = (0..rounds).map(|_| offline(&layer)).collect();
        let taken: Vec<Taken> = runs.iter().map(|run| run.0).collect();
        common::row(&format!("{name}, offline, key included"), &taken, runs[0].1);
        let taken: Vec<Taken> = (0..rounds).map(|_| online(layer.shape())).collect();
        let input = Ring32::new(RING_BITS).packed_bytes(layer.shape().input_count()) as u64;
        common::row(&format!("{name}, online"), &taken, Traffic { bytes_sent: input, ..Traffic::default() });
    }
}

fn shape(channels: usize, size: usize) -> LinearShape {
    LinearShape {
        input_size: vec![size; 2],
        kernel: vec![3; 2],
        strides: vec![1; 2],
        dilations: vec![1; 2],
        pads_begin: vec![1; 2],
        pads_end: vec![1; 2],
        in_channels: channels,
        out_channels: channels,
        groups: 1,
        rows: 1,
    }
}

fn weights(shape: &LinearShape) -> Vec<i32> {
    Prg::new(1).words32(shape.weight_count()).iter().map(|word| (word & 0xff) as i32 - 128).collect()
}

/// What both took, and what the image owner carried.
fn offline(layer: &LinearLayer) -> (Taken, Traffic) {
    let mask = Share::of_words(Prg::new(2).words32(layer.shape().input_count()));
    let weights = weights(layer.shape());
    let clock = Clock::start();
    let played = play(
        |channel| {
            let keys = key_exchange::image_owner(&mut rand::rng(), channel).expect("an honest peer");
            layer.image_owner_offline(mask.view(), &keys, &mut rand::rng(), channel).expect("an honest peer")
        },
        |channel| {
            let peer = key_exchange::model_owner(channel).expect("an honest peer");
            layer.model_owner_offline(&weights, &peer, &mut rand::rng(), channel).expect("an honest peer")
        },
    );
    black_box((played.left.words(), played.right.words()));
    (clock.taken(), played.left_traffic)
}

/// The model owner's work; the image owner's is a subtraction.
fn online(shape: &LinearShape) -> Taken {
    let (weights, input) = (weights(shape), Prg::new(3).words32(shape.input_count()));
    let clock = Clock::start();
    black_box(convolve_wrapping(shape, &weights, &input));
    clock.taken()
}
