//! How long each step of a ciphertext takes, and the choice of tiles for layers of very different form.
//!
//! `cargo bench -p blindscan-rlwe --bench ciphertext`. The best of many runs: what is slower had company on the processor.

use std::hint::black_box;
use std::time::Instant;

use blindscan_arith::conv::LinearShape;
use blindscan_arith::prg::Prg;
use blindscan_arith::ring::Ring32;
use blindscan_rlwe::answer::{Product, Sealer};
use blindscan_rlwe::ciphertext::{Ciphertext, Encryptor};
use blindscan_rlwe::context::Context;
use blindscan_rlwe::keys::{PublicKey, SecretKey};
use blindscan_rlwe::packing::{Packing, Place};

const RING: Ring32 = Ring32::new(32);
const RUNS: usize = 500;
/// Taps of a 3x3 convolution of 64 channels.
const TAPS: usize = 576;

fn main() {
    steps();
    tiles();
}

fn steps() {
    let context = Context::exact();
    let rng = &mut rand::rng();
    let secret = SecretKey::generate(context, rng);
    let public =
        PublicKey::from_bytes(context, &secret.public_key_bytes(rng)).expect("the key was made here");
    let places: Vec<Place> = (0..context.degree()).map(|i| Place { coefficient: i, element: i }).collect();
    let message = Prg::new(1).words32(places.len());
    let weights = vec![3; TAPS];

    let mut encryptor = Encryptor::new(&secret, rng);
    let mut bytes = Vec::new();
    report("encrypt", || {
        bytes.clear();
        let randomness = encryptor.randomness();
        encryptor.encrypt(randomness, RING, &places, black_box(&message), &mut bytes);
    });
    report("read a ciphertext", || drop(black_box(Ciphertext::from_bytes(context, &bytes))));
    let ciphertext = Ciphertext::from_bytes(context, &bytes).expect("the ciphertext was made here");
    report("transform a kernel of 576 weights", || {
        drop(black_box(context.kernel(&places[..TAPS], black_box(&weights))));
    });
    let kernel = context.kernel(&places[..TAPS], &weights);
    let mut product = Product::zero(context);
    report("add eight products", || product.add(black_box(&[(&ciphertext, &kernel); 8])));
    let mut sealer = Sealer::new(&public, rng);
    let mut answer = Vec::new();
    report("draw randomness and seal", || {
        answer.clear();
        let randomness = sealer.randomness();
        sealer.seal(Product::zero(context), randomness, RING, &places, &mut answer);
    });
    report("open", || drop(black_box(secret.open(RING, &places, &answer))));
}

fn tiles() {
    let shapes = [
        conv(&[512, 512], &[3, 3], 80, 16),
        conv(&[32, 32], &[3, 3], 512, 512),
        conv(&[128, 128, 128], &[3, 3, 3], 32, 32),
        conv(&[1_000_000], &[3], 32, 32),
        conv(&[], &[], 25_088, 4096),
    ];
    for shape in shapes {
        let start = Instant::now();
        let packing = Packing::new(&shape, Context::exact().degree(), 4000).expect("the layer fits");
        println!(
            "{:<44} {:>10.1} ms: {} units of {} inputs and {} answers",
            format!("tiles of {:?}, {} -> {}", shape.input_size, shape.in_channels, shape.out_channels),
            start.elapsed().as_secs_f64() * 1e3,
            packing.units(),
            packing.channel_blocks(),
            packing.output_blocks(),
        );
    }
}

fn conv(size: &[usize], kernel: &[usize], in_channels: usize, out_channels: usize) -> LinearShape {
    LinearShape {
        input_size: size.to_vec(),
        kernel: kernel.to_vec(),
        strides: vec![1; kernel.len()],
        dilations: vec![1; kernel.len()],
        pads_begin: vec![0; kernel.len()],
        pads_end: vec![0; kernel.len()],
        in_channels,
        out_channels,
        groups: 1,
        rows: 1,
    }
}

fn report(what: &str, mut work: impl FnMut()) {
    let run = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e6
    };
    let best = (0..RUNS).map(run).fold(f64::MAX, f64::min);
    println!("{what:<44} {best:>10.1} us");
}
