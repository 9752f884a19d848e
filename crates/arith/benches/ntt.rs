//! How long transforms and lazy sums take, by kernel, at the degree and width of prime that encryption uses.
//!
//! `cargo bench -p blindscan-arith --bench ntt`. The best of many rounds: what is slower had company on the processor.

use std::hint::black_box;
use std::time::{Duration, Instant};

use blindscan_arith::modulus::Modulus;
use blindscan_arith::ntt::{Kernel, LazySum, Ntt};
use blindscan_arith::prg::Prg;

const DEGREE: usize = 4096;
/// The largest prime below 2^50 that is 1 modulo 2 * 8192.
const PRIME: u64 = 1_125_899_906_826_241;
const ROUNDS: usize = 50;
const REPEATS: usize = 20;
/// Products of a lazy sum: as many channels.
const PRODUCTS: usize = 16;

fn main() {
    println!("{:<36} {:>10}", format!("degree {DEGREE}, one prime of 50 bits"), "us each");
    for kernel in Kernel::available() {
        let ntt = Ntt::with_kernel(Modulus::new(PRIME), DEGREE, kernel);
        let name = match kernel {
            Kernel::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kernel::Ifma(_) => "AVX-512 IFMA",
        };
        let mut values = residues(1, &ntt);
        report(name, "forward", || ntt.forward(black_box(&mut values)));
        report(name, "inverse", || ntt.inverse(black_box(&mut values)));
        let other = residues(2, &ntt);
        report(name, "multiply", || ntt.multiply(black_box(&mut values), &other));
        let pairs = [(&values[..], &other[..]); PRODUCTS];
        report(name, &format!("sum of {PRODUCTS} products"), || {
            let mut sum = LazySum::zero(DEGREE);
            sum.add_products(&ntt, black_box(&pairs));
            black_box(sum.reduced(&ntt));
        });
    }
}

fn residues(seed: u128, ntt: &Ntt) -> Vec<u64> {
    Prg::new(seed).words64(ntt.degree()).iter().map(|&word| ntt.modulus().reduce(word)).collect()
}

fn report(kernel: &str, what: &str, mut work: impl FnMut()) {
    let round = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..REPEATS).for_each(|_| work());
        start.elapsed()
    };
    let best: Duration = (0..ROUNDS).map(|_| round(&mut work)).min().expect("some rounds");
    println!("{:<36} {:>10.2}", format!("{kernel}, {what}"), best.as_secs_f64() * 1e6 / REPEATS as f64);
}
