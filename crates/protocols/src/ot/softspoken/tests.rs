//! Correlated transfers against their ideal, their declared cost, and a lying receiver.

use blindscan_arith::bits::Bits;
use blindscan_arith::block::Block;
use blindscan_wire::memory::play;
use blindscan_wire::script::Seat;
use blindscan_wire::{Channel, WireError};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

use super::*;
use crate::ProtocolError;
use crate::ot::security::{Check, Checked, Security, SemiHonest};
use crate::ot::{CotReceiver, CotSender, Direction, Ends, Instance};

const FIELDS: [SmallField; 4] = [SmallField::Bits1, SmallField::Bits2, SmallField::Bits4, SmallField::Bits8];

const FIELD: SmallField = SmallField::Bits4;

const INSTANCE: Instance = Instance { session: [8; 32], direction: Direction::Forward };

const ENDS: Ends = Ends { sender: Seat(0), receiver: Seat(1) };

/// Both ends over base keys dealt from a seed.
pub(in crate::ot) fn dealt(field: SmallField, seed: u64) -> (SoftSpokenSender, SoftSpokenReceiver) {
    dealt_at::<Checked>(field, seed, |_| ()).unwrap()
}

/// The same, with the first message changed on its way.
fn dealt_at<S: Security>(
    field: SmallField,
    seed: u64,
    change: impl FnOnce(&mut [u8]),
) -> Result<(SoftSpokenSender<S>, SoftSpokenReceiver<S>), ProtocolError> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut block = || u128::from(rng.next_u64()) | u128::from(rng.next_u64()) << 64;
    let choices = block();
    let keys = Zeroizing::new((0..128).map(|_| [block(), block()]).collect::<Vec<[Block; 2]>>());
    let chosen: Vec<Block> = (0..128).map(|i| keys[i][(choices >> i & 1) as usize]).collect();
    let (receiver, mut told) = SoftSpokenReceiver::new(&keys, field, &INSTANCE, &mut rng);
    change(&mut told);
    Ok((SoftSpokenSender::new(&chosen, choices, field, &INSTANCE, &told)?, receiver))
}

fn assert_correlated(delta: Block, sent: &[Block], choice: &Bits, received: &[Block]) {
    assert_eq!((sent.len(), choice.len()), (received.len(), received.len()));
    for i in 0..sent.len() {
        assert_eq!(received[i], sent[i] ^ if choice.get(i) { delta } else { 0 }, "transfer {i}");
    }
}

#[test]
fn keys_differ_by_the_choice_times_delta_and_cost_what_is_declared() {
    for field in FIELDS {
        for count in [1, 128, 300, CHUNK + 128, BATCH + 257] {
            let (mut sender, mut receiver) = dealt(field, 4);
            let played = play(
                |channel| sender.extend(count, channel).unwrap(),
                |channel| receiver.extend(count, channel).unwrap(),
            );
            assert_correlated(sender.delta(), &played.left, &played.right.0, &played.right.1);
            let script = script(ENDS, count, field);
            assert_eq!(played.left_traffic, script.traffic(ENDS.sender));
            assert_eq!(played.right_traffic, script.traffic(ENDS.receiver));
        }
    }
}

#[test]
fn a_default_transfer_costs_31_bits() {
    assert_eq!(script(ENDS, BATCH, SmallField::default()).bytes() as usize * 8, 31 * BATCH);
}

#[test]
fn later_transfers_are_correlated_too_and_repeat_nothing() {
    let (mut sender, mut receiver) = dealt(SmallField::Bits4, 5);
    let counts = [128, 8192, 1, 640];
    let played = play(
        |channel| counts.map(|count| sender.extend(count, channel).unwrap()).concat(),
        |channel| counts.map(|count| receiver.extend(count, channel).unwrap()),
    );
    let keys: Vec<Block> = played.right.iter().flat_map(|(_, keys)| keys.clone()).collect();
    let bools: Vec<bool> =
        played.right.iter().flat_map(|(choice, _)| (0..choice.len()).map(|i| choice.get(i))).collect();
    assert_correlated(sender.delta(), &played.left, &Bits::from_bools(&bools), &keys);
    let distinct: std::collections::HashSet<_> = keys.iter().chain(&played.left).collect();
    let common = bools.iter().filter(|choice| !**choice).count();
    assert_eq!(distinct.len(), 2 * keys.len() - common);
}

