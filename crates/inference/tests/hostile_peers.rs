//! A peer that lies in any one message of the dialogue: the other owner ends with an error value and never panics.

mod common;

use blindscan_graph::fixed::quantise_input;
use blindscan_graph::plan::{FixedPlan, OutputPolicy};
use blindscan_inference::{AssignedPlan, InferenceError, OtKind};
use blindscan_protocols::{Party, ProtocolError};
use blindscan_rlwe::ciphertext::Ciphertext;
use blindscan_rlwe::context::Context;
use blindscan_wire::WireError;
use blindscan_wire::memory::play;
use common::taps::{Bend, Bent};
use common::{image_owner, model_owner, models};

const HOW: (OtKind, u64) = (OtKind::SoftSpoken, 5);

struct Scene {
    made: FixedPlan,
    plan: AssignedPlan,
    input: Vec<i64>,
}

impl Scene {
    fn new() -> Self {
        let made = models::small(OutputPolicy::Labels, false);
        let plan = AssignedPlan::new(made.public.clone()).unwrap();
        let size = models::SMALL_SIZE;
        let input = quantise_input(&made.public, &models::drawn(&[1, 1, size, size])).unwrap();
        Self { made, plan, input }
    }

    /// Lengths of the messages that the image owner and the model owner send from set-up to the answer.
    fn honest_lengths(&self) -> [Vec<usize>; 2] {
        let script = self.plan.script(HOW.0);
        [Party::ImageOwner, Party::ModelOwner].map(|party| script.lengths(party, party.peer()))
    }

    /// How the honest model owner ends when the image owner bends its message number `at`.
    fn lying_image_owner(&self, at: usize, bend: Bend) -> Result<(), InferenceError> {
        let played = play(
            |channel| {
                let _ = image_owner(&self.plan, &self.input, HOW, &mut Bent::new(channel, at, bend));
            },
            |channel| model_owner(&self.plan, &self.made.weights, HOW, channel).map(drop),
        );
        played.right
    }

    /// How the honest image owner ends when the model owner bends its message number `at`.
    fn lying_model_owner(&self, at: usize, bend: Bend) -> Result<(), InferenceError> {
        let played = play(
            |channel| image_owner(&self.plan, &self.input, HOW, channel).map(drop),
            |channel| {
                let mut bent = Bent::new(channel, at, bend);
                let _ = model_owner(&self.plan, &self.made.weights, HOW, &mut bent);
            },
        );
        played.left
    }
}

fn is_length_error(outcome: &Result<(), InferenceError>) -> bool {
    use InferenceError::Protocol;
    matches!(outcome, Err(Protocol(ProtocolError::Wire(WireError::UnexpectedLength { .. }))))
}

#[test]
fn a_short_or_long_message_at_any_step_is_an_error() {
    let scene = Scene::new();
    let [image_owners, model_owners] = scene.honest_lengths();
    println!("{} and {} messages", image_owners.len(), model_owners.len());
    assert!(image_owners.len() >= 40 && model_owners.len() >= 40);
    for bend in [Bend::Short, Bend::Long] {
        for at in 0..image_owners.len() {
            let outcome = scene.lying_image_owner(at, bend);
            assert!(is_length_error(&outcome), "image owner's message {at}, {bend:?}: {outcome:?}");
        }
        for at in 0..model_owners.len() {
            let outcome = scene.lying_model_owner(at, bend);
            assert!(is_length_error(&outcome), "model owner's message {at}, {bend:?}: {outcome:?}");
        }
    }
}

#[test]
fn a_message_of_ones_at_any_step_ends_in_an_answer_or_an_error_and_never_in_a_panic() {
    let scene = Scene::new();
    let [image_owners, model_owners] = scene.honest_lengths();
    let ciphertext = Ciphertext::byte_count(Context::exact());
    let mut refused = 0;
    for (at, &length) in image_owners.iter().enumerate() {
        let outcome = scene.lying_image_owner(at, Bend::Ones);
        // The public key and the encrypted masks: every residue is above its modulus.
        if length % ciphertext == 0 {
            let is_peers_fault = matches!(outcome, Err(InferenceError::Protocol(ProtocolError::Peer(_))));
            assert!(is_peers_fault, "message {at}: {outcome:?}");
            refused += 1;
        }
    }
    assert_eq!(refused, 4, "the key, and one message for each of three linear layers");
    for at in 0..model_owners.len() {
        let _ = scene.lying_model_owner(at, Bend::Ones);
    }
}
