//! Broken on purpose: each test breaks one promise and shows that the detector which guards it goes red.

mod common;

use blindscan_arith::ring::{Module, Ring32};
use blindscan_graph::fixed::{self, quantise_input};
use blindscan_graph::plan::{FixedPlan, OutputPolicy, Spoken, Step, Weights};
use blindscan_inference::stock::{Stock, StockFolder, StockWriter};
use blindscan_inference::{AssignedPlan, InferenceError, OtKind, Output};
use blindscan_protocols::ProtocolError;
use blindscan_protocols::ot::base;
use blindscan_protocols::ot::buffered::BATCH;
use blindscan_protocols::ot::security::Check;
use blindscan_protocols::ot::softspoken::SmallField;
use blindscan_protocols::ot::source::Source;
use blindscan_protocols::two_party::Party;
use blindscan_wire::Channel;
use blindscan_wire::memory::play;
use common::taps::{Bend, Bent, Tap};
use common::{header, models, reference};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// A plan that gives many logits, how its transfers are made, and both owners' folders of stock.
struct Scene {
    made: FixedPlan,
    plan: AssignedPlan,
    ot: OtKind,
    place: tempfile::TempDir,
}

/// Copies of both halves of one stock, each with its key: what a backup would have to hold.
#[derive(Clone)]
struct Halves {
    image_owner: Copied,
    model_owner: Copied,
}

#[derive(Clone)]
struct Copied {
    stock: Vec<u8>,
    key: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        Self::of(models::small(OutputPolicy::Logits, true), OtKind::SoftSpoken)
    }

    fn of(made: FixedPlan, ot: OtKind) -> Self {
        let plan = AssignedPlan::new(made.public.clone()).unwrap();
        Self { made, plan, ot, place: tempfile::tempdir().unwrap() }
    }

    /// An image of one grey value of 0 to 1 in every place.
    fn image(&self, grey: f32) -> Vec<i64> {
        let mut image = models::drawn(&[1, 1, models::SMALL_SIZE, models::SMALL_SIZE]);
        image.data.fill(grey);
        quantise_input(&self.made.public, &image).unwrap()
    }

    fn folder(&self, party: Party) -> StockFolder {
        let at = |what: &str| self.place.path().join(format!("{party:?}-{what}"));
        StockFolder::open(&at("stock"), &at("key")).unwrap()
    }

    /// The file of a half, or of its key.
    fn file(&self, party: Party, what: &str) -> std::path::PathBuf {
        let id = header(&self.plan, party).id;
        self.place.path().join(format!("{party:?}-{what}")).join(format!("{id}.{what}"))
    }

    /// Makes a stock by the two roles.
    fn prepare(&self, seed: u64) -> Halves {
        let writer = |party| {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            self.folder(party).create(header(&self.plan, party), &mut rng).unwrap()
        };
        let played = play(
            |channel| {
                let made = common::image_owner_offline(
                    &self.plan,
                    writer(Party::ImageOwner),
                    (self.ot, seed),
                    channel,
                );
                made.unwrap().store().unwrap();
            },
            |channel| {
                let weights = &self.made.weights;
                let writer = writer(Party::ModelOwner);
                let made = common::model_owner_offline(&self.plan, weights, writer, (self.ot, seed), channel);
                made.unwrap().store().unwrap();
            },
        );
        let ((), ()) = (played.left, played.right);
        let moved = |party, what| {
            let bytes = std::fs::read(self.file(party, what)).unwrap();
            std::fs::remove_file(self.file(party, what)).unwrap();
            bytes
        };
        let taken = |party| Copied { stock: moved(party, "stock"), key: moved(party, "key") };
        Halves { image_owner: taken(Party::ImageOwner), model_owner: taken(Party::ModelOwner) }
    }

    /// Puts bytes on the disk as a stock and takes it, which the program itself would not let happen twice.
    fn stock(&self, party: Party, copied: &Copied) -> Stock {
        let folder = self.folder(party);
        std::fs::write(self.file(party, "stock"), &copied.stock).unwrap();
        std::fs::write(self.file(party, "key"), &copied.key).unwrap();
        folder.take(header(&self.plan, party)).unwrap().begin().unwrap()
    }

    /// The online phase on these halves, and all that the model owner received.
    fn run(&self, halves: &Halves, weights: &Weights, input: &[i64]) -> Ran {
        let image_stock = self.stock(Party::ImageOwner, &halves.image_owner);
        let model_stock = self.stock(Party::ModelOwner, &halves.model_owner);
        let played = play(
            |channel| common::image_owner_online(&self.plan, input, image_stock, channel),
            |channel| {
                let mut tap = Tap::new(channel);
                let ended = common::model_owner_online(&self.plan, weights, model_stock, &mut tap);
                (ended, tap.received, tap.sent)
            },
        );
        let (ended, view, sent) = played.right;
        Ran { output: ended.and(played.left), view, sent }
    }

    /// The input under its mask, which is what the image owner sends first.
    fn opened(&self, ran: &Ran) -> Vec<u32> {
        let input = &self.made.public.tensors[self.made.public.input];
        Ring32::new(input.ring_bits).unpack(&ran.view[0], input.count())
    }

    fn ring_mask(&self) -> u32 {
        (1u32 << self.made.public.tensors[self.made.public.input].ring_bits) - 1
    }
}

