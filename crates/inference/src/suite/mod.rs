//! A suite is a room: the protocols by which the parties of a plan compute it together.
//!
//! A room answers the questions of [`Suite`] for itself and those of [`Layer`] for every layer; the loops of both phases
//! ([`crate::phase`]), costs ([`crate::cost`]) and estimates ([`crate::estimate`]) ask nothing else and are written once.
//! [`crate::assigned`] is the only place that tells suites apart. How a suite is added: `docs/adding-a-suite.md`.
//!
//! | room | parties | linear layers | comparisons |
//! |---|---|---|---|
//! | [`two_party`] | image owner, model owner | homomorphic encryption, offline | oblivious transfers |

pub(crate) mod two_party;

use std::fmt;
use std::iter::Sum;

use blindscan_graph::plan::{PlanNode, PublicPlan};
use blindscan_protocols::ot::source::OtKind;
use blindscan_protocols::share::{Share, ShareView};
use blindscan_wire::Traffic;
use blindscan_wire::script::{Script, Seat};

use crate::cost::WorkCounts;
use crate::shares::Shares;
use crate::stock::StockWriter;
use crate::{InferenceError, OffByOne, Output};

/// What a room says of itself.
pub(crate) trait Suite: Sized + 'static {
    /// Who takes part.
    type Party: Copy + fmt::Debug + Into<Seat> + 'static;
    /// The numbers of its own that a plan states.
    type Numbers: Copy;
    /// What a share of one element is.
    type Word: Copy + Default;
    /// One-time material that layers ask for.
    type Demand: Copy + Default + Sum;
    /// When that material is made and by which messages: the arithmetic of one stock, without the material.
    type Schedule;
    /// One party while it makes a stock.
    type Maker<'a>: MakesStock;
    /// One party while it uses a stock up.
    type Runner<'a>: UsesStock;

    /// All of them, with what people call them.
    const PARTIES: &'static [(Self::Party, &'static str)];
    /// Its name in reports and in the headers of stocks, where it has room for 16 bytes.
    const NAME: &'static str;

    /// Every number that is in no plan and that all parties must share.
    fn parameters() -> String;

    /// Puts a layer on every node of a valid plan.
    fn assign(plan: &PublicPlan, numbers: Self::Numbers) -> Result<Assignment<Self>, InferenceError>;

    /// The schedule of a stock of this demand.
    fn schedule(ot: OtKind, demand: Self::Demand) -> Self::Schedule;

    /// What is said once per connection, before the first stock.
    fn set_up_script() -> Script;

    /// What is said before the first layer of a stock.
    fn opening_script() -> Script;

    /// What is said after the last layer of a stock, until all parties know that it is stored.
    fn closing_script(schedule: &Self::Schedule) -> Script;
}

/// A layer for every node, and the answer.
pub(crate) struct Assignment<S: Suite> {
    pub(crate) nodes: Vec<Box<dyn NodeLayer<S>>>,
    pub(crate) answer: Box<dyn AnswerLayer<S>>,
}

/// What is asked of every layer before anything runs, and in the offline phase. What has a default here is compared with what is
/// measured by every test of a whole inference; what nothing compares has none.
pub(crate) trait Layer<S: Suite>: Send + Sync {
    /// What it does, in a word.
    fn kind(&self) -> &'static str;

    /// Whether messages belong to it. A layer that does not speak has no material either, and is in no cost.
    fn speaks(&self) -> bool {
        true
    }

    /// One-time material.
    fn demand(&self) -> S::Demand {
        S::Demand::default()
    }

    /// Work by kind, for estimates.
    fn work(&self) -> WorkCounts;

    /// Bytes that a party keeps of it in a stock, seals not counted.
    fn stock_bytes(&self, party: S::Party) -> usize;

    /// What the party with the largest working set holds while it makes the stock, beside shares.
    fn working_bytes(&self) -> u64;

    /// How often its values differ from the clear ones although all parties did what they should.
    fn off_by_one(&self) -> OffByOne;

    /// What is said while its stock is made.
    fn offline_script(&self, _schedule: &mut S::Schedule) -> Script {
        Script::default()
    }

    /// What is said while it runs.
    fn online_script(&self) -> Script {
        Script::default()
    }

    /// Makes its stock.
    fn make(&self, _at: &mut S::Maker<'_>) -> Result<(), InferenceError> {
        Ok(())
    }
}

/// A layer that makes the tensor of a node.
pub(crate) trait NodeLayer<S: Suite>: Layer<S> {
    /// This party's share of the node's output.
    fn run(
        &self,
        node: &PlanNode,
        shares: &mut Shares<S::Word>,
        at: &mut S::Runner<'_>,
    ) -> Result<Share<S::Word>, InferenceError>;
}

/// The layer that opens the answer to whom it is for.
pub(crate) trait AnswerLayer<S: Suite>: Layer<S> {
    /// The answer, at the party that gets it.
    fn run(
        &self,
        logits: ShareView<'_, S::Word>,
        at: &mut S::Runner<'_>,
    ) -> Result<Option<Output>, InferenceError>;
}

/// One party while it makes a stock.
pub(crate) trait MakesStock {
    /// What its links have carried.
    fn traffic(&self) -> Traffic;

    /// Ends the stock after its last layer: checks that span layers. What its links have carried then.
    fn close(self) -> Result<(StockWriter, Traffic), InferenceError>;
}

/// One party while it uses a stock up.
pub(crate) trait UsesStock {
    /// What its links have carried.
    fn traffic(&self) -> Traffic;
}
