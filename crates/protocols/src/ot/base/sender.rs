//! The sender of base transfers: gets both keys each.

use blindscan_arith::block::Block;
use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{RECEIVER_BYTES, SENDER_BYTES, Said, TRANSFERS, key, mask, points_from};
use crate::ProtocolError;
use crate::ot::Instance;

/// Both keys of every transfer.
pub type SenderKeys = Zeroizing<Vec<[Block; 2]>>;

/// Before the receiver's message.
pub struct Sender {
    instance: Instance,
}

impl Sender {
    /// A sender of one run.
    pub fn new(instance: Instance) -> Self {
        Self { instance }
    }

    /// Step 2: the keys and the answer to the receiver's message of [`RECEIVER_BYTES`] bytes.
    pub fn answer<R: CryptoRng + ?Sized>(
        self,
        message: &[u8],
        rng: &mut R,
    ) -> Result<(SenderKeys, Vec<u8>), ProtocolError> {
        assert_eq!(message.len(), RECEIVER_BYTES, "the channel has fixed the message's length");
        let mut keys = Zeroizing::new(Vec::with_capacity(TRANSFERS));
        let mut answer = Vec::with_capacity(SENDER_BYTES);
        for (transfer, pair) in points_from(message)?.chunks_exact(2).enumerate() {
            let [(encoded_0, point_0), (encoded_1, point_1)] = [pair[0], pair[1]];
            let secret = Zeroizing::new(Scalar::random(rng));
            let encoded = RistrettoPoint::mul_base(&secret).compress();
            let said = Said { points: [encoded_0, encoded_1], answer: encoded };
            let agreed = [
                *secret * (point_0 + mask(&self.instance, transfer, 0, &encoded_1)),
                *secret * (point_1 + mask(&self.instance, transfer, 1, &encoded_0)),
            ];
            keys.push([0, 1].map(|j| key(&self.instance, transfer, j as u8, &said, &agreed[j])));
            answer.extend_from_slice(encoded.as_bytes());
        }
        Ok((keys, answer))
    }
}
