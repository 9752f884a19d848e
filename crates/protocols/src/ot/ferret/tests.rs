//! Silent transfers against their ideal, their distribution, their declared cost, and lying peers.
//!
//! Small tests use [`TOY`], a set without any security that exists in this file alone.

mod gate;

use blindscan_arith::bits::Bits;
use blindscan_arith::block::{self, Block};
use blindscan_wire::memory::{Played, play};
use blindscan_wire::script::Seat;
use blindscan_wire::{Channel, Traffic, WireError};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::sets::SETS;
use super::*;
use crate::ProtocolError;
use crate::ot::buffered::{BufferedReceiver, BufferedSender};
use crate::ot::constant::Constant;
use crate::ot::pads::{PadReceiver, PadSender};
use crate::ot::security::{Check, Checked, Security, SemiHonest};
use crate::ot::setup::{setup, setup_at};
use crate::ot::source::Source;
use crate::ot::{CotReceiver, CotSender, Direction, ideal};

/// 64 trees of 64 leaves, of which 54 are handed out; 640 transfers are kept.
const TOY: LpnSet = LpnSet::new(64, 8, 6);

const FORWARD: Instance = Instance { session: [9; 32], direction: Direction::Forward };

const FIELD: SmallField = SmallField::Bits4;

const ENDS: Ends = Ends { sender: Seat(0), receiver: Seat(1) };

type Made = (Box<dyn CotSender + Send>, Box<dyn CotReceiver + Send>);

/// Both ends of one direction, over real base transfers.
fn ends(source: Source, seed: u64) -> Made {
    ends_at::<Checked>(source, seed)
}

fn ends_at<S: Security>(source: Source, seed: u64) -> Made {
    let made = |party, seed| {
        move |channel: &mut blindscan_wire::memory::MemoryChannel| {
            let rng = &mut ChaCha20Rng::seed_from_u64(seed);
            setup_at::<S, _>(party, FORWARD.session, FIELD, rng, channel).unwrap()
        }
    };
    let played = play(made(Direction::Forward, seed), made(Direction::Backward, seed + 1000));
    (
        source.sender(played.left.0, &FORWARD, Block::from(seed) << 77),
        source.receiver(played.right.1, &FORWARD),
    )
}

fn toy(seed: u64) -> Made {
    ends(Source::Ferret(FIELD, TOY), seed)
}

/// The sender's keys, and the receiver's choices and keys.
type Extended = Played<Vec<Block>, (Vec<bool>, Vec<Block>)>;

/// Makes transfers in requests of these sizes; Delta, and what came of them.
fn extended(made: Made, requests: &[usize]) -> (Block, Extended) {
    let (mut sender, mut receiver) = made;
    let delta = sender.delta();
    let played = play(
        |channel| requests.iter().flat_map(|&n| sender.extend(n, channel).unwrap()).collect::<Vec<_>>(),
        |channel| {
            let (mut choices, mut all) = (Vec::new(), Vec::new());
            for &n in requests {
                let (choice, keys) = receiver.extend(n, channel).unwrap();
                choices.extend((0..n).map(|i| choice.get(i)));
                all.extend(keys);
            }
            (choices, all)
        },
    );
    (delta, played)
}

fn assert_correlated(delta: Block, sent: &[Block], choices: &[bool], received: &[Block]) {
    assert_eq!((sent.len(), choices.len()), (received.len(), received.len()));
    for i in 0..sent.len() {
        assert_eq!(received[i], sent[i] ^ if choices[i] { delta } else { 0 }, "transfer {i}");
    }
}

/// Bytes of step 1.
fn first_bytes() -> usize {
    fed(TOY).next_multiple_of(128) * 31 / 8 + softspoken::CLAIM_BYTES
}

#[test]
fn keys_differ_by_the_choice_times_delta_through_many_iterations() {
    for requests in [&[1][..], &[128], &[3456], &[3457], &[640, 128, 4096, 256, 20_000], &[128; 60]] {
        let (delta, played) = extended(toy(1), requests);
        assert_correlated(delta, &played.left, &played.right.0, &played.right.1);
    }
}

