//! The protocols against their ideals, over dealt pads: exhaustively in a small ring, at the edges of large
//! ones; their costs, their stocks as bytes, lying peers, and that what is opened looks uniform.

mod activation;
mod cheating;
mod comparison;
mod hostile;
mod label;
mod maximum;
mod opened;

use blindscan_arith::ring::{Module, Ring, Ring32};
use blindscan_wire::memory::{MemoryChannel, Played, play};
use blindscan_wire::{Channel, Traffic, WireError};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::{Activation, PadEnds};
use crate::ot::dealer::{self, DealtReceiver, DealtSender};
use crate::share::Share;
use crate::two_party::Party;

fn image_ends((forward, backward): &mut (DealtSender, DealtReceiver)) -> PadEnds<'_> {
    PadEnds::ImageOwner { forward, backward }
}

fn model_ends((backward, forward): &mut (DealtSender, DealtReceiver)) -> PadEnds<'_> {
    PadEnds::ModelOwner { forward, backward }
}

/// Plays both parties of a dialogue with dealt pads.
fn dialogue<T: Send>(
    image_owner: impl FnOnce(&mut PadEnds, &mut MemoryChannel) -> T + Send,
    model_owner: impl FnOnce(&mut PadEnds, &mut MemoryChannel) -> T + Send,
) -> Played<T, T> {
    let mut dealt = dealer::pair(0x5eed);
    play(
        |channel| image_owner(&mut image_ends(&mut dealt.image_owner), channel),
        |channel| model_owner(&mut model_ends(&mut dealt.model_owner), channel),
    )
}

/// Both parties' outputs of an activation.
fn activate(of: Activation, x0: &Share, x1: &Share) -> Played<Share, Share> {
    let run = |party: Party, x: &Share, ends: &mut PadEnds, channel: &mut dyn Channel| {
        let stock = of.offline(x.len(), ends, channel).unwrap();
        of.online(party, x.view(), stock, channel).unwrap()
    };
    dialogue(
        |ends, channel| run(Party::ImageOwner, x0, ends, channel),
        |ends, channel| run(Party::ModelOwner, x1, ends, channel),
    )
}

/// Shares of the values, as seeded by `rng`.
fn shares(ring: Ring32, values: &[i64], rng: &mut impl Rng) -> (Share, Share) {
    let x0: Vec<u32> = values.iter().map(|_| ring.reduce(rng.random())).collect();
    let x1 = values.iter().zip(&x0).map(|(&x, x0)| ring.sub(ring.of_signed(x), *x0));
    let x1 = Share::of_words(x1.collect());
    (Share::of_words(x0), x1)
}

/// The signed values of a pair of shares.
fn joined(ring: Ring32, y0: &Share, y1: &Share) -> Vec<i64> {
    y0.view().plus(ring, y1.view()).words().iter().map(|word| ring.to_signed(*word)).collect()
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// n values of magnitude below 2^bits: the edges first, then random ones.
fn values(bits: u32, n: usize, rng: &mut impl Rng) -> Vec<i64> {
    let most = (1i64 << bits) - 1;
    let edges = [0, -1, 1, most, -most, most - 1, 1 - most, 1 << (bits - 1), -(1 << (bits - 1))];
    (0..n).map(|i| edges.get(i).copied().unwrap_or_else(|| rng.random_range(-most..=most))).collect()
}

/// A channel that remembers what was sent, and may send something else: `change(index, message)`.
struct Watched<'a> {
    channel: &'a mut dyn Channel,
    change: Box<Change<'a>>,
    log: Vec<Sent>,
}

type Change<'a> = dyn Fn(usize, &[u8]) -> Vec<u8> + 'a;

/// A message, and whether the peer sent one at the same time.
struct Sent {
    message: Vec<u8>,
    exchanged: bool,
}

impl<'a> Watched<'a> {
    fn new(channel: &'a mut dyn Channel, change: impl Fn(usize, &[u8]) -> Vec<u8> + 'a) -> Self {
        Self { channel, change: Box::new(change), log: Vec::new() }
    }

    fn recording(channel: &'a mut dyn Channel) -> Self {
        Self::new(channel, |_, message| message.to_vec())
    }

    fn sent(self) -> Vec<Vec<u8>> {
        self.log.into_iter().map(|sent| sent.message).collect()
    }

    fn log(&mut self, message: &[u8], exchanged: bool) -> Vec<u8> {
        let message = (self.change)(self.log.len(), message);
        self.log.push(Sent { message: message.clone(), exchanged });
        message
    }
}

impl Channel for Watched<'_> {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        let message = self.log(message, false);
        self.channel.send(&message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        self.channel.receive(length)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        let message = self.log(message, true);
        self.channel.exchange(&message, length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        self.channel.finish()
    }

    fn traffic(&self) -> Traffic {
        self.channel.traffic()
    }
}