/// How an offline phase ended for the honest owner whose peer changes one message.
struct Cheated {
    outcome: Result<(), InferenceError>,
    /// What the honest owner sent, and what reached it.
    sent: Vec<Vec<u8>>,
    received: Vec<Vec<u8>>,
    /// Whether it has a stock.
    stored: bool,
}

impl Cheated {
    /// The check that the honest owner saw fail, if that is how it ended.
    fn failed_check(&self) -> Option<&'static str> {
        match self.outcome {
            Err(InferenceError::Protocol(ProtocolError::FailedCheck(check))) => Some(check),
            _ => None,
        }
    }
}

/// The number of no message: nobody cheats.
const NOWHERE: usize = usize::MAX;

impl Scene {
    /// An offline phase in which `cheater` changes its message number `at`.
    fn cheated(&self, cheater: Party, at: usize, bend: Bend) -> Cheated {
        let weights = &self.made.weights;
        let honest = match cheater {
            Party::ImageOwner => Party::ModelOwner,
            Party::ModelOwner => Party::ImageOwner,
        };
        let mut rng = ChaCha20Rng::seed_from_u64(6);
        let writer = self.folder(honest).create(header(&self.plan, honest), &mut rng).unwrap();
        let anonymous = StockWriter::anonymous(header(&self.plan, cheater), &mut rng).unwrap();
        let run = |party: Party, writer, channel: &mut dyn Channel| match party {
            Party::ImageOwner => common::image_owner_offline(&self.plan, writer, (self.ot, 5), channel),
            Party::ModelOwner => {
                common::model_owner_offline(&self.plan, weights, writer, (self.ot, 5), channel)
            }
        };
        let played = play(
            |channel| drop(run(cheater, anonymous, &mut Bent::new(channel, at, bend))),
            |channel| {
                let mut tap = Tap::new(channel);
                let made = run(honest, writer, &mut tap);
                (made.and_then(|made| Ok(made.store()?)).map(drop), tap.sent, tap.received)
            },
        );
        let (outcome, sent, received) = played.right;
        let files = ["stock", "key"].map(|what| self.file(honest, what));
        let stored = files.iter().any(|file| file.exists());
        if stored {
            files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
        }
        Cheated { outcome, sent, received, stored }
    }
}

struct Ran {
    output: Result<Output, InferenceError>,
    /// What the model owner received, message by message.
    view: Vec<Vec<u8>>,
    /// What it sent.
    sent: Vec<Vec<u8>>,
}

/// Chi-square of nibbles against the uniform distribution, 15 degrees of freedom: a uniform source exceeds 60 once in
/// two million times.
fn chi_square(nibbles: impl Iterator<Item = u32>) -> f64 {
    let mut counts = [0f64; 16];
    nibbles.for_each(|nibble| counts[(nibble & 15) as usize] += 1.0);
    let expected = counts.iter().sum::<f64>() / 16.0;
    assert!(expected >= 20.0, "too few values for a chi-square");
    counts.iter().map(|count| (count - expected).powi(2) / expected).sum()
}

