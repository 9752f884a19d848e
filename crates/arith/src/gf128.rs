//! The field of 2^128 elements, for universal hashing.
//!
//! Bit i of a block is the coefficient of X^i; products are taken modulo `X^128 + X^7 + X^2 + X + 1`. A sum of products
//! with random coefficients is a universal linear hash: two different vectors have the same one with probability 2^-128.
//! The portable version is the reference, and runs in the same time for all values; processors with a carry-less
//! multiplication take `x86.rs`.

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86;

use zeroize::Zeroize;

use crate::block::Block;

/// A sum of products that grows. It is reduced when it is read, and kept in four parts that add up, so that four products
/// are added at once.
#[derive(Clone)]
#[repr(align(64))]
pub struct Sum {
    low: [u128; 4],
    middle: [u128; 4],
    high: [u128; 4],
}

impl Sum {
    /// Nothing yet.
    #[expect(clippy::new_without_default, reason = "a sum begins where its owner says so")]
    pub fn new() -> Self {
        Self { low: [0; 4], middle: [0; 4], high: [0; 4] }
    }

    /// Adds `coefficients[i]` times element i of `words`, which has two words per element, the lower first.
    ///
    /// # Panics
    /// When there are not two words for each coefficient.
    pub fn add(&mut self, coefficients: &[Block], words: &[u64]) {
        assert_eq!(2 * coefficients.len(), words.len(), "an element for each coefficient");
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if x86::add(self, coefficients, words) {
            return;
        }
        self.add_portable(coefficients, words);
    }

    /// The reference.
    fn add_portable(&mut self, coefficients: &[Block], words: &[u64]) {
        for (&coefficient, element) in coefficients.iter().zip(words.chunks_exact(2)) {
            let [low, high] = halves(coefficient);
            self.low[0] ^= carryless(low, element[0]);
            self.middle[0] ^= carryless(low, element[1]) ^ carryless(high, element[0]);
            self.high[0] ^= carryless(high, element[1]);
        }
    }

    /// The sum: low + X^64 * middle + X^128 * high, modulo the polynomial of the front page.
    pub fn value(&self) -> Block {
        let whole = |parts: [u128; 4]| parts[0] ^ parts[1] ^ parts[2] ^ parts[3];
        let middle = whole(self.middle);
        let low = whole(self.low) ^ middle << 64;
        let high = whole(self.high) ^ middle >> 64;
        // X^128 is X^7 + X^2 + X + 1. What that lifts above X^127 again has degree 6 at most.
        let over = high >> 127 ^ high >> 126 ^ high >> 121;
        let fold = |x: u128| x ^ x << 1 ^ x << 2 ^ x << 7;
        low ^ fold(high) ^ fold(over)
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        self.low.zeroize();
        self.middle.zeroize();
        self.high.zeroize();
    }
}

impl std::fmt::Debug for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sum(secret)")
    }
}

/// The sum of `coefficients[i]` times element i of `words`: see [`Sum::add`].
///
/// # Panics
/// When there are not two words for each coefficient.
pub fn inner_product(coefficients: &[Block], words: &[u64]) -> Block {
    let mut sum = Sum::new();
    sum.add(coefficients, words);
    sum.value()
}

/// The product of two elements.
pub fn multiply(a: Block, b: Block) -> Block {
    inner_product(&[a], &halves(b))
}

/// The lower and the upper word.
fn halves(block: Block) -> [u64; 2] {
    [block as u64, (block >> 64) as u64]
}

/// The product of two polynomials of degree 63, by integer products of operands with holes: of every four bits one is
/// kept, and at most eight of a column's bits meet, so that no sum reaches the next kept bit.
fn carryless(a: u64, b: u64) -> u128 {
    const KEPT: u64 = 0x1111_1111_1111_1111;
    const KEPT_WIDE: u128 = KEPT as u128 | (KEPT as u128) << 64;
    let mut product = 0;
    for half in 0..2 {
        let b = b >> (32 * half) & 0xffff_ffff;
        for place in 0..4 {
            let mut column = 0;
            for i in 0..4 {
                let a = a & KEPT << i;
                let b = b & KEPT << ((place + 4 - i) % 4);
                column ^= u128::from(a) * u128::from(b);
            }
            product ^= (column & KEPT_WIDE << place) << (32 * half);
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Prg;

    /// Bit by bit, as the definition has it.
    fn product_by_definition(a: Block, b: Block) -> Block {
        let (mut sum, mut shifted) = (0, a);
        for i in 0..128 {
            if b >> i & 1 == 1 {
                sum ^= shifted;
            }
            shifted = shifted << 1 ^ if shifted >> 127 == 1 { 0x87 } else { 0 };
        }
        sum
    }

    fn blocks(seed: Block, count: usize) -> Vec<Block> {
        let mut prg = Prg::new(seed);
        (0..count).map(|_| prg.block()).collect()
    }

    fn portable(coefficients: &[Block], words: &[u64]) -> Block {
        let mut sum = Sum::new();
        sum.add_portable(coefficients, words);
        sum.value()
    }

    #[test]
    fn products_are_those_of_the_definition() {
        let edges = [0, 1, 2, 0x87, 1 << 63, 1 << 64, 1 << 127, u128::MAX, u128::MAX >> 1];
        let random = blocks(4, 9);
        for &a in edges.iter().chain(&random) {
            for &b in edges.iter().chain(&random) {
                let expected = product_by_definition(a, b);
                assert_eq!(multiply(a, b), expected, "{a:x} * {b:x}");
                assert_eq!(portable(&[a], &halves(b)), expected, "{a:x} * {b:x}");
            }
        }
    }

    #[test]
    fn the_modulus_has_no_factor() {
        // X^(2^128) is X, and X^(2^64) + X has no common root with the modulus: then no factor is smaller.
        let square = |x: Block, times: u32| (0..times).fold(x, |x, _| product_by_definition(x, x));
        assert_eq!(square(2, 128), 2);
        let difference = square(2, 64) ^ 2;
        // An element that has an inverse: its (2^128 - 2)nd power.
        let inverse = (1..128).fold((difference, 1), |(power, product), _| {
            let power = product_by_definition(power, power);
            (power, product_by_definition(product, power))
        });
        assert_eq!(product_by_definition(inverse.1, difference), 1);
    }

    #[test]
    fn every_version_that_this_machine_can_run_gives_the_same_sums() {
        for count in [0, 1, 3, 4, 5, 8, 64, 67, 129] {
            let (coefficients, elements) = (blocks(5, count), blocks(6, count));
            let words: Vec<u64> = elements.iter().copied().flat_map(halves).collect();
            let expected =
                coefficients.iter().zip(&elements).fold(0, |sum, (&a, &b)| sum ^ product_by_definition(a, b));
            assert_eq!(portable(&coefficients, &words), expected, "{count} elements");
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            for (name, version) in x86::versions() {
                let mut sum = Sum::new();
                version(&mut sum, &coefficients, &words);
                assert_eq!(sum.value(), expected, "{name}, {count} elements");
                version(&mut sum, &coefficients, &words);
                assert_eq!(sum.value(), 0, "{name} adds to what is there");
            }
        }
    }

    #[test]
    fn the_sum_is_linear_in_the_elements() {
        let coefficients = blocks(7, 20);
        let [a, b] = [8, 9].map(|seed| Prg::new(seed).words64(40));
        let sum: Vec<u64> = a.iter().zip(&b).map(|(a, b)| a ^ b).collect();
        let of = |words: &[u64]| inner_product(&coefficients, words);
        assert_eq!(of(&sum), of(&a) ^ of(&b));
    }
}
