//! Base transfers against their ideal, against liars, and against a recorded run.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::ot::Direction;

const FORWARD: Instance = Instance { session: [7; 32], direction: Direction::Forward };

/// Both ends' keys of a run, with both messages.
struct Run {
    message: Vec<u8>,
    answer: Vec<u8>,
    sender_keys: Vec<[Block; 2]>,
    chosen_keys: Vec<Block>,
}

fn run(receiver: Instance, sender: Instance, choices: Block) -> Run {
    let (mut first, mut second) = (ChaCha20Rng::seed_from_u64(1), ChaCha20Rng::seed_from_u64(2));
    let (chooser, message) = Receiver::new(receiver, choices, &mut first);
    let (sender_keys, answer) = Sender::new(sender).answer(&message, &mut second).unwrap();
    let chosen_keys = chooser.finish(&answer).unwrap().to_vec();
    Run { message, answer, sender_keys: sender_keys.to_vec(), chosen_keys }
}

#[test]
fn the_receiver_gets_the_key_of_its_choice_and_not_the_other() {
    for choices in [0, Block::MAX, 0x0123_4567_89ab_cdef_f0e1_d2c3_b4a5_9687] {
        let run = run(FORWARD, FORWARD, choices);
        for (transfer, keys) in run.sender_keys.iter().enumerate() {
            let choice = (choices >> transfer & 1) as usize;
            assert_eq!(run.chosen_keys[transfer], keys[choice]);
            assert_ne!(run.chosen_keys[transfer], keys[1 - choice]);
        }
    }
}

#[test]
fn messages_have_the_declared_lengths_and_all_keys_differ() {
    let run = run(FORWARD, FORWARD, 5);
    assert_eq!((run.message.len(), run.answer.len()), (RECEIVER_BYTES, SENDER_BYTES));
    let distinct: std::collections::HashSet<_> = run.sender_keys.iter().flatten().collect();
    assert_eq!(distinct.len(), 2 * TRANSFERS);
}

#[test]
fn another_session_or_direction_gives_no_common_key() {
    let backward = Instance { direction: Direction::Backward, ..FORWARD };
    let other_session = Instance { session: [8; 32], ..FORWARD };
    for sender in [backward, other_session] {
        let run = run(FORWARD, sender, 0);
        assert!(run.chosen_keys.iter().zip(&run.sender_keys).all(|(key, keys)| !keys.contains(key)));
    }
}

#[test]
fn bytes_that_are_no_point_are_an_error_at_both_ends() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    // Too large a field element, a negative one, and the neutral element.
    for bad in [[0xff; 32], std::array::from_fn(|i| u8::from(i == 0)), [0; 32]] {
        let (chooser, mut message) = Receiver::new(FORWARD, 1, &mut rng);
        let (_, mut answer) = Sender::new(FORWARD).answer(&message, &mut rng).unwrap();
        message[32 * 77..][..32].copy_from_slice(&bad);
        answer[32 * 127..][..32].copy_from_slice(&bad);
        assert!(matches!(Sender::new(FORWARD).answer(&message, &mut rng), Err(ProtocolError::Peer(_))));
        assert!(matches!(chooser.finish(&answer), Err(ProtocolError::Peer(_))));
    }
}

/// The recorded run, as the lines of `vectors/base_ot.txt` below its header.
fn recorded() -> String {
    let run = run(FORWARD, FORWARD, 0x0123_4567_89ab_cdef_f0e1_d2c3_b4a5_9687);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut lines = String::new();
    let mut line = |name: &str, value: String| lines.push_str(&format!("{name} {value}\n"));
    line("receiver-message-blake3", hex(blake3::hash(&run.message).as_bytes()));
    line("sender-message-blake3", hex(blake3::hash(&run.answer).as_bytes()));
    for transfer in [0, 1, 127] {
        line(&format!("r0-{transfer}"), hex(&run.message[transfer * 64..][..32]));
        line(&format!("r1-{transfer}"), hex(&run.message[transfer * 64 + 32..][..32]));
        line(&format!("a-{transfer}"), hex(&run.answer[transfer * 32..][..32]));
        line(&format!("k0-{transfer}"), hex(&run.sender_keys[transfer][0].to_le_bytes()));
        line(&format!("k1-{transfer}"), hex(&run.sender_keys[transfer][1].to_le_bytes()));
    }
    lines
}

#[test]
fn a_run_from_fixed_seeds_is_the_recorded_one() {
    let vector = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/base_ot.txt"));
    let lines: String =
        vector.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    let recorded = recorded();
    assert!(
        recorded == lines,
        "the wire form of base transfers has changed: raise the version in its hashes, and record\n{recorded}"
    );
}
