//! The transform and lazy sums on AVX-512 IFMA: eight lanes of 52 bits.
//!
//! Three stages are done in one pass over memory: eight vectors are loaded, all their butterflies done in registers, and
//! stored. In the last three stages the partners lie within one vector; there eight vectors are transposed, so that
//! partners lie in different registers again. The order of values and every word are those of the portable kernel.

use std::arch::x86_64::*;

use super::IfmaProof;
use crate::modulus::{Factor, Modulus};

/// Eight words, as they lie in memory.
type Line = [u64; 8];

/// A twiddle of all lanes: the factor and floor(factor * 2^52 / prime).
type Twiddle = (__m512i, __m512i);

/// Twiddles of the three last stages for eight neighbouring blocks: seven factors, then their seven quotients.
type TailTwiddles = [[Line; 7]; 2];

/// What the kernel needs of one degree and prime.
pub(super) struct Tables {
    prime: u64,
    forward: Direction,
    inverse: Direction,
    inverse_degree: Factor,
    /// 1, 2^52 and 2^104: the weights of a lazy sum's 52-bit digits.
    digits: [Factor; 3],
}

struct Direction {
    roots: Vec<Factor>,
    tail: Vec<TailTwiddles>,
}

impl Tables {
    pub(super) fn new(
        modulus: Modulus,
        roots: &[Factor],
        inverse: &[Factor],
        inverse_degree: Factor,
    ) -> Self {
        let prime = modulus.value();
        let high = modulus.reduce(1 << 52);
        let digits = [1, high, modulus.multiply(high, high)].map(|weight| modulus.factor(weight));
        let (forward, inverse) = (Direction::new(roots), Direction::new(inverse));
        Self { prime, forward, inverse, inverse_degree, digits }
    }
}

impl Direction {
    fn new(roots: &[Factor]) -> Self {
        let blocks = roots.len() / 8;
        let tail = (0..blocks / 8).map(|group| tail_twiddles(roots, blocks, group)).collect();
        Self { roots: roots.to_vec(), tail }
    }
}

/// Lane l serves block 8 * group + l of the stage of `blocks` blocks and its children in the two stages below.
fn tail_twiddles(roots: &[Factor], blocks: usize, group: usize) -> TailTwiddles {
    let mut twiddles = [[[0; 8]; 7]; 2];
    for lane in 0..8 {
        let block = 8 * group + lane;
        for (k, root) in butterfly_roots(roots, blocks, block).iter().enumerate() {
            twiddles[0][k][lane] = root.value;
            twiddles[1][k][lane] = quotient52(*root);
        }
    }
    twiddles
}

/// The seven twiddles of three stages under block `block` of the stage of `blocks` blocks.
#[inline(always)]
fn butterfly_roots(roots: &[Factor], blocks: usize, block: usize) -> [Factor; 7] {
    let (one, two, four) = (blocks + block, 2 * (blocks + block), 4 * (blocks + block));
    [roots[one], roots[two], roots[two + 1], roots[four], roots[four + 1], roots[four + 2], roots[four + 3]]
}

#[inline(always)]
fn quotient52(factor: Factor) -> u64 {
    factor.quotient >> 12
}

/// Coefficients to values.
pub(super) fn forward(_proof: IfmaProof, tables: &Tables, values: &mut [u64]) {
    let lines = lines(values);
    // SAFETY: an `IfmaProof` exists only after `Kernel::available` has found AVX-512 F and IFMA on this machine.
    unsafe { forward_lines(tables, lines) }
}

/// Values to coefficients.
pub(super) fn inverse(_proof: IfmaProof, tables: &Tables, values: &mut [u64]) {
    let lines = lines(values);
    // SAFETY: an `IfmaProof` exists only after `Kernel::available` has found AVX-512 F and IFMA on this machine.
    unsafe { inverse_lines(tables, lines) }
}

