//! All kernels of the machine against each other, against the schoolbook product, and against known answers.

use proptest::prelude::*;

use super::*;

const PRIMES: [u64; 2] = [(1 << 50) - 16383, (1 << 50) - 212_991];

/// Residues with the extremes 0 and prime - 1 among them.
fn residues(prime: u64, degree: usize, seed: u64) -> Vec<u64> {
    let mut state = seed | 1;
    (0..degree)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match state >> 60 {
                0 => 0,
                1 => prime - 1,
                _ => (state >> 8) % prime,
            }
        })
        .collect()
}

fn schoolbook(modulus: Modulus, a: &[u64], b: &[u64]) -> Vec<u64> {
    let degree = a.len();
    let mut product = vec![0; degree];
    for (i, &x) in a.iter().enumerate() {
        for (j, &y) in b.iter().enumerate() {
            let term = modulus.multiply(x, y);
            let place = &mut product[(i + j) % degree];
            *place = if i + j < degree { modulus.add(*place, term) } else { modulus.subtract(*place, term) };
        }
    }
    product
}

#[test]
fn every_kernel_gives_the_words_of_the_portable_one() {
    for prime in PRIMES {
        for degree in [64, 128, 256, 512, 1024, 2048, 4096, 8192] {
            let reference = Ntt::with_kernel(Modulus::new(prime), degree, Kernel::Portable);
            let input = residues(prime, degree, prime ^ degree as u64);
            let mut expected = input.clone();
            reference.forward(&mut expected);
            for kernel in Kernel::available() {
                let ntt = Ntt::with_kernel(Modulus::new(prime), degree, kernel);
                let mut values = input.clone();
                ntt.forward(&mut values);
                assert_eq!(values, expected, "{kernel:?} forward, degree {degree}");
                ntt.inverse(&mut values);
                assert_eq!(values, input, "{kernel:?} inverse, degree {degree}");
            }
        }
    }
}

#[test]
fn the_extremes_of_every_residue_survive_lazy_reduction() {
    for kernel in Kernel::available() {
        let ntt = Ntt::with_kernel(Modulus::new(PRIMES[0]), 4096, kernel);
        let input = vec![PRIMES[0] - 1; 4096];
        let mut values = input.clone();
        ntt.forward(&mut values);
        assert!(values.iter().all(|&value| value < PRIMES[0]));
        ntt.inverse(&mut values);
        assert_eq!(values, input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn a_product_of_transforms_is_the_schoolbook_product(seed: u64, log_degree in 6u32..=10) {
        let degree = 1 << log_degree;
        let modulus = Modulus::new(PRIMES[1]);
        let a = residues(PRIMES[1], degree, seed);
        let b = residues(PRIMES[1], degree, seed.rotate_left(17));
        for kernel in Kernel::available() {
            let ntt = Ntt::with_kernel(modulus, degree, kernel);
            let (mut x, mut y) = (a.clone(), b.clone());
            ntt.forward(&mut x);
            ntt.forward(&mut y);
            let mut sum = LazySum::zero(degree);
            sum.add_products(&ntt, &[(&x, &y)]);
            let mut product = sum.reduced(&ntt);
            ntt.inverse(&mut product);
            prop_assert_eq!(&product[..], &schoolbook(modulus, &a, &b)[..]);
        }
    }
}

#[test]
fn a_lazy_sum_never_overflows_however_many_products_it_takes() {
    let prime = PRIMES[0];
    let largest = vec![prime - 1; 64];
    for kernel in Kernel::available() {
        let ntt = Ntt::with_kernel(Modulus::new(prime), 64, kernel);
        let mut sum = LazySum::zero(64);
        sum.add_products(&ntt, &vec![(&largest[..], &largest[..]); 4094]);
        for _ in 0..5 {
            sum.add_products(&ntt, &vec![(&largest[..], &largest[..]); 1301]);
        }
        // (p - 1)^2 = 1 modulo p.
        assert!(sum.reduced(&ntt).iter().all(|&value| value == 4094 + 5 * 1301), "{kernel:?}");
    }
}

proptest! {
    #[test]
    fn pointwise_arithmetic_is_alike_in_every_kernel(
        small in any::<bool>(), a: [u64; 8], b: [u64; 8], low: [u64; 8], high in prop::array::uniform8(0u64..1 << 63),
    ) {
        // 12,289 is far below 2^50: digits of 52 bits are many times the prime.
        let prime = if small { 12_289 } else { PRIMES[0] };
        let modulus = Modulus::new(prime);
        for kernel in Kernel::available() {
            let ntt = Ntt::with_kernel(modulus, 64, kernel);
            let (mut product, mut sum) = (a.map(|x| x % prime), low);
            ntt.multiply(&mut product, &b.map(|x| x % prime));
            ntt.reduce_halves(&mut sum, &high);
            for i in 0..8 {
                prop_assert_eq!(product[i], modulus.multiply(a[i] % prime, b[i] % prime));
                let exact = (u128::from(high[i]) << 52) + u128::from(low[i]);
                prop_assert_eq!(u128::from(sum[i]), exact % u128::from(prime));
            }
        }
    }
}

#[test]
fn transforms_equal_the_known_answers() {
    let text = include_str!("../../../../vectors/ntt.txt");
    let mut lines_seen = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let numbers: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let [prime, degree, index, expected] = numbers[..] else { panic!("four numbers a line, not {line}") };
        let input = (0..degree).map(|i| (i * i * 0x9_e377_9b97 + 7 * i + 1) % prime);
        for kernel in Kernel::available() {
            let ntt = Ntt::with_kernel(Modulus::new(prime), degree as usize, kernel);
            let mut values: Vec<u64> = input.clone().collect();
            ntt.forward(&mut values);
            assert_eq!(values[index as usize], expected, "{kernel:?}, {line}");
        }
        lines_seen += 1;
    }
    assert!(lines_seen >= 16, "the file of known answers is there");
}
