//! The image owner: encrypts the mask, keeps the key, decrypts its share.

use blindscan_arith::erase::Erased;
use blindscan_rlwe::InvalidBytes;
use blindscan_rlwe::ciphertext::{Ciphertext, Encryptor, InputRandomness};
use blindscan_rlwe::context::Context;
use blindscan_rlwe::keys::SecretKey;
use blindscan_rlwe::packing::{Place, Unit};
use blindscan_wire::Channel;
use rand_core::CryptoRng;
use rayon::prelude::*;

use super::{INPUTS_PER_MESSAGE, LinearLayer, put};
use crate::ProtocolError;
use crate::share::{Share, ShareView};

/// Where the values of an answer lie, and this party's shares of them.
type Opened = (Vec<Place>, Erased<u32>);

impl LinearLayer {
    /// This party's share of W * `mask_r`, for the model owner's W.
    ///
    /// # Panics
    /// When the mask has another length than the layer's input.
    pub fn image_owner_offline<R: CryptoRng + ?Sized>(
        &self,
        mask_r: ShareView<'_>,
        keys: &SecretKey,
        rng: &mut R,
        channel: &mut dyn Channel,
    ) -> Result<Share, ProtocolError> {
        assert_eq!(mask_r.len(), self.shape.input_count(), "a mask has the length of the layer's input");
        let mut encryptor = Encryptor::new(keys, rng);
        let mut share = Share::zeros(self.shape.output_count());
        for block in self.blocks() {
            for inputs in self.inputs(block.clone()).chunks(INPUTS_PER_MESSAGE) {
                let randomness: Vec<_> = inputs.iter().map(|_| encryptor.randomness()).collect();
                channel.send(&self.encrypted(inputs, randomness, mask_r.words(), &encryptor))?;
            }
            for row in self.rows(block) {
                for units in row.messages() {
                    let lengths = self.answer_lengths(row.output_block, &units);
                    let message = channel.receive(lengths.iter().sum())?;
                    self.open(row.output_block, &units, &lengths, &message, keys, &mut share)?;
                }
            }
        }
        Ok(share)
    }

    /// One message of input ciphertexts.
    fn encrypted(
        &self,
        inputs: &[(Unit, usize)],
        randomness: Vec<InputRandomness>,
        mask_r: &[u32],
        encryptor: &Encryptor<'_>,
    ) -> Vec<u8> {
        let encrypt = |(&(unit, channel_block), randomness): (&(Unit, usize), InputRandomness)| {
            let mut bytes = Vec::with_capacity(Ciphertext::byte_count(Context::exact()));
            let places = self.packing.input_places(unit, channel_block);
            encryptor.encrypt(randomness, self.ring, &places, mask_r, &mut bytes);
            bytes
        };
        let ciphertexts: Vec<Vec<u8>> = inputs.par_iter().zip(randomness).map(encrypt).collect();
        ciphertexts.concat()
    }

    /// Puts the words of one message of answers into their places.
    fn open(
        &self,
        output_block: usize,
        units: &[usize],
        lengths: &[usize],
        mut message: &[u8],
        keys: &SecretKey,
        share: &mut Share,
    ) -> Result<(), ProtocolError> {
        let cut = |&length: &usize| {
            let (answer, rest) = message.split_at(length);
            message = rest;
            answer
        };
        let answers: Vec<&[u8]> = lengths.iter().map(cut).collect();
        let opened = |(&unit, answer): (&usize, &[u8])| {
            let places = self.packing.output_places(self.packing.unit(unit), output_block);
            let values = keys.open(self.ring, &places, answer)?;
            Ok((places, values.into()))
        };
        let opened: Result<Vec<Opened>, InvalidBytes> = units.par_iter().zip(answers).map(opened).collect();
        for (places, values) in opened? {
            put(share, &places, &values);
        }
        Ok(())
    }
}
