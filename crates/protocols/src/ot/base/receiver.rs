//! The receiver of base transfers: chooses one of two keys each.

use blindscan_arith::block::Block;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use super::{RECEIVER_BYTES, SENDER_BYTES, Said, TRANSFERS, key, mask, points_from};
use crate::ProtocolError;
use crate::ot::Instance;

/// Between its message and the answer.
pub struct Receiver {
    instance: Instance,
    choices: Block,
    logarithms: Zeroizing<Vec<Scalar>>,
    sent: Vec<[CompressedRistretto; 2]>,
}

impl Receiver {
    /// Step 1: the message for bit i of `choices` in transfer i.
    pub fn new<R: CryptoRng + ?Sized>(instance: Instance, choices: Block, rng: &mut R) -> (Self, Vec<u8>) {
        let mut receiver =
            Self { instance, choices, logarithms: Zeroizing::new(Vec::new()), sent: Vec::new() };
        let mut message = Vec::with_capacity(RECEIVER_BYTES);
        receiver.logarithms.reserve_exact(TRANSFERS);
        for transfer in 0..TRANSFERS {
            let points = receiver.points_of(transfer, rng);
            message.extend(points.iter().flat_map(|point| point.to_bytes()));
            receiver.sent.push(points);
        }
        (receiver, message)
    }

    /// Step 2: the chosen keys from the sender's answer of [`SENDER_BYTES`] bytes.
    pub fn finish(self, answer: &[u8]) -> Result<Zeroizing<Vec<Block>>, ProtocolError> {
        assert_eq!(answer.len(), SENDER_BYTES, "the channel has fixed the answer's length");
        let mut keys = Zeroizing::new(Vec::with_capacity(TRANSFERS));
        for (transfer, (encoded, point)) in points_from(answer)?.into_iter().enumerate() {
            let said = Said { points: self.sent[transfer], answer: encoded };
            let agreed = self.logarithms[transfer] * point;
            // The number of the message goes into its hash: both are hashed, one is kept.
            let [zero, one] = [0, 1].map(|message| key(&self.instance, transfer, message, &said, &agreed));
            keys.push(select(zero, one, self.choice(transfer)));
        }
        Ok(keys)
    }

    fn points_of<R: CryptoRng + ?Sized>(&mut self, transfer: usize, rng: &mut R) -> [CompressedRistretto; 2] {
        let choice = self.choice(transfer);
        let logarithm = Scalar::random(rng);
        let other = RistrettoPoint::random(rng);
        let encoded = other.compress();
        let masks = [0, 1].map(|message| mask(&self.instance, transfer, message, &encoded));
        let chosen = RistrettoPoint::mul_base(&logarithm)
            - RistrettoPoint::conditional_select(&masks[0], &masks[1], choice);
        self.logarithms.push(logarithm);
        [
            RistrettoPoint::conditional_select(&chosen, &other, choice).compress(),
            RistrettoPoint::conditional_select(&other, &chosen, choice).compress(),
        ]
    }

    fn choice(&self, transfer: usize) -> Choice {
        Choice::from((self.choices >> transfer & 1) as u8)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.choices.zeroize();
    }
}

fn select(zero: Block, one: Block, choice: Choice) -> Block {
    zero ^ (zero ^ one) & Block::from(choice.unwrap_u8()).wrapping_neg()
}