const CHI_SQUARE_MAX: f64 = 60.0;

/// The highest, lowest and middle four bits of words of a ring.
fn looks_uniform(words: &[u32], mask: u32) -> bool {
    let bits = mask.count_ones();
    [0, bits / 2 - 2, bits - 4]
        .iter()
        .all(|&shift| chi_square(words.iter().map(|word| word >> shift)) < CHI_SQUARE_MAX)
}

fn bytes_look_uniform(bytes: &[u8]) -> bool {
    [0, 4]
        .iter()
        .all(|&shift| chi_square(bytes.iter().map(|&byte| u32::from(byte) >> shift)) < CHI_SQUARE_MAX)
}

fn difference(a: &[u32], b: &[u32], mask: u32) -> Vec<u32> {
    a.iter().zip(b).map(|(a, b)| a.wrapping_sub(*b) & mask).collect()
}

#[test]
fn a_peer_that_cheats_in_transfers_is_found_before_a_stock_is_made_and_nothing_said_depends_on_a_pad() {
    let scene = Scene::new();
    for cheater in [Party::ImageOwner, Party::ModelOwner] {
        let honest = scene.cheated(cheater, NOWHERE, Bend::Turned);
        assert!(honest.outcome.is_ok() && honest.stored);
        // The model owner's last message says that its half is stored; the image owner's is its claim.
        let last = honest.sent.len() - usize::from(cheater == Party::ImageOwner);
        let mut found = 0;
        for at in 0..60 {
            let cheated = scene.cheated(cheater, at, Bend::Turned);
            let Some(check) = cheated.failed_check() else { continue };
            assert!(!cheated.stored, "{cheater:?}, message {at}");
            assert!(cheated.sent.len() <= last, "{cheater:?}, message {at}");
            if check == Check::Differences.name() {
                found += 1;
                // By then pads are made, and wrong; all that was said is what an honest peer would have heard.
                assert!(honest.sent.starts_with(&cheated.sent), "{cheater:?}, message {at}");
            }
        }
        // Batches of differences, and the claim; the first message, whose middle is in the sums of the trees.
        assert!(found >= 3, "{cheater:?}: {found}");
    }
}

#[test]
fn a_peer_that_tells_wrong_sums_of_seed_trees_is_found_at_once() {
    let scene = Scene::new();
    for cheater in [Party::ImageOwner, Party::ModelOwner] {
        let honest = scene.cheated(cheater, NOWHERE, Bend::Turned);
        let first = base::SENDER_BYTES + SmallField::Bits4.first_bytes();
        let at = honest.received.iter().position(|message| message.len() == first).unwrap();
        // Both sums of one base transfer, for the honest owner uses one of them, by its Delta.
        let sums = base::SENDER_BYTES + 50 * 32;
        let cheated = scene.cheated(cheater, at, Bend::TurnedAt([sums, sums + 16]));
        assert_eq!(cheated.failed_check(), Some(Check::SeedTrees.name()), "{cheater:?}");
        assert!(!cheated.stored && cheated.sent.len() < honest.sent.len(), "{cheater:?}");
    }
}

#[test]
fn a_peer_that_spoils_a_silent_tree_is_found_before_a_stock_is_made() {
    let scene = Scene::of(models::wide(), OtKind::Ferret);
    let demand = scene.plan.work();
    for (cheater, total) in
        [(Party::ImageOwner, demand.forward_cots), (Party::ModelOwner, demand.backward_cots)]
    {
        let Source::Ferret(_, set) = Source::choose(OtKind::Ferret, SmallField::Bits4, total as usize) else {
            panic!("{total} transfers are too few for silent ones")
        };
        let honest = scene.cheated(cheater, NOWHERE, Bend::Turned);
        assert!(honest.outcome.is_ok() && honest.stored);
        let trees = BATCH / set.leaves() * set.tree_bytes();
        let at = honest.received.iter().position(|message| message.len() == trees).unwrap();
        let cheated = scene.cheated(cheater, at, Bend::Turned);
        assert_eq!(cheated.failed_check(), Some(Check::SilentTrees.name()), "{cheater:?}");
        assert!(!cheated.stored, "{cheater:?}");
        let last = honest.sent.len() - usize::from(cheater == Party::ImageOwner);
        assert!(
            cheated.sent.len() <= last,
            "{cheater:?}: the model owner does not say that its half is stored"
        );
    }
}

