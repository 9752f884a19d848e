//! Pads against their ideal, their declared cost, and the two ways in which pads go wrong.

use blindscan_wire::memory::{Played, play};
use blindscan_wire::script::{Script, Seat};
use blindscan_wire::{Channel, WireError};

use super::*;
use crate::ProtocolError;
use crate::ot::constant::Constant;
use crate::ot::pads::{DigitPadsReceiver, DigitPadsSender, PadReceiver, PadSender, WordPadsSender};
use crate::ot::softspoken::SmallField;
use crate::ot::softspoken::tests::dealt;
use crate::ot::source::Source;
use crate::ot::{Direction, Ends, ideal};

const FORWARD: Instance = Instance { session: [3; 32], direction: Direction::Forward };

const ENDS: Ends = Ends { sender: Seat(0), receiver: Seat(1) };

/// What is said for `total` transfers.
fn cost(total: usize) -> Script {
    Source::SoftSpoken(SmallField::Bits4).script(ENDS, total)
}

fn ends(total: usize, seed: u64) -> (BufferedSender, BufferedReceiver) {
    let (sender, receiver) = dealt(SmallField::Bits4, seed);
    (
        BufferedSender::new(Box::new(sender), &FORWARD, total),
        BufferedReceiver::new(Box::new(receiver), &FORWARD, total),
    )
}

fn play_digits(n: usize, w: u32, p: u32, seed: u64) -> Played<DigitPadsSender, DigitPadsReceiver> {
    let (mut sender, mut receiver) = ends(n * w as usize, seed);
    play(
        |channel| sender.digits(n, w, p, channel).unwrap(),
        |channel| receiver.digits(n, w, p, channel).unwrap(),
    )
}

#[test]
fn digit_pads_are_those_of_the_ideal_and_cost_what_is_declared() {
    for (w, p) in [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (4, 2)] {
        for n in [1, 63, 64, 129, PIECE + 1, 30_000] {
            let played = play_digits(n, w, p, 1);
            let DigitPadsReceiver { choice, pad } = played.right;
            assert!(choice.len() == w as usize && choice.iter().all(|plane| plane.len() == n));
            assert_eq!(ideal::digits(&played.left, choice).pad, pad, "{n} of 1 of 2^{w}, {p} bits");
            assert_eq!(played.left_traffic, cost(n * w as usize).traffic(ENDS.sender));
            assert_eq!(played.right_traffic, cost(n * w as usize).traffic(ENDS.receiver));
        }
    }
}

#[test]
fn word_pads_are_those_of_the_ideal_and_the_others_differ() {
    for (n, bits) in [(1, 32), (200, 1), (70_000, 32), (5000, 19)] {
        let (mut sender, mut receiver) = ends(n, 2);
        let played = play(
            |channel| sender.words(n, bits, channel).unwrap(),
            |channel| receiver.words(n, bits, channel).unwrap(),
        );
        let (sent, received) = (played.left, played.right);
        assert!(sent.zero.iter().chain(sent.one.iter()).all(|word| u64::from(*word) < 1 << bits));
        assert_eq!(*ideal::words(&sent, received.choice.clone()).pad, *received.pad);
        let others = ideal::words(&sent, received.choice.not()).pad;
        let equal = others.iter().zip(received.pad.iter()).filter(|(a, b)| a == b).count();
        // Unrelated words agree n / 2^bits times, give or take eight deviations of sqrt(n) / 2 at most.
        assert!((equal as f64 - n as f64 / f64::from(bits).exp2()).abs() <= 8.0 * (n as f64).sqrt() / 2.0);
        assert_eq!(played.left_traffic, cost(n).traffic(ENDS.sender));
    }
}

