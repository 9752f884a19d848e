//! Correlated transfers against their ideal, their declared cost, and a lying receiver.

use blindscan_arith::bits::Bits;
use blindscan_arith::block::Block;
use blindscan_wire::memory::play;
use blindscan_wire::{Channel, WireError};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

use super::*;
use crate::ProtocolError;
use crate::ot::{CotReceiver, CotSender};

const FIELDS: [SmallField; 4] = [SmallField::Bits1, SmallField::Bits2, SmallField::Bits4, SmallField::Bits8];

/// Both ends over base keys dealt from a seed.
pub(in crate::ot) fn dealt(field: SmallField, seed: u64) -> (SoftSpokenSender, SoftSpokenReceiver) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut block = || u128::from(rng.next_u64()) | u128::from(rng.next_u64()) << 64;
    let choices = block();
    let keys = Zeroizing::new((0..128).map(|_| [block(), block()]).collect::<Vec<[Block; 2]>>());
    let chosen: Vec<Block> = (0..128).map(|i| keys[i][(choices >> i & 1) as usize]).collect();
    let (receiver, told) = SoftSpokenReceiver::new(&keys, field, &mut rng);
    (SoftSpokenSender::new(&chosen, choices, field, &told), receiver)
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
            assert_eq!(played.left_traffic, sender_cost(count, field));
            assert_eq!(played.right_traffic, receiver_cost(count, field));
        }
    }
}

#[test]
fn a_default_transfer_costs_31_bits() {
    assert_eq!(receiver_cost(BATCH, SmallField::default()).bytes_sent as usize * 8, 31 * BATCH);
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
