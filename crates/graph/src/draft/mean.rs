//! Means that leave padding out: which public integer brings each position's sum to one divisor.
//!
//! A window at the border sees fewer elements, and how many is public. Along an axis of k taps, positions that see c of them
//! are multiplied by k * m / c, and the mean is the sum over k * m: exactly where m makes every factor whole (3 taps that
//! see 2 or 3: m = 2), else to 2^-9 with m = 2^8. Axes are independent, so one list per axis says it all.

use crate::ir::Window;
use crate::operators::ScaleByPosition;

/// The largest multiple for which factors are kept exact.
const EXACT_MAX: usize = 64;
/// The multiple by which factors are rounded otherwise.
const ROUNDED: usize = 256;

/// The factors of a mean over a window; `None` when every window sees as many elements as it has taps, or when the window is
/// none. `shape` is the pool's input's.
pub(super) fn by_position(window: &Window, shape: &[usize]) -> Option<ScaleByPosition> {
    let rank = window.kernel.len();
    let lists = [&window.strides, &window.dilations, &window.pads_begin, &window.pads_end];
    if shape.len() != rank + 2
        || lists.iter().any(|list| list.len() != rank)
        || window.kernel.contains(&0)
        || window.strides.contains(&0)
    {
        return None; // The step itself is then refused for its shape.
    }
    let axes = 0..rank;
    let counts: Vec<Vec<usize>> = axes.map(|axis| seen(window, axis, shape[axis + 2])).collect();
    let full = |axis: usize| counts[axis].iter().all(|&count| count == window.kernel[axis]);
    if (0..counts.len()).all(full) {
        return None;
    }
    let mut scale = ScaleByPosition { factors: vec![Vec::new(); 2], unit: 1 };
    for (axis, counts) in counts.iter().enumerate() {
        let taps = window.kernel[axis];
        let multiple = multiple(taps, counts);
        let factor = |&count: &usize| (2 * taps * multiple + count) / (2 * count.max(1));
        let whole_axis = if full(axis) { Vec::new() } else { counts.iter().map(factor).collect() };
        scale.factors.push(whole_axis.into_iter().map(|factor| factor.max(1) as u32).collect());
        scale.unit = scale.unit.saturating_mul(if full(axis) { 1 } else { multiple as u32 });
    }
    Some(scale)
}

/// How many taps of each window along an axis see an element.
fn seen(window: &Window, axis: usize, size: usize) -> Vec<usize> {
    let sees = |position: usize, tap: usize| {
        let padded = position * window.strides[axis] + tap * window.dilations[axis];
        padded.checked_sub(window.pads_begin[axis]).is_some_and(|at| at < size)
    };
    (0..window.output_size(axis, size))
        .map(|position| (0..window.kernel[axis]).filter(|&tap| sees(position, tap)).count())
        .collect()
}

/// The least multiple of the taps that every count divides, or the one by which factors are rounded.
fn multiple(taps: usize, counts: &[usize]) -> usize {
    let divides =
        |multiple: &usize| counts.iter().all(|&count| count > 0 && (taps * multiple).is_multiple_of(count));
    (1..=EXACT_MAX).find(divides).unwrap_or(ROUNDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kernel: usize, stride: usize, pads: (usize, usize)) -> Window {
        Window {
            kernel: vec![kernel],
            strides: vec![stride],
            dilations: vec![1],
            pads_begin: vec![pads.0],
            pads_end: vec![pads.1],
        }
    }

    #[test]
    fn factors_times_counts_are_one_divisor() {
        let scale = by_position(&line(3, 1, (1, 1)), &[1, 2, 5]).unwrap();
        assert_eq!((scale.factors, scale.unit), (vec![vec![], vec![], vec![3, 2, 2, 2, 3]], 2));
        let scale = by_position(&line(2, 2, (1, 1)), &[1, 2, 4]).unwrap();
        assert_eq!((scale.factors, scale.unit), (vec![vec![], vec![], vec![2, 1, 2]], 1));
        assert!(by_position(&line(2, 2, (0, 0)), &[1, 2, 4]).is_none());
    }

    #[test]
    fn counts_without_a_small_multiple_are_rounded_finely() {
        let window = line(23, 1, (11, 11));
        let scale = by_position(&window, &[1, 1, 40]).unwrap();
        assert_eq!(scale.unit, 256);
        for (factor, count) in scale.factors[2].iter().zip(seen(&window, 0, 40)) {
            let exact = 23.0 * 256.0 / count as f64;
            assert!((f64::from(*factor) / exact - 1.0).abs() < 2e-3, "{factor} for {count}");
        }
    }
}
