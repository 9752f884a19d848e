//! A public plan with a protocol on every node. The only place that tells suites apart.
//!
//! Made from the [`PublicPlan`] alone, so all parties make the same one.
#![deny(clippy::wildcard_enum_match_arm)]

use blindscan_graph::plan::{PublicPlan, SuiteSpec};
use blindscan_protocols::ot::source::OtKind;
use blindscan_wire::script::{Script, Seat};

use crate::InferenceError;
use crate::cost::{PlanCost, WorkCounts};
use crate::stock::{Purpose, SUITE_BYTES};
use crate::suite::two_party::{self, TwoParty};
use crate::suite::{AnswerLayer, Assignment, Layer, NodeLayer, Suite};

/// A public plan with a protocol on every node.
pub struct AssignedPlan(Assigned);

/// The suites. A new one is named here, and the compiler names the rest.
enum Assigned {
    TwoParty(Plan<TwoParty>),
}

/// Every suite's parameters, for [`crate::parameters_digest`].
pub(crate) fn parameters() -> String {
    [(TwoParty::NAME, TwoParty::parameters())].map(|(name, numbers)| format!("{name}: {numbers}\n")).concat()
}

impl AssignedPlan {
    /// Puts protocols on the nodes of a plan, as its suite says.
    ///
    /// # Errors
    /// When the plan is not valid, or a layer does not fit the suite: both by the layer's name.
    pub fn new(plan: PublicPlan) -> Result<Self, InferenceError> {
        plan.validate().map_err(|error| InferenceError::Plan(error.to_string()))?;
        Ok(Self(match plan.suite {
            SuiteSpec::TwoParty { radix_bits, rounding } => {
                Assigned::TwoParty(Plan::new(plan, two_party::Numbers { radix_bits, rounding })?)
            }
        }))
    }

    /// The public plan.
    pub fn plan(&self) -> &PublicPlan {
        self.any().public()
    }

    /// The public plan's digest.
    pub fn digest(&self) -> [u8; 32] {
        self.any().digest()
    }

    /// What a party's part of a stock for this plan is made for; `made_for` is the digest of all that must be the same when
    /// it is used.
    pub fn purpose(&self, party: impl Into<Seat>, made_for: [u8; 32]) -> Purpose {
        Purpose { made_for, suite: self.any().suite(), seat: party.into() }
    }

    /// Number of layers that speak, the answer included: what progress is counted in.
    pub fn layer_count(&self) -> usize {
        self.any().layer_count()
    }

    /// All work of one image.
    pub fn work(&self) -> WorkCounts {
        self.any().work()
    }

    /// How often the private answer differs from the clear one although all parties did what they should.
    pub fn off_by_one(&self) -> OffByOne {
        self.any().off_by_one()
    }

    /// What the plan costs one party with transfers of this kind, exactly as its channels will count it.
    ///
    /// # Panics
    /// When the suite has no such seat: [`AssignedPlan::seats`].
    pub fn cost(&self, party: impl Into<Seat>, ot: OtKind) -> PlanCost {
        self.any().cost(party.into(), ot)
    }

    /// All that is said on a connection for one image, from the keys to the answer.
    pub fn script(&self, ot: OtKind) -> Script {
        self.any().script(ot)
    }

    /// The suite's name.
    pub fn suite(&self) -> &'static str {
        self.any().suite()
    }

    /// Who takes part, and what people call them.
    pub fn seats(&self) -> Vec<(Seat, &'static str)> {
        self.any().seats()
    }

    /// The most that a party holds at a time while stock is made, beside shares.
    pub(crate) fn working_bytes(&self) -> u64 {
        self.any().working_bytes()
    }

    /// Bytes of one element of a share.
    pub(crate) fn word_bytes(&self) -> u64 {
        self.any().word_bytes()
    }

    /// The plan as the two-party suite has it, for that suite's roles.
    pub(crate) fn two_party(&self) -> Result<&Plan<TwoParty>, InferenceError> {
        match &self.0 {
            Assigned::TwoParty(plan) => Ok(plan),
        }
    }

    fn any(&self) -> &dyn AnyPlan {
        match &self.0 {
            Assigned::TwoParty(plan) => plan,
        }
    }
}

/// A plan of one suite.
pub(crate) struct Plan<S: Suite> {
    pub(crate) public: PublicPlan,
    digest: [u8; 32],
    pub(crate) nodes: Vec<Box<dyn NodeLayer<S>>>,
    pub(crate) answer: Box<dyn AnswerLayer<S>>,
}

