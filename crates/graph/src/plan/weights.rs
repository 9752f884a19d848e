//! The model owner's half of a plan.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{AddConstant, Linear, PlanError, PublicPlan, Step};

/// Biases are added modulo the ring, so they may lie outside it; beyond this they are nonsense.
const BIAS_LIMIT: u64 = 1 << 48;

/// The model owner's half: the secrets of each node that has any, by node index.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Weights {
    /// (node index, its integers) of each [`Step::Linear`], in the order of the nodes.
    pub layers: Vec<(usize, LayerWeights)>,
    /// (node index, its integers) of each [`Step::AddConstant`], in the order of the nodes.
    pub constants: Vec<(usize, Constants)>,
}

/// Integer weights of one linear step. Erased on drop.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerWeights {
    /// (out channels, in channels / groups, kernel...) row major; (out, in) for dense.
    pub weight: Vec<i32>,
    /// One an output channel, in the accumulator's scale.
    pub bias: Vec<i64>,
}

/// Integers that one step adds, row major. Erased on drop.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constants {
    /// In the output's scale.
    pub values: Vec<i64>,
}

impl Weights {
    /// The integers of linear node `node`.
    pub fn layer(&self, node: usize) -> Option<&LayerWeights> {
        of_node(&self.layers, node)
    }

    /// What node `node` adds.
    pub fn constants(&self, node: usize) -> Option<&Constants> {
        of_node(&self.constants, node)
    }

    /// Checks that there is one entry for each step with secrets, of its size and within its width. The plan must be valid.
    pub fn check(&self, plan: &PublicPlan) -> Result<(), PlanError> {
        let (mut layers, mut constants) = (self.layers.iter(), self.constants.iter());
        for (index, node) in plan.nodes.iter().enumerate() {
            let problem = match &node.step {
                Step::Linear(linear) => match layers.next() {
                    Some((at, layer)) if *at == index => layer.problem(linear),
                    _ => Some("its weights are missing or in the wrong place"),
                },
                Step::AddConstant(step) => match constants.next() {
                    Some((at, constants)) if *at == index => constants.problem(step),
                    _ => Some("its constants are missing or in the wrong place"),
                },
                Step::Activate { .. }
                | Step::MaxPool(_)
                | Step::SumPool(_)
                | Step::Add { .. }
                | Step::Concat { .. }
                | Step::Pad { .. }
                | Step::Reshape
                | Step::Transpose { .. }
                | Step::PixelShuffle { .. }
                | Step::Interleave { .. }
                | Step::Gather { .. }
                | Step::Scale { .. }
                | Step::ScaleByPosition { .. } => None,
            };
            if let Some(problem) = problem {
                return Err(PlanError::Weights { place: node.name.clone(), problem });
            }
        }
        if layers.next().is_some() || constants.next().is_some() {
            let problem = "there are more layers or constants than steps";
            return Err(PlanError::Weights { place: "the end".into(), problem });
        }
        Ok(())
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
        hash.update(&(self.layers.len() as u64).to_le_bytes());
        for (node, constants) in &self.constants {
            hash.update(&(*node as u64).to_le_bytes());
            hash.update(&(constants.values.len() as u64).to_le_bytes());
            let mut bytes: Vec<u8> = constants.values.iter().flat_map(|value| value.to_le_bytes()).collect();
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

/// The entry of a node, in a list sorted by node.
fn of_node<T>(entries: &[(usize, T)], node: usize) -> Option<&T> {
    let at = entries.binary_search_by_key(&node, |(index, _)| *index).ok()?;

    Some(&entries[at].1)
}

impl Constants {
    fn problem(&self, step: &AddConstant) -> Option<&'static str> {
        if self.values.len() != step.shape.iter().product::<usize>() {
            return Some("the number of constants is not what its shape says");
        }
        let limit = 1u64 << (step.bits - 1);
        if self.values.iter().any(|value| value.unsigned_abs() >= limit) {
            return Some("a constant is wider than the plan declares");
        }
        None
    }
}

impl Drop for Constants {
    fn drop(&mut self) {
        self.values.zeroize();
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
        write!(f, "Weights({} layers, {} constants, secret)", self.layers.len(), self.constants.len())
    }
}

impl std::fmt::Debug for LayerWeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LayerWeights({} weights, secret)", self.weight.len())
    }
}

impl std::fmt::Debug for Constants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Constants({} values, secret)", self.values.len())
    }
}
