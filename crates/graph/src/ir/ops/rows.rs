//! Convolutions and transposed convolutions, row by row.
//!
//! Rows of the last axis are laid out by phase (position modulo stride), so that every tap reads or writes a contiguous run
//! and the inner loop is `row += w * x` over whole vectors. Four taps share one pass over the row.

use super::grid::{Three, Window3, three};
use crate::ir::{Tensor, Window};

/// Taps summed in `f32` before they are added in `f64`.
const RUN_TAPS: usize = 64;
/// Below this many products one thread is faster.
const THREADED_PRODUCTS: usize = 1 << 24;

/// A tap of one output row: the weight's place in its channel's filter, and the run that it reads.
#[derive(Clone, Copy)]
struct Tap {
    weight: usize,
    start: usize,
}

/// Convolution; `shape` is the answer's.
pub(super) fn conv(
    x: &Tensor,
    shape: &[usize],
    window: &Window,
    groups: usize,
    weight: &Tensor,
    bias: &[f32],
) -> Vec<f32> {
    let grid = Window3::new(window);
    let sizes = three(&x.shape[2..], 1);
    let outputs = three(&shape[2..], 1);
    let rows = PhasedRows::new(x, &grid, sizes, outputs);
    let (in_per_group, out_per_group) = (weight.shape[1], weight.shape[0] / groups);
    let filter = weight.data.len() / weight.shape[0];
    let plane: usize = outputs.iter().product();
    over_channels(shape[1], plane, plane * weight.data.len(), |channels, answer| {
        let mut sum = RowSum::new(outputs[2]);
        let mut taps = Vec::new();
        for group in channels.start / out_per_group..channels.end.div_ceil(out_per_group) {
            let first = channels.start.max(group * out_per_group);
            let end = channels.end.min((group + 1) * out_per_group);
            for (line, (d, h)) in lines(outputs).enumerate() {
                rows.taps(&mut taps, &grid, group * in_per_group, in_per_group, d, h);
                for channel in first..end {
                    let filter = &weight.data[channel * filter..][..filter];
                    sum.add_taps(&taps, filter, &rows.data);
                    let to = (channel - channels.start) * plane + line * outputs[2];
                    sum.finish(bias[channel], &mut answer[to..to + outputs[2]]);
                }
            }
        }
    })
}

/// The data, padded, its rows split by phase: (channels, depth, height, phase, run). Only phases that a tap reads are there.
struct PhasedRows {
    data: Vec<f32>,
    sizes: Three,
    /// Elements of a phase's run.
    run: usize,
    phases: usize,
    /// For each tap of the last axis, where it begins within a row's phases.
    starts: Vec<usize>,
}

impl PhasedRows {
    fn new(x: &Tensor, grid: &Window3, sizes: Three, outputs: Three) -> Self {
        let stride = grid.strides[2];
        let shifts: Vec<usize> = (0..grid.kernel[2]).map(|tap| tap * grid.dilations[2]).collect();
        let mut phases: Vec<usize> = shifts.iter().map(|shift| shift % stride).collect();
        phases.sort_unstable();
        phases.dedup();
        let run = outputs[2] + shifts[shifts.len() - 1] / stride;
        let place = |phase| phases.binary_search(&phase).expect("every tap's phase was collected");
        let starts = shifts.iter().map(|shift| place(shift % stride) * run + shift / stride).collect();
        let mut data = vec![0.0; x.data.len() / sizes[2] * phases.len() * run];
        for (row, line) in x.data.chunks(sizes[2]).zip(data.chunks_mut(phases.len() * run)) {
            for (&phase, line) in phases.iter().zip(line.chunks_mut(run)) {
                // The first element of this phase that is no padding.
                let first = grid.begin[2].saturating_sub(phase).div_ceil(stride);
                let from = (first * stride + phase - grid.begin[2]).min(row.len());
                for (to, &value) in line.iter_mut().skip(first).zip(row[from..].iter().step_by(stride)) {
                    *to = value;
                }
            }
        }
        PhasedRows { data, sizes, run, phases: phases.len(), starts }
    }

    /// The taps of output line (d, h) that see data, in the order of the filter.
    fn taps(
        &self,
        taps: &mut Vec<Tap>,
        grid: &Window3,
        first_channel: usize,
        channels: usize,
        d: usize,
        h: usize,
    ) {
        taps.clear();
        let [kernel_d, kernel_h, kernel_w] = grid.kernel;
        for channel in 0..channels {
            for kd in 0..kernel_d {
                let Some(depth) = grid.position(0, d, kd, self.sizes[0]) else { continue };
                for kh in 0..kernel_h {
                    let Some(height) = grid.position(1, h, kh, self.sizes[1]) else { continue };
                    let line = ((first_channel + channel) * self.sizes[0] + depth) * self.sizes[1] + height;
                    for kw in 0..kernel_w {
                        let weight = ((channel * kernel_d + kd) * kernel_h + kh) * kernel_w + kw;
                        let start = line * self.phases * self.run + self.starts[kw];
                        taps.push(Tap { weight, start });
                    }
                }
            }
        }
    }
}

