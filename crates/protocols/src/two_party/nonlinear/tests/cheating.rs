//! A client that cheats in the extension, run against labels: it turns bits of its differences in the direction in which the
//! model owner sends, and reads the model owner's Delta off labels of which it knows what they should be. With Delta it has
//! both pads of every transfer, and with them what the model owner's multiplexers hide. The check ends that; without it,
//! the attack is shown to succeed.

use blindscan_arith::block::Block;

use super::*;
use crate::ProtocolError;
use crate::ot::buffered::{BATCH, BufferedReceiver, BufferedSender, hash_of};
use crate::ot::security::{Check, Checked, Security, SemiHonest};
use crate::ot::setup::setup_at;
use crate::ot::softspoken::{SmallField, SoftSpokenReceiver};
use crate::ot::{Claim, CotReceiver, CotSender, Direction, Instance};
use crate::two_party::nonlinear::Label;

/// Positions whose last backward transfer is turned: 32 for each group of Delta but the first.
const POSITIONS: usize = 31 * 32;

/// Transfers that a part of a batch's message is made of.
const CHUNK: usize = 8192;

const SESSION: [u8; 32] = [7; 32];

const BACKWARD: Instance = Instance { session: SESSION, direction: Direction::Backward };

/// The receiver as it is, but that its messages are changed, and that it keeps its keys.
struct Cheat<S> {
    inner: SoftSpokenReceiver<S>,
    first_turned: usize,
    keys: std::sync::mpsc::Sender<Vec<Block>>,
}

/// The group whose row is turned in the transfer of this position.
fn group(position: usize) -> usize {
    1 + position % 31
}

impl<S: Security> CotReceiver for Cheat<S> {
    fn binding(&self) -> [u8; 32] {
        self.inner.binding()
    }

    fn never_waits(&self) -> bool {
        true
    }

    fn extend_into(
        &mut self,
        choice: &mut [u64],
        keys: &mut [Block],
        channel: &mut dyn Channel,
    ) -> Result<(), ProtocolError> {
        let (first, batch) = (self.first_turned, keys.len());
        let mut channel = Watched::new(channel, |_, message| {
            let mut message = message.to_vec();
            for position in 0..POSITIONS {
                let transfer = first + position;
                let (start, place) = (transfer / CHUNK * CHUNK, transfer % CHUNK);
                let row_bytes = CHUNK.min(batch - start) / 8;
                let part = start / 8 * 31 + (group(position) - 1) * row_bytes;
                message[part + place / 8] ^= 1 << (place % 8);
            }
            message
        });
        self.inner.extend_into(choice, keys, &mut channel)?;
        self.keys.send(keys.to_vec()).expect("the test listens");
        Ok(())
    }

    fn claim(self: Box<Self>) -> Claim {
        Box::new(self.inner).claim()
    }
}

/// What the cheating image owner is left with.
struct Loot {
    labels: Vec<u8>,
    keys: Vec<Block>,
    first_turned: usize,
    binding: [u8; 32],
}

