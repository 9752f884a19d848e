//! The hot kernels at fixed seeds and sizes, one per run, for `cargo xtask instructions` to count their instructions.
//!
//! Without an argument the names of all kernels are listed; `processor` prints what the choosers of kernels see. Inputs are
//! made outside of [`measured`], so that only what it calls is counted. Nothing here runs in threads of its own.

use std::collections::VecDeque;
use std::hint::black_box;

use blindscan_arith::bits::{planes, words_of_planes};
use blindscan_arith::conv::{LinearShape, convolve_wrapping};
use blindscan_arith::hash::CorrelationHash;
use blindscan_arith::lpn::LocalCode;
use blindscan_arith::modulus::Modulus;
use blindscan_arith::ntt::{Kernel, LazySum, Ntt};
use blindscan_arith::prg::Prg;
use blindscan_arith::ring::Ring32;
use blindscan_arith::transpose::{BitRows, COLUMNS_MAX, ROWS};
use blindscan_arith::vole::{CHUNK_BLOCKS, Counters, Streams, Workspace};
use blindscan_arith::{block, tree};
use blindscan_protocols::ot::dealer;
use blindscan_protocols::share::Share;
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::nonlinear::{Activation, PadEnds};
use blindscan_rlwe::answer::{Product, Sealer};
use blindscan_rlwe::ciphertext::{Ciphertext, Encryptor};
use blindscan_rlwe::context::Context;
use blindscan_rlwe::keys::{PublicKey, SecretKey};
use blindscan_rlwe::packing::Packing;
use blindscan_wire::memory::play;
use blindscan_wire::{Channel, Traffic, WireError};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Kernels by name.
const KERNELS: [(&str, fn()); 18] = [
    ("ntt_forward", ntt_forward),
    ("ntt_inverse", ntt_inverse),
    ("accumulate", accumulate),
    ("encrypt", encrypt),
    ("read_ciphertext", read_ciphertext),
    ("encode_weights", encode_weights),
    ("seal", seal),
    ("open", open),
    ("convolve", convolve),
    ("transpose_rows", transpose_rows),
    ("bit_planes", bit_planes),
    ("words_of_planes", words_of_bit_planes),
    ("correlation_hash", correlation_hash),
    ("vole_sum", vole_sum),
    ("tree_level", tree_level),
    ("lpn_rows", lpn_rows),
    ("relu_image_owner", || relu(Party::ImageOwner)),
    ("relu_model_owner", || relu(Party::ModelOwner)),
];

const DEGREE: usize = 4096;
const RELUS: usize = 1 << 12;

fn main() {
    match std::env::args().nth(1).as_deref() {
        None => KERNELS.iter().for_each(|(name, _)| println!("{name}")),
        Some("processor") => println!("{}", processor()),
        Some(wanted) => match KERNELS.iter().find(|(name, _)| *name == wanted) {
            Some((_, kernel)) => kernel(),
            None => panic!("no kernel `{wanted}`; without an argument all are listed"),
        },
    }
}

/// What is counted.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

