//! Parameter sets are data. [`Parameters::check`] is the gate that each passes before it is used.

use thiserror::Error;

/// Number of primes in the modulus.
pub const PRIMES: usize = 2;

/// One set of parameters: degree, modulus, noise, and how answers are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Name in plans and reports.
    pub name: &'static str,
    /// Coefficients of a polynomial.
    pub degree: usize,
    /// The modulus q is their product.
    pub primes: [u64; PRIMES],
    /// Coins of the centred binomial noise; its variance is a quarter of them.
    pub noise_coins: u32,
    /// Low bits that answers are rounded off.
    pub dropped_bits: u32,
}

/// `exact` of the `two-party` suite: two primes of 50 bits, noise of variance 10.5 >= 3.2^2, answers of 88 bits.
pub const EXACT: Parameters = Parameters {
    name: "exact",
    degree: 4096,
    primes: [(1 << 50) - 16_383, (1 << 50) - 212_991],
    noise_coins: 42,
    dropped_bits: 12,
};

/// Largest log2 q at 128 bits of security against quantum attacks, ternary secret, sigma 3.2
/// (HomomorphicEncryption.org, "Homomorphic Encryption Security Standard", 2018, table 2).
const MODULUS_BITS_MAX: [(usize, f64); 4] = [(1024, 25.0), (2048, 51.0), (4096, 101.0), (8192, 202.0)];

/// Smallest variance of the noise: sigma = 3.2.
const NOISE_VARIANCE_MIN: f64 = 3.2 * 3.2;

/// Why a set of parameters is refused.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// No row of the table of secure moduli.
    #[error("degree {0} is not in the table of secure moduli (1024, 2048, 4096, 8192)")]
    Degree(usize),
    /// The modulus is too large for the degree.
    #[error("a modulus of {found:.2} bits; degree {degree} is secure up to {most} bits")]
    Modulus {
        /// Coefficients of a polynomial.
        degree: usize,
        /// log2 q.
        found: f64,
        /// Largest log2 q.
        most: f64,
    },
    /// The noise is too small.
    #[error("noise of variance {0}; the table of secure moduli needs 10.24")]
    Noise(f64),
    /// A prime does not fit the transform.
    #[error("modulus {0} is no prime of at most 50 bits that is 1 modulo twice the degree, or occurs twice")]
    Prime(u64),
    /// Answers must be whole bytes and keep the sums of rounding below the modulus.
    #[error("answers of {0} bits; they must be a positive multiple of eight bits and fewer than 128")]
    AnswerBits(u32),
}

impl Parameters {
    /// The gate: secure by the table, noise large enough, primes that fit the transform.
    pub fn check(&self) -> Result<(), ParameterError> {
        let (_, most) = *(MODULUS_BITS_MAX.iter().find(|(degree, _)| *degree == self.degree))
            .ok_or(ParameterError::Degree(self.degree))?;
        for (i, &prime) in self.primes.iter().enumerate() {
            let fits = prime >> 50 == 0 && prime % (2 * self.degree as u64) == 1 && is_prime(prime);
            if !fits || self.primes[..i].contains(&prime) {
                return Err(ParameterError::Prime(prime));
            }
        }
        let found = self.modulus_bits();
        if found > most {
            return Err(ParameterError::Modulus { degree: self.degree, found, most });
        }
        if self.noise_variance() < NOISE_VARIANCE_MIN || self.noise_coins > 64 || self.noise_coins % 2 == 1 {
            return Err(ParameterError::Noise(self.noise_variance()));
        }
        let answer_bits = self.answer_bits();
        if !answer_bits.is_multiple_of(8) || self.dropped_bits == 0 || answer_bits == 0 {
            return Err(ParameterError::AnswerBits(answer_bits));
        }
        Ok(())
    }

    /// q.
    pub const fn modulus(&self) -> u128 {
        self.primes[0] as u128 * self.primes[1] as u128
    }

    /// log2 q.
    pub fn modulus_bits(&self) -> f64 {
        (self.modulus() as f64).log2()
    }

    /// Variance of a coefficient of fresh noise.
    pub fn noise_variance(&self) -> f64 {
        f64::from(self.noise_coins) / 4.0
    }

    /// Bits of residues on the wire, for each prime.
    pub const fn residue_bits(&self) -> [u32; PRIMES] {
        [u64::BITS - self.primes[0].leading_zeros(), u64::BITS - self.primes[1].leading_zeros()]
    }

    /// Largest value of a rounded coefficient.
    pub const fn answer_max(&self) -> u128 {
        (self.modulus() - 1 + (1 << self.dropped_bits >> 1)) >> self.dropped_bits
    }

    /// Bits of a rounded coefficient on the wire.
    pub const fn answer_bits(&self) -> u32 {
        u128::BITS - self.answer_max().leading_zeros()
    }

    /// Bytes of a rounded coefficient on the wire.
    pub const fn answer_bytes(&self) -> usize {
        self.answer_bits() as usize / 8
    }
}

/// Miller and Rabin's test with the first twelve primes as bases: exact below 3 * 10^24.
fn is_prime(candidate: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if candidate < 41 || candidate.is_multiple_of(2) {
        return candidate == 2 || BASES.contains(&candidate);
    }
    let times = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(candidate)) as u64;
    let twos = (candidate - 1).trailing_zeros();
    BASES.iter().all(|&base| {
        let mut power = (0..64).rev().fold(1, |power, bit| {
            let square = times(power, power);
            if (candidate - 1) >> twos >> bit & 1 == 1 { times(square, base) } else { square }
        });
        let mut passes = power == 1 || power == candidate - 1;
        for _ in 1..twos {
            power = times(power, power);
            passes |= power == candidate - 1;
        }
        passes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_passes_the_gate() {
        assert_eq!(EXACT.check(), Ok(()));
        assert_eq!(EXACT.answer_bits(), 88);
        assert_eq!(EXACT.residue_bits(), [50, 50]);
    }

    #[test]
    fn the_gate_refuses_what_is_not_secure() {
        let small = Parameters { degree: 2048, ..EXACT };
        assert!(matches!(small.check(), Err(ParameterError::Modulus { degree: 2048, .. })));
        let quiet = Parameters { noise_coins: 40, ..EXACT };
        assert_eq!(quiet.check(), Err(ParameterError::Noise(10.0)));
        let odd = Parameters { degree: 3000, ..EXACT };
        assert_eq!(odd.check(), Err(ParameterError::Degree(3000)));
        let twice = Parameters { primes: [EXACT.primes[0]; 2], ..EXACT };
        assert_eq!(twice.check(), Err(ParameterError::Prime(EXACT.primes[0])));
        let composite = (1 << 50) - 16_383 - 8192;
        let other = Parameters { primes: [EXACT.primes[0], composite], ..EXACT };
        assert_eq!(other.check(), Err(ParameterError::Prime(composite)));
        let ragged = Parameters { dropped_bits: 13, ..EXACT };
        assert_eq!(ragged.check(), Err(ParameterError::AnswerBits(87)));
    }

    #[test]
    fn primes_are_told_from_composites() {
        let primes: Vec<u64> = (0..60).filter(|&n| is_prime(n)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]);
        // A strong pseudoprime to the bases 2 to 31 (Jaeschke 1993, psi_11 = psi_9).
        assert!(!is_prime(3_825_123_056_546_413_051));
        assert!(is_prime((1 << 61) - 1));
    }
}
