//! Where a deployed program's randomness comes from: a generator seeded by the operating system, never by a file or a flag.

use rand::SeedableRng;
use rand::rngs::SysRng;

/// ChaCha with 20 rounds.
pub type Random = rand_chacha::ChaCha20Rng;

/// A fresh generator.
///
/// # Panics
/// When the operating system gives no randomness: nothing may be done without it.
pub fn random() -> Random {
    Random::try_from_rng(&mut SysRng).expect("the operating system gives randomness")
}
