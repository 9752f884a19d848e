//! What a parameter set needs to compute: transforms, the Chinese remainder, scaling between Z_q and Z_2^l.

use std::sync::OnceLock;

use blindscan_arith::modulus::{Factor, Modulus};
use blindscan_arith::ntt::{Ntt, Residues};
use blindscan_arith::ring::{Module, Ring32};

use crate::packing::Place;
use crate::parameters::{EXACT, PRIMES, ParameterError, Parameters};
use crate::poly::{Coefficients, Spectrum};

/// Tables of one parameter set.
pub struct Context {
    parameters: Parameters,
    transforms: [Ntt; PRIMES],
    remainders: [Remainder; PRIMES],
}

/// Constants of one prime p in the Chinese remainder modulo q.
struct Remainder {
    /// The inverse of q/p modulo p.
    cofactor_inverse: Factor,
    /// q/p.
    cofactor: u64,
    /// floor(2^128 / p).
    fraction: u128,
    /// floor((2^128 mod p) * 2^64 / p): what `fraction` lacks, in units of 2^-64.
    fraction_rest: u64,
}

impl Context {
    /// The tables of [`EXACT`], made once.
    pub fn exact() -> &'static Self {
        static CONTEXT: OnceLock<Context> = OnceLock::new();
        CONTEXT.get_or_init(|| Self::new(EXACT).expect("the set passes the gate; a test holds that"))
    }

    /// The tables of a set that passes the gate.
    pub fn new(parameters: Parameters) -> Result<Self, ParameterError> {
        parameters.check()?;
        let modulus = |k: usize| Modulus::new(parameters.primes[k]);
        Ok(Self {
            parameters,
            transforms: std::array::from_fn(|k| Ntt::new(modulus(k), parameters.degree)),
            remainders: std::array::from_fn(|k| Remainder::new(modulus(k), parameters.modulus())),
        })
    }

    /// The set.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Coefficients of a polynomial.
    pub fn degree(&self) -> usize {
        self.parameters.degree
    }

    /// The transform modulo prime number `k`.
    pub(crate) fn transform(&self, k: usize) -> &Ntt {
        &self.transforms[k]
    }

    /// The polynomial with round(q * value / 2^l) at each place: exactly rounded, so that no error grows with the value.
    pub(crate) fn encode(&self, ring: Ring32, places: &[Place], values: &[u32]) -> Coefficients {
        let q = self.parameters.modulus();
        let (high, low) = (q >> ring.bits(), q as u64 & u64::from(ring.mask()));
        let half = 1u64 << ring.bits() >> 1;
        let high = self.transforms.each_ref().map(|ntt| (high % u128::from(ntt.modulus().value())) as u64);
        let mut polynomial = Coefficients::zero(self);
        for place in places {
            let value = u64::from(ring.reduce(values[place.element]));
            // q*x/t = high*x + low*x/t; low*x + t/2 stays below 2^64, for both factors are below 2^32.
            let rounded = (low * value + half) >> ring.bits();
            let residue = |k: usize| {
                let exact = u128::from(high[k]) * u128::from(value) + u128::from(rounded);
                self.transforms[k].modulus().reduce_wide(exact)
            };
            polynomial.set(place.coefficient, std::array::from_fn(residue));
        }
        polynomial
    }

    /// The transformed polynomial with the weight of each place, lifted as a small signed integer. Zeros are not skipped.
    ///
    /// A kernel with the constant coefficient alone, as windows of one have, equals its own transform at every point;
    /// the places, which are public, show it.
    pub fn kernel(&self, places: &[Place], weights: &[i32]) -> Spectrum {
        let lift =
            |k: usize, place: &Place| self.transforms[k].modulus().from_signed(weights[place.element].into());
        if let [place @ Place { coefficient: 0, .. }] = places {
            let constant = |k| Residues::from_fn(self.degree(), |_| lift(k, place));
            return Spectrum { residues: std::array::from_fn(constant) };
        }
        let mut polynomial = Coefficients::zero(self);
        for place in places {
            polynomial.set(place.coefficient, std::array::from_fn(|k| lift(k, place)));
        }
        polynomial.transformed(self)
    }

    /// round(2^l * x / q) modulo 2^l, for x given by its residues.
    ///
    /// x/q is the sum of y/p over the primes modulo 1, y = x * (q/p)^-1 mod p; each is taken to within 2^-127.
    pub(crate) fn scale(&self, ring: Ring32, residues: [u64; PRIMES]) -> u32 {
        let fraction = (0..PRIMES).fold(0u128, |sum, k| {
            let remainder = &self.remainders[k];
            let y = u128::from(self.cofactor_quotient(k, residues[k]));
            let rest = (y * u128::from(remainder.fraction_rest)) >> 64;
            sum.wrapping_add(y * remainder.fraction + rest)
        });
        let half = 1u128 << (127 - ring.bits());
        (fraction.wrapping_add(half) >> (128 - ring.bits())) as u32
    }

    /// round(x / 2^d) for x in 0..q given by its residues, d the bits that answers drop.
    pub(crate) fn rounded(&self, residues: [u64; PRIMES]) -> u128 {
        let q = self.parameters.modulus();
        let sum: u128 = (0..PRIMES)
            .map(|k| {
                u128::from(self.cofactor_quotient(k, residues[k])) * u128::from(self.remainders[k].cofactor)
            })
            .sum();
        let difference = sum.wrapping_sub(q);
        let x = difference.wrapping_add(q & ((difference as i128 >> 127) as u128));
        (x + (1 << self.parameters.dropped_bits >> 1)) >> self.parameters.dropped_bits
    }

    /// The polynomial of rounded coefficients, each times 2^d; none above the largest that rounding gives. Its length is
    /// that of `rounded`, filled up to a multiple of eight.
    pub(crate) fn expanded(&self, rounded: &[u128]) -> Coefficients {
        let length = rounded.len().next_multiple_of(8);
        let digit = |shift: u32| {
            move |i: usize| match rounded.get(i) {
                Some(&value) => ((value << self.parameters.dropped_bits) >> shift) as u64 & ((1 << 52) - 1),
                None => 0,
            }
        };
        let high = Residues::from_fn(length, digit(52));
        let residues = std::array::from_fn(|k| {
            let mut low = Residues::from_fn(length, digit(0));
            self.transforms[k].reduce_halves(&mut low, &high);
            low
        });
        Coefficients { residues }
    }

    /// y = x * (q/p)^-1 modulo p.
    fn cofactor_quotient(&self, k: usize, residue: u64) -> u64 {
        let modulus = self.transforms[k].modulus();
        modulus.reduce_once(modulus.multiply_lazy(residue, self.remainders[k].cofactor_inverse))
    }
}