/// What is asked of a plan whatever its suite.
trait AnyPlan: Send + Sync {
    fn public(&self) -> &PublicPlan;
    fn digest(&self) -> [u8; 32];
    fn suite(&self) -> &'static str;
    fn seats(&self) -> Vec<(Seat, &'static str)>;
    fn word_bytes(&self) -> u64;
    fn layer_count(&self) -> usize;
    fn work(&self) -> WorkCounts;
    fn working_bytes(&self) -> u64;
    fn off_by_one(&self) -> OffByOne;
    fn cost(&self, seat: Seat, ot: OtKind) -> PlanCost;
    fn script(&self, ot: OtKind) -> Script;
}

impl<S: Suite> Plan<S> {
    const NAME_FITS: () = assert!(S::NAME.len() <= SUITE_BYTES, "a suite's name fits the header of a stock");

    fn new(public: PublicPlan, numbers: S::Numbers) -> Result<Self, InferenceError> {
        let () = Self::NAME_FITS;
        let Assignment { nodes, answer } = S::assign(&public, numbers)?;
        Ok(Self { digest: public.digest(), public, nodes, answer })
    }

    /// The layers that speak with their names, the answer last.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (&str, &dyn Layer<S>)> {
        let nodes = self.public.nodes.iter().zip(&self.nodes);
        let nodes = nodes.map(|(node, layer)| (node.name.as_str(), &**layer as &dyn Layer<S>));
        let answer = ("answer", &*self.answer as &dyn Layer<S>);
        nodes.filter(|(_, layer)| layer.speaks()).chain([answer])
    }

    /// Number of layers that speak, the answer included.
    pub(crate) fn layer_count(&self) -> usize {
        self.layers().count()
    }

    /// All material that one image needs.
    pub(crate) fn demand(&self) -> S::Demand {
        self.layers().map(|(_, layer)| layer.demand()).sum()
    }
}

impl<S: Suite> AnyPlan for Plan<S> {
    fn public(&self) -> &PublicPlan {
        &self.public
    }

    fn digest(&self) -> [u8; 32] {
        self.digest
    }

    fn suite(&self) -> &'static str {
        S::NAME
    }

    fn seats(&self) -> Vec<(Seat, &'static str)> {
        S::PARTIES.iter().map(|&(party, name)| (party.into(), name)).collect()
    }

    fn word_bytes(&self) -> u64 {
        size_of::<S::Word>() as u64
    }

    fn layer_count(&self) -> usize {
        Plan::layer_count(self)
    }

    fn work(&self) -> WorkCounts {
        self.layers().map(|(_, layer)| layer.work()).sum()
    }

    fn working_bytes(&self) -> u64 {
        self.layers().map(|(_, layer)| layer.working_bytes()).max().unwrap_or(0)
    }

    fn off_by_one(&self) -> OffByOne {
        // Also of layers without messages: a suite may round where it says nothing.
        let nodes = self.nodes.iter().map(|node| node.off_by_one());
        nodes.chain([self.answer.off_by_one()]).fold(OffByOne::NEVER, OffByOne::or)
    }

    fn cost(&self, seat: Seat, ot: OtKind) -> PlanCost {
        let found = S::PARTIES.iter().find(|(party, _)| (*party).into() == seat);
        let (party, _) = found.expect("a cost is asked for at a seat of the suite");
        Plan::cost(self, *party, ot)
    }

    fn script(&self, ot: OtKind) -> Script {
        Plan::script(self, ot)
    }
}

/// Probabilities, at most, that a value in a layer's last place is off by one although all parties did what they should.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OffByOne {
    /// log2 of it for one value of the layer where it is largest; minus infinity where it never happens.
    pub value_log2: f64,
    /// For any value of one image.
    pub image: f64,
}

impl OffByOne {
    pub(crate) const NEVER: Self = Self { value_log2: f64::NEG_INFINITY, image: 0.0 };

    /// In a layer of so many values, each with this probability's log2.
    pub(crate) fn of(value_log2: f64, count: usize) -> Self {
        Self { value_log2, image: count as f64 * value_log2.exp2() }
    }

    fn or(self, other: Self) -> Self {
        Self { value_log2: self.value_log2.max(other.value_log2), image: self.image + other.image }
    }

    /// For any value of any of so many images.
    pub fn images(&self, count: u32) -> f64 {
        (f64::from(count) * self.image).min(1.0)
    }
}