#[test]
fn many_small_requests_and_one_big_one_use_the_same_transfers() {
    let sizes = [1usize, 64, 7, 4096, 30_000, 3, 40_000, 129];
    let total: usize = sizes.iter().sum();
    let (mut sender, mut receiver) = ends(total, 3);
    let small = play(
        |channel| sizes.map(|n| sender.words(n, 32, channel).unwrap().zero.to_vec()).concat(),
        |channel| sizes.map(|n| receiver.words(n, 32, channel).unwrap().pad.to_vec()).concat(),
    );
    let (mut sender, mut receiver) = ends(total, 3);
    let big = play(
        |channel| sender.words(total, 32, channel).unwrap().zero.to_vec(),
        |channel| receiver.words(total, 32, channel).unwrap().pad.to_vec(),
    );
    assert_eq!((small.left, small.right), (big.left, big.right));
    assert_eq!((small.left_traffic, small.right_traffic), (big.left_traffic, big.right_traffic));
}

#[test]
fn mixed_requests_of_odd_sizes_stay_in_step_and_cost_what_the_total_says() {
    let requests = [(5, 3, 2), (70_000, 1, 1), (63, 4, 2), (25_001, 3, 1), (1, 2, 2)];
    let words = 777;
    let total = requests.iter().map(|(n, w, _)| n * *w as usize + words).sum();
    let (mut sender, mut receiver) = ends(total, 4);
    let played = play(
        |channel| {
            requests.map(|(n, w, p)| {
                let digits = sender.digits(n, w, p, channel).unwrap();
                (digits, sender.words(words, 20, channel).unwrap())
            })
        },
        |channel| {
            requests.map(|(n, w, p)| {
                let digits = receiver.digits(n, w, p, channel).unwrap();
                (digits, receiver.words(words, 20, channel).unwrap())
            })
        },
    );
    for ((digits, words), (digit, word)) in played.left.iter().zip(played.right) {
        assert_eq!(ideal::digits(digits, digit.choice).pad, digit.pad);
        assert_eq!(*ideal::words(words, word.choice).pad, *word.pad);
    }
    assert_eq!(played.left_traffic, cost(total).traffic(ENDS.sender));
    assert_eq!(played.right_traffic, cost(total).traffic(ENDS.receiver));
}

/// Bits of the sums of pads over every pair and every four of them that are one: half of them when pads are unrelated.
fn ones_of_sums(pads: &[Vec<Bits>]) -> Vec<u32> {
    let count = pads.len();
    let sum = |members: &[usize]| {
        let total = members[1..].iter().fold(pads[members[0]][0].clone(), |sum, &j| sum.xor(&pads[j][0]));
        total.words().iter().map(|word| word.count_ones()).sum()
    };
    let mut sums = Vec::new();
    for i in 0..count {
        for j in 0..i {
            sums.push(sum(&[i, j]));
            for k in 0..j {
                sums.extend((0..k).map(|l| sum(&[i, j, k, l])));
            }
        }
    }
    sums
}

fn unrelated(pads: &[Vec<Bits>], n: u32) -> bool {
    // Eight standard deviations, sqrt(n) / 2 each.
    let slack = 4.0 * f64::from(n).sqrt();
    ones_of_sums(pads).iter().all(|&ones| (f64::from(ones) - f64::from(n) / 2.0).abs() < slack)
}

#[test]
fn no_two_and_no_four_pads_of_a_digit_are_related() {
    let n = 20_000;
    assert!(unrelated(&play_digits(n as usize, 2, 1, 5).left.pads, n));
    assert!(unrelated(&play_digits(n as usize, 3, 1, 5).left.pads, n));
    assert!(unrelated(&play_digits(n as usize, 3, 2, 5).left.pads, n));
}

#[test]
fn the_detector_of_related_pads_sees_pads_without_an_index() {
    // Sabotage: every message takes field 0 of the hashes, so that the four pads of a digit sum to zero.
    let n = 20_000;
    let (mut sender, mut receiver) = ends(2 * n as usize, 6);
    let words = play(
        |channel| sender.words(2 * n as usize, 1, channel).unwrap(),
        |channel| receiver.words(2 * n as usize, 1, channel).map(|_| ()).unwrap(),
    )
    .left;
    let plane =
        |words: &[u32], bit: usize| bits::planes(&words[bit * n as usize..][..n as usize], 0, 1).remove(0);
    let key = |bit: usize, j: usize| plane(if j >> bit & 1 == 1 { &words.one } else { &words.zero }, bit);
    let pads: Vec<Vec<Bits>> = (0..4).map(|j| vec![key(0, j).xor(&key(1, j))]).collect();
    assert!(!unrelated(&pads, n));
}

