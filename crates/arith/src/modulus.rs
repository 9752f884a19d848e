//! Arithmetic modulo a prime of at most 50 bits, without branches on values.
//!
//! Fifty bits leave two spare bits in a 52-bit lane, so that transforms may work on values up to four times the prime
//! ("lazy" reduction) on every machine, the 52-bit multipliers of AVX-512 IFMA included.

/// Most bits of a prime.
pub const PRIME_BITS_MAX: u32 = 50;

/// A prime modulus below 2^50, with what fast reduction needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modulus {
    value: u64,
    /// floor(2^64 / value), for Barrett's reduction of one word.
    barrett: u64,
    /// 2^52 modulo the prime: the weight of the high half of a lazy sum.
    high_half: Factor,
}

/// A constant to multiply by, with its quotient floor(constant * 2^64 / prime) (Shoup's trick).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// The constant, below the prime.
    pub value: u64,
    /// floor(value * 2^64 / prime); its upper 52 bits are floor(value * 2^52 / prime).
    pub quotient: u64,
}

impl Modulus {
    /// The modulus `prime`. That it is prime is the caller's statement; parameter sets are tested for it.
    ///
    /// # Panics
    /// When `prime` is even, below 3 or has more than 50 bits: primes are constants of parameter sets.
    pub const fn new(prime: u64) -> Self {
        assert!(
            prime > 2 && prime % 2 == 1 && prime >> PRIME_BITS_MAX == 0,
            "a modulus is an odd prime of <= 50 bits"
        );
        let barrett = ((1u128 << 64) / prime as u128) as u64;
        let high_half = (1 << 52) % prime;
        let quotient = (((high_half as u128) << 64) / prime as u128) as u64;
        Self { value: prime, barrett, high_half: Factor { value: high_half, quotient } }
    }

    /// The prime.
    pub const fn value(self) -> u64 {
        self.value
    }

    /// `constant` prepared for many multiplications.
    pub fn factor(self, constant: u64) -> Factor {
        let value = self.reduce(constant);
        Factor { value, quotient: ((u128::from(value) << 64) / u128::from(self.value)) as u64 }
    }

    /// The product of any word and a prepared constant, in 0..2 * prime.
    #[inline(always)]
    pub const fn multiply_lazy(self, word: u64, factor: Factor) -> u64 {
        let quotient = ((word as u128 * factor.quotient as u128) >> 64) as u64;
        word.wrapping_mul(factor.value).wrapping_sub(quotient.wrapping_mul(self.value))
    }

    /// A value of 0..2 * prime brought below the prime.
    #[inline(always)]
    pub const fn reduce_once(self, value: u64) -> u64 {
        subtract_if_not_less(value, self.value)
    }

    /// Any word modulo the prime.
    #[inline(always)]
    pub const fn reduce(self, word: u64) -> u64 {
        let quotient = ((word as u128 * self.barrett as u128) >> 64) as u64;
        self.reduce_once(word.wrapping_sub(quotient.wrapping_mul(self.value)))
    }

    /// `high * 2^52 + low` modulo the prime, for any two words.
    #[inline(always)]
    pub const fn reduce_halves(self, low: u64, high: u64) -> u64 {
        let high = self.reduce_once(self.multiply_lazy(high, self.high_half));
        self.add(self.reduce(low), high)
    }

    /// Any integer below 2^116 modulo the prime.
    #[inline(always)]
    pub const fn reduce_wide(self, value: u128) -> u64 {
        self.reduce_halves(value as u64 & ((1 << 52) - 1), (value >> 52) as u64)
    }

    /// Sum of two residues.
    #[inline(always)]
    pub const fn add(self, a: u64, b: u64) -> u64 {
        self.reduce_once(a + b)
    }

    /// Difference of two residues.
    #[inline(always)]
    pub const fn subtract(self, a: u64, b: u64) -> u64 {
        self.reduce_once(a + self.value - b)
    }

    /// Product of two residues.
    #[inline(always)]
    pub const fn multiply(self, a: u64, b: u64) -> u64 {
        self.reduce_wide(a as u128 * b as u128)
    }

