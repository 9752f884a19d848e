//! The transform and pointwise arithmetic in 64-bit words, for every machine. The reference for all others.
//!
//! Values stay below 4 * prime on the way forward and below 2 * prime on the way back; the last step reduces.

use crate::modulus::{Factor, Modulus, subtract_if_not_less};

/// Coefficients to values (Cooley-Tukey butterflies, natural order in, bit-reversed order out).
pub(super) fn forward(modulus: Modulus, roots: &[Factor], values: &mut [u64]) {
    let twice = 2 * modulus.value();
    let mut blocks = 1;
    while blocks < values.len() {
        let half = values.len() / (2 * blocks);
        for (block, &root) in values.chunks_exact_mut(2 * half).zip(&roots[blocks..]) {
            let (low, high) = block.split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                let sum = subtract_if_not_less(*x, twice);
                let product = modulus.multiply_lazy(*y, root);
                *x = sum + product;
                *y = sum + twice - product;
            }
        }
        blocks *= 2;
    }
    for value in values {
        *value = modulus.reduce_once(subtract_if_not_less(*value, twice));
    }
}

/// Values to coefficients (Gentleman-Sande butterflies, bit-reversed order in, natural order out).
pub(super) fn inverse(modulus: Modulus, roots: &[Factor], inverse_degree: Factor, values: &mut [u64]) {
    let twice = 2 * modulus.value();
    let mut blocks = values.len() / 2;
    while blocks > 0 {
        let half = values.len() / (2 * blocks);
        for (block, &root) in values.chunks_exact_mut(2 * half).zip(&roots[blocks..]) {
            let (low, high) = block.split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                let sum = *x + *y;
                let difference = *x + twice - *y;
                *x = subtract_if_not_less(sum, twice);
                *y = modulus.multiply_lazy(difference, root);
            }
        }
        blocks /= 2;
    }
    for value in values {
        *value = modulus.reduce_once(modulus.multiply_lazy(*value, inverse_degree));
    }
}

/// Products of residues.
pub(super) fn multiply(modulus: Modulus, a: &mut [u64], b: &[u64]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a = modulus.multiply(*a, *b);
    }
}

/// `low + 2^52 * high` modulo the prime.
pub(super) fn reduce_halves(modulus: Modulus, low: &mut [u64], high: &[u64]) {
    for (low, high) in low.iter_mut().zip(high) {
        *low = modulus.reduce_halves(*low, *high);
    }
}

/// Products added to the halves of a lazy sum.
pub(super) fn add_products(low: &mut [u64], high: &mut [u64], pairs: &[(&[u64], &[u64])]) {
    for (a, b) in pairs {
        for (i, (low, high)) in low.iter_mut().zip(high.iter_mut()).enumerate() {
            let product = u128::from(a[i]) * u128::from(b[i]);
            *low += product as u64 & ((1 << 52) - 1);
            *high += (product >> 52) as u64;
        }
    }
}