#[test]
fn a_real_set_is_correlated_at_every_position_of_two_iterations_and_costs_what_is_declared() {
    let source = Source::Ferret(FIELD, SETS[0]);
    let total = SETS[0].free_trees() * SETS[0].leaves() + 1280;
    let mut requests = vec![1 << 16; total >> 16];
    requests.push(total - requests.len() * (1 << 16));
    let (delta, played) = extended(ends(source, 2), &requests);
    assert_correlated(delta, &played.left, &played.right.0, &played.right.1);
    let script = source.script(ENDS, total);
    assert_eq!(played.left_traffic, script.traffic(ENDS.sender));
    assert_eq!(played.right_traffic, script.traffic(ENDS.receiver));
}

#[test]
fn cost_depends_on_the_total_alone_and_is_what_is_declared() {
    let source = Source::Ferret(FIELD, TOY);
    for total in [128, 1 << 13, 1 << 15, 70_016] {
        for piece in [total, 128, 1280] {
            let mut requests = vec![piece; total / piece];
            requests.extend((total % piece > 0).then_some(total % piece));
            let (_, played) = extended(toy(3), &requests);
            let bytes = |traffic: Traffic| (traffic.bytes_sent, traffic.bytes_received);
            let script = source.script(ENDS, total);
            assert_eq!(bytes(played.left_traffic), bytes(script.traffic(ENDS.sender)), "{total} by {piece}");
            assert_eq!(bytes(played.right_traffic), bytes(script.traffic(ENDS.receiver)));
        }
        let pads = |made: Made| {
            let mut sender = BufferedSender::new(made.0, &FORWARD, total - 5);
            let mut receiver = BufferedReceiver::new(made.1, &FORWARD, total - 5);
            play(
                |channel| {
                    [100, total - 105].map(|n| sender.words(n, 32, channel).unwrap().zero.to_vec()).concat()
                },
                |channel| {
                    [100, total - 105].map(|n| receiver.words(n, 32, channel).unwrap().pad.to_vec()).concat()
                },
            )
        };
        let played = pads(toy(4));
        let script = source.script(ENDS, total - 5);
        assert_eq!(played.left_traffic, script.traffic(ENDS.sender));
        assert_eq!(played.right_traffic, script.traffic(ENDS.receiver));
    }
}

#[test]
fn no_request_means_no_message() {
    let (_, played) = extended(toy(5), &[0, 0]);
    assert_eq!((played.left_traffic, played.right_traffic), Default::default());
}

/// Eight standard deviations of a fair coin, sqrt(n) / 2 each: false alarm below 2^-40 over hundreds of counts.
fn balanced(ones: usize, of: usize) -> bool {
    (ones as f64 - of as f64 / 2.0).abs() < 4.0 * (of as f64).sqrt()
}

#[test]
fn choices_are_balanced_unrelated_to_keys_and_to_their_neighbours() {
    let n = 100_000;
    let (delta, played) = extended(ends(Source::Ferret(FIELD, SETS[0]), 6), &[n]);
    let (choices, keys) = &played.right;
    assert!(balanced(choices.iter().filter(|choice| **choice).count(), n));
    for bit in 1..128 {
        let ones = |keys: &[Block]| keys.iter().filter(|key| *key >> bit & 1 == 1).count();
        assert!(balanced(ones(&played.left), n) && balanced(ones(keys), n), "bit {bit}");
        // Neither end's keys tell the choices, be it with Delta's help: bits agree with them half of the time.
        for keys in [&played.left, keys] {
            let agree = keys.iter().zip(choices).filter(|(key, choice)| (*key >> bit & 1 == 1) == **choice);
            assert!(balanced(agree.count(), n), "bit {bit} follows the choices");
        }
    }
    for distance in [1, 64, 1024, 1 << 15] {
        let differ = choices.iter().zip(&choices[distance..]).filter(|(a, b)| a != b).count();
        assert!(balanced(differ, n - distance), "choices at distance {distance} are related");
    }
    assert!((40..=88).contains(&delta.count_ones()));
    // The choice's place in the keys: always zero at the sender, the choice at the receiver.
    assert!(played.left.iter().all(|key| key & 1 == 0));
}

