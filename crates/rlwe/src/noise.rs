//! Noise of an answer, and how often a share of it is off by one.
//!
//! The phase of an answer is round(q*m/t) + e - mask. The parties round t*phase/q and t*mask/q; their sum misses m by
//! one exactly when a rounding boundary lies between the shares' exact values, whose distance to m is t*e/q. The mask is
//! uniform, so that happens with probability E|e| * t/q. Terms of e, by variance of a coefficient:
//!
//! | term | variance |
//! |---|---|
//! | fresh noise and rounding of the encoding, times the weights | (coins/4 + 1/12) * sum of squared weights |
//! | fresh encryption of zero, e*u + e1*s | 2 * N * 2/3 * coins/4 |
//! | rounding both components by d bits, d0 + d1*s | 2^(2d)/12 * (1 + N*2/3) |
//!
//! The weights are those of every kernel polynomial that the answer is summed over, for several output channels where
//! they share one: [`Packing::weights_per_answer`](crate::packing::Packing::weights_per_answer). Their number and the
//! largest of them bound the sum of squares.

use crate::parameters::Parameters;

/// Share of non-zero coefficients of a ternary polynomial.
const TERNARY_WEIGHT: f64 = 2.0 / 3.0;

/// Variance of a coefficient of an answer's noise, for weights whose squares sum to `weights_squared`.
pub fn answer_variance(parameters: &Parameters, weights_squared: f64) -> f64 {
    let secret_weight = parameters.degree as f64 * TERNARY_WEIGHT;
    let rounding_unit = f64::from(1u32 << parameters.dropped_bits);
    let product = (parameters.noise_variance() + 1.0 / 12.0) * weights_squared;
    let zero = 2.0 * secret_weight * parameters.noise_variance();
    let rounding = rounding_unit * rounding_unit / 12.0 * (1.0 + secret_weight);
    product + zero + rounding
}

/// The most that the squares of `count` weights of this width sum to: |weight| < 2^(weight_bits - 1).
pub fn weights_squared_max(count: usize, weight_bits: u32) -> f64 {
    let largest = f64::from(weight_bits - 1).exp2() - 1.0;
    count as f64 * largest * largest
}

/// log2 of the probability that the shares of one value in Z_2^ring_bits sum to a neighbour of it.
pub fn off_by_one_log2(parameters: &Parameters, ring_bits: u32, weights_squared: f64) -> f64 {
    let mean_magnitude = (answer_variance(parameters, weights_squared) * 2.0 / std::f64::consts::PI).sqrt();
    mean_magnitude.log2() + f64::from(ring_bits) - parameters.modulus_bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::EXACT;

    /// The longest sum of the workloads: 512 channels under windows of 3 x 3, every weight at the end of its range.
    fn worst(weight_bits: u32) -> f64 {
        weights_squared_max(512 * 9, weight_bits)
    }

    /// Recomputed apart from this module: sigma 2^16.05 from 7.87e8 + 5.7e4 + 3.82e9, q = 2^99.9999999997.
    #[test]
    fn figures_are_those_that_were_recomputed_elsewhere() {
        let variance = answer_variance(&EXACT, worst(8));
        assert!((variance.sqrt().log2() - 16.05).abs() < 0.01, "sigma 2^{:.3}", variance.sqrt().log2());
        for (ring_bits, weight_bits, expected) in [(32, 8, -52.28), (32, 16, -45.5)] {
            let log2 = off_by_one_log2(&EXACT, ring_bits, worst(weight_bits));
            assert!((log2 - expected).abs() < 0.05, "2^{log2:.3}, expected 2^{expected}");
        }
        let without_weights = off_by_one_log2(&EXACT, 32, 0.0);
        assert!((without_weights + 52.41).abs() < 0.01, "2^{without_weights:.3}: the rounding alone");
    }

    #[test]
    fn eight_bit_weights_are_off_by_one_with_at_most_two_to_the_minus_51() {
        let log2 = off_by_one_log2(&EXACT, 32, worst(8));
        assert!(log2 <= -51.0, "2^{log2:.1} a value");
        // A volume: 1,536 slices of 40.4 million accumulators.
        let volume = log2 + (1536.0 * 40.4e6_f64).log2();
        assert!(volume.exp2() < 3e-5, "{} a volume", volume.exp2());
    }

    #[test]
    fn the_longest_sums_of_the_widest_weights_stay_below_two_to_the_minus_40() {
        let vgg_dense = weights_squared_max(25_088, 16);
        assert!(off_by_one_log2(&EXACT, 32, vgg_dense) <= -40.0);
        assert!(off_by_one_log2(&EXACT, 28, worst(16)) <= -48.0);
    }

    #[test]
    fn ten_more_dropped_bits_would_not_do() {
        let coarse = Parameters { dropped_bits: 22, ..EXACT };
        assert!(off_by_one_log2(&coarse, 32, worst(8)) > -44.0);
    }
}
