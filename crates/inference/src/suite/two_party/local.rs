//! Steps without messages: each party moves, scales and adds its own shares; the model owner adds what only it knows.
//!
//! Ideal: that of the step, [`blindscan_graph::local`], modulo the output's ring. Demand, messages, stock: none. Security: of
//! what the model owner adds, the image owner's program holds shape and width, from the public plan, and nothing else.

use blindscan_arith::ring::Ring32;
use blindscan_graph::plan::{self, PlanNode};
use blindscan_protocols::share::Share;
use blindscan_protocols::two_party::Party;

use super::TwoParty;
use super::sides::{Runner, RunningSide};
use crate::cost::WorkCounts;
use crate::shares::Shares;
use crate::suite::{Layer, NodeLayer};
use crate::{InferenceError, OffByOne};

/// A step that each party does alone.
pub(super) struct Local {
    /// Number of the node.
    pub(super) node: usize,
    pub(super) step: plan::Local,
}

impl Layer<TwoParty> for Local {
    fn kind(&self) -> &'static str {
        "local"
    }

    fn speaks(&self) -> bool {
        false
    }

    fn work(&self) -> WorkCounts {
        WorkCounts::default()
    }

    fn stock_bytes(&self, _: Party) -> usize {
        0
    }

    fn working_bytes(&self) -> u64 {
        0
    }

    fn off_by_one(&self) -> OffByOne {
        OffByOne::NEVER
    }
}

impl NodeLayer<TwoParty> for Local {
    fn run(
        &self,
        node: &PlanNode,
        shares: &mut Shares,
        at: &mut Runner<'_>,
    ) -> Result<Share, InferenceError> {
        let inputs: Vec<&[u32]> = node.inputs.iter().map(|&tensor| shares.get(tensor).words()).collect();
        let shapes = at.public.shapes(node);
        let ring = Ring32::new(at.public.tensors[node.output].ring_bits);
        let mut share = Share::of_words(self.step.words(ring, &inputs, &shapes));
        if let RunningSide::ModelOwner { weights } = &at.side {
            self.step.add_secret(ring, share.words_mut(), &shapes, weights.of(self.node));
        }
        share.reduce(ring);
        Ok(share)
    }
}