#[test]
fn keys_and_choices_repeat_nothing_across_iterations_and_seeds() {
    let (_, first) = extended(toy(7), &[12_800]);
    let (_, second) = extended(toy(8), &[12_800]);
    let distinct: std::collections::HashSet<Block> = first.left.iter().chain(&second.left).copied().collect();
    assert_eq!(distinct.len(), 25_600);
    let same = first.right.0.iter().zip(&second.right.0).filter(|(a, b)| a == b).count();
    assert!(balanced(same, 12_800));
}

#[test]
fn the_choices_do_not_depend_on_delta_or_on_the_trees_of_the_sender() {
    // The choices are the receiver's: another Delta and other trees, the same receiver.
    let choices = |sender_seed: u64| {
        let played = play(
            |channel| {
                let rng = &mut ChaCha20Rng::seed_from_u64(sender_seed);
                setup(Direction::Forward, FORWARD.session, FIELD, rng, channel).unwrap().0
            },
            |channel| {
                let rng = &mut ChaCha20Rng::seed_from_u64(77);
                setup(Direction::Backward, FORWARD.session, FIELD, rng, channel).unwrap().1
            },
        );
        let source = Source::Ferret(FIELD, TOY);
        let sender = source.sender(played.left, &FORWARD, Block::from(sender_seed));
        let (delta, made) = extended((sender, source.receiver(played.right, &FORWARD)), &[12_800]);
        (delta, made.right.0)
    };
    let (one, other) = (choices(1), choices(2));
    assert_ne!(one.0, other.0);
    assert_eq!(one.1, other.1);
}

/// The receiver's choices when each of `turned` in every tree of the sender's messages is turned: bytes of a tree, bits of
/// it.
fn choices_with_turned_bits(turned: &[(usize, u8)], transfers: usize) -> Vec<bool> {
    let (mut sender, mut receiver) = toy(15);
    let played = play(
        |channel| sender.extend(transfers, &mut Turning::trees(channel, turned)).map(drop).unwrap(),
        |channel| receiver.extend(transfers, channel).unwrap().0,
    );
    (0..transfers).map(|i| played.right.get(i)).collect()
}

/// Turns bits of what is sent: at these bytes of every part of so many bytes.
struct Turning<'a>(&'a mut dyn Channel, usize, &'a [(usize, u8)]);

impl<'a> Turning<'a> {
    fn trees(channel: &'a mut dyn Channel, turned: &'a [(usize, u8)]) -> Self {
        Self(channel, TOY.tree_bytes(), turned)
    }
}

impl Channel for Turning<'_> {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        let mut message = message.to_vec();
        for part in message.chunks_mut(self.1) {
            self.2.iter().for_each(|&(byte, bits)| part[byte] ^= bits);
        }
        self.0.send(&message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        self.0.receive(length)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.0.exchange(message, length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        self.0.finish()
    }

    fn traffic(&self) -> Traffic {
        self.0.traffic()
    }
}

#[test]
fn a_sender_that_turns_lowest_bits_changes_no_choice() {
    // The lowest bit of the sum of all leaves is public in an honest run: a sender that turned it in every tree would
    // clear the noise from the choices. The same for the two sums of the last level.
    let last = TOY.tree_bytes() - 16;
    let honest = choices_with_turned_bits(&[], 12_800);
    assert!(honest.iter().any(|choice| *choice));
    for turned in [&[(last, 1)][..], &[(last - 16, 1)], &[(last - 32, 1)], &[(last, 1), (last - 32, 1)]] {
        assert!(choices_with_turned_bits(turned, 12_800) == honest, "{turned:?}");
    }
    // Nor does anything else that is turned, all bits of a tree's message together.
    let all: Vec<(usize, u8)> = (0..TOY.tree_bytes()).map(|byte| (byte, 0xff)).collect();
    assert!(choices_with_turned_bits(&all, 54 * 64) == honest[..54 * 64]);
}

