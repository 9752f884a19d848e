//! The model owner: multiplies with its weights, masks, keeps the masks' share.
//!
//! Kernels are transformed when they are needed, one output block over all tiles of a block, and dropped.

use blindscan_arith::erase::Erased;
use blindscan_rlwe::InvalidBytes;
use blindscan_rlwe::answer::{AnswerRandomness, Product, Sealer, answer_bytes};
use blindscan_rlwe::ciphertext::Ciphertext;
use blindscan_rlwe::context::Context;
use blindscan_rlwe::keys::PublicKey;
use blindscan_rlwe::packing::Place;
use blindscan_rlwe::poly::Spectrum;
use blindscan_wire::Channel;
use rand_core::CryptoRng;
use rayon::prelude::*;

use super::{ANSWERS_PER_MESSAGE, INPUTS_PER_MESSAGE, LinearLayer, Row, WEIGHT_BOUND, put};
use crate::ProtocolError;
use crate::share::Share;

/// Kernels transformed at a time: 64 KiB each.
const KERNELS_AT_A_TIME: usize = 8;

/// Answers after which no further row joins those that are computed at once.
const ANSWERS_AT_A_TIME: usize = 64;

/// One answer as it is sent, and this party's share of its values.
struct Sealed {
    bytes: Vec<u8>,
    places: Vec<Place>,
    values: Erased<u32>,
}

impl LinearLayer {
    /// This party's share of `weights` * r, for the image owner's r.
    ///
    /// # Panics
    /// When there is another number of weights than the shape has, or one is not below 2^15 in magnitude: quantisation
    /// makes them so.
    pub fn model_owner_offline<R: CryptoRng + ?Sized>(
        &self,
        weights: &[i32],
        peer: &PublicKey,
        rng: &mut R,
        channel: &mut dyn Channel,
    ) -> Result<Share, ProtocolError> {
        assert_eq!(weights.len(), self.shape.weight_count(), "a layer has the weights of its shape");
        let largest = weights.iter().fold(0, |most, weight| most.max(weight.unsigned_abs()));
        assert!(largest < WEIGHT_BOUND as u32, "weights are below 2^15 in magnitude");
        let mut sealer = Sealer::new(peer, rng);
        let mut share = Share::zeros(self.shape.output_count());
        for block in self.blocks() {
            let mut ciphertexts = Vec::with_capacity(block.len() * self.packing.channel_blocks());
            for inputs in self.inputs(block.clone()).chunks(INPUTS_PER_MESSAGE) {
                receive_ciphertexts(peer.context(), inputs.len(), channel, &mut ciphertexts)?;
            }
            for rows in batches(&self.rows(block.clone())) {
                let drawn: Vec<(&Row, Vec<AnswerRandomness>)> = rows
                    .iter()
                    .map(|row| (row, row.units.clone().map(|_| sealer.randomness()).collect()))
                    .collect();
                let compute = |(row, randomness)| {
                    let inputs = self.inputs_of(row, block.start, &ciphertexts);
                    self.sealed(row, self.products(row, weights, peer.context(), inputs), randomness, &sealer)
                };
                let answers: Vec<Vec<Sealed>> = drawn.into_par_iter().map(compute).collect();
                for sealed in answers.iter().flat_map(|row| row.chunks(ANSWERS_PER_MESSAGE)) {
                    let message: Vec<&[u8]> = sealed.iter().map(|answer| &answer.bytes[..]).collect();
                    channel.send(&message.concat())?;
                }
                for answer in answers.into_iter().flatten() {
                    put(&mut share, &answer.places, &answer.values);
                }
            }
        }
        Ok(share)
    }

    /// The ciphertexts of a row's units, out of those of the block that begins with unit `start`.
    fn inputs_of<'c>(&self, row: &Row, start: usize, ciphertexts: &'c [Ciphertext]) -> &'c [Ciphertext] {
        let channel_blocks = self.packing.channel_blocks();
        &ciphertexts[(row.units.start - start) * channel_blocks..(row.units.end - start) * channel_blocks]
    }

    /// The answers of a row's products, in the order of the wire.
    fn sealed(
        &self,
        row: &Row,
        products: Vec<Product>,
        randomness: Vec<AnswerRandomness>,
        sealer: &Sealer<'_>,
    ) -> Vec<Sealed> {
        let seal = |((unit, product), randomness)| {
            let places = self.packing.output_places(self.packing.unit(unit), row.output_block);
            let mut bytes = Vec::with_capacity(answer_bytes(Context::exact(), places.len()));
            let values = sealer.seal(product, randomness, self.ring, &places, &mut bytes);
            Sealed { bytes, places, values: values.into() }
        };
        row.units.clone().into_par_iter().zip(products).zip(randomness).map(seal).collect()
    }

    /// The sums of products of a row, one a unit.
    fn products(
        &self,
        row: &Row,
        weights: &[i32],
        context: &'static Context,
        ciphertexts: &[Ciphertext],
    ) -> Vec<Product> {
        let channel_blocks = self.packing.channel_blocks();
        let mut products: Vec<Product> = row.units.clone().map(|_| Product::zero(context)).collect();
        for first in (0..channel_blocks).step_by(KERNELS_AT_A_TIME) {
            let end = (first + KERNELS_AT_A_TIME).min(channel_blocks);
            let kernel = |channel_block| {
                let places = self.packing.weight_places(row.bundle, row.output_block, channel_block);
                context.kernel(&places, weights)
            };
            let kernels: Vec<Spectrum> = (first..end).into_par_iter().map(kernel).collect();
            let add = |(product, inputs): (&mut Product, &[Ciphertext])| {
                let pairs: Vec<(&Ciphertext, &Spectrum)> = inputs[first..end].iter().zip(&kernels).collect();
                product.add(&pairs);
            };
            products.par_iter_mut().zip(ciphertexts.par_chunks_exact(channel_blocks)).for_each(add);
        }
        products
    }
}

/// Receives one message of `count` ciphertexts.
fn receive_ciphertexts(
    context: &Context,
    count: usize,
    channel: &mut dyn Channel,
    ciphertexts: &mut Vec<Ciphertext>,
) -> Result<(), ProtocolError> {
    let length = Ciphertext::byte_count(context);
    let message = channel.receive(count * length)?;
    let read: Result<Vec<Ciphertext>, InvalidBytes> =
        message.par_chunks_exact(length).map(|bytes| Ciphertext::from_bytes(context, bytes)).collect();
    ciphertexts.extend(read?);
    Ok(())
}

/// Rows that are computed at once: enough answers to keep the threads busy, and few enough for the peer to begin.
fn batches(rows: &[Row]) -> impl Iterator<Item = &[Row]> {
    let mut answers = 0;
    rows.chunk_by(move |row, _| {
        answers += row.units.len();
        let room = answers < ANSWERS_AT_A_TIME;
        answers = if room { answers } else { 0 };
        room
    })
}