#[test]
fn choices_and_every_bit_of_the_keys_are_balanced() {
    let count = 1 << 15;
    let (mut sender, mut receiver) = dealt(SmallField::Bits4, 6);
    let played = play(
        |channel| sender.extend(count, channel).unwrap(),
        |channel| receiver.extend(count, channel).unwrap(),
    );
    // Eight standard deviations of a fair coin, sqrt(n) / 2 each: false alarm below 2^-40 over all 257 counts.
    let balanced = |ones: usize| ones.abs_diff(count / 2) < 8 * 91;
    assert!(balanced((0..count).filter(|&i| played.right.0.get(i)).count()));
    for bit in 0..128 {
        for keys in [&played.left, &played.right.1] {
            assert!(balanced(keys.iter().filter(|key| **key >> bit & 1 == 1).count()), "bit {bit}");
        }
    }
    assert!((40..=88).contains(&sender.delta().count_ones()));
}

#[test]
fn what_goes_over_the_wire_is_balanced_and_is_no_choice() {
    let (_, mut receiver) = dealt(SmallField::Bits4, 7);
    let played = play(
        |channel| channel.receive(31 * 8192 / 8).unwrap(),
        |channel| receiver.extend(8192, channel).unwrap().0.to_bytes(),
    );
    for difference in played.left.chunks_exact(1024) {
        let ones: u32 = difference.iter().zip(&played.right).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert!(ones.abs_diff(4096) < 8 * 46, "{ones} of 8192 bits differ from the choices");
    }
}

#[test]
fn a_short_message_is_an_error_and_not_a_panic() {
    let (mut sender, _) = dealt(SmallField::Bits4, 8);
    let played =
        play(|channel| sender.extend(256, channel), |channel| channel.send(&[0; 31 * 32 - 1]).unwrap());
    let Err(ProtocolError::Wire(WireError::UnexpectedLength { expected, found })) = played.left else {
        panic!("a short message must be refused");
    };
    assert_eq!((expected, found), (31 * 32, 31 * 32 - 1));
}

/// Makes transfers, with bit `turned` of the batch's message changed on its way if there is one, and closes them; whether the
/// sender takes the claim.
fn closed<S: Security>(
    (mut sender, mut receiver): (SoftSpokenSender<S>, SoftSpokenReceiver<S>),
    field: SmallField,
    count: usize,
    turned: Option<usize>,
) -> Result<(), ProtocolError> {
    let (mut choice, mut keys) = (vec![0; count / 64], vec![0; count]);
    let told = play(
        |channel| {
            receiver.extend_into(&mut choice, &mut keys, channel).unwrap();
            Box::new(receiver).claim().message().to_vec()
        },
        |channel| channel.receive(field.batch_bytes(count)).unwrap(),
    );
    let (claim, mut message) = (told.left, told.right);
    if let Some(bit) = turned {
        message[bit / 8] ^= 1 << (bit % 8);
    }
    play(
        |channel| channel.send(&message).unwrap(),
        |channel| {
            sender.extend_into(&mut keys, channel)?;
            Box::new(sender).answer(&claim).map(|answer| assert!(answer.is_empty()))
        },
    )
    .right
}

/// Whether this is the fixed error of a check that failed.
fn failed(outcome: Result<(), ProtocolError>, check: Check) -> bool {
    matches!(outcome, Err(ProtocolError::FailedCheck(found)) if found == check.name())
}

#[test]
fn honest_transfers_pass_the_checks() {
    for field in FIELDS {
        for count in [128, CHUNK, CHUNK + 384, BATCH] {
            closed(dealt(field, 20), field, count, None).unwrap();
        }
    }
}

