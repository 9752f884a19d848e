//! Shares of W*r for a random mask r: what makes a linear layer free of cryptography once the input is known.
//!
//! For each block of units (a unit is a tile of one group of the convolution, or of several small ones):
//!
//! | step | who | message | bytes |
//! |---|---|---|---|
//! | 1 | image owner | Enc(r): seed and first component of every input ciphertext, 48 a message | 51,216 each |
//! | 2 | model owner | rounded answers, for each output block its units, 32 a message | 11 * (4,096 + values) each |
//!
//! Ideal: `(r; W) -> ([W*r]_0; [W*r]_1)` modulo 2^l, both shares uniform: [`ideal::linear`]. Convolutions over one to
//! three axes (groups, strides, dilation, padding) and dense layers; |w| < 2^15. Where values lie in ciphertexts and how
//! many of these there are: [`blindscan_rlwe::packing`].
//!
//! Online the image owner sends x0 - r once, the model owner adds its share of x and convolves x - r in the clear: both
//! hold shares of W*x.
//!
//! Security: semi-honest. r is hidden by RLWE. Every answer is masked uniformly over R_q and carries an encryption of
//! zero of its own, so that its phase is uniform and its second component a fresh RLWE sample, whatever the weights
//! ([`blindscan_rlwe::answer`]). Sizes and order of messages follow from the public shape alone; no weight is branched
//! on, no zero skipped. How often a share is off by one follows from shape, ring and width of the weights
//! ([`LinearLayer::off_by_one_log2`]).
//! An invalid message ends the dialogue with an error before anything is decrypted.
//!
//! What is below the dialogue (encrypting, multiplying, sealing, opening) runs on the threads of the program's pool.
//! Randomness is drawn first, in the order of the wire: what is sent does not depend on the threads.
//!
//! Source: Huang, Lu, Hong, Ding, "Cheetah", USENIX Security 2022, sections 3 and 5.1; preprocessing on a random mask as
//! in Mishra et al., "Delphi", USENIX Security 2020, section 4.1.

pub mod ideal;
pub mod key_exchange;

mod image_owner;
mod model_owner;

use std::ops::Range;

use blindscan_arith::conv::LinearShape;
use blindscan_arith::ring::Ring32;
use blindscan_rlwe::InvalidBytes;
use blindscan_rlwe::answer::{Product, answer_bytes};
use blindscan_rlwe::ciphertext::Ciphertext;
use blindscan_rlwe::context::Context;
use blindscan_rlwe::noise;
use blindscan_rlwe::packing::{Packing, Place, Unit};
use blindscan_rlwe::parameters::EXACT;
use blindscan_wire::script::Script;

pub use blindscan_rlwe::keys::{PublicKey, SecretKey};
pub use blindscan_rlwe::packing::PackingError;

use crate::ProtocolError;
use crate::share::Share;
use crate::two_party::Party;

/// What the model owner holds of ciphertexts and sums at a time. Both parties cut a layer into blocks by it.
pub const MEMORY_BYTES: usize = 512 << 20;

/// Weights are smaller than this in magnitude.
pub const WEIGHT_BOUND: i32 = 1 << 15;

/// Input ciphertexts in a message: 2.5 MB.
const INPUTS_PER_MESSAGE: usize = 48;

/// Most answers in a message: 2.9 MB.
const ANSWERS_PER_MESSAGE: usize = 32;

/// What both parties cut layers and messages by: they must hold the same numbers.
pub const AGREED: [usize; 3] = [MEMORY_BYTES, INPUTS_PER_MESSAGE, ANSWERS_PER_MESSAGE];

/// One linear layer as both parties know it.
#[derive(Clone, Debug)]
pub struct LinearLayer {
    shape: LinearShape,
    ring: Ring32,
    packing: Packing,
    units_in_block: usize,
}

/// One output block of the units of one bundle of groups within a block: answers that share kernels.
struct Row {
    bundle: usize,
    output_block: usize,
    /// Numbers of the units.
    units: Range<usize>,
}

impl LinearLayer {
    /// A layer on values modulo 2^ring_bits.
    ///
    /// # Panics
    /// When `ring_bits` is not in 2..=32: plans are checked before layers are made of them.
    pub fn new(shape: LinearShape, ring_bits: u32) -> Result<Self, PackingError> {
        Self::with_memory(shape, ring_bits, MEMORY_BYTES)
    }

    /// The same with another memory budget, which both parties must share.
    fn with_memory(shape: LinearShape, ring_bits: u32, memory_bytes: usize) -> Result<Self, PackingError> {
        assert!((2..=32).contains(&ring_bits), "a linear layer's ring has 2 to 32 bits");
        let context = Context::exact();
        let (input, sum) = (Ciphertext::memory_bytes(context), Product::memory_bytes(context));
        let packing = Packing::new(&shape, context.degree(), memory_bytes.saturating_sub(sum) / input)?;
        let unit_bytes = packing.channel_blocks() * input + sum;
        let units_in_block = (memory_bytes / unit_bytes).max(1);
        Ok(Self { shape, ring: Ring32::new(ring_bits), packing, units_in_block })
    }