/// One batch of products added to the halves of a lazy sum.
pub(super) fn add_products(_proof: IfmaProof, low: &mut [u64], high: &mut [u64], pairs: &[(&[u64], &[u64])]) {
    // SAFETY: an `IfmaProof` exists only after `Kernel::available` has found AVX-512 F and IFMA on this machine.
    unsafe { add_products_lines(lines(low), lines(high), pairs) }
}

/// `low + 2^52 * high` modulo the prime, into `low`; `high` below 2^63.
pub(super) fn reduce_halves(_proof: IfmaProof, tables: &Tables, low: &mut [u64], high: &[u64]) {
    // SAFETY: an `IfmaProof` exists only after `Kernel::available` has found AVX-512 F and IFMA on this machine.
    unsafe { reduce_halves_lines(tables, lines(low), high.as_chunks::<8>().0) }
}

/// The product of residues, into `a`.
pub(super) fn multiply(_proof: IfmaProof, tables: &Tables, a: &mut [u64], b: &[u64]) {
    // SAFETY: an `IfmaProof` exists only after `Kernel::available` has found AVX-512 F and IFMA on this machine.
    unsafe { multiply_lines(tables, lines(a), b.as_chunks::<8>().0) }
}

fn lines(values: &mut [u64]) -> &mut [Line] {
    let (lines, rest) = values.as_chunks_mut::<8>();
    assert!(rest.is_empty(), "a polynomial fills whole lines");
    lines
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_lines(tables: &Tables, values: &mut [Line]) {
    let arithmetic = Arithmetic::new(tables.prime);
    let roots = &tables.forward.roots;
    let stages = values.len().ilog2();
    let mut blocks = 1;
    for _ in 0..stages % 3 {
        let half = values.len() / (2 * blocks);
        for (block, chunk) in values.chunks_exact_mut(2 * half).enumerate() {
            let twiddle = broadcast(roots[blocks + block]);
            let (low, high) = chunk.split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                let (sum, difference) = arithmetic.butterfly(load(x), load(y), twiddle);
                store(x, sum);
                store(y, difference);
            }
        }
        blocks *= 2;
    }
    while blocks < values.len() {
        let eighth = values.len() / (8 * blocks);
        for (block, chunk) in values.chunks_exact_mut(8 * eighth).enumerate() {
            let twiddles = broadcast_all(butterfly_roots(roots, blocks, block));
            for i in 0..eighth {
                let x = arithmetic.butterflies(load_strided(chunk, i, eighth), &twiddles);
                store_strided(chunk, i, eighth, x);
            }
        }
        blocks *= 8;
    }
    for (chunk, twiddles) in values.as_chunks_mut::<8>().0.iter_mut().zip(&tables.forward.tail) {
        let x = arithmetic.butterflies(transpose(load_strided(chunk, 0, 1)), &load_twiddles(twiddles));
        store_strided(chunk, 0, 1, transpose(arithmetic.reduce_all(x)));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_lines(tables: &Tables, values: &mut [Line]) {
    let arithmetic = Arithmetic::new(tables.prime);
    let roots = &tables.inverse.roots;
    for (chunk, twiddles) in values.as_chunks_mut::<8>().0.iter_mut().zip(&tables.inverse.tail) {
        let x =
            arithmetic.inverse_butterflies(transpose(load_strided(chunk, 0, 1)), &load_twiddles(twiddles));
        store_strided(chunk, 0, 1, transpose(x));
    }
    let mut blocks = values.len();
    while blocks >= 8 {
        blocks /= 8;
        let eighth = values.len() / (8 * blocks);
        for (block, chunk) in values.chunks_exact_mut(8 * eighth).enumerate() {
            let twiddles = broadcast_all(butterfly_roots(roots, blocks, block));
            for i in 0..eighth {
                let x = arithmetic.inverse_butterflies(load_strided(chunk, i, eighth), &twiddles);
                store_strided(chunk, i, eighth, x);
            }
        }
    }
    while blocks > 1 {
        blocks /= 2;
        let half = values.len() / (2 * blocks);
        for (block, chunk) in values.chunks_exact_mut(2 * half).enumerate() {
            let twiddle = broadcast(roots[blocks + block]);
            let (low, high) = chunk.split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                let (sum, product) = arithmetic.inverse_butterfly(load(x), load(y), twiddle);
                store(x, sum);
                store(y, product);
            }
        }
    }
    let scale = broadcast(tables.inverse_degree);
    for line in values {
        let scaled = arithmetic.multiply_lazy(load(line), scale);
        store(line, arithmetic.reduce(scaled));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn add_products_lines(low: &mut [Line], high: &mut [Line], pairs: &[(&[u64], &[u64])]) {
    for four in pairs.chunks(4) {
        for i in 0..low.len() {
            let mut low_sum = load(&low[i]);
            let mut high_sum = load(&high[i]);
            for (a, b) in four {
                let (a, b) = (load(&a.as_chunks::<8>().0[i]), load(&b.as_chunks::<8>().0[i]));
                low_sum = _mm512_madd52lo_epu64(low_sum, a, b);
                high_sum = _mm512_madd52hi_epu64(high_sum, a, b);
            }
            store(&mut low[i], low_sum);
            store(&mut high[i], high_sum);
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn reduce_halves_lines(tables: &Tables, low: &mut [Line], high: &[Line]) {
    let arithmetic = Arithmetic::new(tables.prime);
    let digits = broadcast_digits(tables);
    for (low, high) in low.iter_mut().zip(high) {
        let sum = arithmetic.reduce_halves(load(low), load(high), &digits);
        store(low, sum);
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_lines(tables: &Tables, a: &mut [Line], b: &[Line]) {
    let arithmetic = Arithmetic::new(tables.prime);
    let (digits, zero) = (broadcast_digits(tables), _mm512_setzero_si512());
    for (a, b) in a.iter_mut().zip(b) {
        let (x, y) = (load(a), load(b));
        let (low, high) = (_mm512_madd52lo_epu64(zero, x, y), _mm512_madd52hi_epu64(zero, x, y));
        store(a, arithmetic.reduce_halves(low, high, &digits));
    }
}

/// The prime in all lanes, in the forms that reductions use.
#[derive(Clone, Copy)]
struct Arithmetic {
    prime: __m512i,
    twice: __m512i,
    /// 2^52 - prime: adding a multiple of it subtracts that multiple of the prime, modulo 2^52.
    negative: __m512i,
    mask: __m512i,
}

impl Arithmetic {
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn new(prime: u64) -> Self {
        Self {
            prime: _mm512_set1_epi64(prime as i64),
            twice: _mm512_set1_epi64(2 * prime as i64),
            negative: _mm512_set1_epi64((1i64 << 52) - prime as i64),
            mask: _mm512_set1_epi64((1 << 52) - 1),
        }
    }

    /// Shoup's product in 52 bits: values below 2^52 in, below 2 * prime out.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn multiply_lazy(&self, x: __m512i, (factor, quotient): Twiddle) -> __m512i {
        let zero = _mm512_setzero_si512();
        let multiple = _mm512_madd52hi_epu64(zero, x, quotient);
        let product = _mm512_madd52lo_epu64(zero, x, factor);
        _mm512_and_si512(_mm512_madd52lo_epu64(product, multiple, self.negative), self.mask)
    }

    /// Below `2 * bound` in, below `bound` out: the smaller of x and x - bound, which wraps when x < bound.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn subtract_if_not_less(x: __m512i, bound: __m512i) -> __m512i {
        _mm512_min_epu64(x, _mm512_sub_epi64(x, bound))
    }

    /// Below 4 * prime in, below the prime out.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn reduce(&self, x: __m512i) -> __m512i {
        Self::subtract_if_not_less(Self::subtract_if_not_less(x, self.twice), self.prime)
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn reduce_all(&self, [a, b, c, d, e, f, g, h]: [__m512i; 8]) -> [__m512i; 8] {
        let [a, b, c, d] = [self.reduce(a), self.reduce(b), self.reduce(c), self.reduce(d)];
        let [e, f, g, h] = [self.reduce(e), self.reduce(f), self.reduce(g), self.reduce(h)];
        [a, b, c, d, e, f, g, h]
    }

    /// low + 2^52 * high modulo the prime, for any low and high below 2^63: three digits of 52 bits, each times its weight.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn reduce_halves(&self, low: __m512i, high: __m512i, digits: &[Twiddle; 3]) -> __m512i {
        let high = _mm512_add_epi64(high, _mm512_srli_epi64::<52>(low));
        let first = self.multiply_lazy(_mm512_and_si512(low, self.mask), digits[0]);
        let second = self.multiply_lazy(_mm512_and_si512(high, self.mask), digits[1]);
        let third = self.multiply_lazy(_mm512_srli_epi64::<52>(high), digits[2]);
        // Below 6 * prime, then below 4, then below 1.
        let sum = _mm512_add_epi64(_mm512_add_epi64(first, second), third);
        self.reduce(Self::subtract_if_not_less(sum, _mm512_add_epi64(self.twice, self.twice)))
    }

    /// Cooley-Tukey: below 4 * prime in and out.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn butterfly(&self, x: __m512i, y: __m512i, twiddle: Twiddle) -> (__m512i, __m512i) {
        let x = Self::subtract_if_not_less(x, self.twice);
        let product = self.multiply_lazy(y, twiddle);
        (_mm512_add_epi64(x, product), _mm512_sub_epi64(_mm512_add_epi64(x, self.twice), product))
    }

    /// Gentleman-Sande: below 2 * prime in and out.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn inverse_butterfly(&self, x: __m512i, y: __m512i, twiddle: Twiddle) -> (__m512i, __m512i) {
        let sum = Self::subtract_if_not_less(_mm512_add_epi64(x, y), self.twice);
        let difference = _mm512_sub_epi64(_mm512_add_epi64(x, self.twice), y);
        (sum, self.multiply_lazy(difference, twiddle))
    }

    /// Three stages on eight vectors: partners at distance four, two, one. Written out, so that all stays in registers.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn butterflies(&self, [a, b, c, d, e, f, g, h]: [__m512i; 8], w: &[Twiddle; 7]) -> [__m512i; 8] {
        let (a, e) = self.butterfly(a, e, w[0]);
        let (b, f) = self.butterfly(b, f, w[0]);
        let (c, g) = self.butterfly(c, g, w[0]);
        let (d, h) = self.butterfly(d, h, w[0]);
        let (a, c) = self.butterfly(a, c, w[1]);
        let (b, d) = self.butterfly(b, d, w[1]);
        let (e, g) = self.butterfly(e, g, w[2]);
        let (f, h) = self.butterfly(f, h, w[2]);
        let (a, b) = self.butterfly(a, b, w[3]);
        let (c, d) = self.butterfly(c, d, w[4]);
        let (e, f) = self.butterfly(e, f, w[5]);
        let (g, h) = self.butterfly(g, h, w[6]);
        [a, b, c, d, e, f, g, h]
    }

    /// The same three stages undone.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn inverse_butterflies(&self, [a, b, c, d, e, f, g, h]: [__m512i; 8], w: &[Twiddle; 7]) -> [__m512i; 8] {
        let (a, b) = self.inverse_butterfly(a, b, w[3]);
        let (c, d) = self.inverse_butterfly(c, d, w[4]);
        let (e, f) = self.inverse_butterfly(e, f, w[5]);
        let (g, h) = self.inverse_butterfly(g, h, w[6]);
        let (a, c) = self.inverse_butterfly(a, c, w[1]);
        let (b, d) = self.inverse_butterfly(b, d, w[1]);
        let (e, g) = self.inverse_butterfly(e, g, w[2]);
        let (f, h) = self.inverse_butterfly(f, h, w[2]);
        let (a, e) = self.inverse_butterfly(a, e, w[0]);
        let (b, f) = self.inverse_butterfly(b, f, w[0]);
        let (c, g) = self.inverse_butterfly(c, g, w[0]);
        let (d, h) = self.inverse_butterfly(d, h, w[0]);
        [a, b, c, d, e, f, g, h]
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn broadcast(factor: Factor) -> Twiddle {
    (_mm512_set1_epi64(factor.value as i64), _mm512_set1_epi64(quotient52(factor) as i64))
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn broadcast_digits(tables: &Tables) -> [Twiddle; 3] {
    let [one, high, square] = tables.digits;
    [broadcast(one), broadcast(high), broadcast(square)]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn broadcast_all([a, b, c, d, e, f, g]: [Factor; 7]) -> [Twiddle; 7] {
    [broadcast(a), broadcast(b), broadcast(c), broadcast(d), broadcast(e), broadcast(f), broadcast(g)]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn load_twiddles([[a, b, c, d, e, f, g], [aq, bq, cq, dq, eq, fq, gq]]: &TailTwiddles) -> [Twiddle; 7] {
    [
        (load(a), load(aq)),
        (load(b), load(bq)),
        (load(c), load(cq)),
        (load(d), load(dq)),
        (load(e), load(eq)),
        (load(f), load(fq)),
        (load(g), load(gq)),
    ]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn load(line: &Line) -> __m512i {
    // SAFETY: a line is 64 readable bytes, and the load asks for no alignment.
    unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn store(line: &mut Line, value: __m512i) {
    // SAFETY: a line is 64 writable bytes, and the store asks for no alignment.
    unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), value) }
}

/// Lines i, i + stride, ... i + 7 * stride.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn load_strided(chunk: &[Line], i: usize, stride: usize) -> [__m512i; 8] {
    assert!(chunk.len() == 8 * stride && i < stride, "a chunk has eight parts");
    [
        load(&chunk[i]),
        load(&chunk[i + stride]),
        load(&chunk[i + 2 * stride]),
        load(&chunk[i + 3 * stride]),
        load(&chunk[i + 4 * stride]),
        load(&chunk[i + 5 * stride]),
        load(&chunk[i + 6 * stride]),
        load(&chunk[i + 7 * stride]),
    ]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn store_strided(chunk: &mut [Line], i: usize, stride: usize, [a, b, c, d, e, f, g, h]: [__m512i; 8]) {
    assert!(chunk.len() == 8 * stride && i < stride, "a chunk has eight parts");
    store(&mut chunk[i], a);
    store(&mut chunk[i + stride], b);
    store(&mut chunk[i + 2 * stride], c);
    store(&mut chunk[i + 3 * stride], d);
    store(&mut chunk[i + 4 * stride], e);
    store(&mut chunk[i + 5 * stride], f);
    store(&mut chunk[i + 6 * stride], g);
    store(&mut chunk[i + 7 * stride], h);
}

/// Lane j of vector i becomes lane i of vector j: pairs of lanes, then quarters, then halves change places.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn transpose(x: [__m512i; 8]) -> [__m512i; 8] {
    let [a, b, c, d, e, f, g, h] = x;
    let (ab, ab_odd) = (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let (cd, cd_odd) = (_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d));
    let (ef, ef_odd) = (_mm512_unpacklo_epi64(e, f), _mm512_unpackhi_epi64(e, f));
    let (gh, gh_odd) = (_mm512_unpacklo_epi64(g, h), _mm512_unpackhi_epi64(g, h));
    let (low0, low2) = halves(ab, cd);
    let (low1, low3) = halves(ab_odd, cd_odd);
    let (high0, high2) = halves(ef, gh);
    let (high1, high3) = halves(ef_odd, gh_odd);
    let (x0, x4) = halves(low0, high0);
    let (x1, x5) = halves(low1, high1);
    let (x2, x6) = halves(low2, high2);
    let (x3, x7) = halves(low3, high3);
    [x0, x1, x2, x3, x4, x5, x6, x7]
}

/// Of the four quarters of each: the even ones of both, and the odd ones of both.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn halves(a: __m512i, b: __m512i) -> (__m512i, __m512i) {
    (_mm512_shuffle_i64x2::<0b10_00_10_00>(a, b), _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b))
}
