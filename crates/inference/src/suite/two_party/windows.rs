//! Max pooling as maxima along one axis at a time: for every window size that needs the fewest comparisons.
//!
//! A 3x3 window costs 4 comparisons per output at stride 1 and 6 at stride 2 instead of 8.

use blindscan_graph::ir::Window;
use blindscan_protocols::share::{Share, ShareView};

/// One axis of a pool: which elements of the input each output is the maximum of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AxisPool {
    /// Elements in front of one step along the axis.
    pub(crate) outer: usize,
    /// Extent of the axis before.
    pub(crate) extent: usize,
    /// Extent of the axis after.
    pub(crate) output_extent: usize,
    /// Elements of one step along the axis.
    pub(crate) inner: usize,
    taps: usize,
    stride: usize,
    dilation: usize,
    pad: usize,
}

/// The axes along which a pool of this window works, in order, for an input of `shape` (1, channels, spatial...).
pub(crate) fn axis_pools(window: &Window, shape: &[usize]) -> Vec<AxisPool> {
    let mut now = shape.to_vec();
    let mut pools = Vec::new();
    for spatial in (0..window.kernel.len()).rev() {
        let axis = spatial + 2;
        let pool = AxisPool {
            outer: now[..axis].iter().product(),
            extent: now[axis],
            output_extent: window.output_size(spatial, now[axis]),
            inner: now[axis + 1..].iter().product(),
            taps: window.kernel[spatial],
            stride: window.strides[spatial],
            dilation: window.dilations[spatial],
            pad: window.pads_begin[spatial],
        };
        now[axis] = pool.output_extent;
        if pool.taps > 1 || pool.stride > 1 || pool.extent != pool.output_extent {
            pools.push(pool);
        }
    }
    pools
}

impl AxisPool {
    /// Elements that come out.
    pub(crate) fn output_count(&self) -> usize {
        self.outer * self.output_extent * self.inner
    }

    /// Candidates of one maximum.
    pub(crate) fn candidates(&self) -> usize {
        self.taps
    }

    /// Tap by tap, the share of what all outputs see there; `padding` where that is outside.
    pub(crate) fn gather(&self, input: ShareView<'_>, padding: u32) -> Vec<Share> {
        let input = input.words();
        (0..self.taps)
            .map(|tap| {
                let mut seen = Vec::with_capacity(self.output_count());
                for block in 0..self.outer {
                    for position in 0..self.output_extent {
                        let at = (position * self.stride + tap * self.dilation).checked_sub(self.pad);
                        match at.filter(|&at| at < self.extent) {
                            Some(at) => {
                                let start = (block * self.extent + at) * self.inner;
                                seen.extend_from_slice(&input[start..start + self.inner]);
                            }
                            None => seen.extend(std::iter::repeat_n(padding, self.inner)),
                        }
                    }
                }
                Share::of_words(seen)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pool straight from its definition.
    fn direct(input: &[u32], shape: &[usize], window: &Window) -> Vec<u32> {
        let (rows, columns) = (shape[2] as isize, shape[3] as isize);
        let mut out = Vec::new();
        for channel in 0..shape[1] {
            for i in 0..window.output_size(0, shape[2]) {
                for j in 0..window.output_size(1, shape[3]) {
                    let mut best = 0;
                    for a in 0..window.kernel[0] {
                        for b in 0..window.kernel[1] {
                            let y = (i * window.strides[0] + a) as isize - window.pads_begin[0] as isize;
                            let x = (j * window.strides[1] + b) as isize - window.pads_begin[1] as isize;
                            if (0..rows).contains(&y) && (0..columns).contains(&x) {
                                best = best.max(
                                    input[(channel as isize * rows * columns + y * columns + x) as usize],
                                );
                            }
                        }
                    }
                    out.push(best);
                }
            }
        }
        out
    }

    #[test]
    fn axis_by_axis_equals_the_definition() {
        for (kernel, stride, pad) in [(2, 2, 0), (3, 2, 1), (2, 1, 0), (3, 1, 1), (1, 2, 0)] {
            let window = Window {
                kernel: vec![kernel, kernel],
                strides: vec![stride, stride],
                dilations: vec![1, 1],
                pads_begin: vec![pad, pad],
                pads_end: vec![pad, pad],
            };
            let shape = [1, 2, 7, 6];
            let input: Vec<u32> = (0..84u32).map(|i| i.wrapping_mul(2_654_435_761) >> 8).collect();
            let mut share = Share::of_words(input.clone());
            for pool in axis_pools(&window, &shape) {
                let taps = pool.gather(share.view(), 0);
                let largest = |i: usize| taps.iter().map(|tap| tap.words()[i]).max().unwrap();
                share = Share::of_words((0..pool.output_count()).map(largest).collect());
            }
            assert_eq!(
                share.words(),
                direct(&input, &shape, &window),
                "kernel {kernel}, stride {stride}, pad {pad}"
            );
        }
    }
}