#[test]
fn what_goes_over_the_wire_is_balanced_and_holds_no_block_twice() {
    let (mut sender, mut receiver) = toy(9);
    let (told, trees) = (first_bytes(), 20);
    let played = play(
        |channel| {
            let delta = sender.delta();
            sender.extend(trees * 64, channel).map(|_| delta).unwrap()
        },
        |channel| {
            // The first message is made by hand, so that the second can be seen.
            let mut silent = Recorder { inner: channel, heard: Vec::new() };
            receiver.extend(trees * 64, &mut silent).unwrap();
            silent.heard
        },
    );
    assert_eq!(played.left_traffic.bytes_received as usize, told);
    let message = &played.right[0];
    assert_eq!(message.len(), trees * TOY.tree_bytes());
    let ones: u32 = message.iter().map(|byte| byte.count_ones()).sum();
    assert!(balanced(ones as usize, message.len() * 8));
    let blocks = block::from_bytes(message);
    let distinct: std::collections::HashSet<_> = blocks.iter().chain([&played.left]).collect();
    assert_eq!(distinct.len(), blocks.len() + 1);
}

/// Keeps what is received.
struct Recorder<'a> {
    inner: &'a mut dyn Channel,
    heard: Vec<Vec<u8>>,
}

impl Channel for Recorder<'_> {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.inner.send(message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        let message = self.inner.receive(length)?;
        self.heard.push(message.clone());
        Ok(message)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.inner.exchange(message, length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        self.inner.finish()
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

#[test]
fn tweaks_keep_trees_of_equal_masks_apart() {
    // The receiver's leaves, when all masks are the same key and all that it is told is zero: trees differ by their tweaks
    // alone. Ten equal entries of the table add up to nothing.
    let mut receiver = FerretReceiver::<Checked>::new(TOY, Box::new(Constant), &FORWARD);
    let told = vec![0; TOY.tree_bytes()];
    struct Zeros<'a>(&'a [u8]);
    impl Channel for Zeros<'_> {
        fn send(&mut self, _: &[u8]) -> Result<(), WireError> {
            Ok(())
        }
        fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
            Ok(self.0.repeat(length / self.0.len()))
        }
        fn exchange(&mut self, _: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
            self.receive(length)
        }
        fn finish(&mut self) -> Result<(), WireError> {
            Ok(())
        }
        fn traffic(&self) -> Traffic {
            Traffic::default()
        }
    }
    let (_, keys) = receiver.extend(54 * 64, &mut Zeros(&told)).unwrap();
    let distinct: std::collections::HashSet<Block> = keys.iter().copied().collect();
    assert_eq!(distinct.len(), keys.len(), "no leaf of an iteration comes twice");
}

/// The sender's end of transfers that a cheating receiver has chosen so that the masks of a tree's levels are hashes of one
/// input, were they hashed under one AES key by their positions: all choices zero, and keys that differ by the level.
struct Chosen;

/// Odd, as the setup makes it.
const CHOSEN_DELTA: Block = 0x1357_9bdf_0246_8ace_1122_3344_5566_7789;

impl CotSender for Chosen {
    fn delta(&self) -> Block {
        CHOSEN_DELTA
    }

    fn binding(&self) -> [u8; 32] {
        [0; 32]
    }

    fn receiver_never_waits(&self) -> bool {
        true
    }

    fn extend_into(&mut self, keys: &mut [Block], _: &mut dyn Channel) -> Result<(), ProtocolError> {
        // The lowest bit of a kept key is cleared, so levels that differ in higher bits are those that meet: 0 and 2.
        for (i, key) in keys.iter_mut().enumerate() {
            *key = 1 << 70 ^ (i.wrapping_sub(TOY.k()) % TOY.depth()) as Block;
        }
        Ok(())
    }

    fn claim_bytes(&self) -> usize {
        0
    }

    fn answer(self: Box<Self>, _: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        Ok(Vec::new())
    }
}

