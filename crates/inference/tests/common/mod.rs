//! All parties of a suite in one process, for the tests of whole inferences.
//!
//! Each test file uses a part of this.
#![allow(dead_code)]

#[path = "../../../graph/tests/plan_common/mod.rs"]
pub(crate) mod files;
pub(crate) mod models;
pub(crate) mod rooms;
pub(crate) mod taps;

use flate2 as _; // by the files above

use std::time::Duration;

use blindscan_graph::fixed;
use blindscan_graph::plan::{FixedPlan, OutputPolicy, TensorId, Weights};
use blindscan_inference::roles::{ImageOwner, ModelOwner, Observer, Phase, Unobserved};
use blindscan_inference::stock::{Stock, StockHeader, StockId, StockWriter};
use blindscan_inference::tap::{self, Tap, WholeRun};
use blindscan_inference::{AssignedPlan, InferenceError, OtKind, Output};
use blindscan_protocols::share::ShareView;
use blindscan_protocols::two_party::Party;
use blindscan_wire::script::Seat;
use blindscan_wire::{Channel, Traffic};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rooms::{Room, Scene};

/// The session's id, which the handshake would give.
const SESSION: [u8; 32] = [9; 32];

/// A wait is not cut short by a layer that the peer computes for minutes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(900);

/// What one end carried, phase by phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phases {
    pub(crate) setup: Traffic,
    pub(crate) offline: Traffic,
    pub(crate) online: Traffic,
}

/// The channel's readings at the borders of phases.
struct Readings(Vec<Traffic>);

impl Observer for Readings {
    fn begin(&mut self, _: Phase, traffic: Traffic) {
        self.0.push(traffic);
    }

    fn ready(&mut self, traffic: Traffic) {
        self.0.push(traffic);
    }

    fn layer(&mut self, _: Phase, _: usize, _: usize, _: Traffic) {}
}

/// Looks at no share.
struct NoLook;

impl Tap for NoLook {
    fn share(&mut self, _: TensorId, _: ShareView<'_>) {}
}

impl Readings {
    /// The phases of a run that has ended on this channel.
    fn phases(mut self, channel: &dyn Channel) -> Phases {
        self.0.push(channel.traffic());
        let [start, setup, offline, online] = self.0[..] else { panic!("four readings are taken") };
        Phases { setup: setup.since(start), offline: offline.since(setup), online: online.since(offline) }
    }
}

/// What a stock of this plan is called.
pub(crate) fn header(plan: &AssignedPlan, party: Party) -> StockHeader {
    StockHeader { id: StockId([3; 16]), purpose: plan.purpose(party, plan.digest()) }
}

/// The image owner's set-up and offline phase, written to `writer`.
pub(crate) fn image_owner_offline(
    plan: &AssignedPlan,
    writer: StockWriter,
    (ot, seed): (OtKind, u64),
    channel: &mut dyn Channel,
) -> Result<StockWriter, InferenceError> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut owner = ImageOwner::set_up(SESSION, &mut rng, channel)?;
    owner.set_ot(ot);
    owner.offline(plan, writer, &mut rng, &mut Unobserved, channel)
}

/// The model owner's set-up and offline phase, written to `writer`.
pub(crate) fn model_owner_offline(
    plan: &AssignedPlan,
    weights: &Weights,
    writer: StockWriter,
    (ot, seed): (OtKind, u64),
    channel: &mut dyn Channel,
) -> Result<StockWriter, InferenceError> {
    let mut rng = ChaCha20Rng::seed_from_u64(!seed);
    let mut owner = ModelOwner::set_up(SESSION, channel)?;
    owner.set_ot(ot);
    let made = owner.offline(plan, weights, writer, &mut rng, &mut Unobserved, channel)?;
    ModelOwner::stored(channel)?;
    Ok(made)
}