#[test]
fn a_weight_changed_at_the_model_owner_changes_the_answer_that_is_compared() {
    let scene = Scene::new();
    let input = scene.image(0.7);
    let expected = reference(&scene.made, &input);
    let honest = scene.prepare(1);
    assert!(scene.run(&honest, &scene.made.weights, &input).output.unwrap() == expected);

    for layer in 0..scene.made.weights.layers().count() {
        let mut changed = Scene::new();
        // The middle tap of the first kernel, which no border leaves out.
        let weight = &mut changed.made.weights.layers_mut().nth(layer).expect("counted").1.weight;
        let middle = if layer == 0 { 4 } else { 0 };
        weight[middle] ^= 1 << 4;
        let stock = changed.prepare(1);
        let answer = changed.run(&stock, &changed.made.weights, &input).output.unwrap();
        assert!(answer != expected, "layer {layer}: one changed weight is seen");
        assert!(answer == reference(&changed.made, &input), "and the answer is that of the changed model");
    }
}

#[test]
fn a_constant_changed_at_the_model_owner_changes_the_answer_and_nothing_that_the_image_owner_sends() {
    let mut scene = Scene::new();
    scene.made = models::with_constants();
    scene.plan = AssignedPlan::new(scene.made.public.clone()).unwrap();
    let input = scene.image(0.7);
    let halves = scene.prepare(1);
    let honest = scene.run(&halves, &scene.made.weights, &input);
    let expected = honest.output.unwrap();
    assert!(expected == reference(&scene.made, &input));

    assert_eq!(scene.made.weights.constants().count(), 2, "one per channel, and a map");
    for step in 0..2 {
        let mut changed = scene.made.clone();
        changed.weights.constants_mut().nth(step).expect("counted").1.values[0] ^= 1 << 4;
        let ran = scene.run(&halves, &changed.weights, &input);
        let answer = ran.output.unwrap();
        assert!(answer != expected, "step {step}: one changed constant is seen");
        assert!(answer == reference(&changed, &input), "and the answer is that of the changed model");
        let before_the_constants = 1;
        assert_eq!(ran.view[..before_the_constants], honest.view[..before_the_constants]);
        let lengths = |messages: &[Vec<u8>]| messages.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(&ran.sent), lengths(&honest.sent), "no length tells of a constant");
    }
}

#[test]
fn a_stretch_of_another_stock_is_never_taken_for_the_right_one() {
    let scene = Scene::new();
    let input = scene.image(0.4);
    let (first, second) = (scene.prepare(1), scene.prepare(2));
    assert!(scene.run(&first, &scene.made.weights, &input).output.unwrap() == reference(&scene.made, &input));
    for party in [Party::ImageOwner, Party::ModelOwner] {
        let half = |halves: &Halves| match party {
            Party::ImageOwner => halves.image_owner.clone(),
            Party::ModelOwner => halves.model_owner.clone(),
        };
        let (right, other) = (half(&first), half(&second).stock);
        // Behind the 61 bytes of the header, sixteen stretches.
        let stretch = (right.stock.len() - 61).div_ceil(16);
        for at in (61..right.stock.len()).step_by(stretch) {
            let place = at..(at + stretch).min(right.stock.len());
            let mut mixed = right.clone();
            mixed.stock[place.clone()].copy_from_slice(&other[place.clone()]);
            let halves = match party {
                Party::ImageOwner => Halves { image_owner: mixed, ..first.clone() },
                Party::ModelOwner => Halves { model_owner: mixed, ..first.clone() },
            };
            let answer = scene.run(&halves, &scene.made.weights, &input).output;
            assert!(answer.is_err(), "{party:?}, bytes {place:?}");
        }
    }
}

