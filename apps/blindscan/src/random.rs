//! Where a deployed program's randomness comes from: a generator seeded by the operating system, never by a file or a flag.

use rand::SeedableRng;

/// ChaCha with 20 rounds.
pub(crate) type Random = rand_chacha::ChaCha20Rng;

/// A fresh generator.
pub(crate) fn random() -> Random {
    Random::from_rng(&mut rand::rng())
}
