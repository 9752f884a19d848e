//! What a value of the old graph is in the new one, and how operators take it up. Pure functions on shapes and numbers.

use crate::dead::Interval;
use crate::float;
use crate::ir::ops::Layer;
use crate::ir::{ConvOp, Op, Tensor, ValueId, Window};
use crate::movement::broadcast;

/// For each channel the channels of a new value that make it, with their factors.
pub(super) type Parts = Vec<Vec<(usize, f64)>>;

/// An old value: in each channel a sum of channels of a new value, times factors, plus a constant. Channels are axis 1.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) value: ValueId,
    /// None: each channel is that of the new value.
    pub(super) parts: Option<Parts>,
    /// As many axes as the value, each of extent 1 or the value's.
    pub(super) constant: Option<Tensor>,
}

/// Channels of the new value, shape of the old input, shape of the old output.
pub(super) type Extents<'a> = (usize, &'a [usize], &'a [usize]);

/// A ReLU of a form: the ReLU of the shifted new value, with what is around it.
pub(super) struct Split {
    pub(super) shift: Option<Tensor>,
    /// Channels of the ReLU's answer, followed by those of its input when it is read too.
    pub(super) parts: Option<Parts>,
    pub(super) constant: Option<Tensor>,
    pub(super) reads_input: bool,
}

impl Form {
    /// The new value itself.
    pub(super) fn of(value: ValueId) -> Self {
        Self { value, parts: None, constant: None }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.parts.is_none() && self.constant.is_none()
    }

    /// Each channel is that of the new value times a factor, plus a constant.
    pub(super) fn is_diagonal(&self) -> bool {
        self.parts.as_ref().is_none_or(is_diagonal)
    }

    pub(super) fn is_positive(&self) -> bool {
        self.parts.iter().flatten().flatten().all(|&(_, factor)| factor > 0.0)
    }

    /// The channels' parts, when this value's channels begin at `first` of a new one.
    pub(super) fn parts_from(&self, first: usize, channels: usize) -> Parts {
        let moved = |own: &Vec<(usize, f64)>| own.iter().map(|&(at, factor)| (first + at, factor)).collect();
        match &self.parts {
            Some(parts) => parts.iter().map(moved).collect(),
            None => (first..first + channels).map(|at| vec![(at, 1.0)]).collect(),
        }
    }

    /// `factors * self + shifts`, one of each per channel.
    pub(super) fn scaled_and_shifted(self, factors: &[f32], shifts: &[f32], shape: &[usize]) -> Self {
        let mut parts = self.parts_from(0, factors.len());
        for (own, &by) in parts.iter_mut().zip(factors) {
            own.iter_mut().for_each(|(_, factor)| *factor *= f64::from(by));
            own.retain(|(_, factor)| *factor != 0.0);
        }
        let constant = self.constant.map(|constant| scaled(constant, |c| f64::from(factors[c])));
        let shift = Tensor { shape: channel_shape(shifts.len(), shape.len()), data: shifts.to_vec() };
        let scaled = Self { value: self.value, parts: Some(parts), constant };
        Self { parts: scaled.parts.clone().filter(|parts| !is_identity(parts)), ..scaled.plus(&shift, shape) }
    }

    /// The form plus a constant.
    pub(super) fn plus(self, constant: &Tensor, shape: &[usize]) -> Self {
        let sum = match self.constant {
            None => constant.clone(),
            Some(own) => {
                let target: Vec<usize> =
                    own.shape.iter().zip(&constant.shape).map(|(a, b)| *a.max(b)).collect();
                let (a, b) = (repeated(&own, &target), repeated(constant, &target));
                Tensor { data: a.iter().zip(b).map(|(a, b)| a + b).collect(), shape: target }
            }
        };
        let by_channel = channel_shape(shape[1], shape.len());
        let covers = sum.shape.iter().zip(&by_channel).all(|(own, least)| own >= least);
        let sum = if covers { sum } else { repeat_to(&sum, shape) };
        Self { constant: Some(sum).filter(|sum| sum.data.iter().any(|&c| c != 0.0)), ..self }
    }

    /// Multiplies a linear operator's outputs, and what this form adds to them, and divides by the same factors.
    pub(super) fn divided_by(self, op: &mut Op, factors: &[f64]) -> Self {
        scale_outputs(op, factors);
        let parts = factors.iter().enumerate().map(|(c, factor)| vec![(c, factor.recip())]).collect();
        // The constant is added behind the new value, so it stays as it is.
        Self { parts: Some(parts), ..self }
    }