/// The vector extensions that choosers ask for, as this process sees them.
#[cfg(target_arch = "x86_64")]
fn processor() -> String {
    let found = [
        ("aes", is_x86_feature_detected!("aes")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("vaes", is_x86_feature_detected!("vaes")),
    ];
    let names: Vec<&str> = found.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    names.join(" ")
}

/// The vector extensions that choosers ask for, as this process sees them.
#[cfg(not(target_arch = "x86_64"))]
fn processor() -> String {
    "portable".into()
}

fn portable_ntt() -> Ntt {
    Ntt::with_kernel(Modulus::new(Context::exact().parameters().primes[0]), DEGREE, Kernel::Portable)
}

fn residues(seed: u128, ntt: &Ntt) -> Vec<u64> {
    Prg::new(seed).words64(ntt.degree()).iter().map(|&word| ntt.modulus().reduce(word)).collect()
}

fn ntt_forward() {
    let ntt = portable_ntt();
    let mut values = residues(1, &ntt);
    measured(&mut || (0..4).for_each(|_| ntt.forward(black_box(&mut values))));
}

fn ntt_inverse() {
    let ntt = portable_ntt();
    let mut values = residues(2, &ntt);
    measured(&mut || (0..4).for_each(|_| ntt.inverse(black_box(&mut values))));
}

fn accumulate() {
    let ntt = portable_ntt();
    let factors: Vec<(Vec<u64>, Vec<u64>)> =
        (0..16).map(|i| (residues(10 + i, &ntt), residues(40 + i, &ntt))).collect();
    let pairs: Vec<(&[u64], &[u64])> = factors.iter().map(|(a, b)| (&a[..], &b[..])).collect();
    measured(&mut || {
        let mut sum = LazySum::zero(DEGREE);
        sum.add_products(&ntt, black_box(&pairs));
        black_box(sum.reduced(&ntt));
    });
}

/// A 3x3 convolution of 16 channels at 64x64.
fn shape() -> LinearShape {
    LinearShape {
        input_size: vec![64, 64],
        kernel: vec![3, 3],
        strides: vec![1; 2],
        dilations: vec![1; 2],
        pads_begin: vec![1; 2],
        pads_end: vec![1; 2],
        in_channels: 16,
        out_channels: 16,
        groups: 1,
        rows: 1,
    }
}

fn weights(shape: &LinearShape) -> Vec<i32> {
    Prg::new(3).words32(shape.weight_count()).iter().map(|word| (word & 0xff) as i32 - 128).collect()
}

fn packing() -> Packing {
    Packing::new(&shape(), DEGREE, 64).expect("the layer fits")
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(4)
}

fn encrypted(key: &SecretKey, packing: &Packing, bytes: &mut Vec<u8>) {
    let input = Prg::new(5).words32(shape().input_count());
    let mut encryptor = Encryptor::new(key, &mut rng());
    let places = packing.input_places(packing.unit(0), 0);
    measured(&mut || {
        let randomness = encryptor.randomness();
        encryptor.encrypt(randomness, Ring32::new(32), &places, black_box(&input), bytes);
    });
}

fn encrypt() {
    let key = SecretKey::generate(Context::exact(), &mut rng());
    encrypted(&key, &packing(), &mut Vec::new());
}

fn read_ciphertext() {
    let context = Context::exact();
    let bytes = SecretKey::generate(context, &mut rng()).public_key_bytes(&mut rng());
    measured(&mut || drop(black_box(Ciphertext::from_bytes(context, &bytes))));
}

fn encode_weights() {
    let (packing, weights) = (packing(), weights(&shape()));
    measured(&mut || {
        let places = packing.weight_places(0, 0, 0);
        black_box(Context::exact().kernel(&places, black_box(&weights)));
    });
}

/// Encrypts, multiplies, seals and opens one answer, with `sealing` and `opening` called at their steps.
fn answered(sealing: impl FnOnce(&mut dyn FnMut()), opening: impl FnOnce(&mut dyn FnMut())) {
    let (context, ring) = (Context::exact(), Ring32::new(32));
    let (packing, weights) = (packing(), weights(&shape()));
    let key = SecretKey::generate(context, &mut rng());
    let zero = key.public_key_bytes(&mut rng());
    let peer = PublicKey::from_bytes(context, &zero).expect("an honest key");
    let input = Ciphertext::from_bytes(context, &zero).expect("an encryption of zero");
    let kernel = context.kernel(&packing.weight_places(0, 0, 0), &weights);
    let places = packing.output_places(packing.unit(0), 0);
    let mut sealer = Sealer::new(&peer, &mut rng());
    let mut bytes = Vec::new();
    sealing(&mut || {
        let mut product = Product::zero(context);
        product.add(&[(&input, &kernel)]);
        let randomness = sealer.randomness();
        black_box(sealer.seal(product, randomness, ring, &places, &mut bytes));
    });
    opening(&mut || drop(black_box(key.open(ring, &places, &bytes))));
}

fn seal() {
    answered(measured, |_| ());
}

fn open() {
    answered(|work| work(), measured);
}

fn convolve() {
    let shape = shape();
    let (weights, input) = (weights(&shape), Prg::new(6).words32(shape.input_count()));
    measured(&mut || drop(black_box(convolve_wrapping(&shape, black_box(&weights), black_box(&input)))));
}

fn transpose_rows() {
    let (mut rows, mut prg) = (BitRows::new(), Prg::new(7));
    for row in 0..ROWS {
        let words = prg.words64(COLUMNS_MAX / 64);
        rows.row_mut(row).copy_from_slice(&words);
    }
    let mut blocks = vec![0; COLUMNS_MAX];
    measured(&mut || black_box(&rows).transpose_into(black_box(&mut blocks)));
}

fn bit_planes() {
    let words = Prg::new(8).words32(1 << 14);
    measured(&mut || drop(black_box(planes(black_box(&words), 0, 32))));
}

fn words_of_bit_planes() {
    let planes = planes(&Prg::new(8).words32(1 << 14), 0, 32);
    measured(&mut || drop(black_box(words_of_planes(black_box(&planes), 1 << 14))));
}

fn blocks(seed: u128, count: usize) -> Vec<u128> {
    let mut bytes = vec![0; 16 * count];
    Prg::new(seed).fill(&mut bytes);
    block::from_bytes(&bytes)
}

fn correlation_hash() {
    let keys = blocks(9, 1 << 13);
    let (mut zero, mut one) = (vec![0; keys.len()], vec![0; keys.len()]);
    let mut hash = CorrelationHash::new(1);
    measured(&mut || hash.hash_both(black_box(&keys), 7, &mut zero, &mut one));
}

/// One chunk of all 16 streams of a group of SoftSpoken.
fn vole_sum() {
    let streams = Streams::new(&blocks(10, 16), 4);
    let (mut counters, mut workspace) = (Counters::new(), Workspace::new(4));
    counters.advance(CHUNK_BLOCKS);
    let (mut total, mut rows) = (vec![0; CHUNK_BLOCKS * 2], BitRows::new());
    measured(&mut || streams.sum(&counters, &mut workspace, black_box(&mut total), &mut rows, 0));
}

fn tree_level() {
    let mut nodes = blocks(11, 1 << 13);
    measured(&mut || {
        black_box(tree::grow(5, black_box(&mut nodes), !0));
    });
}

fn lpn_rows() {
    let (code, table, mut rows) = (LocalCode::new(12), blocks(13, 1 << 16), blocks(14, 1 << 12));
    measured(&mut || code.add_rows(0, black_box(&table), black_box(&mut rows)));
}

/// One party's online phase of exact ReLUs, l = 26, f = 9, the peer's messages replayed.
fn relu(wanted: Party) {
    let of = Activation::new(26, 9, 26, true, 3).expect("numbers in their ranges");
    let mut dealt = dealer::pair(15);
    let (image, model) = (&mut dealt.image_owner, &mut dealt.model_owner);
    let played = play(
        |channel| {
            let mut ends = PadEnds::ImageOwner { forward: &mut image.0, backward: &mut image.1 };
            recorded(of, Party::ImageOwner, &mut ends, channel)
        },
        |channel| {
            let mut ends = PadEnds::ModelOwner { forward: &mut model.1, backward: &mut model.0 };
            recorded(of, Party::ModelOwner, &mut ends, channel)
        },
    );
    let (stock, messages) = match wanted {
        Party::ImageOwner => (played.left.0, played.right.1),
        Party::ModelOwner => (played.right.0, played.left.1),
    };
    let stock = of.stock_from_bytes(wanted, RELUS, &stock).expect("a stock just written");
    let (mut stock, mut channel) = (Some(stock), Replay(messages.into()));
    let x = share(wanted);
    measured(&mut || {
        let stock = stock.take().expect("run once");
        black_box(of.online(wanted, x.view(), stock, &mut channel).expect("messages as recorded"));
    });
}

/// The stock as bytes, and what this party sends online.
fn recorded(
    of: Activation,
    party: Party,
    ends: &mut PadEnds,
    channel: &mut dyn Channel,
) -> (Vec<u8>, Vec<Vec<u8>>) {
    let stock = of.offline(RELUS, ends, channel).expect("dealt pads").to_bytes();
    let read = of.stock_from_bytes(party, RELUS, &stock).expect("a stock just written");
    let mut channel = Recorder { channel, sent: Vec::new() };
    of.online(party, share(party).view(), read, &mut channel).expect("an honest peer");
    (stock, channel.sent)
}

fn share(party: Party) -> Share {
    Share::of_words(Prg::new(16 + party as u128).words32(RELUS).iter().map(|word| word >> 6).collect())
}

/// Passes everything on and keeps what was sent.
struct Recorder<'a> {
    channel: &'a mut dyn Channel,
    sent: Vec<Vec<u8>>,
}

impl Channel for Recorder<'_> {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.sent.push(message.to_vec());
        self.channel.send(message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        self.channel.receive(length)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.sent.push(message.to_vec());
        self.channel.exchange(message, length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        self.channel.finish()
    }

    fn traffic(&self) -> Traffic {
        self.channel.traffic()
    }
}

/// A peer whose messages are known.
struct Replay(VecDeque<Vec<u8>>);

impl Channel for Replay {
    fn send(&mut self, _message: &[u8]) -> Result<(), WireError> {
        Ok(())
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        let message = self.0.pop_front().ok_or(WireError::Closed)?;
        assert_eq!(message.len(), length, "what was recorded is replayed");
        Ok(message)
    }

    fn exchange(&mut self, _message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.receive(length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}