/// Transposed convolution; `shape` is the answer's, `output_padding` is in it.
pub(super) fn conv_transpose(
    x: &Tensor,
    shape: &[usize],
    window: &Window,
    groups: usize,
    weight: &Tensor,
    bias: &[f32],
) -> Vec<f32> {
    let grid = Window3::new(window);
    let sizes = three(&x.shape[2..], 1);
    let outputs = three(&shape[2..], 1);
    let (in_per_group, out_per_group) = (weight.shape[0] / groups, weight.shape[1]);
    let taps_of_filter: usize = grid.kernel.iter().product();
    let plane: usize = outputs.iter().product();
    let phases = grid.strides[2];
    let run = sizes[2] + (grid.kernel[2] - 1) * grid.dilations[2] / phases;
    let products = x.data.len() * out_per_group * taps_of_filter;
    over_channels(shape[1], plane, products, |channels, answer| {
        let mut sums: Vec<RowSum> = (0..phases).map(|_| RowSum::new(run)).collect();
        let mut by_phase = vec![vec![0.0; run]; phases];
        for channel in channels.clone() {
            let (group, within) = (channel / out_per_group, channel % out_per_group);
            for (line, (d, h)) in lines(outputs).enumerate() {
                for source in sources(&grid, sizes, d, h) {
                    for input in group * in_per_group..(group + 1) * in_per_group {
                        let row = (input * sizes[0] + source.depth) * sizes[1] + source.height;
                        let row = &x.data[row * sizes[2]..][..sizes[2]];
                        let filter =
                            (input * out_per_group + within) * taps_of_filter + source.tap * grid.kernel[2];
                        for kw in 0..grid.kernel[2] {
                            let shift = kw * grid.dilations[2];
                            sums[shift % phases].add_shifted(weight.data[filter + kw], row, shift / phases);
                        }
                    }
                }
                for (sum, phase) in sums.iter_mut().zip(&mut by_phase) {
                    sum.finish(bias[channel], phase);
                }
                let to = (channel - channels.start) * plane + line * outputs[2];
                for (w, value) in answer[to..to + outputs[2]].iter_mut().enumerate() {
                    let full = w + grid.begin[2];
                    *value = by_phase[full % phases].get(full / phases).copied().unwrap_or(bias[channel]);
                }
            }
        }
    })
}

/// An input row that a transposed convolution adds to an output line.
struct Source {
    depth: usize,
    height: usize,
    /// Index of the kernel's row.
    tap: usize,
}

fn sources(grid: &Window3, sizes: Three, d: usize, h: usize) -> Vec<Source> {
    let along = |axis: usize, output: usize| {
        (0..grid.kernel[axis]).filter_map(move |tap| {
            let scaled = (output + grid.begin[axis]).checked_sub(tap * grid.dilations[axis])?;
            let position = scaled / grid.strides[axis];
            (scaled % grid.strides[axis] == 0 && position < sizes[axis]).then_some((tap, position))
        })
    };
    along(0, d)
        .flat_map(|(kd, depth)| {
            along(1, h).map(move |(kh, height)| Source { depth, height, tap: kd * grid.kernel[1] + kh })
        })
        .collect()
}

/// Every (depth, height) of the answer, in order.
fn lines(outputs: Three) -> impl Iterator<Item = (usize, usize)> {
    (0..outputs[0]).flat_map(move |d| (0..outputs[1]).map(move |h| (d, h)))
}

/// One output row while it is summed.
struct RowSum {
    short: Vec<f32>,
    long: Vec<f64>,
    taps: usize,
}

impl RowSum {
    fn new(length: usize) -> Self {
        RowSum { short: vec![0.0; length], long: vec![0.0; length], taps: 0 }
    }

    /// Adds the products of all taps.
    fn add_taps(&mut self, taps: &[Tap], filter: &[f32], data: &[f32]) {
        let length = self.short.len();
        let run = |tap: &Tap| &data[tap.start..tap.start + length];
        let (fours, rest) = taps.as_chunks::<4>();
        for four in fours {
            let [a, b, c, d] = four.each_ref().map(run);
            let [wa, wb, wc, wd] = four.map(|tap| filter[tap.weight]);
            for (i, sum) in self.short.iter_mut().enumerate() {
                *sum += (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
            }
            self.count(4);
        }
        for tap in rest {
            self.add_shifted(filter[tap.weight], run(tap), 0);
        }
    }

    /// Adds `weight * row` from `shift` on.
    fn add_shifted(&mut self, weight: f32, row: &[f32], shift: usize) {
        for (sum, x) in self.short[shift..].iter_mut().zip(row) {
            *sum += weight * x;
        }
        self.count(1);
    }

    fn count(&mut self, taps: usize) {
        self.taps += taps;
        if self.taps >= RUN_TAPS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        for (long, short) in self.long.iter_mut().zip(&mut self.short) {
            *long += f64::from(std::mem::take(short));
        }
        self.taps = 0;
    }

    /// Writes the sums and starts anew.
    fn finish(&mut self, bias: f32, row: &mut [f32]) {
        self.flush();
        for (value, long) in row.iter_mut().zip(&mut self.long) {
            *value = (std::mem::take(long) + f64::from(bias)) as f32;
        }
    }
}

/// Runs `work` over all channels, in as many threads as there are processors; each gets its channels' part of the answer.
fn over_channels(
    channels: usize,
    plane: usize,
    products: usize,
    work: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync,
) -> Vec<f32> {
    let mut answer = vec![0.0; channels * plane];
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if products < THREADED_PRODUCTS { 1 } else { processors.min(channels) };
    let share = channels.div_ceil(threads);
    if threads == 1 {
        work(0..channels, &mut answer);
        return answer;
    }
    std::thread::scope(|scope| {
        for (index, part) in answer.chunks_mut(share * plane).enumerate() {
            let work = &work;
            scope.spawn(move || work(index * share..index * share + part.len() / plane, part));
        }
    });
    answer
}
