//! Answers: sums of products of ciphertexts and kernels, made safe to send.
//!
//! [`Product`] has no wire form. Only [`Sealer::seal`] turns it into bytes, and it takes one-time randomness by value:
//! - a fresh encryption of zero (b*u, a*u + e1) is added, so that the second component is a new RLWE sample and tells
//!   nothing of the weights. The usual noise e0 of its first component is left out: what is sent of the first component
//!   is uniform anyway, because of
//! - a mask uniform over all of R_q, subtracted from the first component. It hides message, noise and the cross terms.
//! - Both components are rounded by the bits that the parameters drop; only the used coefficients of the first are sent.
//!
//! The model owner's share of an answer is round(t*mask/q), the image owner's round(t*phase/q), both modulo t = 2^l.
//! Source: Huang, Lu, Hong, Ding, "Cheetah", USENIX Security 2022, sections 3 and 5; the rounding's price is in
//! [`crate::noise`].

use blindscan_arith::erase::Erased;
use blindscan_arith::ntt::LazySum;
use blindscan_arith::ring::Ring32;
use rand_core::CryptoRng;

use crate::InvalidBytes;
use crate::bits;
use crate::ciphertext::Ciphertext;
use crate::context::Context;
use crate::keys::{PublicKey, SecretKey};
use crate::packing::Place;
use crate::parameters::PRIMES;
use crate::poly::{Coefficients, Spectrum};
use crate::sampling::Sampler;

/// A sum of products of ciphertexts and kernels. Not yet fit to leave the model owner.
pub struct Product {
    context: &'static Context,
    /// The two components, modulo each prime.
    sums: [[LazySum; PRIMES]; 2],
}

/// What makes one answer safe to send: the stream of its encryption of zero and its mask. Used once, therefore neither
/// `Clone` nor by reference. Drawing it is quick, so that answers drawn in order can be sealed on any thread.
pub struct AnswerRandomness {
    stream: Sampler,
}

/// The model owner's side of answers.
pub struct Sealer<'k> {
    key: &'k PublicKey,
    randomness: Sampler,
    #[cfg(test)]
    sabotage: tests::Sabotage,
}

impl Product {
    /// Zero.
    pub fn zero(context: &'static Context) -> Self {
        let sum = |_: usize| LazySum::zero(context.degree());
        Self { context, sums: [std::array::from_fn(sum), std::array::from_fn(sum)] }
    }

    /// Adds the product of every pair.
    pub fn add(&mut self, pairs: &[(&Ciphertext, &Spectrum)]) {
        for k in 0..PRIMES {
            let ntt = self.context.transform(k);
            for (sums, of) in self.sums.iter_mut().zip([first, second]) {
                let pairs: Vec<(&[u64], &[u64])> = pairs
                    .iter()
                    .map(|(ciphertext, kernel)| (&of(ciphertext).residues[k][..], &kernel.residues[k][..]))
                    .collect();
                sums[k].add_products(ntt, &pairs);
            }
        }
    }

    /// Bytes of a product in memory.
    pub fn memory_bytes(context: &Context) -> usize {
        2 * Ciphertext::memory_bytes(context)
    }

    fn components(self) -> [Coefficients; 2] {
        let context = self.context;
        self.sums.map(|sums| {
            let mut k = 0..PRIMES;
            let residues =
                sums.map(|sum| sum.reduced(context.transform(k.next().expect("one sum for each prime"))));
            Spectrum { residues }.coefficients(context)
        })
    }
}

fn first(ciphertext: &Ciphertext) -> &Spectrum {
    &ciphertext.first
}

fn second(ciphertext: &Ciphertext) -> &Spectrum {
    &ciphertext.second
}

impl<'k> Sealer<'k> {
    /// Draws a fresh stream from `rng`.
    pub fn new<R: CryptoRng + ?Sized>(key: &'k PublicKey, rng: &mut R) -> Self {
        Self {
            key,
            randomness: Sampler::fresh(rng),
            #[cfg(test)]
            sabotage: tests::Sabotage::None,
        }
    }

    /// Randomness for the next answer.
    pub fn randomness(&mut self) -> AnswerRandomness {
        #[cfg(test)]
        self.sabotage.before(&mut self.randomness);
        AnswerRandomness { stream: Sampler::new(self.randomness.seed()) }
    }

    /// Appends the wire form of an answer whose values lie at `places`; returns this party's shares of them, in that order.
    pub fn seal(
        &self,
        mut product: Product,
        mut randomness: AnswerRandomness,
        ring: Ring32,
        places: &[Place],
        bytes: &mut Vec<u8>,
    ) -> Vec<u32> {
        let context = self.key.context();
        let u = Coefficients::lift(context, &randomness.stream.ternary(context)).transformed(context);
        let noise = Coefficients::lift(context, &randomness.stream.noise(context));
        let mask = randomness.stream.uniform_coefficients(context);
        #[cfg(test)]
        let mask = self.sabotage.mask(context, mask);
        product.add(&[(self.key.zero(), &u)]);
        let [first, mut second] = product.components();
        second.add(context, &noise);
        let masked = |place: &Place| -> [u64; PRIMES] {
            let (value, mask) = (first.at(place.coefficient), mask.at(place.coefficient));
            std::array::from_fn(|k| context.transform(k).modulus().subtract(value[k], mask[k]))
        };
        let width = context.parameters().answer_bytes();
        bits::pack_wide(width, places.iter().map(|place| context.rounded(masked(place))), bytes);
        bits::pack_wide(width, (0..context.degree()).map(|index| context.rounded(second.at(index))), bytes);
        places.iter().map(|place| context.scale(ring, mask.at(place.coefficient))).collect()
    }
}

impl SecretKey {
    /// This party's shares of the answer whose values lie at `places`, in that order.
    pub fn open(&self, ring: Ring32, places: &[Place], bytes: &[u8]) -> Result<Vec<u32>, InvalidBytes> {
        let phases = self.phases(places, bytes)?;
        Ok(phases.iter().map(|phase| self.context().scale(ring, *phase)).collect())
    }

    /// The phase at each place.
    fn phases(&self, places: &[Place], bytes: &[u8]) -> Result<Erased<[u64; PRIMES]>, InvalidBytes> {
        let context = self.context();
        let expected = answer_bytes(context, places.len());
        if bytes.len() != expected {
            return Err(InvalidBytes::Length { expected, found: bytes.len() });
        }
        let (first, second) = bytes.split_at(places.len() * context.parameters().answer_bytes());
        let first = read_rounded(context, first)?;
        let product = self.times_secret(read_rounded(context, second)?);
        let phase = |(index, place): (usize, &Place)| {
            let (value, other) = (first.at(index), product.at(place.coefficient));
            std::array::from_fn(|k| context.transform(k).modulus().add(value[k], other[k]))
        };
        Ok(places.iter().enumerate().map(phase).collect::<Vec<_>>().into())
    }
}

/// Bytes of an answer with `count` values.
pub fn answer_bytes(context: &Context, count: usize) -> usize {
    (count + context.degree()) * context.parameters().answer_bytes()
}

/// Refuses a coefficient that no rounding of a residue modulo q gives.
fn read_rounded(context: &Context, bytes: &[u8]) -> Result<Coefficients, InvalidBytes> {
    let rounded: Vec<u128> = bits::unpack_wide(context.parameters().answer_bytes(), bytes).collect();
    if rounded.iter().any(|&value| value > context.parameters().answer_max()) {
        return Err(InvalidBytes::Residue);
    }
    Ok(context.expanded(&rounded))
}

#[cfg(test)]
mod tests;
