//! Polynomials modulo q, as residues modulo each prime: as coefficients, or transformed.

use blindscan_arith::ntt::Residues;

use crate::context::Context;
use crate::parameters::PRIMES;

/// A polynomial by its coefficients. Erased on drop.
pub struct Coefficients {
    pub(crate) residues: [Residues; PRIMES],
}

/// A polynomial by its values at the roots of X^N + 1. Erased on drop.
pub struct Spectrum {
    pub(crate) residues: [Residues; PRIMES],
}

impl Coefficients {
    /// Zero.
    pub fn zero(context: &Context) -> Self {
        Self { residues: std::array::from_fn(|_| Residues::zeros(context.degree())) }
    }

    /// Small signed coefficients, lifted modulo each prime without branches.
    pub(crate) fn lift(context: &Context, values: &[i64]) -> Self {
        let lift = |k| {
            let modulus = context.transform(k).modulus();
            Residues::from_fn(context.degree(), |i| modulus.from_signed(values[i]))
        };
        Self { residues: std::array::from_fn(lift) }
    }

    /// The residues of coefficient `index`.
    pub(crate) fn at(&self, index: usize) -> [u64; PRIMES] {
        std::array::from_fn(|k| self.residues[k][index])
    }

    /// Sets coefficient `index`.
    pub(crate) fn set(&mut self, index: usize, residues: [u64; PRIMES]) {
        for (k, residue) in residues.into_iter().enumerate() {
            self.residues[k][index] = residue;
        }
    }

    /// Adds another polynomial.
    pub(crate) fn add(&mut self, context: &Context, other: &Self) {
        for k in 0..PRIMES {
            let modulus = context.transform(k).modulus();
            for (a, b) in self.residues[k].iter_mut().zip(other.residues[k].iter()) {
                *a = modulus.add(*a, *b);
            }
        }
    }

    /// Its values.
    pub(crate) fn transformed(mut self, context: &Context) -> Spectrum {
        for k in 0..PRIMES {
            context.transform(k).forward(&mut self.residues[k]);
        }
        Spectrum { residues: self.residues }
    }
}

impl Spectrum {
    /// Its coefficients.
    pub(crate) fn coefficients(mut self, context: &Context) -> Coefficients {
        for k in 0..PRIMES {
            context.transform(k).inverse(&mut self.residues[k]);
        }
        Coefficients { residues: self.residues }
    }

    /// Subtracts another polynomial.
    pub(crate) fn subtract(&mut self, context: &Context, other: &Self) {
        for k in 0..PRIMES {
            let modulus = context.transform(k).modulus();
            for (a, b) in self.residues[k].iter_mut().zip(other.residues[k].iter()) {
                *a = modulus.subtract(*a, *b);
            }
        }
    }

    /// Multiplies by another polynomial.
    pub(crate) fn multiply(&mut self, context: &Context, other: &Self) {
        for k in 0..PRIMES {
            context.transform(k).multiply(&mut self.residues[k], &other.residues[k]);
        }
    }
}

impl std::fmt::Debug for Coefficients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Coefficients({})", self.residues[0].len())
    }
}

impl std::fmt::Debug for Spectrum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Spectrum({})", self.residues[0].len())
    }
}