    /// The geometry.
    pub fn shape(&self) -> &LinearShape {
        &self.shape
    }

    /// l of the ring modulo 2^l.
    pub fn ring_bits(&self) -> u32 {
        self.ring.bits()
    }

    /// log2 of the probability that a value comes out off by one, at most, with weights of this width.
    pub fn off_by_one_log2(&self, weight_bits: u32) -> f64 {
        let squares = noise::weights_squared_max(self.packing.weights_per_answer(), weight_bits);
        noise::off_by_one_log2(&EXACT, self.ring.bits(), squares)
    }

    /// Weights that meet in one answer polynomial.
    pub fn weights_per_answer(&self) -> usize {
        self.packing.weights_per_answer()
    }

    /// Ciphertexts that go to the model owner and come back.
    pub fn ciphertexts(&self) -> (u64, u64) {
        let units = self.packing.units() as u64;
        (units * self.packing.channel_blocks() as u64, units * self.packing.output_blocks() as u64)
    }

    /// Products of a ciphertext and a kernel that the model owner makes.
    pub fn product_count(&self) -> u64 {
        let per_unit = self.packing.channel_blocks() * self.packing.output_blocks();
        self.packing.units() as u64 * per_unit as u64
    }

    /// Kernels that the model owner encodes and transforms: each once for every block that uses it.
    pub fn kernel_count(&self) -> u64 {
        let rows: usize = self.blocks().map(|block| self.rows(block).len()).sum();
        (rows * self.packing.channel_blocks()) as u64
    }

    /// What the model owner holds of ciphertexts and sums at a time.
    pub fn memory_bytes(&self) -> u64 {
        let context = Context::exact();
        let unit = self.packing.channel_blocks() * Ciphertext::memory_bytes(context)
            + Product::memory_bytes(context);
        (self.units_in_block.min(self.packing.units()) * unit) as u64
    }

    /// The messages of the dialogue.
    pub fn script(&self) -> Script {
        let input = Ciphertext::byte_count(Context::exact());
        let mut script = Script::default();
        for block in self.blocks() {
            let inputs = block.len() * self.packing.channel_blocks();
            script.repeat(inputs / INPUTS_PER_MESSAGE, Party::ImageOwner.sends(INPUTS_PER_MESSAGE * input));
            script.message(Party::ImageOwner.sends(inputs % INPUTS_PER_MESSAGE * input));
            for row in self.rows(block) {
                for units in row.messages() {
                    let lengths = self.answer_lengths(row.output_block, &units);
                    script.message(Party::ModelOwner.sends(lengths.iter().sum()));
                }
            }
        }
        script
    }

    /// Numbers of the units that are computed together.
    fn blocks(&self) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        let (units, step) = (self.packing.units(), self.units_in_block);
        (0..units.div_ceil(step)).map(move |block| block * step..((block + 1) * step).min(units))
    }

    /// The input ciphertexts of a block in the order of the wire: unit and channel block.
    fn inputs(&self, block: Range<usize>) -> Vec<(Unit, usize)> {
        let channel_blocks = self.packing.channel_blocks();
        block.flat_map(|unit| (0..channel_blocks).map(move |k| (self.packing.unit(unit), k))).collect()
    }

    /// The rows of a block in the order of the wire.
    fn rows(&self, block: Range<usize>) -> Vec<Row> {
        let tiles = self.packing.tiles();
        let (first, last) = (self.packing.unit(block.start).bundle, self.packing.unit(block.end - 1).bundle);
        let row = |bundle: usize, output_block| {
            let units = (bundle * tiles).max(block.start)..((bundle + 1) * tiles).min(block.end);
            Row { bundle, output_block, units }
        };
        let outputs = 0..self.packing.output_blocks();
        (first..=last).flat_map(|bundle| outputs.clone().map(move |output| row(bundle, output))).collect()
    }

    /// Bytes of each answer of a message with one row's answers for `units`.
    fn answer_lengths(&self, output_block: usize, units: &[usize]) -> Vec<usize> {
        let count = |&unit| self.packing.output_count(self.packing.unit(unit), output_block);
        units.iter().map(|unit| answer_bytes(Context::exact(), count(unit))).collect()
    }
}

impl Row {
    /// The units of each message.
    fn messages(&self) -> Vec<Vec<usize>> {
        let units: Vec<usize> = self.units.clone().collect();
        units.chunks(ANSWERS_PER_MESSAGE).map(<[usize]>::to_vec).collect()
    }
}

/// Puts values into their places of a share.
fn put(share: &mut Share, places: &[Place], values: &[u32]) {
    let words = share.words_mut();
    for (place, value) in places.iter().zip(values) {
        words[place.element] = *value;
    }
}

impl From<InvalidBytes> for ProtocolError {
    fn from(error: InvalidBytes) -> Self {
        Self::Peer(match error {
            InvalidBytes::Residue => "a ciphertext with a residue that is not below its modulus",
            _ => "a ciphertext of another length than this step has",
        })
    }
}

#[cfg(test)]
mod tests;