#[test]
fn masks_of_two_levels_differ_whatever_keys_the_receiver_chose() {
    let mut sender = FerretSender::new(TOY, Box::new(Chosen), &FORWARD, 5);
    let told = play(
        |channel| sender.extend(64, channel).map(drop).unwrap(),
        |channel| {
            channel.send(&[]).unwrap();
            // Requests are rounded up to 128 transfers: two trees, of which the first is looked at.
            block::from_bytes(&channel.receive(2 * TOY.tree_bytes()).unwrap())
        },
    )
    .right;
    // The attacker's side: the same tree, whose root the test knows.
    let mut nodes = vec![0; 64];
    nodes[0] = blindscan_arith::prg::Prg::new(5).block();
    let tweaks = Tweaks::new(&FORWARD, Chosen.binding());
    let masks: Vec<[Block; 2]> = (0..TOY.depth())
        .map(|level| {
            let keep = if level + 1 == TOY.depth() { KEY_BITS } else { Block::MAX };
            let sums = tree::grow(tweaks.level(0, level as u32), &mut nodes[..2 << level], keep);
            [told[2 * level] ^ sums[0], told[2 * level + 1] ^ sums[1]]
        })
        .collect();
    let all: std::collections::HashSet<Block> = masks.iter().flatten().copied().collect();
    assert_eq!(all.len(), 2 * TOY.depth(), "two masks of a tree are equal");
    // Sabotage: the same keys under one AES key, by position, as a group of the hash is.
    let mut shared: Vec<Block> =
        (0..TOY.depth()).map(|level| (1 << 70 ^ level as Block) & KEY_BITS).collect();
    tree::hash(7, &mut shared);
    let distinct: std::collections::HashSet<Block> = shared.iter().copied().collect();
    assert!(distinct.len() < TOY.depth());
}

#[test]
fn pads_are_those_of_the_ideal_as_with_softspoken() {
    for source in [Source::Ferret(FIELD, TOY), Source::SoftSpoken(FIELD)] {
        let (sender, receiver) = ends(source, 10);
        let total = 3 * 5000 + 7000;
        let mut sender = BufferedSender::new(sender, &FORWARD, total);
        let mut receiver = BufferedReceiver::new(receiver, &FORWARD, total);
        let played = play(
            |channel| (sender.digits(5000, 3, 2, channel).unwrap(), sender.words(7000, 23, channel).unwrap()),
            |channel| {
                (receiver.digits(5000, 3, 2, channel).unwrap(), receiver.words(7000, 23, channel).unwrap())
            },
        );
        let ((digits, words), (digit, word)) = (played.left, played.right);
        assert_eq!(ideal::digits(&digits, digit.choice).pad, digit.pad);
        assert_eq!(*ideal::words(&words, word.choice.clone()).pad, *word.pad);
        let others = ideal::words(&words, word.choice.not()).pad;
        assert!(others.iter().zip(word.pad.iter()).filter(|(a, b)| a == b).count() < 10);
        let ones: Vec<bool> = (0..7000).map(|i| word.choice.get(i)).collect();
        assert!(balanced(
            Bits::from_bools(&ones).words().iter().map(|w| w.count_ones() as usize).sum(),
            7000
        ));
    }
}

#[test]
fn a_short_message_from_either_end_is_an_error_and_so_is_what_follows() {
    let told = fed(TOY).next_multiple_of(128) * 31 / 8;
    let (mut sender, _) = toy(11);
    let played = play(
        |channel| (sender.extend(64, channel), sender.extend(64, channel)),
        |channel| channel.send(&vec![0; told - 1]).unwrap(),
    );
    assert!(matches!(
        played.left.0,
        Err(ProtocolError::Wire(WireError::UnexpectedLength { expected, .. })) if expected == told
    ));
    assert!(played.left.1.is_err());
    let (_, mut receiver) = toy(12);
    let played = play(
        |channel| channel.send(&[0; 15]).unwrap(),
        |channel| (receiver.extend(64, channel).map(drop), receiver.extend(64, channel).map(drop)),
    );
    assert!(matches!(
        played.right.0,
        Err(ProtocolError::Wire(WireError::UnexpectedLength { expected, found: 15 }))
            if expected == 2 * TOY.tree_bytes()
    ));
    assert!(played.right.1.is_err());
}