    /// The ReLU of a diagonal form, of which each channel lies in `proven` whatever the input. None when a shift is beyond
    /// `far` and its ReLU cannot be left out.
    pub(super) fn through_relu(&self, shape: &[usize], far: f64, proven: &[Interval]) -> Option<Split> {
        let channels = shape[1];
        let constant = match &self.constant {
            Some(constant) => constant.clone(),
            None => Tensor { shape: channel_shape(channels, shape.len()), data: vec![0.0; channels] },
        };
        let run = constant.data.len() / channels;
        let mut shift = vec![0f32; constant.data.len()];
        let mut behind = vec![0f32; constant.data.len()];
        let (mut parts, mut reads_input) = (vec![Vec::new(); channels], false);
        for c in 0..channels {
            let factor = match &self.parts {
                Some(parts) => parts[c].first().map_or(0.0, |part| part.1),
                None => 1.0,
            };
            let own = &constant.data[c * run..(c + 1) * run];
            let beyond = self.parts.is_some() && own.iter().any(|k| f64::from(k.abs()) > far * factor.abs());
            let (low, high) = proven[c];
            let (behind, shift) = (&mut behind[c * run..(c + 1) * run], &mut shift[c * run..(c + 1) * run]);
            if factor == 0.0 {
                behind.iter_mut().zip(own).for_each(|(to, &k)| *to = k.max(0.0));
            } else if beyond && low >= 0.0 {
                parts[c].push((channels + c, factor));
                behind.copy_from_slice(own);
                reads_input = true;
            } else if beyond && high > 0.0 {
                return None;
            } else if !beyond {
                shift.iter_mut().zip(own).for_each(|(to, &k)| *to = (f64::from(k) / factor) as f32);
                parts[c].push((c, factor.abs()));
                if factor < 0.0 {
                    parts[c].push((channels + c, factor));
                    behind.copy_from_slice(own);
                    reads_input = true;
                }
            }
        }
        let some = |data: Vec<f32>| {
            data.iter().any(|&c| c != 0.0).then(|| Tensor { shape: constant.shape.clone(), data })
        };
        let parts = Some(parts).filter(|parts| !is_identity(parts));
        Some(Split { shift: some(shift), parts, constant: some(behind), reads_input })
    }
}

/// Each channel as `apart` neighbouring ones.
pub(super) fn spread(parts: &Parts, apart: usize) -> Parts {
    let each = |own: &Vec<(usize, f64)>, k: usize| own.iter().map(|&(at, f)| (at * apart + k, f)).collect();
    parts.iter().flat_map(|own| (0..apart).map(move |k| each(own, k))).collect()
}

/// What an operator that factors pass makes of a constant.
pub(super) fn constant_through(op: &Op, constant: &Tensor, input: &[usize], output: &[usize]) -> Tensor {
    collapsed(float::applied(op, repeat_to(constant, input), output))
}

/// The constants of several values joined along the channels.
pub(super) fn joined(forms: &[Form], shapes: &[&[usize]]) -> Option<Tensor> {
    forms.iter().find(|form| form.constant.is_some())?;
    let narrow = forms.iter().all(|form| form.constant.as_ref().is_none_or(per_channel));
    let mut data = Vec::new();
    for (form, shape) in forms.iter().zip(shapes) {
        let own = if narrow { channel_shape(shape[1], shape.len()) } else { shape.to_vec() };
        match &form.constant {
            Some(constant) => data.extend(repeated(constant, &own)),
            None => data.resize(data.len() + Tensor::count(&own), 0.0),
        }
    }
    let channels = shapes.iter().map(|shape| shape[1]).sum();
    let mut shape = if narrow { channel_shape(channels, shapes[0].len()) } else { shapes[0].to_vec() };
    shape[1] = channels;
    Some(Tensor { shape, data })
}

/// Whether a constant is one number per channel.
pub(super) fn per_channel(constant: &Tensor) -> bool {
    constant.shape[2..].iter().all(|&extent| extent == 1)
}

/// A convolution with a window of 1 that makes values of their parts.
pub(super) fn pointwise(parts: &Parts, channels: usize, rank: usize, bias: Option<&Tensor>) -> Op {
    let diagonal = is_diagonal(parts) && parts.len() == channels;
    let width = if diagonal { 1 } else { channels };
    let mut data = vec![0f32; parts.len() * width];
    for (row, own) in data.chunks_mut(width).zip(parts) {
        own.iter().for_each(|&(at, factor)| row[if diagonal { 0 } else { at }] += factor as f32);
    }
    let window = Window::plain(vec![1; rank]);
    let weight = Tensor { shape: [&[parts.len(), width], window.kernel.as_slice()].concat(), data };
    let bias = bias.map_or_else(|| vec![0.0; parts.len()], |bias| bias.data.clone());
    Op::Conv(ConvOp { window, groups: if diagonal { channels } else { 1 }, weight, bias })
}

