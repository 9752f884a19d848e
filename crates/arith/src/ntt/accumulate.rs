//! Sums of products that are reduced once, at the end.
//!
//! A product of two residues has at most 100 bits. Its low 52 bits and the rest are added up apart, each in a word of
//! its own: the form in which IFMA multiplies, and a cheap one elsewhere. 4,095 products fit before a reduction is due.

use super::{Kernel, Ntt, Residues};

/// Products whose low halves fit in a word: 2^64 / 2^52, less one for what a reduction leaves.
const PRODUCTS_MAX: usize = 4095;

/// A sum of products of transforms modulo one prime. Erased on drop.
pub struct LazySum {
    low: Residues,
    high: Residues,
    products: usize,
}

impl LazySum {
    /// Zero.
    pub fn zero(degree: usize) -> Self {
        Self { low: Residues::zeros(degree), high: Residues::zeros(degree), products: 0 }
    }

    /// Adds the product of each pair, value by value. Residues must be below the prime.
    ///
    /// # Panics
    /// When a factor has another degree than the sum.
    pub fn add_products(&mut self, ntt: &Ntt, pairs: &[(&[u64], &[u64])]) {
        let degree = self.low.len();
        assert!(
            pairs.iter().all(|(a, b)| a.len() == degree && b.len() == degree),
            "factors have the sum's degree"
        );
        for batch in pairs.chunks(PRODUCTS_MAX - 1) {
            if self.products + batch.len() > PRODUCTS_MAX {
                self.fold(ntt);
            }
            self.products += batch.len();
            match ntt.kernel {
                Kernel::Portable => super::portable::add_products(&mut self.low, &mut self.high, batch),
                #[cfg(target_arch = "x86_64")]
                Kernel::Ifma(proof) => {
                    super::ifma::add_products(proof, &mut self.low, &mut self.high, batch);
                }
            }
        }
    }

    /// The residues of the sum.
    pub fn reduced(self, ntt: &Ntt) -> Residues {
        let Self { mut low, high, .. } = self;
        ntt.reduce_halves(&mut low, &high);
        low
    }

    /// Leaves the residues in the low half: as much as one product's low half takes.
    fn fold(&mut self, ntt: &Ntt) {
        ntt.reduce_halves(&mut self.low, &self.high);
        self.high.fill(0);
        self.products = 1;
    }
}