impl Remainder {
    fn new(modulus: Modulus, q: u128) -> Self {
        let prime = u128::from(modulus.value());
        let cofactor = (q / prime) as u64;
        let cofactor_inverse = modulus.factor(modulus.inverse(modulus.reduce(cofactor)));
        // An odd prime does not divide 2^128, so that 2^128 and 2^128 - 1 have the same quotient.
        let fraction = u128::MAX / prime;
        let rest = u128::MAX % prime + 1;
        Self { cofactor_inverse, cofactor, fraction, fraction_rest: ((rest << 64) / prime) as u64 }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context({})", self.parameters.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn residues(x: u128) -> [u64; PRIMES] {
        EXACT.primes.map(|prime| (x % u128::from(prime)) as u64)
    }

    /// round(t * x / q), by long division.
    fn scaled(bits: u32, x: u128) -> u32 {
        let q = EXACT.modulus();
        let (mut quotient, mut rest) = (0u64, x);
        for _ in 0..bits {
            rest *= 2;
            quotient = 2 * quotient + u64::from(rest >= q);
            rest -= if rest >= q { q } else { 0 };
        }
        (quotient + u64::from(2 * rest >= q)) as u32 & Ring32::new(bits).mask()
    }

    /// round(q * x / t), by long multiplication.
    fn encoded(bits: u32, x: u32) -> u128 {
        let q = EXACT.modulus();
        let (high, low) = ((q >> 64) * u128::from(x), (q & u128::from(u64::MAX)) * u128::from(x));
        let carry = high + (low >> 64);
        let bit = if bits == 0 { 0 } else { low >> (bits - 1) & 1 };
        (carry << (64 - bits)) + ((low & u128::from(u64::MAX)) >> bits) + bit
    }

    proptest! {
        #[test]
        fn scaling_equals_long_division(high: u64, low: u64, bits in 2u32..=32) {
            let x = ((u128::from(high) << 64) + u128::from(low)) % EXACT.modulus();
            prop_assert_eq!(Context::exact().scale(Ring32::new(bits), residues(x)), scaled(bits, x));
        }

        #[test]
        fn values_next_to_a_rounding_boundary_fall_on_their_own_side(bits in 2u32..=32, step: u32, offset in -2i64..=2) {
            // The boundary under (step + 1/2) / t of q.
            let odd = u128::from(Ring32::new(bits).reduce(step)) * 2 + 1;
            let q = EXACT.modulus();
            let boundary = (q >> (bits + 1)) * odd + (((q & ((1 << (bits + 1)) - 1)) * odd) >> (bits + 1));
            let x = boundary.wrapping_add_signed(i128::from(offset)) % q;
            prop_assert_eq!(Context::exact().scale(Ring32::new(bits), residues(x)), scaled(bits, x));
        }

        #[test]
        fn encoding_rounds_exactly(value: u32, bits in 2u32..=32) {
            let value = Ring32::new(bits).reduce(value);
            let place = Place { coefficient: 5, element: 0 };
            let encoded_value = Context::exact().encode(Ring32::new(bits), &[place], &[value]);
            prop_assert_eq!(encoded_value.at(5), residues(encoded(bits, value)));
            prop_assert_eq!(Context::exact().scale(Ring32::new(bits), encoded_value.at(5)), value);
        }

        #[test]
        fn rounding_an_answer_moves_it_by_at_most_half_a_unit(high: u64, low: u64) {
            let x = ((u128::from(high) << 64) + u128::from(low)) % EXACT.modulus();
            let rounded = Context::exact().rounded(residues(x));
            prop_assert!(rounded <= EXACT.answer_max());
            prop_assert!((rounded << EXACT.dropped_bits).abs_diff(x) <= 1 << EXACT.dropped_bits >> 1);
            prop_assert_eq!(Context::exact().expanded(&[0, rounded]).at(1), residues(rounded << EXACT.dropped_bits));
        }
    }

    #[test]
    fn a_constant_kernel_is_what_its_transform_would_be() {
        let context = Context::exact();
        let place = |coefficient, element| Place { coefficient, element };
        let constant = context.kernel(&[place(0, 1)], &[0, -5]);
        let transformed = context.kernel(&[place(0, 1), place(1, 0)], &[0, -5]);
        for k in 0..PRIMES {
            assert_eq!(constant.residues[k][..], transformed.residues[k][..]);
        }
    }

    #[test]
    fn the_largest_value_rounds_to_the_largest_answer() {
        assert_eq!(Context::exact().rounded(residues(EXACT.modulus() - 1)), EXACT.answer_max());
        assert_eq!(Context::exact().rounded(residues(0)), 0);
    }
}