/// A layer that reads a form's new value, and the map that it adds where the form's constant gives no number per channel.
pub(super) fn taking(
    op: &Op,
    layer: Layer<'_>,
    form: &Form,
    (channels, input, output): Extents<'_>,
) -> (Op, Option<Tensor>) {
    let mut taken = op.clone();
    let numbers = taken.layer_mut().expect("a layer has weights");
    if let Some(parts) = &form.parts {
        *numbers.weight = weight_taking(layer, parts, channels);
    }
    let Some(constant) = &form.constant else { return (taken, None) };
    if layer.is_dense() {
        let features = layer.weight.shape[1];
        let constants = repeated(constant, &[1, features]);
        for (bias, row) in numbers.bias.iter_mut().zip(layer.weight.data.chunks(features)) {
            let sum: f64 = row.iter().zip(&constants).map(|(&w, &c)| f64::from(w) * f64::from(c)).sum();
            *bias = (f64::from(*bias) + sum) as f32;
        }
        return (taken, None);
    }
    let mut unbiased = op.clone();
    unbiased.layer_mut().expect("a layer has weights").bias.fill(0.0);
    let map = collapsed(float::applied(&unbiased, repeat_to(constant, input), output));
    if !per_channel(&map) {
        return (taken, Some(map));
    }
    numbers.bias.iter_mut().zip(&map.data).for_each(|(bias, added)| *bias += added);
    (taken, None)
}

/// Weights over `channels` channels, with the parts of each old channel multiplied out. In groups each old channel is at most one
/// new one, of the same number.
fn weight_taking(layer: Layer<'_>, parts: &Parts, channels: usize) -> Tensor {
    let before = layer.kernels();
    let after = if layer.groups() == 1 { before.reading(channels) } else { before };
    let count = layer.weight.data.len() / before.group_in * after.group_in;
    let mut sums = vec![0f64; count];
    for ((from, to), kernel) in layer.each_kernel(before) {
        for &(at, factor) in &parts[from] {
            let place = after.place(at, to) * after.taps;
            sums[place..][..after.taps]
                .iter_mut()
                .zip(kernel)
                .for_each(|(sum, &w)| *sum += f64::from(w) * factor);
        }
    }
    let mut shape = layer.weight.shape.clone();
    shape[layer.input_axis()] = shape[layer.input_axis()] / before.group_in * after.group_in;
    Tensor { shape, data: sums.into_iter().map(|w| w as f32).collect() }
}

/// Multiplies each output channel's weights and bias.
fn scale_outputs(op: &mut Op, factors: &[f64]) {
    let times = |w: &mut f32, factor: f64| *w = (f64::from(*w) * factor) as f32;
    let mut layer = op.layer_mut().expect("only layers have outputs to scale");
    layer.each_kernel().for_each(|((_, to), kernel)| kernel.iter_mut().for_each(|w| times(w, factors[to])));
    layer.bias.iter_mut().zip(factors).for_each(|(bias, &factor)| times(bias, factor));
}

/// The largest magnitude that each output channel of a layer can have, for inputs of at most `input`.
pub(super) fn reach(layer: Layer<'_>, input: f64) -> Vec<f64> {
    let mut sizes = vec![0f64; layer.bias.len()];
    for ((_, to), kernel) in layer.each_kernel(layer.kernels()) {
        sizes[to] = kernel.iter().fold(sizes[to], |size, &w| size + f64::from(w.abs()));
    }
    layer.bias.iter().zip(sizes).map(|(&bias, size)| f64::from(bias.abs()) + size * input).collect()
}

/// The constant as one number per channel, where it is that.
fn collapsed(full: Tensor) -> Tensor {
    let run = full.data.len() / full.shape[1];
    if !full.data.chunks(run).all(|channel| channel.iter().all(|&c| c == channel[0])) {
        return full;
    }
    let shape = channel_shape(full.shape[1], full.shape.len());
    Tensor { shape, data: full.data.chunks(run).map(|channel| channel[0]).collect() }
}

fn scaled(mut constant: Tensor, factor: impl Fn(usize) -> f64) -> Tensor {
    let run = constant.data.len() / constant.shape[1];
    for (c, channel) in constant.data.chunks_mut(run).enumerate() {
        channel.iter_mut().for_each(|k| *k = (f64::from(*k) * factor(c)) as f32);
    }
    constant
}

fn repeat_to(constant: &Tensor, shape: &[usize]) -> Tensor {
    Tensor { shape: shape.to_vec(), data: repeated(constant, shape) }
}

fn repeated(constant: &Tensor, shape: &[usize]) -> Vec<f32> {
    broadcast(&constant.data, &constant.shape, shape)
}

/// 1 x channels x 1 ...
fn channel_shape(channels: usize, rank: usize) -> Vec<usize> {
    let mut shape = vec![1; rank];
    shape[1] = channels;
    shape
}

fn is_diagonal(parts: &Parts) -> bool {
    parts
        .iter()
        .enumerate()
        .all(|(c, own)| matches!(own[..], [] | [(_, _)]) && own.iter().all(|part| part.0 == c))
}

fn is_identity(parts: &Parts) -> bool {
    parts.iter().enumerate().all(|(c, own)| own[..] == [(c, 1.0)])
}
