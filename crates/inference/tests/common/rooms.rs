//! The suites under test. A new one is an implementation of [`Room`] and a line of [`for_every_suite`], which not every test file
//! uses.
#![allow(unused_macros, unused_imports)]

use blindscan_graph::plan::FixedPlan;
use blindscan_inference::{AssignedPlan, InferenceError, OtKind, Output};
use blindscan_protocols::two_party::Party;
use blindscan_wire::memory::play_within;
use blindscan_wire::script::Seat;
use blindscan_wire::{Channel, WireError};

use super::taps::{Bend, Bent, Shape};
use super::{PATIENCE, Phases};

/// Makes each of these generic functions a test of every suite.
macro_rules! for_every_suite {
    ($($test:ident),+ $(,)?) => {
        mod two_party {
            $(#[test] fn $test() { super::$test::<super::common::rooms::TwoParty>() })+
        }
    };
}
pub(crate) use for_every_suite;

/// What a generic function gives for every suite, one after another.
macro_rules! every_suites {
    ($function:ident) => {
        [$function::<$crate::common::rooms::TwoParty>()].concat()
    };
}
pub(crate) use every_suites;

/// How all parties of a suite are played in one process.
pub(crate) trait Room {
    /// What the names of its snapshots begin with.
    const PREFIX: &'static str;
    /// Its parties, as snapshots name them.
    const PARTIES: &'static [(&'static str, Seat)];
    /// The kinds of transfers that it knows.
    const KINDS: &'static [OtKind];
    /// How many messages each party sends in a small model at least, so that a test of each of them is one.
    const MESSAGES_MIN: usize;

    /// A plan in the form of this suite.
    fn fitted(made: FixedPlan) -> FixedPlan;

    /// Plays one image from set-up to the answer; party by party, in the order of [`Room::PARTIES`].
    fn play(scene: &Scene<'_>, lie: Option<Lie>) -> Vec<Ended>;
}

/// What is played.
pub(crate) struct Scene<'a> {
    pub(crate) plan: &'a AssignedPlan,
    pub(crate) made: &'a FixedPlan,
    pub(crate) input: &'a [i64],
    pub(crate) ot: OtKind,
    pub(crate) seed: u64,
}

/// A message that a party changes before it sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lie {
    pub(crate) seat: Seat,
    /// Its number among those that the party sends.
    pub(crate) at: usize,
    pub(crate) bend: Bend,
}

/// How a party ended.
pub(crate) struct Ended {
    /// The answer, at the party that gets it, and what its channels carried.
    pub(crate) outcome: Result<(Option<Output>, Phases), InferenceError>,
    /// Lengths of what it sent, in order.
    pub(crate) sent: Vec<usize>,
}

impl Ended {
    /// Runs a party on a channel that writes lengths down and changes the message of a lie.
    fn of(
        party: Party,
        lie: Option<Lie>,
        channel: &mut dyn Channel,
        run: impl FnOnce(&mut dyn Channel) -> Result<(Option<Output>, Phases), InferenceError>,
    ) -> Self {
        let lie = lie.filter(|lie| lie.seat == party.seat());
        let (at, bend) = lie.map_or((usize::MAX, Bend::Turned), |lie| (lie.at, lie.bend));
        let mut bent = Bent::new(channel, at, bend);
        let mut shape = Shape::new(&mut bent);
        let outcome = run(&mut shape);
        Self { outcome, sent: shape.sent }
    }

    /// Whether it ended because a message had another length than it must have.
    pub(crate) fn saw_a_wrong_length(&self) -> bool {
        use blindscan_protocols::ProtocolError::Wire;
        matches!(self.outcome, Err(InferenceError::Protocol(Wire(WireError::UnexpectedLength { .. }))))
    }
}

/// The image owner and the model owner.
pub(crate) struct TwoParty;

impl Room for TwoParty {
    const PREFIX: &'static str = "";
    const PARTIES: &'static [(&'static str, Seat)] =
        &[("image owner", Party::ImageOwner.seat()), ("model owner", Party::ModelOwner.seat())];
    const KINDS: &'static [OtKind] = &[OtKind::SoftSpoken, OtKind::Ferret];
    const MESSAGES_MIN: usize = 40;

    fn fitted(made: FixedPlan) -> FixedPlan {
        made
    }

    fn play(scene: &Scene<'_>, lie: Option<Lie>) -> Vec<Ended> {
        let Scene { plan, made, input, ot, seed } = *scene;
        let played = play_within(
            PATIENCE,
            |channel| {
                Ended::of(Party::ImageOwner, lie, channel, |channel| {
                    let (output, phases) = super::image_owner(plan, input, (ot, seed), channel)?;
                    Ok((Some(output), phases))
                })
            },
            |channel| {
                Ended::of(Party::ModelOwner, lie, channel, |channel| {
                    Ok((None, super::model_owner(plan, &made.weights, (ot, seed), channel)?))
                })
            },
        );
        vec![played.left, played.right]
    }
}
