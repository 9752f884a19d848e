//! Convolutions and dense layers.
//!
//! | phase | who | message |
//! |---|---|---|
//! | offline | both | shares of W*r for the mask r of the input tensor: [`blindscan_protocols::two_party::linear`] |
//! | online | image owner | its share of the input minus r, at the tensor's ring width; once per tensor, whoever consumes it |
//! | online | model owner | nothing: it convolves x - r in the clear and adds its share and the bias |
//!
//! Ideal: shares of W*x + b modulo the output's ring. Demand: one mask per tensor (regenerated from a seed), one share of
//! W*r per layer. Cost online: one message of the tensor. Security: r is uniform, so x - r is too; the rest is offline.
//! Source: the offline/online split as in Mishra et al., Delphi, USENIX Security 2020, section 4.

use blindscan_arith::block::Block;
use blindscan_arith::conv::convolve_wrapping;
use blindscan_arith::prg::Prg;
use blindscan_arith::ring::{Module, Ring32};
use blindscan_graph::plan::{LayerWeights, PlanNode, TensorId, Weights};
use blindscan_protocols::share::Share;
use blindscan_protocols::two_party::Party;
use blindscan_protocols::two_party::linear::LinearLayer;
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use super::TwoParty;
use super::sides::{CHECKED, Maker, MakingSide, Runner, RunningSide};
use super::transfers::Schedule;
use crate::cost::WorkCounts;
use crate::shares::Shares;
use crate::stock::Stock;
use crate::suite::{Layer, NodeLayer};
use crate::{InferenceError, OffByOne};

/// One linear layer.
pub(super) struct Linear {
    /// Number of the node.
    pub(super) node: usize,
    pub(super) layer: LinearLayer,
    /// The output's ring.
    pub(super) ring: Ring32,
    pub(super) input: Masked,
    /// Whether this is the first layer that needs the input masked: the one that opens it.
    pub(super) opens: bool,
    /// log2 of the probability that a value of the output is off by one.
    pub(super) off_by_one_log2: f64,
}

/// A tensor that is opened under a mask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masked {
    pub(super) tensor: TensorId,
    pub(super) ring: Ring32,
    pub(super) count: usize,
}

/// From which all masks of one image are made. Image owner only.
pub(super) struct MaskSeed(pub(super) [u8; 32]);

impl Drop for MaskSeed {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl Masked {
    /// The mask: uniform in the tensor's ring.
    fn mask(&self, seed: &MaskSeed) -> Share {
        let mut key = blake3::Hasher::new_keyed(&seed.0);
        key.update(b"blindscan 1 mask of tensor");
        key.update(&(self.tensor as u64).to_le_bytes());
        let block = Block::from_le_bytes(key.finalize().as_bytes()[..16].try_into().expect("16 of 32 bytes"));
        Share::of_words(self.ring.uniform(&mut Prg::new(block), self.count))
    }
}

impl Layer<TwoParty> for Linear {
    fn kind(&self) -> &'static str {
        "linear"
    }

    fn work(&self) -> WorkCounts {
        WorkCounts {
            macs: self.layer.shape().macs(),
            ciphertexts: self.layer.ciphertexts(),
            products: self.layer.product_count(),
            kernels: self.layer.kernel_count(),
            ..WorkCounts::default()
        }
    }

    fn stock_bytes(&self, _: Party) -> usize {
        self.share_bytes()
    }

    fn working_bytes(&self) -> u64 {
        self.layer.memory_bytes()
    }

    fn off_by_one(&self) -> OffByOne {
        OffByOne::of(self.off_by_one_log2, self.layer.shape().output_count())
    }

    fn offline_script(&self, _: &mut Schedule) -> Script {
        self.layer.script()
    }

    fn online_script(&self) -> Script {
        match self.opens {
            true => Party::ImageOwner.sends(self.input.ring.packed_bytes(self.input.count)).into(),
            false => Script::default(),
        }
    }

    fn make(&self, at: &mut Maker<'_>) -> Result<(), InferenceError> {
        let share = match &at.side {
            MakingSide::ImageOwner { keys, seed } => {
                let mut mask = self.input.mask(seed);
                mask.reduce(self.ring);
                self.layer.image_owner_offline(mask.view(), keys, at.rng, at.channel)?
            }
            MakingSide::ModelOwner { weights, peer } => {
                self.layer.model_owner_offline(&self.weights(weights).weight, peer, at.rng, at.channel)?
            }
        };
        Ok(at.stock.section(self.ring.pack(share.words()))?)
    }
}

impl NodeLayer<TwoParty> for Linear {
    fn run(&self, _: &PlanNode, shares: &mut Shares, at: &mut Runner<'_>) -> Result<Share, InferenceError> {
        match &at.side {
            RunningSide::ImageOwner { seed } => self.image_owner(shares, seed, &mut at.stock, at.channel),
            RunningSide::ModelOwner { weights } => {
                self.model_owner(shares, self.weights(weights), &mut at.stock, at.channel)
            }
        }
    }
}

impl Linear {
    fn share_bytes(&self) -> usize {
        self.ring.packed_bytes(self.layer.shape().output_count())
    }

    fn weights<'w>(&self, weights: &'w Weights) -> &'w LayerWeights {
        weights.layer(self.node).expect(CHECKED)
    }

    fn image_owner(
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
        let share = stock.section(self.share_bytes())?;
        Ok(Share::of_words(self.ring.unpack(&share, self.layer.shape().output_count())))
    }

    fn model_owner(
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
        let section = stock.section(self.share_bytes())?;
        let share = Share::of_words(self.ring.unpack(&section, shape.output_count()));
        add_bias_and_share(output.words_mut(), &weights.bias, share.words(), shape.input_size.is_empty());
        output.reduce(self.ring);
        Ok(output)
    }
}

/// Adds one bias per channel (or, in a dense layer, per feature) and the share of W*r.
fn add_bias_and_share(output: &mut [u32], bias: &[i64], share: &[u32], dense: bool) {
    let inner = if dense { 1 } else { output.len() / bias.len() };
    for (index, (words, shares)) in output.chunks_mut(inner).zip(share.chunks(inner)).enumerate() {
        let bias = bias[index % bias.len()] as u32;
        for (word, share) in words.iter_mut().zip(shares) {
            *word = word.wrapping_add(bias).wrapping_add(*share);
        }
    }
}