/// Whether this is the fixed error of a check that failed.
fn failed(outcome: &Result<(), ProtocolError>, check: Check) -> bool {
    matches!(outcome, Err(ProtocolError::FailedCheck(found)) if *found == check.name())
}

/// Makes transfers of which the sender's trees are turned on their way ([`Turning`]), and closes them. The keys that
/// are wrong, and what the receiver says.
fn closed<S: Security>(turned: &[(usize, u8)], transfers: usize) -> (usize, Result<(), ProtocolError>) {
    let (mut sender, mut receiver) = ends_at::<S>(Source::Ferret(FIELD, TOY), 13);
    let delta = sender.delta();
    let played = play(
        |channel| {
            let keys = sender.extend(transfers, &mut Turning::trees(channel, turned)).unwrap();
            let claim = channel.receive(sender.claim_bytes()).unwrap();
            channel.send(&sender.answer(&claim).unwrap()).unwrap();
            keys
        },
        |channel| {
            let made = receiver.extend(transfers, channel).unwrap();
            let claim = receiver.claim();
            let answer = channel.exchange(claim.message(), claim.answer_bytes()).unwrap();
            (made, claim.accept(&answer))
        },
    );
    let ((choice, keys), outcome) = played.right;
    let right = |i: usize| keys[i] == played.left[i] ^ if choice.get(i) { delta } else { 0 };
    ((0..transfers).filter(|&i| !right(i)).count(), outcome)
}

#[test]
fn honest_trees_pass_the_check_through_many_iterations() {
    for transfers in [128, 640, 54 * 64, 54 * 64 * 3 + 128] {
        let (wrong, outcome) = closed::<Checked>(&[], transfers);
        outcome.unwrap();
        assert_eq!(wrong, 0);
    }
    let (sender, receiver) = toy(16);
    let claim = receiver.claim();
    claim.accept(&sender.answer(&[0; 16]).unwrap()).expect("no transfers are right too");
}

#[test]
fn a_malformed_tree_fails_the_check_and_without_it_gives_wrong_keys() {
    let last = TOY.tree_bytes() - 16;
    for turned in
        [&[(last + 3, 1)][..], &[(0, 1), (16, 1)], &[(last - 1, 0x80), (last - 17, 0x80)], &[(last, 1)]]
    {
        for transfers in [64, 54 * 64 + 128] {
            let (_, outcome) = closed::<Checked>(turned, transfers);
            assert!(failed(&outcome, Check::SilentTrees), "{turned:?}");
            // Sabotage: a receiver that does not look.
            let (wrong, outcome) = closed::<SemiHonest>(turned, transfers);
            outcome.unwrap();
            // The lowest bit of the last sum is the one that changes no key: the receiver does not take it.
            assert_eq!(wrong == 0, turned == [(last, 1)], "{turned:?}");
        }
    }
}

#[test]
fn the_first_transfers_are_checked_before_a_tree_is_sent() {
    let begun = |(mut sender, mut receiver): Made| {
        play(
            |channel| (sender.extend(64, channel).map(drop), channel.traffic().bytes_sent),
            |channel| receiver.extend(64, &mut Turning(channel, usize::MAX, &[(0, 1)])).is_ok(),
        )
    };
    let source = Source::Ferret(FIELD, TOY);
    let checked = begun(ends_at::<Checked>(source, 17));
    assert!(failed(&checked.left.0, Check::Differences) && checked.left.1 == 0);
    assert!(!checked.right);
    // Sabotage: a sender that does not look goes on, and tells the masked sums of its trees.
    let unchecked = begun(ends_at::<SemiHonest>(source, 17));
    assert!(unchecked.left.0.is_ok() && unchecked.left.1 > 0);
}
