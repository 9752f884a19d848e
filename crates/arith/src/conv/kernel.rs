//! The loops: contiguous multiply-adds over flat rows, or dot products where a map is too small for rows.
//!
//! Each body is written once, portably, and compiled again for wider vectors; [`Isa`] picks at run time what the processor
//! has. The portable compilation is the reference. No loop looks at a value.

use super::LinearShape;
use super::flat::Flat;
use crate::erase::{Erased, erase};

/// Maps with rows shorter than this are done by dot products over the window instead of sweeps over the map.
const SHORT_ROW: usize = 24;
/// Words of a row that are worked on at a time: two output channels and four taps of it stay in the first cache.
const TILE: usize = 1024;
/// Products added in one sweep.
const LANES: usize = 4;

/// Words modulo 2^32 or 2^64.
pub(super) trait Word: Copy + Default + Send + Sync {
    /// `self + weight * x`, wrapping.
    fn plus_product(self, weight: Self, x: Self) -> Self;
}

impl Word for u32 {
    #[inline(always)]
    fn plus_product(self, weight: Self, x: Self) -> Self {
        self.wrapping_add(weight.wrapping_mul(x))
    }
}

impl Word for u64 {
    #[inline(always)]
    fn plus_product(self, weight: Self, x: Self) -> Self {
        self.wrapping_add(weight.wrapping_mul(x))
    }
}

/// The vectors that a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isa {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// Every one that this processor runs, the best last.
    pub(super) fn available() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                all.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                all.push(Self::Avx512);
            }
        }
        all
    }

    fn best() -> Self {
        *Self::available().last().expect("the portable one is always there")
    }
}

/// The layer by the best kernel that the processor runs.
pub(super) fn convolve<W: Word>(shape: &LinearShape, weight: &[W], input: &[W]) -> Vec<W> {
    convolve_with(Isa::best(), shape, weight, input)
}

/// The layer by a given kernel, which must be among [`Isa::available`].
pub(super) fn convolve_with<W: Word>(isa: Isa, shape: &LinearShape, weight: &[W], input: &[W]) -> Vec<W> {
    if shape.output_count() == 0 {
        return Vec::new();
    }
    if shape.kernel.is_empty() {
        return dense(isa, shape, weight, input);
    }
    let flat = Flat::new(shape);
    let phases = split_channels(shape, &flat, input);
    if flat.row_len() < SHORT_ROW {
        return by_windows(isa, shape, &flat, weight, &phases);
    }
    by_rows(isa, shape, &flat, weight, &phases)
}

fn dense<W: Word>(isa: Isa, shape: &LinearShape, weight: &[W], input: &[W]) -> Vec<W> {
    let (group_in, group_out) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    let mut output = Vec::with_capacity(shape.output_count());
    for row in input.chunks(shape.in_channels) {
        for (x, matrix) in row.chunks(group_in).zip(weight.chunks(group_out * group_in)) {
            products(isa, matrix, x, &mut output);
        }
    }
    output
}

/// All channels' phases, one after another.
fn split_channels<W: Word>(shape: &LinearShape, flat: &Flat, input: &[W]) -> Vec<W> {
    let mut phases = vec![W::default(); shape.in_channels * flat.channel_len()];
    let channel_len = input.len() / shape.in_channels;
    for (channel, target) in input.chunks(channel_len).zip(phases.chunks_mut(flat.channel_len())) {
        flat.split(channel, target);
    }
    phases
}

/// Small maps: each window is copied out and multiplied with every output channel's weights.
fn by_windows<W: Word>(isa: Isa, shape: &LinearShape, flat: &Flat, weight: &[W], phases: &[W]) -> Vec<W> {
    let (group_in, group_out) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    let starts = flat.starts();
    let mut output = Vec::with_capacity(shape.output_count());
    for (phases, matrix) in phases
        .chunks(group_in * flat.channel_len())
        .zip(weight.chunks(group_out * group_in * flat.taps().len()))
    {
        let mut by_position = Vec::with_capacity(starts.len() * group_out);
        for start in &starts {
            let window: Vec<W> = phases
                .chunks(flat.channel_len())
                .flat_map(|channel| flat.taps().iter().map(move |tap| channel[start + tap]))
                .collect();
            products(isa, matrix, &window, &mut by_position);
        }
        for channel in 0..group_out {
            output.extend(by_position.iter().skip(channel).step_by(group_out));
        }
        erase(&mut by_position);
    }
    output
}

