//! Output rows of convolutions and transposed convolutions, and the threads that share them.
//!
//! Rows of the last axis are laid out by phase (position modulo stride), so that every tap reads or writes a contiguous run
//! and the inner loop is `row += w * x` over whole vectors. Four taps share one pass over the row.

use std::ops::Range;

use super::window::Three;

/// Taps summed in `f32` before they are added in `f64`.
const RUN_TAPS: usize = 64;
/// Below this many products one thread is faster.
const THREADED_PRODUCTS: usize = 1 << 24;

/// A tap of one output row: the weight's place in its channel's filter, and the run that it reads.
#[derive(Clone, Copy)]
pub(super) struct Tap {
    pub(super) weight: usize,
    pub(super) start: usize,
}

/// Every (depth, height) of the answer, in order.
pub(super) fn lines(outputs: Three) -> impl Iterator<Item = (usize, usize)> {
    (0..outputs[0]).flat_map(move |d| (0..outputs[1]).map(move |h| (d, h)))
}

/// One output row while it is summed.
pub(super) struct RowSum {
    short: Vec<f32>,
    long: Vec<f64>,
    taps: usize,
}

impl RowSum {
    pub(super) fn new(length: usize) -> Self {
        RowSum { short: vec![0.0; length], long: vec![0.0; length], taps: 0 }
    }

    /// Adds the products of all taps.
    pub(super) fn add_taps(&mut self, taps: &[Tap], filter: &[f32], data: &[f32]) {
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
    pub(super) fn add_shifted(&mut self, weight: f32, row: &[f32], shift: usize) {
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
    pub(super) fn finish(&mut self, bias: f32, row: &mut [f32]) {
        self.flush();
        for (value, long) in row.iter_mut().zip(&mut self.long) {
            *value = (std::mem::take(long) + f64::from(bias)) as f32;
        }
    }
}

/// Runs `work` over all channels, in as many threads as there are processors; each gets its channels' part of the answer.
pub(super) fn over_channels(
    channels: usize,
    plane: usize,
    products: usize,
    work: impl Fn(Range<usize>, &mut [f32]) + Sync,
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
