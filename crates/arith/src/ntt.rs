//! The negacyclic number-theoretic transform: products in Z_p\[X\] / (X^N + 1) become products of values.
//!
//! Value `i` of a transform is the polynomial at psi^(2 * bitreverse(i) + 1), psi the root that
//! [`Modulus::root_of_unity`] finds. Transforms go over the wire, so this order is part of the format and every
//! kernel keeps it.
//!
//! | kernel | what |
//! |---|---|
//! | [`Kernel::Portable`] | Harvey's lazy butterflies in 64-bit words; the reference |
//! | [`Kernel::Ifma`] | eight lanes of 52 bits, three stages a pass over memory |
//!
//! Sources: D. Harvey, "Faster arithmetic for number-theoretic transforms", 2014, section 3; P. Longa and M. Naehrig,
//! CANS 2016, algorithms 1 and 2.

mod accumulate;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod portable;
mod residues;

pub use accumulate::LazySum;
pub use residues::Residues;

use crate::modulus::{Factor, Modulus};

/// Smallest and largest degree; powers of two between them.
pub const DEGREES: std::ops::RangeInclusive<usize> = 64..=8192;

/// How transforms and lazy sums are computed. All kernels give the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Any machine.
    Portable,
    /// x86-64 with AVX-512 F and IFMA. Made by [`Kernel::available`] only where the machine has them.
    #[cfg(target_arch = "x86_64")]
    Ifma(IfmaProof),
}

/// Evidence that the machine has AVX-512 F and IFMA; only [`Kernel::available`] makes it.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfmaProof(());

impl Kernel {
    /// All kernels that this machine can run, the fastest last.
    pub fn available() -> Vec<Self> {
        let mut kernels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma") {
            kernels.push(Self::Ifma(IfmaProof(())));
        }
        kernels
    }

    /// The fastest kernel of this machine.
    pub fn best() -> Self {
        Self::available().pop().expect("the portable kernel is always there")
    }
}

/// Transforms of one degree modulo one prime.
pub struct Ntt {
    modulus: Modulus,
    degree: usize,
    kernel: Kernel,
    /// `roots[m + i]` is the twiddle of block i in the stage of m blocks.
    roots: Vec<Factor>,
    /// The inverses, in the same places.
    inverse_roots: Vec<Factor>,
    inverse_degree: Factor,
    #[cfg(target_arch = "x86_64")]
    ifma: Option<ifma::Tables>,
}

impl Ntt {
    /// Tables for the fastest kernel of this machine.
    pub fn new(modulus: Modulus, degree: usize) -> Self {
        Self::with_kernel(modulus, degree, Kernel::best())
    }

    /// Tables for one kernel.
    ///
    /// # Panics
    /// When the degree is no power of two within [`DEGREES`] or the prime is not 1 modulo 2 * degree: both are
    /// constants of parameter sets.
    pub fn with_kernel(modulus: Modulus, degree: usize, kernel: Kernel) -> Self {
        assert!(
            degree.is_power_of_two() && DEGREES.contains(&degree),
            "a degree is a power of two, 64 to 8192"
        );
        let root = modulus.root_of_unity(2 * degree as u64);
        let roots = bit_reversed_powers(modulus, degree, root);
        let inverse_roots = bit_reversed_powers(modulus, degree, modulus.inverse(root));
        let inverse_degree = modulus.factor(modulus.inverse(degree as u64));
        #[cfg(target_arch = "x86_64")]
        let ifma = matches!(kernel, Kernel::Ifma(_))
            .then(|| ifma::Tables::new(modulus, &roots, &inverse_roots, inverse_degree));
        Self {
            modulus,
            degree,
            kernel,
            roots,
            inverse_roots,
            inverse_degree,
            #[cfg(target_arch = "x86_64")]
            ifma,
        }
    }

    /// The prime.
    pub fn modulus(&self) -> Modulus {
        self.modulus
    }

    /// Coefficients of a polynomial.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// The kernel in use.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Residues of coefficients become residues of values, in place.
    ///
    /// # Panics
    /// When there are not exactly `degree` residues.
    pub fn forward(&self, values: &mut [u64]) {
        assert_eq!(values.len(), self.degree, "a transform has one length");
        match self.kernel {
            Kernel::Portable => portable::forward(self.modulus, &self.roots, values),
            #[cfg(target_arch = "x86_64")]
            Kernel::Ifma(proof) => ifma::forward(proof, self.ifma_tables(), values),
        }
    }

    /// The inverse of [`Ntt::forward`].
    ///
    /// # Panics
    /// When there are not exactly `degree` residues.
    pub fn inverse(&self, values: &mut [u64]) {
        assert_eq!(values.len(), self.degree, "a transform has one length");
        match self.kernel {
            Kernel::Portable => {
                portable::inverse(self.modulus, &self.inverse_roots, self.inverse_degree, values)
            }
            #[cfg(target_arch = "x86_64")]
            Kernel::Ifma(proof) => ifma::inverse(proof, self.ifma_tables(), values),
        }
    }

    /// The products of residues, into `a`.
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of eight.
    pub fn multiply(&self, a: &mut [u64], b: &[u64]) {
        assert!(
            a.len() == b.len() && a.len().is_multiple_of(8),
            "polynomials of one length fill whole lines"
        );
        match self.kernel {
            Kernel::Portable => portable::multiply(self.modulus, a, b),
            #[cfg(target_arch = "x86_64")]
            Kernel::Ifma(proof) => ifma::multiply(proof, self.ifma_tables(), a, b),
        }
    }

    /// `low + 2^52 * high` modulo the prime, into `low`: any words `low`, and `high` below 2^63.
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of eight.
    pub fn reduce_halves(&self, low: &mut [u64], high: &[u64]) {
        assert!(
            low.len() == high.len() && low.len().is_multiple_of(8),
            "halves of one length fill whole lines"
        );
        match self.kernel {
            Kernel::Portable => portable::reduce_halves(self.modulus, low, high),
            #[cfg(target_arch = "x86_64")]
            Kernel::Ifma(proof) => ifma::reduce_halves(proof, self.ifma_tables(), low, high),
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn ifma_tables(&self) -> &ifma::Tables {
        self.ifma.as_ref().expect("tables are made with the kernel")
    }
}

/// `result[bitreverse(i)] = root^i`, prepared for multiplication.
fn bit_reversed_powers(modulus: Modulus, degree: usize, root: u64) -> Vec<Factor> {
    let mut powers = vec![modulus.factor(1); degree];
    let mut power = 1;
    for i in 0..degree {
        powers[i.reverse_bits() >> (usize::BITS - degree.ilog2())] = modulus.factor(power);
        power = modulus.multiply(power, root);
    }
    powers
}

#[cfg(test)]
mod tests;
