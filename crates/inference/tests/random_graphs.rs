//! Random small graphs, both parties against the clear evaluation: equal bit for bit, at exactly the declared cost.
//!
//! `BLINDSCAN_GRAPHS=5000 cargo test --release -p blindscan-inference --test random_graphs` runs more of them.

use blindscan_graph::fixed;
use blindscan_graph::plan::{OutputPolicy, Weights};
use blindscan_graph::random::random_plan;
use blindscan_inference::roles::{ImageOwner, ModelOwner, Unobserved};
use blindscan_inference::stock::{StockHeader, StockId, StockWriter};
use blindscan_inference::{AssignedPlan, Output};
use blindscan_protocols::Party;
use blindscan_wire::memory::play;
use blindscan_wire::{Channel, Traffic};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const GRAPHS_DEFAULT: u64 = 200;

/// What one end carried, phase by phase.
#[derive(Debug, PartialEq, Eq)]
struct Phases {
    setup: Traffic,
    offline: Traffic,
    online: Traffic,
}

struct Readings(Vec<Traffic>);

impl Readings {
    fn take(&mut self, channel: &dyn Channel) {
        self.0.push(channel.traffic());
    }

    fn phases(&self) -> Phases {
        let [start, setup, offline, online] = self.0[..] else { panic!("four readings are taken") };
        Phases { setup: setup.since(start), offline: offline.since(setup), online: online.since(offline) }
    }
}

fn header(plan: &AssignedPlan, party: Party) -> StockHeader {
    StockHeader { id: StockId([3; 16]), plan_digest: plan.digest(), party }
}

fn image_owner(plan: &AssignedPlan, input: &[i64], seed: u64, channel: &mut dyn Channel) -> (Output, Phases) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut readings = Readings(Vec::new());
    readings.take(channel);
    let mut owner = ImageOwner::set_up([9; 32], &mut rng, channel).unwrap();
    readings.take(channel);
    let writer = StockWriter::anonymous(header(plan, Party::ImageOwner)).unwrap();
    let made = owner.offline(plan, writer, &mut rng, &mut Unobserved, channel).unwrap();
    readings.take(channel);
    let stock = made.into_stock().unwrap();
    let output = ImageOwner::online(plan, input, stock, &mut Unobserved, channel).unwrap();
    readings.take(channel);
    (output, readings.phases())
}

fn model_owner(plan: &AssignedPlan, weights: &Weights, seed: u64, channel: &mut dyn Channel) -> Phases {
    let mut rng = ChaCha20Rng::seed_from_u64(!seed);
    let mut readings = Readings(Vec::new());
    readings.take(channel);
    let mut owner = ModelOwner::set_up([9; 32], channel).unwrap();
    readings.take(channel);
    let writer = StockWriter::anonymous(header(plan, Party::ModelOwner)).unwrap();
    let made = owner.offline(plan, weights, writer, &mut rng, &mut Unobserved, channel).unwrap();
    let stock = made.into_stock().unwrap();
    ModelOwner::stored(channel).unwrap();
    readings.take(channel);
    ModelOwner::online(plan, weights, stock, &mut Unobserved, channel).unwrap();
    readings.take(channel);
    readings.phases()
}

fn declared(plan: &AssignedPlan, party: Party) -> Phases {
    let cost = plan.cost(party);
    let sum =
        |phase: fn(&blindscan_inference::cost::LayerCost) -> Traffic| cost.layers.iter().map(phase).sum();
    assert!(same_bytes(sum(|layer| layer.online), cost.online), "layers add up to the whole");
    Phases { setup: cost.setup, offline: cost.offline, online: cost.online }
}

fn same_bytes(a: Traffic, b: Traffic) -> bool {
    (a.bytes_sent, a.bytes_received) == (b.bytes_sent, b.bytes_received)
}

fn check(seed: u64) {
    let (made, inputs) = random_plan(seed);
    let plan = AssignedPlan::new(made.public.clone()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let input = &inputs[0];
    let evaluation = fixed::evaluate(&made.public, &made.weights, input).unwrap();
    let played = play(
        |channel| image_owner(&plan, input, seed, channel),
        |channel| model_owner(&plan, &made.weights, seed, channel),
    );
    let (output, image_phases) = played.left;
    match (made.public.answer.policy, output) {
        (OutputPolicy::Labels, Output::Labels(labels)) => {
            let expected = fixed::labels(&made.public, &evaluation.logits);
            let labels: Vec<u32> = labels.into_iter().map(u32::from).collect();
            assert_eq!(labels, expected, "seed {seed}: labels");
        }
        (OutputPolicy::Logits, Output::Logits(logits)) => {
            assert_eq!(logits, evaluation.logits, "seed {seed}: logits");
        }
        _ => panic!("seed {seed}: the answer is of the plan's policy"),
    }
    assert_eq!(image_phases, declared(&plan, Party::ImageOwner), "seed {seed}: image owner's cost");
    assert_eq!(played.right, declared(&plan, Party::ModelOwner), "seed {seed}: model owner's cost");
}

#[test]
fn private_equals_fixed_at_the_declared_cost_on_random_graphs() {
    let graphs = std::env::var("BLINDSCAN_GRAPHS").ok().and_then(|text| text.parse().ok());
    for seed in 0..graphs.unwrap_or(GRAPHS_DEFAULT) {
        check(seed);
    }
}