#[test]
fn fresh_stocks_open_independent_uniform_values_and_a_repeated_stock_opens_the_difference_of_images() {
    let scene = Scene::new();
    let mask = scene.ring_mask();
    let (dark, bright) = (scene.image(0.0), scene.image(1.0));
    let weights = &scene.made.weights;
    let (first, second) = (scene.prepare(1), scene.prepare(2));

    let dark_run = scene.run(&first, weights, &dark);
    let fresh_run = scene.run(&second, weights, &bright);
    let (dark_opened, fresh_opened) = (scene.opened(&dark_run), scene.opened(&fresh_run));
    assert!(looks_uniform(&dark_opened, mask) && looks_uniform(&fresh_opened, mask));
    assert!(looks_uniform(&difference(&fresh_opened, &dark_opened, mask), mask));

    let repeated_run = scene.run(&first, weights, &bright);
    let revealed = difference(&scene.opened(&repeated_run), &dark_opened, mask);
    assert!(!looks_uniform(&revealed, mask), "the detector sees a mask used twice");
    let images: Vec<u32> = bright.iter().zip(&dark).map(|(a, b)| (a - b) as u32 & mask).collect();
    assert!(revealed == images, "what it sees is the difference of the images");
}

#[test]
fn tensors_of_one_image_are_opened_under_masks_of_their_own() {
    let scene = Scene::new();
    let public = &scene.made.public;
    let black = scene.image(0.0);
    let ran = scene.run(&scene.prepare(1), &scene.made.weights, &black);
    let linear = public.nodes.iter().filter(|node| matches!(node.step, Step::Spoken(Spoken::Linear(_))));
    let [input, inner] = linear.map(|node| node.inputs[0]).collect::<Vec<_>>()[..] else {
        panic!("the model has two linear layers")
    };
    let (spec, count) = (&public.tensors[inner], public.tensors[inner].count());
    assert_eq!(count, public.tensors[input].count());

    let ring = Ring32::new(spec.ring_bits);
    let packed = ring.packed_bytes(count);
    let message = ran.view.iter().rev().find(|message| message.len() == packed).expect("it is opened");
    let (first, second) = (scene.opened(&ran), ring.unpack(message, count));
    let mask = (1u32 << spec.ring_bits.min(public.tensors[input].ring_bits)) - 1;
    assert!(looks_uniform(&second, mask));
    assert!(looks_uniform(&difference(&second, &first, mask), mask));

    // The black image's opened input is the negated mask itself. Were that the mask of the second tensor too, the difference
    // would be the second tensor, which the detector tells from noise.
    let mut clear = Vec::new();
    let mut seen = |tensor, values: &[i64]| {
        if tensor == inner {
            clear = values.iter().map(|&value| value as u32 & mask).collect();
        }
    };
    fixed::evaluate_with(public, &scene.made.weights, &black, &mut seen).unwrap();
    assert!(!looks_uniform(&clear, mask));
}

#[test]
fn what_the_model_owner_sees_has_the_same_shape_for_every_image_and_looks_uniform() {
    let scene = Scene::new();
    let weights = &scene.made.weights;
    let mut checker = scene.image(0.0);
    let bright = scene.image(1.0);
    checker.iter_mut().zip(&bright).step_by(2).for_each(|(a, b)| *a = *b);
    let images = [scene.image(0.0), bright, checker];
    let runs: Vec<Ran> =
        images.iter().zip(1..).map(|(image, seed)| scene.run(&scene.prepare(seed), weights, image)).collect();
    let lengths = |messages: &[Vec<u8>]| messages.iter().map(Vec::len).collect::<Vec<_>>();
    for (index, ran) in runs.iter().enumerate() {
        assert_eq!(lengths(&ran.view), lengths(&runs[0].view), "image {index}: received");
        assert_eq!(lengths(&ran.sent), lengths(&runs[0].sent), "image {index}: sent");
        assert!(bytes_look_uniform(&ran.view.concat()), "image {index}: all that is received");
        for message in ran.view.iter().filter(|message| message.len() >= 400) {
            assert!(bytes_look_uniform(message), "image {index}: a message of {} bytes", message.len());
        }
    }
    let together: Vec<u8> =
        runs[0].view.concat().iter().zip(runs[1].view.concat()).map(|(a, b)| a ^ b).collect();
    assert!(bytes_look_uniform(&together), "two views are independent");
}
