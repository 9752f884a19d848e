//! The image owner: encrypts the mask, keeps the key, decrypts its share.

use blindscan_rlwe::ciphertext::Encryptor;
use blindscan_rlwe::keys::SecretKey;
use blindscan_wire::Channel;
use rand_core::CryptoRng;

use super::{INPUTS_PER_MESSAGE, LinearLayer};
use crate::ProtocolError;

impl LinearLayer {
    /// This party's share of W * `mask_r`, for the model owner's W.
    ///
    /// # Panics
    /// When the mask has another length than the layer's input.
    pub fn image_owner_offline<R: CryptoRng + ?Sized>(
        &self,
        mask_r: &[u32],
        keys: &SecretKey,
        rng: &mut R,
        channel: &mut dyn Channel,
    ) -> Result<Vec<u32>, ProtocolError> {
        assert_eq!(mask_r.len(), self.shape.input_count(), "a mask has the length of the layer's input");
        let mut encryptor = Encryptor::new(keys, rng);
        let mut shares = vec![0; self.shape.output_count()];
        for block in self.blocks() {
            for inputs in self.inputs(block.clone()).chunks(INPUTS_PER_MESSAGE) {
                let mut message = Vec::new();
                for &(unit, channel_block) in inputs {
                    let places = self.packing.input_places(unit, channel_block);
                    encryptor.encrypt(self.ring, &places, mask_r, &mut message);
                }
                channel.send(&message)?;
            }
            for row in self.rows(block) {
                for units in row.messages() {
                    let lengths = self.answer_lengths(row.output_block, &units);
                    let message = channel.receive(lengths.iter().sum())?;
                    self.open(row.output_block, &units, &lengths, &message, keys, &mut shares)?;
                }
            }
        }
        Ok(shares)
    }

    /// Puts the shares of one message of answers into their places.
    fn open(
        &self,
        output_block: usize,
        units: &[usize],
        lengths: &[usize],
        mut message: &[u8],
        keys: &SecretKey,
        shares: &mut [u32],
    ) -> Result<(), ProtocolError> {
        for (&unit, &length) in units.iter().zip(lengths) {
            let (answer, rest) = message.split_at(length);
            message = rest;
            let places = self.packing.output_places(self.packing.unit(unit), output_block);
            for (place, share) in places.iter().zip(keys.open(self.ring, &places, answer)?) {
                shares[place.element] = share;
            }
        }
        Ok(())
    }
}
