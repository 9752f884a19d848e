//! The model owner's half of a plan.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{Linear, PlanError, PublicPlan, Step};

/// Biases are added modulo the ring, so they may lie outside it; beyond this they are nonsense.
const BIAS_LIMIT: u64 = 1 << 48;

/// The model owner's half: one entry a [`Step::Linear`] node, by node index.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Weights {
    /// (node index, its integers), in the order of the nodes.
    pub layers: Vec<(usize, LayerWeights)>,
}

/// Integer weights of one linear step. Erased on drop.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerWeights {
    /// (out channels, in channels / groups, kernel...) row major; (out, in) for dense.
    pub weight: Vec<i32>,
    /// One an output channel, in the accumulator's scale.
    pub bias: Vec<i64>,
}

impl Weights {
    /// The integers of linear node `node`.
    pub fn layer(&self, node: usize) -> Option<&LayerWeights> {
        let at = self.layers.binary_search_by_key(&node, |(index, _)| *index).ok()?;

        Some(&self.layers[at].1)
    }

    /// Checks that there is one entry for each linear step, of its size and within its width. The plan must be valid.
    pub fn check(&self, plan: &PublicPlan) -> Result<(), PlanError> {
        let mut layers = self.layers.iter();
        for (index, node) in plan.nodes.iter().enumerate() {
            let Step::Linear(linear) = &node.step else { continue };
            let problem = match layers.next() {
                Some((at, layer)) if *at == index => layer.problem(linear),
                _ => Some("its weights are missing or in the wrong place"),
            };
            if let Some(problem) = problem {
                return Err(PlanError::Weights { place: node.name.clone(), problem });
            }
        }
        match layers.next() {
            None => Ok(()),
            Some(_) => Err(PlanError::Weights {
                place: "the end".into(),
                problem: "there are more layers than steps",
            }),
        }
    }

    /// What the model owner knows its own weights by. Never leaves it: without a salt it would let others test guesses.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = blake3::Hasher::new_derive_key("blindscan 2026-11 weights of a model owner");
        for (node, layer) in &self.layers {
            hash.update(&(*node as u64).to_le_bytes());
            hash.update(&(layer.weight.len() as u64).to_le_bytes());
            let weights = layer.weight.iter().flat_map(|weight| weight.to_le_bytes());
            let mut bytes: Vec<u8> =
                weights.chain(layer.bias.iter().flat_map(|bias| bias.to_le_bytes())).collect();
            hash.update(&bytes);
            bytes.zeroize();
        }
        *hash.finalize().as_bytes()
    }

    /// What may leave the model owner, if anything does: a hash that fixes the weights and, by the random salt, hides them.
    pub fn commitment(&self, salt: &[u8; 32]) -> [u8; 32] {
        let mut bytes = postcard::to_stdvec(self).expect("weights have no part that postcard refuses");
        let key = blake3::derive_key("blindscan 2026-11 commitment to weights", salt);
        let commitment = *blake3::keyed_hash(&key, &bytes).as_bytes();
        bytes.zeroize();

        commitment
    }
}

impl LayerWeights {
    fn problem(&self, linear: &Linear) -> Option<&'static str> {
        if self.weight.len() != linear.shape().weight_count() {
            return Some("the number of weights is not what its shape says");
        }
        if self.bias.len() != linear.out_channels {
            return Some("the number of biases is not the number of output channels");
        }
        let limit = 1u32 << (linear.weight_bits - 1);
        if self.weight.iter().any(|w| w.unsigned_abs() >= limit) {
            return Some("a weight is wider than the plan declares");
        }
        if self.bias.iter().any(|b| b.unsigned_abs() >= BIAS_LIMIT) {
            return Some("a bias is too large for any accumulator");
        }
        None
    }
}

impl Drop for LayerWeights {
    fn drop(&mut self) {
        self.weight.zeroize();
        self.bias.zeroize();
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Weights({} layers, secret)", self.layers.len())
    }
}

impl std::fmt::Debug for LayerWeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LayerWeights({} weights, secret)", self.weight.len())
    }
}
