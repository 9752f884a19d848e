//! The two owners: set-up once a connection, then offline and online once an image.
//!
//! | phase | who | what |
//! |---|---|---|
//! | set-up | image owner | a fresh key pair, its public half to the model owner |
//! | offline | both | base transfers, one fresh instance a direction |
//! | offline | both | layer by layer: shares of W*r, pads; each half written to that party's stock |
//! | offline | both | the check of all transfers of this stock |
//! | offline | model owner | one byte: its half is stored |
//! | online | both | layer by layer, from the stock |
//!
//! Cost: [`AssignedPlan::cost`], equal to what the channel counts. Security: two parties, no helper; the image stays private
//! whatever the model owner does, the weights do while the image owner follows the protocol.
//! The image owner's roles are built from the public plan alone; the model owner's from a plan and its weights.

use blindscan_graph::plan::{Local, PlanNode, TensorId};
use blindscan_protocols::share::{Share, ShareView};
use blindscan_wire::Traffic;

use crate::assign::AssignedPlan;
use crate::shares::Shares;
pub use crate::suite::two_party::{ImageOwner, ModelOwner};

/// The two phases of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the input is known.
    Offline,
    /// From the input to the answer.
    Online,
}

/// Told after each layer that speaks: progress for people, traffic for reports.
pub trait Observer {
    /// A phase of an image begins; `traffic` is the channel's reading now. What went before was no part of it.
    fn begin(&mut self, _phase: Phase, _traffic: Traffic) {}

    /// Layer `done` of `of` of a phase is over; `traffic` is the channel's reading now.
    fn layer(&mut self, phase: Phase, done: usize, of: usize, traffic: Traffic);

    /// For `compare` alone, which owns both files: this party's share of a tensor, when [`Observer::wants_shares`].
    fn share(&mut self, _tensor: TensorId, _share: ShareView<'_>) {}

    /// Whether [`Observer::share`] is called. Never in a deployed role.
    fn wants_shares(&self) -> bool {
        false
    }
}

/// An observer that does not look.
pub struct Unobserved;

impl Observer for Unobserved {
    fn layer(&mut self, _: Phase, _: usize, _: usize, _: Traffic) {}
}

/// Progress through the layers of one phase.
pub(crate) struct Progress<'a> {
    phase: Phase,
    done: usize,
    of: usize,
    observer: &'a mut dyn Observer,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(plan: &AssignedPlan, phase: Phase, observer: &'a mut dyn Observer) -> Self {
        Self { phase, done: 0, of: plan.layer_count(), observer }
    }

    pub(crate) fn step(&mut self, traffic: Traffic) {
        self.done += 1;
        self.observer.layer(self.phase, self.done, self.of, traffic);
    }

    pub(crate) fn share(&mut self, tensor: TensorId, share: ShareView<'_>) {
        if self.observer.wants_shares() {
            self.observer.share(tensor, share);
        }
    }
}

/// The public part of a local step on this party's shares, still to be reduced to the output's ring.
pub(crate) fn local_step(plan: &AssignedPlan, node: &PlanNode, step: &Local, shares: &Shares) -> Share {
    let inputs: Vec<&[u32]> = node.inputs.iter().map(|&tensor| shares.get(tensor).words()).collect();

    Share::of_words(step.words(&inputs, &plan.plan().shapes(node)))
}
