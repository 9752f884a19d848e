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
//! Largest weights and longest sums bound the sum of squares; a test computes the layers that matter.

use crate::parameters::Parameters;

/// Share of non-zero coefficients of a ternary polynomial.
const TERNARY_WEIGHT: f64 = 2.0 / 3.0;

/// Variance of a coefficient of an answer's noise, for weights of one output whose squares sum to `weights_squared`.
pub fn answer_variance(parameters: &Parameters, weights_squared: f64) -> f64 {
    let secret_weight = parameters.degree as f64 * TERNARY_WEIGHT;
    let rounding_unit = f64::from(1u32 << parameters.dropped_bits);
    let product = (parameters.noise_variance() + 1.0 / 12.0) * weights_squared;
    let zero = 2.0 * secret_weight * parameters.noise_variance();
    let rounding = rounding_unit * rounding_unit / 12.0 * (1.0 + secret_weight);
    product + zero + rounding
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
    fn worst(weight_max: f64) -> f64 {
        512.0 * 9.0 * weight_max * weight_max
    }

    #[test]
    fn eight_bit_weights_are_off_by_one_with_at_most_two_to_the_minus_51() {
        let log2 = off_by_one_log2(&EXACT, 32, worst(127.0));
        assert!(log2 <= -51.0, "2^{log2:.1} a value");
        // A volume: 1,536 slices of 40.4 million accumulators.
        let volume = log2 + (1536.0 * 40.4e6_f64).log2();
        assert!(volume.exp2() < 3e-5, "{} a volume", volume.exp2());
    }

    #[test]
    fn the_longest_sums_of_the_widest_weights_stay_below_two_to_the_minus_40() {
        let vgg_dense = 25_088.0 * 32_767.0 * 32_767.0;
        assert!(off_by_one_log2(&EXACT, 32, vgg_dense) <= -40.0);
        assert!(off_by_one_log2(&EXACT, 28, worst(32_767.0)) <= -48.0);
    }

    #[test]
    fn ten_more_dropped_bits_would_not_do() {
        let coarse = Parameters { dropped_bits: 22, ..EXACT };
        assert!(off_by_one_log2(&coarse, 32, worst(127.0)) > -44.0);
    }
}
