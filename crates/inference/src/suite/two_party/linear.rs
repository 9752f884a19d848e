//! Convolutions and dense layers.
//!
//! | phase | who | message |
//! |---|---|---|
//! | offline | both | shares of W*r for the mask r of the input tensor: [`blindscan_protocols::linear`] |
//! | online | image owner | its share of the input minus r, at the tensor's ring width; once a tensor, whoever consumes it |
//! | online | model owner | nothing: it convolves x - r in the clear and adds its share and the bias |
//!
//! Ideal: shares of W*x + b modulo the output's ring. Demand: one mask a tensor (regenerated from a seed), one share of
//! W*r a layer. Cost online: one message of the tensor. Security: r is uniform, so x - r is too; the rest is offline.
//! Source: DESIGN 4.1; the offline/online split as in Mishra et al., Delphi, USENIX Security 2020, section 4.

use blindscan_arith::block::Block;
use blindscan_arith::conv::convolve_wrapping;
use blindscan_arith::prg::Prg;
use blindscan_arith::ring::{Module, Ring32};
use blindscan_graph::plan::{LayerWeights, TensorId};
use blindscan_protocols::Party;
use blindscan_protocols::linear::LinearLayer;
use blindscan_protocols::share::Share;
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use crate::InferenceError;
use crate::shares::Shares;
use crate::stock::Stock;

/// One linear layer.
pub(crate) struct Linear {
    pub(crate) layer: LinearLayer,
    /// The output's ring.
    pub(crate) ring: Ring32,
    pub(crate) input: Masked,
    /// Whether this is the first layer that needs the input masked: the one that opens it.
    pub(crate) opens: bool,
    /// log2 of the probability that a value of the output is off by one.
    pub(crate) off_by_one_log2: f64,
}

/// A tensor that is opened under a mask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masked {
    pub(crate) tensor: TensorId,
    pub(crate) ring: Ring32,
    pub(crate) count: usize,
}

/// From which all masks of one image are made. Image owner only.
pub(crate) struct MaskSeed(pub(crate) [u8; 32]);

impl Drop for MaskSeed {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl Masked {
    /// The mask: uniform in the tensor's ring.
    pub(crate) fn mask(&self, seed: &MaskSeed) -> Share {
        let mut key = blake3::Hasher::new_keyed(&seed.0);
        key.update(b"blindscan 1 mask of tensor");
        key.update(&(self.tensor as u64).to_le_bytes());
        let block = Block::from_le_bytes(key.finalize().as_bytes()[..16].try_into().expect("16 of 32 bytes"));
        Share::of_words(self.ring.uniform(&mut Prg::new(block), self.count))
    }
}

impl Linear {
    pub(crate) fn stock_bytes(&self) -> usize {
        self.ring.packed_bytes(self.layer.shape().output_count())
    }

    pub(crate) fn offline_script(&self) -> Script {
        self.layer.script()
    }

    pub(crate) fn online_script(&self) -> Script {
        match self.opens {
            true => Party::ImageOwner.sends(self.input.ring.packed_bytes(self.input.count)).into(),
            false => Script::default(),
        }
    }

    pub(crate) fn image_owner_online(
        &self,
        shares: &mut Shares,
        seed: &MaskSeed,
        stock: &mut Stock,
        channel: &mut dyn Channel,
    ) -> Result<Share, InferenceError> {
        if self.opens {
            let mask = self.input.mask(seed);
            let masked = shares.get(self.input.tensor).minus(self.input.ring, mask.view());
            channel.send(&self.input.ring.pack(masked.words()))?;
            shares.put(self.input.tensor, mask);
        }
        let share = stock.section(self.stock_bytes())?;
        Ok(Share::of_words(self.ring.unpack(&share, self.layer.shape().output_count())))
    }

    pub(crate) fn model_owner_online(
        &self,
        shares: &mut Shares,
        weights: &LayerWeights,
        stock: &mut Stock,
        channel: &mut dyn Channel,
    ) -> Result<Share, InferenceError> {
        let (ring, count) = (self.input.ring, self.input.count);
        if self.opens {
            let theirs = ring.unpack(&channel.receive(ring.packed_bytes(count))?, count);
            let mut masked = Share::of_words(theirs);
            masked.add(ring, shares.get(self.input.tensor));
            shares.put(self.input.tensor, masked);
        }
        let shape = self.layer.shape();
        let input = shares.get(self.input.tensor).words();
        let mut output = Share::of_words(convolve_wrapping(shape, &weights.weight, input));
        let section = stock.section(self.stock_bytes())?;
        let share = Share::of_words(self.ring.unpack(&section, shape.output_count()));
        add_bias_and_share(output.words_mut(), &weights.bias, share.words(), shape.input_size.is_empty());
        output.reduce(self.ring);
        Ok(output)
    }
}

/// Adds one bias a channel (or, in a dense layer, a feature) and the share of W*r.
fn add_bias_and_share(output: &mut [u32], bias: &[i64], share: &[u32], dense: bool) {
    let inner = if dense { 1 } else { output.len() / bias.len() };
    for (index, (words, shares)) in output.chunks_mut(inner).zip(share.chunks(inner)).enumerate() {
        let bias = bias[index % bias.len()] as u32;
        for (word, share) in words.iter_mut().zip(shares) {
            *word = word.wrapping_add(bias).wrapping_add(*share);
        }
    }
}