/// Large maps: rows of weighted shifted copies, two output channels and four taps a sweep.
fn by_rows<W: Word>(isa: Isa, shape: &LinearShape, flat: &Flat, weight: &[W], phases: &[W]) -> Vec<W> {
    let (group_in, group_out) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    let terms = group_in * flat.taps().len();
    let offsets = term_offsets(flat, group_in);
    let row_len = flat.row_len();
    let tile = row_len.div_ceil(row_len.div_ceil(TILE));

    let mut rows = Erased::zeros(2 * row_len);
    let mut output = Vec::with_capacity(shape.output_count());
    for (group, phases) in phases.chunks(group_in * flat.channel_len()).enumerate() {
        for first in (0..group_out).step_by(2) {
            let real = (group_out - first).min(2);
            let matrix = &weight[(group * group_out + first) * terms..][..real * terms];
            let pair = [
                padded_terms(&matrix[..terms], offsets.len()),
                padded_terms(&matrix[(real - 1) * terms..], offsets.len()),
            ];
            rows.fill(W::default());
            let (one, two) = rows.split_at_mut(row_len);
            for (index, (one, two)) in one.chunks_mut(tile).zip(two.chunks_mut(tile)).enumerate() {
                sweep(
                    isa,
                    Sweep {
                        one,
                        two,
                        pair: [&pair[0], &pair[1]],
                        offsets: &offsets,
                        x: &phases[index * tile..],
                    },
                );
            }
            for row in rows.chunks(row_len).take(real) {
                flat.gather(row, &mut output);
            }
        }
    }
    output
}

/// Where each term of an output's sum starts, filled up to whole sweeps with terms whose weight will be zero.
fn term_offsets(flat: &Flat, channels: usize) -> Vec<usize> {
    let mut offsets: Vec<usize> =
        (0..channels).flat_map(|c| flat.taps().iter().map(move |tap| c * flat.channel_len() + tap)).collect();
    offsets.resize(offsets.len().next_multiple_of(LANES), flat.taps()[0]);
    offsets
}

fn padded_terms<W: Word>(terms: &[W], len: usize) -> Erased<W> {
    let mut padded = Erased::zeros(len);
    padded[..terms.len()].copy_from_slice(terms);
    padded
}

/// What one tile of two output rows is made of.
struct Sweep<'a, W> {
    one: &'a mut [W],
    two: &'a mut [W],
    pair: [&'a [W]; 2],
    offsets: &'a [usize],
    x: &'a [W],
}

#[inline(always)]
fn sweep_body<W: Word>(sweep: Sweep<'_, W>) {
    let Sweep { one, two, pair, offsets, x } = sweep;
    let len = one.len();
    let two = &mut two[..len];
    let weights = pair[0].chunks_exact(LANES).zip(pair[1].chunks_exact(LANES));
    for (offset, (v, w)) in offsets.chunks_exact(LANES).zip(weights) {
        let (xa, xb) = (&x[offset[0]..][..len], &x[offset[1]..][..len]);
        let (xc, xd) = (&x[offset[2]..][..len], &x[offset[3]..][..len]);
        let (v, w) = ([v[0], v[1], v[2], v[3]], [w[0], w[1], w[2], w[3]]);
        for j in 0..len {
            let (a, b, c, d) = (xa[j], xb[j], xc[j], xd[j]);
            one[j] = one[j]
                .plus_product(v[0], a)
                .plus_product(v[1], b)
                .plus_product(v[2], c)
                .plus_product(v[3], d);
            two[j] = two[j]
                .plus_product(w[0], a)
                .plus_product(w[1], b)
                .plus_product(w[2], c)
                .plus_product(w[3], d);
        }
    }
}

#[inline(always)]
fn products_body<W: Word>(matrix: &[W], x: &[W], output: &mut Vec<W>) {
    output.extend(
        matrix
            .chunks_exact(x.len())
            .map(|row| row.iter().zip(x).fold(W::default(), |sum, (&w, &x)| sum.plus_product(w, x))),
    );
}

/// Adds all terms to two output rows.
fn sweep<W: Word>(isa: Isa, sweep: Sweep<'_, W>) {
    match isa {
        Isa::Portable => sweep_body(sweep),
        // SAFETY: callers take `isa` from `Isa::available`, which has asked the processor for AVX2.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { sweep_avx2(sweep) },
        // SAFETY: callers take `isa` from `Isa::available`, which has asked the processor for AVX-512 F and DQ.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { sweep_avx512(sweep) },
    }
}

/// Appends `matrix * x`, one word per row of the matrix.
fn products<W: Word>(isa: Isa, matrix: &[W], x: &[W], output: &mut Vec<W>) {
    match isa {
        Isa::Portable => products_body(matrix, x, output),
        // SAFETY: callers take `isa` from `Isa::available`, which has asked the processor for AVX2.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { products_avx2(matrix, x, output) },
        // SAFETY: callers take `isa` from `Isa::available`, which has asked the processor for AVX-512 F and DQ.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { products_avx512(matrix, x, output) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sweep_avx2<W: Word>(sweep: Sweep<'_, W>) {
    sweep_body(sweep);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn sweep_avx512<W: Word>(sweep: Sweep<'_, W>) {
    sweep_body(sweep);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn products_avx2<W: Word>(matrix: &[W], x: &[W], output: &mut Vec<W>) {
    products_body(matrix, x, output);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn products_avx512<W: Word>(matrix: &[W], x: &[W], output: &mut Vec<W>) {
    products_body(matrix, x, output);
}
