//! One party's shares of the tensors that are still needed, erased when they no longer are.

use blindscan_arith::ring::Ring;
use blindscan_graph::plan::{PublicPlan, TensorId};
use zeroize::Zeroize;

/// Shares by tensor.
pub(crate) struct Shares {
    words: Vec<Option<Vec<u32>>>,
    uses_left: Vec<usize>,
}

impl Shares {
    /// No shares yet; how often each tensor will be used is known from the plan.
    pub(crate) fn new(plan: &PublicPlan) -> Self {
        let mut uses_left = vec![0; plan.tensors.len()];
        for &tensor in plan.nodes.iter().flat_map(|node| &node.inputs) {
            uses_left[tensor] += 1;
        }
        uses_left[plan.output] += 1;
        Self { words: vec![None; plan.tensors.len()], uses_left }
    }

    /// The share of a tensor.
    pub(crate) fn get(&self, tensor: TensorId) -> &[u32] {
        self.words[tensor].as_deref().expect("nodes stand in a runnable order")
    }

    /// Keeps a share.
    pub(crate) fn put(&mut self, tensor: TensorId, words: Vec<u32>) {
        if let Some(mut old) = self.words[tensor].replace(words) {
            erase(&mut old);
        }
    }

    /// One use of each of these tensors is over; shares without further use are erased.
    pub(crate) fn used(&mut self, tensors: &[TensorId]) {
        for &tensor in tensors {
            self.uses_left[tensor] -= 1;
            if self.uses_left[tensor] == 0
                && let Some(mut words) = self.words[tensor].take()
            {
                erase(&mut words);
            }
        }
    }
}

impl Drop for Shares {
    fn drop(&mut self) {
        self.words.iter_mut().flatten().for_each(erase);
    }
}

/// Words that are erased when they are dropped: a mask, a share that is written down or added up.
pub(crate) struct Erased(pub(crate) Vec<u32>);

impl std::ops::Deref for Erased {
    type Target = [u32];
    fn deref(&self) -> &[u32] {
        &self.0
    }
}

impl Drop for Erased {
    fn drop(&mut self) {
        erase(&mut self.0);
    }
}

/// Reduces words into a ring, in place.
pub(crate) fn reduce(words: &mut [u32], ring: Ring) {
    let mask = ring.mask();
    words.iter_mut().for_each(|word| *word &= mask);
}

/// Zeros that the compiler keeps, written at the speed of `fill`.
fn erase(words: &mut Vec<u32>) {
    words.fill(0);
    zeroize::optimization_barrier(words.as_slice());
    words.clear();
    words.zeroize();
}
