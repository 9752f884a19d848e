//! One party's shares of the tensors that are still needed; each is dropped, and so erased, when it no longer is.

use blindscan_graph::plan::{PublicPlan, TensorId};
use blindscan_protocols::share::{Share, ShareView};

/// Shares by tensor.
pub(crate) struct Shares<W: Copy + Default = u32> {
    shares: Vec<Option<Share<W>>>,
    uses_left: Vec<usize>,
}

impl<W: Copy + Default> Shares<W> {
    /// No shares yet; how often each tensor will be used is known from the plan.
    pub(crate) fn new(plan: &PublicPlan) -> Self {
        let mut uses_left = vec![0; plan.tensors.len()];
        for &tensor in plan.nodes.iter().flat_map(|node| &node.inputs) {
            uses_left[tensor] += 1;
        }
        uses_left[plan.output] += 1;
        Self { shares: plan.tensors.iter().map(|_| None).collect(), uses_left }
    }

    /// The share of a tensor.
    pub(crate) fn get(&self, tensor: TensorId) -> ShareView<'_, W> {
        self.shares[tensor].as_ref().expect("nodes stand in a runnable order").view()
    }

    /// Keeps a share.
    pub(crate) fn put(&mut self, tensor: TensorId, share: Share<W>) {
        self.shares[tensor] = Some(share);
    }

    /// One use of each of these tensors is over.
    pub(crate) fn used(&mut self, tensors: &[TensorId]) {
        for &tensor in tensors {
            self.uses_left[tensor] -= 1;
            if self.uses_left[tensor] == 0 {
                self.shares[tensor] = None;
            }
        }
    }
}
