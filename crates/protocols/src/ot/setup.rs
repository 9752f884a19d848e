//! Both instances of a session, from nothing.
//!
//! | step | who           | message                                                              | bytes |
//! |------|---------------|----------------------------------------------------------------------|-------|
//! | 1    | both, at once | receiver's message of the base transfers                             | 8192  |
//! | 2    | both, at once | sender's message of the base transfers, first message of extension   | 9744  |
//!
//! Who will send correlated transfers receives base transfers, by choices that are the complement of its Delta; each
//! party does so for the direction in which it is the sender. Everything is fresh in every call. Delta is odd, as
//! [`super::ferret`] needs it: 127 of its bits are secret.
//! Ideal, security and source: [`super::base`] and [`super::softspoken`].

use blindscan_arith::block::Block;
use blindscan_wire::Channel;
use blindscan_wire::script::{Message, Script, Seat};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::security::{Checked, Security};
use super::softspoken::{SmallField, SoftSpokenReceiver, SoftSpokenSender};
use super::{Direction, Instance, base};
use crate::ProtocolError;

/// Sets up the direction in which this party `sends`, and that in which it is the receiver. The session's id must be
/// one that no other call has used; both parties call with the same one.
pub fn setup<R: CryptoRng + ?Sized>(
    sends: Direction,
    session: [u8; 32],
    field: SmallField,
    rng: &mut R,
    channel: &mut dyn Channel,
) -> Result<(SoftSpokenSender, SoftSpokenReceiver), ProtocolError> {
    setup_at::<Checked, R>(sends, session, field, rng, channel)
}

/// The same, for a security level of the tests' choice.
pub fn setup_at<S: Security, R: CryptoRng + ?Sized>(
    sends: Direction,
    session: [u8; 32],
    field: SmallField,
    rng: &mut R,
    channel: &mut dyn Channel,
) -> Result<(SoftSpokenSender<S>, SoftSpokenReceiver<S>), ProtocolError> {
    let sending = Instance { session, direction: sends };
    let receiving = Instance { session, direction: sends.reversed() };

    // Delta is the complement of the choices.
    let choices = Zeroizing::new(random_block(rng) & !1);
    let (chooser, message) = base::Receiver::new(sending, *choices, rng);
    let theirs = channel.exchange(&message, base::RECEIVER_BYTES)?;
    let (keys, mut answer) = base::Sender::new(receiving).answer(&theirs, rng)?;
    let (receiver, first_message) = SoftSpokenReceiver::new(&keys, field, &receiving, rng);
    answer.extend(first_message);
    let theirs = channel.exchange(&answer, base::SENDER_BYTES + field.first_bytes())?;
    let (answer, first_message) = theirs.split_at(base::SENDER_BYTES);
    let sender = SoftSpokenSender::new(&chooser.finish(answer)?, *choices, field, &sending, first_message)?;

    Ok((sender, receiver))
}

/// The messages of [`setup`] between two seats.
pub fn script([first, second]: [Seat; 2], field: SmallField) -> Script {
    let mut script = Script::default();
    for bytes in [base::RECEIVER_BYTES, base::SENDER_BYTES + field.first_bytes()] {
        let message = |from, to| Message { from, to, bytes };
        script.at_once([message(first, second), message(second, first)]);
    }
    script
}

fn random_block<R: CryptoRng + ?Sized>(rng: &mut R) -> Block {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    Block::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use blindscan_wire::WireError;
    use blindscan_wire::memory::{Played, play};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::ot::{CotReceiver, CotSender};

    const SEATS: [Seat; 2] = [Seat(0), Seat(1)];

    type Ends = (SoftSpokenSender, SoftSpokenReceiver);

    fn played_setup(field: SmallField, seed: u64) -> Played<Ends, Ends> {
        let (mut left, mut right) = (ChaCha20Rng::seed_from_u64(seed), ChaCha20Rng::seed_from_u64(seed + 1));
        play(
            |channel| setup(Direction::Forward, [9; 32], field, &mut left, channel).unwrap(),
            |channel| setup(Direction::Backward, [9; 32], field, &mut right, channel).unwrap(),
        )
    }

    fn correlated(sender: &mut SoftSpokenSender, receiver: &mut SoftSpokenReceiver) -> bool {
        let played = play(
            |channel| sender.extend(256, channel).unwrap(),
            |channel| receiver.extend(256, channel).unwrap(),
        );
        let (choice, keys) = played.right;
        let delta = sender.delta();
        (0..256).all(|i| keys[i] == played.left[i] ^ if choice.get(i) { delta } else { 0 })
    }

    #[test]
    fn both_directions_work_each_with_its_own_delta_and_cost_what_is_declared() {
        for field in [SmallField::Bits2, SmallField::Bits4] {
            let played = played_setup(field, 1);
            let ((mut forward, mut backward_receiver), (mut backward, mut forward_receiver)) =
                (played.left, played.right);
            assert!(correlated(&mut forward, &mut forward_receiver));
            assert!(correlated(&mut backward, &mut backward_receiver));
            assert_ne!(forward.delta(), backward.delta());
            assert_eq!(played.left_traffic, script(SEATS, field).traffic(SEATS[0]));
            assert_eq!(played.right_traffic, script(SEATS, field).traffic(SEATS[1]));
        }
    }

    #[test]
    fn every_setup_has_a_fresh_delta() {
        let [first, second] = [1, 3].map(|seed| played_setup(SmallField::Bits4, seed));
        assert_ne!(first.left.0.delta(), second.left.0.delta());
        assert_ne!(first.right.0.delta(), second.right.0.delta());
    }

    #[test]
    fn the_ends_of_different_directions_do_not_fit() {
        let played = played_setup(SmallField::Bits4, 5);
        let (mut forward, _) = played.left;
        let (_, mut backward_receiver) = played_setup(SmallField::Bits4, 5).left;
        assert!(!correlated(&mut forward, &mut backward_receiver));
    }

    #[test]
    fn a_peer_that_sends_no_points_or_too_few_bytes_is_an_error() {
        let refused = |message: &[u8]| {
            let mut rng = ChaCha20Rng::seed_from_u64(7);
            play(
                |channel| {
                    setup(Direction::Forward, [9; 32], SmallField::Bits4, &mut rng, channel).map(|_| ())
                },
                |channel| channel.send(message).unwrap(),
            )
            .left
        };
        assert!(matches!(refused(&[0xff; base::RECEIVER_BYTES]), Err(ProtocolError::Peer(_))));
        assert!(matches!(
            refused(&[0; 100]),
            Err(ProtocolError::Wire(WireError::UnexpectedLength {
                expected: base::RECEIVER_BYTES,
                found: 100
            }))
        ));
    }
}
