//! A peer that lies in any one message of the dialogue: every other party ends with an error value and never panics.

mod common;

use blindscan_graph::fixed::quantise_input;
use blindscan_graph::plan::{FixedPlan, OutputPolicy};
use blindscan_inference::{AssignedPlan, InferenceError};
use blindscan_protocols::ProtocolError;
use blindscan_protocols::two_party::Party;
use blindscan_rlwe::ciphertext::Ciphertext;
use blindscan_rlwe::context::Context;
use blindscan_wire::script::Seat;
use common::models;
use common::rooms::{Ended, Lie, Room, Scene, TwoParty, for_every_suite};
use common::taps::Bend;

for_every_suite!(
    a_short_or_long_message_at_any_step_is_an_error,
    a_message_of_ones_at_any_step_ends_in_an_answer_or_an_error_and_never_in_a_panic,
);

/// A small model, whose every message is known beforehand.
struct Dialogue {
    made: FixedPlan,
    plan: AssignedPlan,
    input: Vec<i64>,
}

impl Dialogue {
    fn new<R: Room>() -> Self {
        let made = R::fitted(models::small(OutputPolicy::Labels, false));
        let plan = AssignedPlan::new(made.public.clone()).unwrap();
        let size = models::SMALL_SIZE;
        let input = quantise_input(&made.public, &models::drawn(&[1, 1, size, size])).unwrap();
        Self { made, plan, input }
    }

    /// For each message that a party sends, in order: who is to receive it, and its length.
    fn sent<R: Room>(&self, seat: Seat) -> Vec<(Seat, usize)> {
        let messages = self.plan.script(R::KINDS[0]).messages();
        let of = messages.iter().filter(|message| message.from == seat);
        of.map(|message| (message.to, message.bytes)).collect()
    }

    /// How the party at `to` ends when the one at `from` bends its message number `at`.
    fn ended<R: Room>(&self, from: Seat, to: Seat, at: usize, bend: Bend) -> Ended {
        let Self { made, plan, input } = self;
        let scene = Scene { plan, made, input, ot: R::KINDS[0], seed: 5 };
        let parties = R::play(&scene, Some(Lie { seat: from, at, bend }));
        let index = R::PARTIES.iter().position(|(_, seat)| *seat == to).expect("a party of the suite");
        parties.into_iter().nth(index).expect("every party has ended")
    }
}

fn a_short_or_long_message_at_any_step_is_an_error<R: Room>() {
    let dialogue = Dialogue::new::<R>();
    for &(party, from) in R::PARTIES {
        let messages = dialogue.sent::<R>(from);
        println!("{party}: {} messages", messages.len());
        assert!(messages.len() >= R::MESSAGES_MIN, "{party}");
        for bend in [Bend::Short, Bend::Long] {
            for (at, &(to, _)) in messages.iter().enumerate() {
                let ended = dialogue.ended::<R>(from, to, at, bend);
                assert!(
                    ended.saw_a_wrong_length(),
                    "{party}'s message {at}, {bend:?}: {:?}",
                    ended.outcome.err()
                );
            }
        }
    }
}

fn a_message_of_ones_at_any_step_ends_in_an_answer_or_an_error_and_never_in_a_panic<R: Room>() {
    let dialogue = Dialogue::new::<R>();
    for &(_, from) in R::PARTIES {
        for (at, (to, _)) in dialogue.sent::<R>(from).into_iter().enumerate() {
            let _ = dialogue.ended::<R>(from, to, at, Bend::Ones);
        }
    }
}

#[test]
fn residues_above_their_modulus_are_the_peers_fault() {
    let dialogue = Dialogue::new::<TwoParty>();
    let [from, to] = [Party::ImageOwner, Party::ModelOwner].map(Party::seat);
    let ciphertext = Ciphertext::byte_count(Context::exact());
    let messages = dialogue.sent::<TwoParty>(from).into_iter().enumerate();
    let encrypted = messages.filter(|(_, (_, length))| length % ciphertext == 0);
    let mut refused = 0;
    for (at, _) in encrypted {
        let outcome = dialogue.ended::<TwoParty>(from, to, at, Bend::Ones).outcome;
        let is_peers_fault = matches!(outcome, Err(InferenceError::Protocol(ProtocolError::Peer(_))));
        assert!(is_peers_fault, "message {at}: {:?}", outcome.err());
        refused += 1;
    }
    assert_eq!(refused, 4, "the key, and one message for each of three linear layers");
}
