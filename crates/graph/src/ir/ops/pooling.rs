//! The loop over windows that pools share.

use super::window::three;
use super::{Tensor, Window};

/// Maximum over windows; padding counts as minus infinity.
pub(super) fn max(x: &Tensor, shape: &[usize], window: &Window) -> Vec<f32> {
    over_windows(
        x,
        shape,
        window,
        f32::NEG_INFINITY,
        |largest, value| if value > largest { value } else { largest },
        |v, _| v,
    )
}

/// Mean over windows.
pub(super) fn average(x: &Tensor, shape: &[usize], window: &Window, count_include_pad: bool) -> Vec<f32> {
    let all = window.taps();
    let divisor = |seen: usize| if count_include_pad { all } else { seen };
    over_windows(
        x,
        shape,
        window,
        0f64,
        |sum, value| sum + f64::from(value),
        |sum, seen| (sum / divisor(seen) as f64) as f32,
    )
}

/// Folds the data of every window; `finish` gets the fold and the number of taps that saw data.
fn over_windows<A: Copy>(
    x: &Tensor,
    shape: &[usize],
    window: &Window,
    start: A,
    fold: impl Fn(A, f32) -> A,
    finish: impl Fn(A, usize) -> f32,
) -> Vec<f32> {
    let grid = &window.on_three_axes();
    let sizes = three(&x.shape[2..], 1);
    let outputs = three(&shape[2..], 1);
    let seen: Vec<Vec<Vec<usize>>> = (0..3)
        .map(|axis| {
            let taps = |output| {
                (0..grid.kernel[axis]).filter_map(move |tap| grid.position(axis, output, tap, sizes[axis]))
            };
            (0..outputs[axis]).map(|output| taps(output).collect()).collect()
        })
        .collect();
    let mut answer = Vec::with_capacity(Tensor::count(shape));
    for plane in x.data.chunks(sizes.iter().product()) {
        for depths in &seen[0] {
            for heights in &seen[1] {
                for widths in &seen[2] {
                    let mut value = start;
                    for depth in depths {
                        for height in heights {
                            let row = &plane[(depth * sizes[1] + height) * sizes[2]..][..sizes[2]];
                            value = widths.iter().fold(value, |value, &width| fold(value, row[width]));
                        }
                    }
                    answer.push(finish(value, depths.len() * heights.len() * widths.len()));
                }
            }
        }
    }
    answer
}
