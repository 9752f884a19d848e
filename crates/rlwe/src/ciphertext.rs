//! Symmetric encryption, and what of a ciphertext is sent: a seed and the first component.
//!
//! Wire form: 16 bytes of seed, then for each prime the transformed first component at the prime's width. The second
//! component is the uniform polynomial of the seed, sampled in transformed form. A residue that is not below its prime
//! is refused, never reduced.

use blindscan_arith::block::Block;
use blindscan_arith::ntt::Residues;
use blindscan_arith::ring::Ring32;
use rand_core::CryptoRng;

use crate::InvalidBytes;
use crate::bits;
use crate::context::Context;
use crate::keys::SecretKey;
use crate::packing::Place;
use crate::parameters::PRIMES;
use crate::poly::Spectrum;
use crate::sampling::Sampler;

const SEED_BYTES: usize = 16;

/// A ciphertext in transformed form: phase `first + second * s`.
pub struct Ciphertext {
    pub(crate) first: Spectrum,
    pub(crate) second: Spectrum,
}

/// What one encryption takes: the seed of its second component and the stream of its noise. Used once, therefore neither
/// `Clone` nor by reference. Drawing it is quick, so that ciphertexts drawn in order can be made on any thread.
pub struct InputRandomness {
    seed: Block,
    noise: Sampler,
}

/// Encrypts under one secret key, with noise and seeds of its own streams.
pub struct Encryptor<'k> {
    key: &'k SecretKey,
    noise: Sampler,
    seeds: Sampler,
}

impl<'k> Encryptor<'k> {
    /// Draws fresh streams from `rng`.
    pub fn new<R: CryptoRng + ?Sized>(key: &'k SecretKey, rng: &mut R) -> Self {
        Self { key, noise: Sampler::fresh(rng), seeds: Sampler::fresh(rng) }
    }

    /// Randomness for the next ciphertext.
    pub fn randomness(&mut self) -> InputRandomness {
        InputRandomness { seed: self.seeds.seed(), noise: Sampler::new(self.noise.seed()) }
    }

    /// Appends the encryption of the polynomial with `values[element]` of the ring at each place's coefficient.
    pub fn encrypt(
        &self,
        mut randomness: InputRandomness,
        ring: Ring32,
        places: &[Place],
        values: &[u32],
        bytes: &mut Vec<u8>,
    ) {
        let message = self.key.context().encode(ring, places, values);
        self.key.encrypt_with(message, randomness.seed, &mut randomness.noise, bytes);
    }
}

impl Ciphertext {
    /// Bytes of the wire form.
    pub fn byte_count(context: &Context) -> usize {
        SEED_BYTES + component_bytes(context).iter().sum::<usize>()
    }

    /// Bytes of a ciphertext in memory.
    pub fn memory_bytes(context: &Context) -> usize {
        2 * PRIMES * context.degree() * size_of::<u64>()
    }

    /// Reads and validates the wire form.
    pub fn from_bytes(context: &Context, bytes: &[u8]) -> Result<Self, InvalidBytes> {
        let expected = Self::byte_count(context);
        if bytes.len() != expected {
            return Err(InvalidBytes::Length { expected, found: bytes.len() });
        }
        let (seed, mut rest) = bytes.split_first_chunk::<SEED_BYTES>().expect("the length was checked");
        let (widths, lengths) = (context.parameters().residue_bits(), component_bytes(context));
        let mut first = Spectrum { residues: std::array::from_fn(|_| Residues::zeros(context.degree())) };
        for k in 0..PRIMES {
            let (packed, behind) = rest.split_at(lengths[k]);
            bits::unpack(widths[k], packed, &mut first.residues[k]);
            rest = behind;
            let prime = context.transform(k).modulus().value();
            if first.residues[k].iter().any(|&residue| residue >= prime) {
                return Err(InvalidBytes::Residue);
            }
        }
        let second = Sampler::new(Block::from_le_bytes(*seed)).uniform(context);
        Ok(Self { first, second })
    }

    /// Appends the wire form.
    pub(crate) fn write(context: &Context, seed: Block, first: &Spectrum, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&seed.to_le_bytes());
        let widths = context.parameters().residue_bits();
        for k in 0..PRIMES {
            bits::pack(widths[k], &first.residues[k], bytes);
        }
    }
}

fn component_bytes(context: &Context) -> [usize; PRIMES] {
    context.parameters().residue_bits().map(|width| bits::packed_bytes(width, context.degree()))
}

impl std::fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ciphertext")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn a_ciphertext_takes_51_kilobytes_and_decrypts_to_its_message() {
        let context = Context::exact();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = SecretKey::generate(context, &mut rng);
        let ring = Ring32::new(32);
        let values: Vec<u32> = (0..4096u32).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
        let places: Vec<Place> = (0..4096).map(|i| Place { coefficient: i, element: i }).collect();
        let mut bytes = Vec::new();
        let mut encryptor = Encryptor::new(&key, &mut rng);
        let randomness = encryptor.randomness();
        encryptor.encrypt(randomness, ring, &places, &values, &mut bytes);
        assert_eq!(bytes.len(), 51_216);
        assert_eq!(bytes.len(), Ciphertext::byte_count(context));
        let ciphertext = Ciphertext::from_bytes(context, &bytes).unwrap();
        let mut phase = ciphertext.first.coefficients(context);
        phase.add(context, &key.times_secret(ciphertext.second.coefficients(context)));
        for i in 0..4096 {
            assert_eq!(context.scale(ring, phase.at(i)), values[i]);
        }
    }

    #[test]
    fn two_encryptions_of_one_message_share_no_component() {
        let context = Context::exact();
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let key = SecretKey::generate(context, &mut rng);
        let mut encryptor = Encryptor::new(&key, &mut rng);
        let (mut one, mut two) = (Vec::new(), Vec::new());
        for bytes in [&mut one, &mut two] {
            let randomness = encryptor.randomness();
            encryptor.encrypt(randomness, Ring32::new(8), &[], &[], bytes);
        }
        assert_ne!(one[..16], two[..16]);
        assert_ne!(one[16..], two[16..]);
    }

    #[test]
    fn a_residue_that_is_not_below_its_prime_is_refused_and_not_reduced() {
        let context = Context::exact();
        for k in 0..PRIMES {
            let mut first = Spectrum { residues: std::array::from_fn(|_| Residues::zeros(context.degree())) };
            let prime = context.parameters().primes[k];
            for (residue, valid) in [(prime - 1, true), (prime, false), ((1 << 50) - 1, false)] {
                first.residues[k][4095] = residue;
                let mut bytes = Vec::new();
                Ciphertext::write(context, 0, &first, &mut bytes);
                assert_eq!(Ciphertext::from_bytes(context, &bytes).is_ok(), valid, "{residue}");
            }
        }
        let short = Ciphertext::from_bytes(context, &[0; 51_215]).unwrap_err();
        assert_eq!(short, InvalidBytes::Length { expected: 51_216, found: 51_215 });
    }
}