#[test]
fn another_direction_or_session_hashes_the_same_keys_to_unrelated_pads() {
    let pads_under = |instance: Instance| {
        let (sender, receiver) = dealt(SmallField::Bits4, 7);
        let mut sender = BufferedSender::new(Box::new(sender), &instance, 1000);
        let mut receiver = BufferedReceiver::new(Box::new(receiver), &instance, 1000);
        play(
            |channel| sender.words(1000, 32, channel).unwrap().zero.to_vec(),
            |channel| receiver.words(1000, 32, channel).map(|_| ()).unwrap(),
        )
        .left
    };
    let forward = pads_under(FORWARD);
    for other in
        [Instance { session: [4; 32], ..FORWARD }, Instance { direction: Direction::Backward, ..FORWARD }]
    {
        assert!(forward.iter().zip(pads_under(other)).all(|(a, b)| *a != b));
    }
}

/// Pads of keys that are all the same, over three batches, each end's.
fn pads_of_equal_keys(instance: &Instance, total: usize) -> [Vec<u32>; 3] {
    let mut sender = BufferedSender::new(Box::new(Constant), instance, total);
    let mut receiver = BufferedReceiver::new(Box::new(Constant), instance, total);
    // Pieces that end within batches and at their borders.
    let sizes = [1, 999, BATCH - 1000, 7, total - BATCH - 7];
    let played = play(
        |channel| sizes.map(|n| sender.words(n, 32, channel).unwrap()),
        |channel| sizes.map(|n| receiver.words(n, 32, channel).unwrap().pad.to_vec()).concat(),
    );
    let both = |of: fn(&WordPadsSender) -> &[u32]| played.left.iter().flat_map(of).copied().collect();
    [both(|pads| &pads.zero), both(|pads| &pads.one), played.right]
}

/// Words that stand in more than one place.
fn repeats<'a>(words: impl Iterator<Item = &'a u32>) -> usize {
    let mut words: Vec<u32> = words.copied().collect();
    let all = words.len();
    words.sort_unstable();
    words.dedup();
    all - words.len()
}

#[test]
fn tweaks_keep_equal_keys_apart_in_both_ends_through_all_batches() {
    let total = 3 * BATCH - 100;
    let [zero, one, received] = pads_of_equal_keys(&FORWARD, total);
    assert_eq!(zero, received);
    // Birthdays: n^2 / 2^33 words of 32 bits coincide, four of n and eighteen of 2n. A tweak that began again with a batch
    // would repeat at least a batch of them.
    assert!(repeats(zero.iter()) < 40 && repeats(zero.iter().chain(&one)) < 100);
    // Sabotage: ends that are made anew for every batch, which is what a reset would be.
    let again = pads_of_equal_keys(&FORWARD, total)[0].clone();
    assert!(repeats(zero.iter().chain(&again)) >= total);
}

#[test]
fn a_receiver_that_leaves_or_sends_too_little_is_an_error() {
    let (mut sender, _) = ends(1000, 8);
    let played = play(
        |channel| (sender.words(10, 8, channel).is_err(), sender.words(10, 8, channel)),
        |channel| channel.send(&[0; 100]).unwrap(),
    );
    assert!(played.left.0);
    assert!(matches!(played.left.1, Err(ProtocolError::Wire(WireError::Closed))));
}

#[test]
#[should_panic(expected = "no more transfers than its plan demands")]
fn running_past_the_total_breaks_an_invariant() {
    let (mut sender, _) = ends(299, 9);
    let _ = play(|channel| sender.digits(100, 3, 1, channel).is_ok(), |_| ());
}