    /// The residue of a signed integer of magnitude below the prime.
    #[inline(always)]
    pub const fn from_signed(self, value: i64) -> u64 {
        (value + (self.value as i64 & (value >> 63))) as u64
    }

    /// The exponent's bits are public.
    pub fn power(self, base: u64, mut exponent: u64) -> u64 {
        let (mut result, mut square) = (1, self.reduce(base));
        while exponent != 0 {
            if exponent & 1 == 1 {
                result = self.multiply(result, square);
            }
            square = self.multiply(square, square);
            exponent >>= 1;
        }
        result
    }

    /// The inverse of a non-zero residue (Fermat).
    pub fn inverse(self, value: u64) -> u64 {
        self.power(value, self.value - 2)
    }

    /// The smallest base's primitive root of unity of order `order`, a power of two dividing prime - 1.
    ///
    /// # Panics
    /// When there is none: the degree and the prime of a parameter set do not fit.
    pub fn root_of_unity(self, order: u64) -> u64 {
        assert!(
            order.is_power_of_two() && (self.value - 1).is_multiple_of(order),
            "the order divides prime - 1"
        );
        (2..self.value)
            .map(|base| self.power(base, (self.value - 1) / order))
            .find(|&root| self.power(root, order / 2) == self.value - 1)
            .expect("a prime has roots of unity of every order dividing prime - 1")
    }
}

/// `value - bound` unless that is negative: a mask, never a branch.
#[inline(always)]
pub(crate) const fn subtract_if_not_less(value: u64, bound: u64) -> u64 {
    let difference = value.wrapping_sub(bound);
    difference.wrapping_add(bound & ((difference as i64 >> 63) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PRIME: u64 = (1 << 50) - 16383;

    proptest! {
        #[test]
        fn every_operation_equals_division_with_remainder(a in 0..PRIME, b in 0..PRIME, word: u64, high: u64) {
            let modulus = Modulus::new(PRIME);
            let wide = |value: u128| (value % u128::from(PRIME)) as u64;
            prop_assert_eq!(modulus.add(a, b), wide(u128::from(a) + u128::from(b)));
            prop_assert_eq!(modulus.subtract(a, b), wide(u128::from(a) + u128::from(PRIME) - u128::from(b)));
            prop_assert_eq!(modulus.multiply(a, b), wide(u128::from(a) * u128::from(b)));
            prop_assert_eq!(modulus.reduce(word), word % PRIME);
            prop_assert_eq!(modulus.reduce_halves(word, high), wide((u128::from(high) << 52) + u128::from(word)));
            let lazy = modulus.multiply_lazy(word, modulus.factor(b));
            prop_assert!(lazy < 2 * PRIME);
            prop_assert_eq!(lazy % PRIME, wide(u128::from(word) * u128::from(b)));
            if a != 0 {
                prop_assert_eq!(modulus.multiply(a, modulus.inverse(a)), 1);
            }
        }

        #[test]
        fn signed_values_are_lifted_without_losing_their_sign(value in -(1i64 << 49)..(1i64 << 49)) {
            let residue = Modulus::new(PRIME).from_signed(value);
            prop_assert_eq!(i128::from(residue), i128::from(value).rem_euclid(i128::from(PRIME)));
        }
    }

    #[test]
    fn the_extremes_of_a_word_are_reduced() {
        for prime in [3, 97, 12289, PRIME] {
            let modulus = Modulus::new(prime);
            for word in [0, 1, prime - 1, prime, prime + 1, u64::MAX - 1, u64::MAX] {
                assert_eq!(modulus.reduce(word), word % prime, "{word} modulo {prime}");
                assert_eq!(
                    u128::from(modulus.reduce_halves(word, u64::MAX)),
                    ((u128::from(u64::MAX) << 52) + u128::from(word)) % u128::from(prime)
                );
            }
        }
    }

    #[test]
    fn a_root_of_unity_has_exactly_the_order_asked_for() {
        let modulus = Modulus::new(PRIME);
        let root = modulus.root_of_unity(8192);
        assert_eq!(modulus.power(root, 4096), PRIME - 1);
        assert_eq!(modulus.power(root, 8192), 1);
    }
}