#[test]
fn one_turned_difference_anywhere_fails_the_check_and_without_it_passes() {
    let count = CHUNK + 128;
    let bytes = SmallField::Bits4.batch_bytes(count);
    for bit in [0, 1, 1023 * 8, 15_000 * 8 + 5, 31 * 1024 * 8 + 3, bytes * 8 - 1] {
        assert!(failed(closed(dealt(FIELD, 21), FIELD, count, Some(bit)), Check::Differences), "{bit}");
        let unchecked = dealt_at::<SemiHonest>(SmallField::Bits4, 21, |_| ()).unwrap();
        closed(unchecked, FIELD, count, Some(bit)).unwrap();
    }
}

#[test]
fn a_changed_claim_fails_the_check() {
    for byte in [0, 15, 16, 1000, CLAIM_BYTES - 1] {
        let (sender, receiver) = dealt(SmallField::Bits4, 22);
        let mut claim = Box::new(receiver).claim().message().to_vec();
        claim[byte] ^= 0x40;
        assert!(failed(Box::new(sender).answer(&claim).map(drop), Check::Differences));
    }
}

#[test]
fn a_wrong_sum_of_a_seed_tree_fails_its_check_wherever_it_is_used() {
    let turned = |byte: usize, seed| {
        let checked = dealt_at::<Checked>(SmallField::Bits4, seed, |told| told[byte] ^= 1).map(drop);
        // Sabotage: an end that does not look takes every message.
        assert!(dealt_at::<SemiHonest>(SmallField::Bits4, seed, |told| told[byte] ^= 1).is_ok());
        assert!(checked.is_ok() || failed(checked, Check::SeedTrees));
        dealt_at::<Checked>(SmallField::Bits4, seed, |told| told[byte] ^= 1).is_ok()
    };
    // A sum is opened by one value of one bit of Delta, so a wrong one is a guess of that bit; both together are no guess.
    let passed = (0..40).filter(|&seed| turned(32 * 9, seed)).count();
    assert!((5..=35).contains(&passed), "{passed} of 40");
    for seed in 0..4 {
        let both = |told: &mut [u8]| [32 * 9, 32 * 9 + 16].into_iter().for_each(|byte| told[byte] ^= 1);
        assert!(failed(dealt_at::<Checked>(SmallField::Bits4, seed, both).map(drop), Check::SeedTrees));
        // The sum of a group's tags, and the digest, are everybody's.
        for byte in [TREE_BYTES, TREE_BYTES + 31 * 32 + 31, TREE_BYTES + 32 * 32] {
            assert!(!turned(byte, seed));
        }
    }
}

#[test]
fn a_wrong_difference_of_the_sacrificed_transfers_fails_the_check() {
    let last = SmallField::Bits4.first_bytes() - 1;
    let change = |told: &mut [u8]| told[last] ^= 1;
    let ends = dealt_at::<Checked>(SmallField::Bits4, 23, change).unwrap();
    assert!(failed(closed(ends, FIELD, 128, None), Check::Differences));
    closed(dealt_at::<SemiHonest>(FIELD, 23, change).unwrap(), FIELD, 128, None).unwrap();
}

#[test]
fn a_claim_looks_random_and_says_no_choice() {
    // The same trees would give the same claim; other trees another, whatever the choices are.
    let claims: Vec<Vec<u8>> =
        (30..50).map(|seed| Box::new(dealt(SmallField::Bits4, seed).1).claim().message().to_vec()).collect();
    let ones: u32 = claims.iter().flatten().map(|byte| byte.count_ones()).sum();
    let bits = 20.0 * CLAIM_BYTES as f64 * 8.0;
    assert!((f64::from(ones) - bits / 2.0).abs() < 4.0 * bits.sqrt());
    let first: std::collections::HashSet<&[u8]> = claims.iter().map(|claim| &claim[..16]).collect();
    assert_eq!(first.len(), claims.len());
}

#[test]
fn a_lying_receiver_gets_wrong_keys_and_nothing_breaks() {
    let (mut sender, mut receiver) = dealt(SmallField::Bits4, 9);
    let played = play(
        |channel| sender.extend(128, channel).unwrap(),
        |channel| channel.send(&[0x5a; 31 * 16]).unwrap(),
    );
    let honest =
        play(|channel| channel.receive(31 * 16).unwrap(), |channel| receiver.extend(128, channel).unwrap());
    assert_ne!(played.left, honest.right.1);
}
