//! The model owner's half of a plan: the secrets of each node that has any.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{PlanError, PublicPlan};

/// The model owner's half: the secrets of each node that has any, in the order of the nodes.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Weights {
    /// Node index, and what belongs to it.
    pub secrets: Vec<(usize, Secret)>,
}

/// What only the model owner knows of a step. Erased on drop.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Secret {
    /// Of a convolution or dense layer.
    Linear(LayerWeights),
    /// Of an added constant.
    Constants(Constants),
}

/// Integer weights of one linear step. Erased on drop.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerWeights {
    /// (out channels, in channels / groups, kernel...) row major; (out, in) for dense.
    pub weight: Vec<i32>,
    /// One per output channel, in the accumulator's scale.
    pub bias: Vec<i64>,
}

/// Integers that one step adds, row major. Erased on drop.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constants {
    /// In the output's scale.
    pub values: Vec<i64>,
}

impl Weights {
    /// What belongs to a node.
    pub fn of(&self, node: usize) -> Option<&Secret> {
        let at = self.secrets.binary_search_by_key(&node, |(index, _)| *index).ok()?;

        Some(&self.secrets[at].1)
    }

    /// The weights of a linear node.
    pub fn layer(&self, node: usize) -> Option<&LayerWeights> {
        self.of(node).and_then(Secret::layer)
    }

    /// The weights of all linear nodes, with their nodes.
    pub fn layers(&self) -> impl Iterator<Item = (usize, &LayerWeights)> {
        self.secrets.iter().filter_map(|(node, secret)| Some((*node, secret.layer()?)))
    }

    /// As [`Weights::layers`], to be changed.
    pub fn layers_mut(&mut self) -> impl Iterator<Item = (usize, &mut LayerWeights)> {
        self.secrets.iter_mut().filter_map(|(node, secret)| match secret {
            Secret::Linear(layer) => Some((*node, layer)),
            Secret::Constants(_) => None,
        })
    }

    /// What all nodes that add constants add, with their nodes.
    pub fn constants(&self) -> impl Iterator<Item = (usize, &Constants)> {
        self.secrets.iter().filter_map(|(node, secret)| match secret {
            Secret::Constants(constants) => Some((*node, constants)),
            Secret::Linear(_) => None,
        })
    }

    /// As [`Weights::constants`], to be changed.
    pub fn constants_mut(&mut self) -> impl Iterator<Item = (usize, &mut Constants)> {
        self.secrets.iter_mut().filter_map(|(node, secret)| match secret {
            Secret::Constants(constants) => Some((*node, constants)),
            Secret::Linear(_) => None,
        })
    }

    /// Checks that each step with secrets has its own, of their size and within their width, and no other node has any. The plan must
    /// be valid.
    pub fn check(&self, plan: &PublicPlan) -> Result<(), PlanError> {
        let mut secrets = self.secrets.iter().peekable();
        for (index, node) in plan.nodes.iter().enumerate() {
            let Some(room) = node.step.operator().secrets() else { continue };
            let secret = secrets.next_if(|(at, _)| *at == index).map(|(_, secret)| secret);
            if let Some(problem) = room.problem(secret) {
                return Err(PlanError::Weights { place: node.name.clone(), problem });
            }
        }
        if secrets.next().is_some() {
            let problem = "there are secrets of steps that have none";
            return Err(PlanError::Weights { place: "the end".into(), problem });
        }
        Ok(())
    }

    /// What the model owner knows its own weights by. Never leaves it: without a salt it would let others test guesses.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = blake3::Hasher::new_derive_key("blindscan 2026-11 weights of a model owner");
        for (node, secret) in &self.secrets {
            hash.update(&(*node as u64).to_le_bytes());
            secret.hash_into(&mut hash);
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

impl Secret {
    /// The weights of a linear step.
    pub fn layer(&self) -> Option<&LayerWeights> {
        match self {
            Self::Linear(layer) => Some(layer),
            Self::Constants(_) => None,
        }
    }

    /// A byte for the kind, the number of its integers, and these.
    fn hash_into(&self, hash: &mut blake3::Hasher) {
        let (kind, count, mut bytes): (u8, usize, Vec<u8>) = match self {
            Self::Linear(LayerWeights { weight, bias }) => {
                let biases = bias.iter().flat_map(|bias| bias.to_le_bytes());
                let bytes = weight.iter().flat_map(|weight| weight.to_le_bytes()).chain(biases);
                (0, weight.len(), bytes.collect())
            }
            Self::Constants(Constants { values }) => {
                (1, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
        };
        hash.update(&[kind]);
        hash.update(&(count as u64).to_le_bytes());
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(&bytes);
        bytes.zeroize();
    }

    /// The numbers that are added to the step's output: one per channel, or the constants.
    pub(crate) fn added_mut(&mut self) -> &mut [i64] {
        match self {
            Self::Linear(layer) => &mut layer.bias,
            Self::Constants(constants) => &mut constants.values,
        }
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
        write!(f, "Weights(secrets of {} nodes)", self.secrets.len())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Linear(layer) => layer.fmt(f),
            Self::Constants(constants) => constants.fmt(f),
        }
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
