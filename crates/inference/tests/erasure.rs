//! Whole inferences under an allocator that looks into what is freed: no share of any tensor is left there, at either party.

mod common;

use std::sync::Mutex;

use blindscan_arith::freed::{Freed, SecretId, WORDS};
use blindscan_graph::plan::{FixedPlan, TensorId};
use blindscan_graph::random::random_plan;
use blindscan_inference::roles::Unobserved;
use blindscan_inference::stock::StockWriter;
use blindscan_inference::tap::{self, Tap};
use blindscan_inference::{AssignedPlan, OtKind};
use blindscan_protocols::share::ShareView;
use blindscan_protocols::two_party::Party;
use blindscan_wire::memory::play_within;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

#[global_allocator]
static FREED: Freed = Freed::idle();

/// Values below this are found where no share is.
const LEAST: u32 = 1 << 10;

/// Watches for every share that a party has of a tensor.
#[derive(Default)]
struct Watch(Vec<(TensorId, SecretId)>);

/// Held while a secret is added.
static ADDING: Mutex<()> = Mutex::new(());

impl Tap for Watch {
    fn share(&mut self, tensor: TensorId, share: ShareView<'_>) {
        let words = share.words();
        if words.len() >= WORDS && words[..WORDS].iter().all(|&word| word >= LEAST) {
            let _one_at_a_time = ADDING.lock().unwrap();
            self.0.push((tensor, FREED.watch(words)));
        }
    }
}

fn writer(plan: &AssignedPlan, party: Party, seed: u64) -> StockWriter {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    StockWriter::anonymous(common::header(plan, party), &mut rng).unwrap()
}

/// Plays the online phase of a plan; the shares that were watched, at the image owner and at the model owner.
fn watched(made: &FixedPlan, input: &[i64], seed: u64) -> [Watch; 2] {
    let plan = AssignedPlan::new(made.public.clone()).unwrap();
    let how = (OtKind::SoftSpoken, seed);
    let played = play_within(
        common::PATIENCE,
        |channel| {
            let made =
                common::image_owner_offline(&plan, writer(&plan, Party::ImageOwner, seed), how, channel);
            let stock = made.unwrap().into_stock().unwrap();
            let mut watch = Watch::default();
            tap::image_owner_online(&plan, input, stock, &mut Unobserved, &mut watch, channel).unwrap();
            watch
        },
        |channel| {
            let writer = writer(&plan, Party::ModelOwner, seed);
            let half = common::model_owner_offline(&plan, &made.weights, writer, how, channel);
            let stock = half.unwrap().into_stock().unwrap();
            let mut watch = Watch::default();
            tap::model_owner_online(&plan, &made.weights, stock, &mut Unobserved, &mut watch, channel)
                .unwrap();
            watch
        },
    );
    [played.left, played.right]
}

#[test]
fn no_share_of_a_tensor_is_in_memory_that_was_given_back() {
    let mut secrets = 0;
    for seed in 0..40 {
        let (made, inputs) = random_plan(seed);
        for (party, watch) in ["image owner", "model owner"].iter().zip(watched(&made, &inputs[0], seed)) {
            secrets += watch.0.len();
            for (tensor, secret) in watch.0 {
                let node = made.public.nodes.iter().find(|node| node.output == tensor).unwrap();
                assert!(!FREED.has_seen(secret), "seed {seed}, {party}: {} {:?}", node.name, node.step);
            }
        }
    }
    assert!(secrets > 200, "{secrets} shares were watched");
}
