//! Secret and public keys.
//!
//! The public key is (b, a) with b = e - a*s; a comes from a seed, only seed and b are sent.

use blindscan_arith::block::Block;
use rand_core::CryptoRng;

use crate::InvalidBytes;
use crate::ciphertext::Ciphertext;
use crate::context::Context;
use crate::poly::{Coefficients, Spectrum};
use crate::sampling::{Sampler, fresh_seed};

/// The image owner's key: a ternary polynomial. Erased on drop; not `Clone`.
pub struct SecretKey {
    context: &'static Context,
    secret: Spectrum,
}

/// What the model owner re-randomises answers with: an encryption of zero.
pub struct PublicKey {
    context: &'static Context,
    zero: Ciphertext,
}

impl SecretKey {
    /// A fresh key.
    pub fn generate<R: CryptoRng + ?Sized>(context: &'static Context, rng: &mut R) -> Self {
        let secret = Sampler::fresh(rng).ternary(context);
        Self { context, secret: Coefficients::lift(context, &secret).transformed(context) }
    }

    /// The tables it belongs to.
    pub fn context(&self) -> &'static Context {
        self.context
    }

    /// The wire form of a public key for this secret.
    pub fn public_key_bytes<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> Vec<u8> {
        let seed = fresh_seed(rng);
        let zero = Coefficients::zero(self.context);
        let mut bytes = Vec::with_capacity(Ciphertext::byte_count(self.context));
        self.encrypt_with(zero, seed, &mut Sampler::fresh(rng), &mut bytes);
        bytes
    }

    /// Appends the wire form of (message + e - a*s, a), a from `seed`.
    pub(crate) fn encrypt_with(
        &self,
        mut message: Coefficients,
        seed: Block,
        noise: &mut Sampler,
        bytes: &mut Vec<u8>,
    ) {
        message.add(self.context, &Coefficients::lift(self.context, &noise.noise(self.context)));
        let mut first = message.transformed(self.context);
        let mut product = Sampler::new(seed).uniform(self.context);
        product.multiply(self.context, &self.secret);
        first.subtract(self.context, &product);
        Ciphertext::write(self.context, seed, &first, bytes);
    }

    /// second * s, by coefficients.
    pub(crate) fn times_secret(&self, second: Coefficients) -> Coefficients {
        let mut product = second.transformed(self.context);
        product.multiply(self.context, &self.secret);
        product.coefficients(self.context)
    }
}

impl PublicKey {
    /// Bytes of the wire form.
    pub fn byte_count(context: &Context) -> usize {
        Ciphertext::byte_count(context)
    }

    /// Reads and validates the wire form.
    pub fn from_bytes(context: &'static Context, bytes: &[u8]) -> Result<Self, InvalidBytes> {
        Ok(Self { context, zero: Ciphertext::from_bytes(context, bytes)? })
    }

    /// The tables it belongs to.
    pub fn context(&self) -> &'static Context {
        self.context
    }

    /// Itself as an encryption of zero.
    pub(crate) fn zero(&self) -> &Ciphertext {
        &self.zero
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.context.parameters().name)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.context.parameters().name)
    }
}