/// The image owner from set-up to the answer.
pub(crate) fn image_owner(
    plan: &AssignedPlan,
    input: &[i64],
    (kind, seed): (OtKind, u64),
    channel: &mut dyn Channel,
) -> Result<(Output, Phases), InferenceError> {
    let (run, mut rng) = (WholeRun { session: SESSION, kind }, ChaCha20Rng::seed_from_u64(seed));
    let mut readings = Readings(Vec::new());
    let output = tap::image_owner(plan, input, run, &mut rng, &mut readings, &mut NoLook, channel)?;
    Ok((output, readings.phases(channel)))
}

/// The model owner from set-up to the last message.
pub(crate) fn model_owner(
    plan: &AssignedPlan,
    weights: &Weights,
    (kind, seed): (OtKind, u64),
    channel: &mut dyn Channel,
) -> Result<Phases, InferenceError> {
    let (run, mut rng) = (WholeRun { session: SESSION, kind }, ChaCha20Rng::seed_from_u64(!seed));
    let mut readings = Readings(Vec::new());
    tap::model_owner(plan, weights, run, &mut rng, &mut readings, &mut NoLook, channel)?;
    Ok(readings.phases(channel))
}

/// The image owner's online phase.
pub(crate) fn image_owner_online(
    plan: &AssignedPlan,
    input: &[i64],
    stock: Stock,
    channel: &mut dyn Channel,
) -> Result<Output, InferenceError> {
    ImageOwner::online(plan, input, stock, &mut Unobserved, channel)
}

/// The model owner's online phase.
pub(crate) fn model_owner_online(
    plan: &AssignedPlan,
    weights: &Weights,
    stock: Stock,
    channel: &mut dyn Channel,
) -> Result<(), InferenceError> {
    ModelOwner::online(plan, weights, stock, &mut Unobserved, channel)
}

/// What the plan declares for a party. Layers must add up to the whole.
fn declared(plan: &AssignedPlan, seat: Seat, ot: OtKind) -> Phases {
    let cost = plan.cost(seat, ot);
    let online: Traffic = cost.layers.iter().map(|layer| layer.online).sum();
    let bytes = |traffic: Traffic| (traffic.bytes_sent, traffic.bytes_received);
    assert_eq!(bytes(online), bytes(cost.online), "layers add up to the whole");
    Phases { setup: cost.setup, offline: cost.offline, online: cost.online }
}

/// The reference answer: the clear evaluation of the fixed plan.
pub(crate) fn reference(made: &FixedPlan, input: &[i64]) -> Output {
    let evaluation = fixed::evaluate(&made.public, &made.weights, input).unwrap();
    match made.public.answer.policy {
        OutputPolicy::Logits => Output::Logits(evaluation.logits),
        OutputPolicy::Labels => {
            let labels = fixed::labels(&made.public, &evaluation.logits);
            Output::Labels(labels.into_iter().map(|label| label.try_into().expect("few classes")).collect())
        }
    }
}

/// Plays all parties of a suite: the answer must be the reference's bit for bit, the traffic at every seat the declared one, and
/// every message as long as the script says.
pub(crate) fn check<R: Room>(name: &str, made: &FixedPlan, input: &[i64], ot: OtKind, seed: u64) {
    let plan = AssignedPlan::new(made.public.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let script = plan.script(ot).messages();
    let parties = R::play(&Scene { plan: &plan, made, input, ot, seed }, None);
    let mut answers = 0;
    for (&(party, seat), ended) in R::PARTIES.iter().zip(parties) {
        let (output, phases) = ended.outcome.unwrap_or_else(|error| panic!("{name}, {party}: {error}"));
        answers += usize::from(output.is_some());
        // Not `assert_eq!`, which would print whole masks.
        assert!(
            output.is_none_or(|output| output == reference(made, input)),
            "{name}: the answer is the fixed one"
        );
        assert_eq!(phases, declared(&plan, seat, ot), "{name}: {party}'s cost");
        let said = script.iter().filter(|message| message.from == seat).map(|message| message.bytes);
        assert!(said.eq(ended.sent), "{name}: {party}'s messages are those of the script");
    }
    assert!(answers > 0, "{name}: somebody gets the answer");
}
