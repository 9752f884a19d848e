//! Peers that cut their messages or leave.

use blindscan_wire::{WireError, memory};

use super::*;
use crate::ProtocolError;

const N: usize = 100;

fn both_kinds() -> [Activation; 2] {
    [true, false].map(|relu| Activation::new(24, 8, 24, relu, 3).unwrap())
}

/// Plays an activation in which `liar` sends its message `at` one byte short; the honest party's result and
/// how many the liar sent.
fn with_short_message(of: Activation, liar: Party, at: usize) -> (Result<Share, ProtocolError>, usize) {
    let run = |party: Party, ends: &mut PadEnds, channel: &mut MemoryChannel| {
        let stock = of.offline(N, ends, channel).unwrap();
        let mut channel = Watched::new(channel, |index, message| {
            let cut = usize::from(party == liar && index == at);
            message[..message.len() - cut].to_vec()
        });
        let result = of.online(party, Share::of_words(vec![5; N]).view(), stock, &mut channel);
        (result, channel.sent().len())
    };
    let played = dialogue(
        |ends, channel| run(Party::ImageOwner, ends, channel),
        |ends, channel| run(Party::ModelOwner, ends, channel),
    );
    match liar {
        Party::ImageOwner => (played.right.0, played.left.1),
        Party::ModelOwner => (played.left.0, played.right.1),
    }
}

#[test]
fn a_short_message_at_any_step_is_an_error_and_not_a_panic() {
    for of in both_kinds() {
        for liar in [Party::ImageOwner, Party::ModelOwner] {
            let (honest, messages) = with_short_message(of, liar, usize::MAX);
            assert!(honest.is_ok() && messages >= 4);
            for at in 0..messages {
                let (result, _) = with_short_message(of, liar, at);
                let cut = matches!(&result, Err(ProtocolError::Wire(WireError::UnexpectedLength { expected, found }))
                    if *found + 1 == *expected as u64);
                assert!(cut, "{of:?} message {at}: {:?}", result.err());
            }
        }
    }
}

#[test]
fn a_peer_that_leaves_is_an_error() {
    for of in both_kinds() {
        for party in [Party::ImageOwner, Party::ModelOwner] {
            let bytes = vec![0; of.stock_bytes(party, N)];
            let stock = of.stock_from_bytes(party, N, &bytes).unwrap();
            let (mut channel, mut peer) = memory::pair(std::time::Duration::from_secs(10));
            peer.finish().unwrap();
            let result = of.online(party, Share::of_words(vec![5; N]).view(), stock, &mut channel);
            assert!(matches!(result, Err(ProtocolError::Wire(WireError::Closed))));
        }
    }
}
