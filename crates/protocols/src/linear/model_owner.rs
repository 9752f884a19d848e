//! The model owner: multiplies with its weights, masks, keeps the masks' share.
//!
//! Kernels are transformed when they are needed, one output block over all tiles of a block, and dropped.

use blindscan_rlwe::answer::{Product, Sealer};
use blindscan_rlwe::ciphertext::Ciphertext;
use blindscan_rlwe::context::Context;
use blindscan_rlwe::keys::PublicKey;
use blindscan_rlwe::poly::Spectrum;
use blindscan_wire::Channel;
use rand_core::CryptoRng;

use super::{INPUTS_PER_MESSAGE, LinearLayer, Row, WEIGHT_BOUND};
use crate::ProtocolError;

/// Kernels transformed at a time: 64 KiB each.
const KERNELS_AT_A_TIME: usize = 8;

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
    ) -> Result<Vec<u32>, ProtocolError> {
        assert_eq!(weights.len(), self.shape.weight_count(), "a layer has the weights of its shape");
        let largest = weights.iter().fold(0, |most, weight| most.max(weight.unsigned_abs()));
        assert!(largest < WEIGHT_BOUND as u32, "weights are below 2^15 in magnitude");
        let mut sealer = Sealer::new(peer, rng);
        let mut shares = vec![0; self.shape.output_count()];
        for block in self.blocks() {
            let mut ciphertexts = Vec::with_capacity(block.len() * self.packing.channel_blocks());
            for inputs in self.inputs(block.clone()).chunks(INPUTS_PER_MESSAGE) {
                receive_ciphertexts(peer.context(), inputs.len(), channel, &mut ciphertexts)?;
            }
            for row in self.rows(block.clone()) {
                let inputs = self.inputs_of(&row, block.start, &ciphertexts);
                let mut products = self.products(&row, weights, peer.context(), inputs).into_iter();
                for units in row.messages() {
                    let mut message =
                        Vec::with_capacity(self.answer_lengths(row.output_block, &units).iter().sum());
                    for &unit in &units {
                        let product = products.next().expect("a row has a product for each of its units");
                        let places = self.packing.output_places(self.packing.unit(unit), row.output_block);
                        let randomness = sealer.randomness();
                        let sealed = sealer.seal(product, randomness, self.ring, &places, &mut message);
                        for (place, share) in places.iter().zip(sealed) {
                            shares[place.element] = share;
                        }
                    }
                    channel.send(&message)?;
                }
            }
        }
        Ok(shares)
    }

    /// The ciphertexts of a row's units, out of those of the block that begins with unit `start`.
    fn inputs_of<'c>(&self, row: &Row, start: usize, ciphertexts: &'c [Ciphertext]) -> &'c [Ciphertext] {
        let channel_blocks = self.packing.channel_blocks();
        &ciphertexts[(row.units.start - start) * channel_blocks..(row.units.end - start) * channel_blocks]
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
                let places = self.packing.weight_places(row.group, row.output_block, channel_block);
                context.kernel(&places, weights)
            };
            let kernels: Vec<Spectrum> = (first..end).map(kernel).collect();
            for (product, inputs) in products.iter_mut().zip(ciphertexts.chunks_exact(channel_blocks)) {
                let pairs: Vec<(&Ciphertext, &Spectrum)> = inputs[first..end].iter().zip(&kernels).collect();
                product.add(&pairs);
            }
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
    for bytes in message.chunks_exact(length) {
        ciphertexts.push(Ciphertext::from_bytes(context, bytes)?);
    }
    Ok(())
}
