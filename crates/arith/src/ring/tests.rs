//! The same laws for every ring: as residues of 128-bit integers, with their signs, their bytes and their randomness.

use proptest::prelude::*;

use super::*;

/// What the tests need of a ring to hold it against integers.
struct Case<R> {
    ring: R,
    modulus: i128,
    bits: u32,
}

fn ring32(bits: u32) -> Case<Ring32> {
    Case { ring: Ring32::new(bits), modulus: 1 << bits, bits }
}

fn ring64(bits: u32) -> Case<Ring64> {
    Case { ring: Ring64::new(bits), modulus: 1 << bits, bits }
}

fn field(prime: u64) -> Case<PrimeField> {
    Case { ring: PrimeField::new(prime), modulus: prime.into(), bits: prime.ilog2() + 1 }
}

/// The primes of the tests: the least, that of SecureNN's comparisons, of Kyber, of BFV plaintexts, and the largest.
const PRIMES: [u64; 5] = [3, 67, 12289, 65537, (1 << 50) - 27];

impl<R: Ring<Word: Into<u64> + PartialEq + std::fmt::Debug>> Case<R> {
    fn integer(&self, word: R::Word) -> i128 {
        let integer = i128::from(word.into());
        assert!(integer < self.modulus, "{integer} modulo {}", self.modulus);
        integer
    }

    /// Sums, differences, negatives and products are those of integers.
    fn laws(&self, a: i64, b: i64) {
        let (x, y) = (self.ring.of_signed(a), self.ring.of_signed(b));
        let (a, b) = (i128::from(a), i128::from(b));
        assert_eq!(self.integer(x), a.rem_euclid(self.modulus));
        assert_eq!(self.integer(self.ring.add(x, y)), (a + b).rem_euclid(self.modulus));
        assert_eq!(self.integer(self.ring.sub(x, y)), (a - b).rem_euclid(self.modulus));
        assert_eq!(self.integer(self.ring.neg(x)), (-a).rem_euclid(self.modulus));
        assert_eq!(self.integer(self.ring.mul(x, y)), (a * b).rem_euclid(self.modulus));
        assert_eq!(self.ring.reduce(x), x);
        assert_eq!(self.ring.add(x, R::Word::default()), x);
    }

    /// The signed form is the representative of least magnitude.
    fn signs(&self, value: i64) {
        let word = self.ring.of_signed(value);
        let signed = i128::from(self.ring.to_signed(word));
        assert_eq!((signed - i128::from(value)).rem_euclid(self.modulus), 0);
        assert!(-self.modulus <= 2 * signed && 2 * signed < self.modulus, "{signed} modulo {}", self.modulus);
    }

    /// Packed words have the declared length and come back.
    fn bytes(&self, values: &[i64]) {
        let words: Vec<R::Word> = values.iter().map(|&value| self.ring.of_signed(value)).collect();
        let packed = self.ring.pack(&words);
        assert_eq!(packed.len(), (values.len() * self.bits as usize).div_ceil(8));
        assert_eq!(packed.len(), self.ring.packed_bytes(values.len()));
        assert_eq!(self.ring.unpack(&packed, values.len()), words);
    }

    /// Any bytes are words below the modulus.
    fn any_bytes(&self, bytes: &[u8]) {
        let count = bytes.len() * 8 / self.bits as usize;
        let words = self.ring.unpack(&bytes[..self.ring.packed_bytes(count)], count);
        words.into_iter().for_each(|word| assert!(self.integer(word) < self.modulus));
    }

    /// The stream gives as many words as asked for, below the modulus, and both halves of the range.
    fn randomness(&self, seed: u128) {
        let words = self.ring.uniform(&mut Prg::new(seed), 200);
        assert_eq!(words.len(), 200);
        let upper = words.into_iter().filter(|&word| 2 * self.integer(word) >= self.modulus).count();
        assert!((40..160).contains(&upper), "{upper} of 200 words modulo {}", self.modulus);
    }
}

/// Calls a check for every ring.
macro_rules! for_every_ring {
    ($check:ident($($argument:expr),*)) => {{
        (1..=32).for_each(|bits| ring32(bits).$check($($argument),*));
        (1..=64).for_each(|bits| ring64(bits).$check($($argument),*));
        PRIMES.into_iter().for_each(|prime| field(prime).$check($($argument),*));
    }};
}

proptest! {
    #[test]
    fn every_operation_is_that_of_integers(a: i64, b: i64) {
        for_every_ring!(laws(a, b));
    }

    #[test]
    fn signed_values_survive_a_round_trip(value: i64) {
        for_every_ring!(signs(value));
    }

    #[test]
    fn packing_and_unpacking_return_the_same_words(values in proptest::collection::vec(any::<i64>(), 0..100)) {
        for_every_ring!(bytes(&values));
    }

    #[test]
    fn no_bytes_give_a_word_out_of_range(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for_every_ring!(any_bytes(&bytes));
    }

    #[test]
    fn uniform_words_reach_both_halves_of_the_range(seed: u128) {
        for_every_ring!(randomness(seed));
    }
}

#[test]
fn the_extremes_of_every_ring_are_right() {
    for value in [0, 1, -1, 2, i64::MAX, i64::MIN, i64::MIN + 1] {
        for other in [0, 1, -1, i64::MAX, i64::MIN] {
            for_every_ring!(laws(value, other));
        }
        for_every_ring!(signs(value));
    }
}

#[test]
fn upper_bits_of_words_modulo_a_power_of_two_mean_nothing() {
    let ring = Ring32::new(5);
    assert_eq!(ring.add(0xffff_ffe3, 0x21), ring.add(3, 1));
    assert_eq!(ring.mul(0x8000_0003, 7), 21);
    assert_eq!(ring.to_signed(0xf0), -16);
    assert_eq!(ring.pack(&[0xffff_ffff, 0x20]), ring.pack(&[31, 0]));
}

#[test]
fn a_residue_that_is_not_below_the_prime_is_reduced() {
    let field = PrimeField::new(67);
    assert_eq!(field.unpack(&[127], 1), [60]);
}