/// Stock and labels of positions whose label is known to be 0, with a client that cheats. The model owner's Delta, and
/// what the client has if the model owner went on.
fn attacked<S: Security>() -> (Block, Result<Loot, ProtocolError>) {
    let of = Label::new(24, 3, 3).unwrap();
    let demand = of.demand(POSITIONS);
    let (forward_total, backward_total) = (demand.forward_cots as usize, demand.backward_cots as usize);
    assert!(backward_total <= BATCH, "one message is turned");
    let forward = Instance { session: SESSION, direction: Direction::Forward };
    let logits = [vec![9; POSITIONS], vec![2; POSITIONS], vec![-5; POSITIONS]];
    let mut rng = rng(40);
    let (l0, l1): (Vec<_>, Vec<_>) =
        logits.iter().map(|logits| shares(Ring32::new(24), logits, &mut rng)).unzip();
    let played = play(
        |channel| {
            let made = setup_at::<S, _>(
                Party::ImageOwner.direction(),
                SESSION,
                SmallField::Bits4,
                &mut super::rng(41),
                channel,
            );
            let (sender, inner) = made.unwrap();
            let (binding, (keys, kept)) = (inner.binding(), std::sync::mpsc::channel());
            let cheat = Cheat { inner, first_turned: backward_total - POSITIONS, keys };
            let mut sender = BufferedSender::new(Box::new(sender), &forward, forward_total);
            let mut receiver = BufferedReceiver::new(Box::new(cheat), &BACKWARD, backward_total);
            let mut ends = PadEnds::ImageOwner { forward: &mut sender, backward: &mut receiver };
            let stock = of.offline(POSITIONS, &mut ends, channel).unwrap();
            let claim = receiver.claim().unwrap();
            channel.exchange(claim.message(), sender.claim_bytes().unwrap()).unwrap();
            let labels = of.image_owner(l0, stock, channel).ok()?;
            let keys = kept.iter().flatten().collect();
            Some(Loot { labels, keys, first_turned: backward_total - POSITIONS, binding })
        },
        |channel| {
            let made = setup_at::<S, _>(
                Party::ModelOwner.direction(),
                SESSION,
                SmallField::Bits4,
                &mut super::rng(42),
                channel,
            );
            let (sender, receiver) = made.unwrap();
            let delta = sender.delta();
            let mut sender = BufferedSender::new(Box::new(sender), &BACKWARD, backward_total);
            let mut receiver = BufferedReceiver::new(Box::new(receiver), &forward, forward_total);
            let mut ends = PadEnds::ModelOwner { forward: &mut receiver, backward: &mut sender };
            let stock = of.offline(POSITIONS, &mut ends, channel).unwrap();
            let claim = receiver.claim().unwrap();
            let theirs = channel.exchange(claim.message(), sender.claim_bytes().unwrap()).unwrap();
            let outcome = sender.answer(&theirs);
            if outcome.is_ok() {
                of.model_owner(l1, stock, channel).unwrap();
            }
            (delta, outcome)
        },
    );
    let (delta, outcome) = played.right;
    (delta, outcome.map(|_| played.left.expect("the model owner went on")))
}

impl Loot {
    /// Groups 1 to 31 of Delta, where the labels leave one candidate.
    fn delta(&self) -> Vec<Option<u32>> {
        let first = self.first_turned;
        // What the pads of the last selection would be if the group's bits were `guess`: the error of the label tells.
        let pads = |guess: u32| {
            let mut keys = self.keys.clone();
            for position in 0..POSITIONS {
                keys[first + position] ^= Block::from(guess) << (4 * group(position));
            }
            let mut words = vec![0; keys.len()];
            hash_of(&BACKWARD, self.binding).hash(&keys, &mut words);
            words[first..first + POSITIONS].to_vec()
        };
        let guesses: Vec<Vec<u32>> = (0..16).map(pads).collect();
        let fits = |group_wanted: usize, guess: &[u32]| {
            (0..POSITIONS).filter(|&position| group(position) == group_wanted).all(|position| {
                let error = guesses[0][position].wrapping_sub(guess[position]) & 3;
                u32::from(self.labels[position]) == error.min(2)
            })
        };
        let found = |group: usize| {
            let mut fitting = (0..16).filter(|&guess| fits(group, &guesses[guess as usize]));
            fitting.next().filter(|_| fitting.next().is_none())
        };
        (1..32).map(found).collect()
    }
}

#[test]
fn without_the_check_labels_tell_a_cheating_client_the_delta_of_the_model_owner() {
    let (delta, loot) = attacked::<SemiHonest>();
    let expected: Vec<Option<u32>> = (1..32).map(|group| Some((delta >> (4 * group)) as u32 & 15)).collect();
    assert_eq!(loot.unwrap().delta(), expected);
}

#[test]
fn the_check_ends_the_job_before_the_model_owner_says_anything_that_depends_on_delta() {
    let (_, loot) = attacked::<Checked>();
    assert!(matches!(loot, Err(ProtocolError::FailedCheck(found)) if found == Check::Differences.name()));
}
