//! Random polynomials from a seeded stream. No branch or index depends on an accepted value.

use blindscan_arith::block::Block;
use blindscan_arith::ntt::Residues;
use blindscan_arith::prg::Prg;
use rand_core::CryptoRng;

use crate::context::Context;
use crate::parameters::PRIMES;
use crate::poly::{Coefficients, Spectrum};

/// A stream of random polynomials.
pub(crate) struct Sampler {
    prg: Prg,
}

/// Small signed coefficients. Erased on drop.
pub(crate) struct Small {
    words: Residues,
}

impl std::ops::Deref for Small {
    type Target = [i64];
    fn deref(&self) -> &[i64] {
        bytemuck::cast_slice(&self.words)
    }
}

impl Sampler {
    /// The stream of a seed.
    pub(crate) fn new(seed: Block) -> Self {
        Self { prg: Prg::new(seed) }
    }

    /// A stream of its own, with a fresh seed.
    pub(crate) fn fresh<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self::new(fresh_seed(rng))
    }

    /// The stream's next block, to seed something public with.
    pub(crate) fn seed(&mut self) -> Block {
        self.prg.block()
    }

    /// Values uniform modulo each prime: for every prime in turn the stream's 64-bit words, cut to the prime's width;
    /// words not below the prime are skipped.
    pub(crate) fn uniform(&mut self, context: &Context) -> Spectrum {
        Spectrum { residues: self.uniform_residues(context) }
    }

    /// The same for coefficients: uniform over all of R_q.
    pub(crate) fn uniform_coefficients(&mut self, context: &Context) -> Coefficients {
        Coefficients { residues: self.uniform_residues(context) }
    }

    /// Uniform over -1, 0, 1, within 2^-62 a coefficient: the upper word of 3 * random word.
    pub(crate) fn ternary(&mut self, context: &Context) -> Small {
        self.small(context, |word| ((u128::from(word) * 3) >> 64) as i64 - 1)
    }

    /// Centred binomial: heads less tails of half the coins each.
    pub(crate) fn noise(&mut self, context: &Context) -> Small {
        let half = context.parameters().noise_coins / 2;
        let (coins, upper) = (u64::MAX >> (64 - 2 * half), ((1u64 << half) - 1) << half);
        // With the upper half turned, the ones are the lower half's heads and `half` less the upper half's.
        self.small(context, |word| i64::from(((word ^ upper) & coins).count_ones()) - i64::from(half))
    }

    fn small(&mut self, context: &Context, of: impl Fn(u64) -> i64) -> Small {
        let mut words = self.words(context.degree());
        words.iter_mut().for_each(|word| *word = of(*word) as u64);
        Small { words }
    }

    /// The stream's next words, erased on drop; `count` is a multiple of eight.
    fn words(&mut self, count: usize) -> Residues {
        let mut words = Residues::zeros(count);
        self.prg.fill(bytemuck::cast_slice_mut(&mut words));
        words
    }

    fn uniform_residues(&mut self, context: &Context) -> [Residues; PRIMES] {
        std::array::from_fn(|k| {
            let prime = context.transform(k).modulus().value();
            let mask = u64::MAX >> prime.leading_zeros();
            let mut residues = Residues::zeros(context.degree());
            let mut filled = 0;
            while filled < residues.len() {
                let open = &mut residues[filled..];
                self.prg.fill(bytemuck::cast_slice_mut(open));
                open.iter_mut().for_each(|word| *word &= mask);
                filled += keep_below(prime, open);
            }
            residues
        })
    }
}

/// Brings the words below `prime` to the front, in order, and counts them. Nearly always that is all of them.
fn keep_below(prime: u64, words: &mut [u64]) -> usize {
    let borrows = words.iter().fold(0, |all, &word| all | (prime - 1).wrapping_sub(word));
    if borrows >> 63 == 0 {
        return words.len();
    }
    let mut kept = 0;
    for i in 0..words.len() {
        words[kept] = words[i];
        kept += usize::from(words[kept] < prime);
    }
    kept
}

/// 128 bits of the caller's randomness.
pub(crate) fn fresh_seed<R: CryptoRng + ?Sized>(rng: &mut R) -> Block {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    Block::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::EXACT;

    #[test]
    fn noise_is_centred_and_has_the_declared_variance() {
        let mut sampler = Sampler::new(1);
        let samples: Vec<i64> = (0..64).flat_map(|_| sampler.noise(Context::exact()).to_vec()).collect();
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<i64>() as f64 / count;
        let variance = samples.iter().map(|&x| x as f64 * x as f64).sum::<f64>() / count;
        assert!(mean.abs() < 5.0 * (EXACT.noise_variance() / count).sqrt(), "mean {mean}");
        assert!((variance / EXACT.noise_variance() - 1.0).abs() < 0.02, "variance {variance}");
        assert!(samples.iter().all(|x| x.abs() <= 21));
    }

    #[test]
    fn ternary_coefficients_are_uniform() {
        let mut sampler = Sampler::new(2);
        let samples: Vec<i64> = (0..64).flat_map(|_| sampler.ternary(Context::exact()).to_vec()).collect();
        for value in -1..=1 {
            let share = samples.iter().filter(|&&x| x == value).count() as f64 / samples.len() as f64;
            assert!((share - 1.0 / 3.0).abs() < 0.005, "{value}: {share}");
        }
    }

    #[test]
    fn words_that_are_not_below_the_prime_are_skipped_and_the_others_keep_their_order() {
        for words in [vec![], vec![3], vec![9, 1, 10, 2, 8, 1 << 49, 0], vec![10, 11], vec![1, 2, 3, 9]] {
            let expected: Vec<u64> = words.iter().copied().filter(|&word| word < 10).collect();
            let mut kept = words;
            let count = keep_below(10, &mut kept);
            assert_eq!(kept[..count], expected);
        }
    }

    #[test]
    fn the_expanded_second_component_equals_the_known_answer() {
        let text = include_str!("../../../vectors/rlwe_uniform.txt");
        let mut seen = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<u128> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
            let [seed, prime, index, expected] = words[..] else { panic!("four numbers a line, not {line}") };
            let uniform = Sampler::new(seed).uniform(Context::exact());
            assert_eq!(u128::from(uniform.residues[prime as usize][index as usize]), expected, "{line}");
            seen += 1;
        }
        assert!(seen >= 12, "the file of known answers is there");
    }
}
