//! What a value of the old graph is in the new one, and how operators take it up. Pure functions on shapes and numbers.

use crate::dead::Interval;
use crate::float;
use crate::ir::{Classes, Graph, Head, Node, Op, Tensor, ValueId, ValueInfo, Window};
use crate::kernels::numbers;
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
        // The constant is what stands behind the new value, so it stays as it is.
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

/// A depthwise convolution with a window of 1: a factor and a shift per channel.
pub(super) fn is_affine(op: &Op, input: &[usize]) -> bool {
    let Op::Conv { window, groups, bias, .. } = op else { return false };
    let one = |list: &[usize]| list.iter().all(|&n| n == 1);
    let none = |list: &[usize]| list.iter().all(|&n| n == 0);
    one(&window.kernel)
        && one(&window.strides)
        && none(&window.pads_begin)
        && none(&window.pads_end)
        && *groups == bias.len()
        && (3..=5).contains(&input.len())
        && input[..2] == [1, *groups]
}

/// Whether an operator treats channels alike and apart, so that factors and shifts pass it.
pub(super) fn passes(op: &Op, input: &[usize], output: &[usize]) -> bool {
    if input.len() < 2 || output.len() < 2 || input[0] != 1 || output[0] != 1 {
        return false;
    }
    match op {
        Op::AveragePool { .. } => true,
        Op::Pad { begin, end } => begin[..2] == [0, 0] && end[..2] == [0, 0],
        Op::Reshape => output[1].is_multiple_of(input[1]),
        Op::Transpose { perm } => perm[..2] == [0, 1],
        _ => false,
    }
}

/// Each channel as `apart` neighbouring ones.
pub(super) fn spread(parts: &Parts, apart: usize) -> Parts {
    let each = |own: &Vec<(usize, f64)>, k: usize| own.iter().map(|&(at, f)| (at * apart + k, f)).collect();
    parts.iter().flat_map(|own| (0..apart).map(move |k| each(own, k))).collect()
}

/// What an operator that factors pass makes of a constant.
pub(super) fn constant_through(op: &Op, constant: &Tensor, input: &[usize], output: &[usize]) -> Tensor {
    collapsed(evaluated(op.clone(), repeat_to(constant, input), output))
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
    let ones = vec![1; rank];
    let window = Window {
        kernel: ones.clone(),
        strides: ones.clone(),
        dilations: ones.clone(),
        pads_begin: vec![0; rank],
        pads_end: vec![0; rank],
    };
    let weight = Tensor { shape: [vec![parts.len(), width], ones].concat(), data };
    let bias = bias.map_or_else(|| vec![0.0; parts.len()], |bias| bias.data.clone());
    Op::Conv { window, groups: if diagonal { channels } else { 1 }, weight, bias }
}

/// A convolution of a form, and the map that it adds where its padding meets the form's constant.
pub(super) fn conv_taking(
    op: &Op,
    form: &Form,
    (channels, input, output): Extents<'_>,
) -> (Op, Option<Tensor>) {
    let Op::Conv { window, groups, weight, bias } = op else { unreachable!("asked for convolutions only") };
    let taps = window.taps();
    let weight_taken = match &form.parts {
        None => weight.clone(),
        Some(parts) if *groups == 1 => columns_taking(weight, parts, channels, taps),
        Some(parts) => {
            let (group_in, mut taken) = (weight.shape[1], weight.clone());
            let group_out = bias.len() / groups;
            for (run, weights) in taken.data.chunks_mut(taps).enumerate() {
                let channel = run / group_in / group_out * group_in + run % group_in;
                let factor = parts[channel].first().map_or(0.0, |part| part.1);
                weights.iter_mut().for_each(|w| *w = (f64::from(*w) * factor) as f32);
            }
            taken
        }
    };
    let unbiased = Op::Conv {
        window: window.clone(),
        groups: *groups,
        weight: weight.clone(),
        bias: vec![0.0; bias.len()],
    };
    let (bias, map) = biased(unbiased, bias, form, input, output);
    (Op::Conv { window: window.clone(), groups: *groups, weight: weight_taken, bias }, map)
}

/// The same for a transposed convolution, whose taps overlap unevenly at the borders.
pub(super) fn transposed_taking(
    op: &Op,
    form: &Form,
    (channels, input, output): Extents<'_>,
) -> (Op, Option<Tensor>) {
    let Op::ConvTranspose { window, output_padding, groups, weight, bias } = op else {
        unreachable!("asked for transposed convolutions only")
    };
    let again = |weight: Tensor, bias: Vec<f32>| Op::ConvTranspose {
        window: window.clone(),
        output_padding: output_padding.clone(),
        groups: *groups,
        weight,
        bias,
    };
    let run: usize = weight.shape[1..].iter().product();
    let taken = match &form.parts {
        None => weight.clone(),
        Some(parts) => {
            let mut data = vec![0f64; channels * run];
            for (row, own) in weight.data.chunks(run).zip(parts) {
                for &(at, factor) in own {
                    let sums = data[at * run..(at + 1) * run].iter_mut();
                    sums.zip(row).for_each(|(sum, &w)| *sum += f64::from(w) * factor);
                }
            }
            let shape = [&[channels], &weight.shape[1..]].concat();
            Tensor { shape, data: data.into_iter().map(|w| w as f32).collect() }
        }
    };
    let (bias, map) = biased(again(weight.clone(), vec![0.0; bias.len()]), bias, form, input, output);
    (again(taken, bias), map)
}

/// A dense layer of a form of features.
pub(super) fn dense_taking(op: &Op, form: &Form, channels: usize) -> (Op, Option<Tensor>) {
    let Op::Dense { weight, bias } = op else { unreachable!("asked for dense layers only") };
    let taken = match &form.parts {
        None => weight.clone(),
        Some(parts) => columns_taking(weight, parts, channels, 1),
    };
    let mut bias = bias.clone();
    if let Some(constant) = &form.constant {
        let constants = repeated(constant, &[1, weight.shape[1]]);
        for (bias, row) in bias.iter_mut().zip(weight.data.chunks(weight.shape[1])) {
            let sum: f64 = row.iter().zip(&constants).map(|(&w, &c)| f64::from(w) * f64::from(c)).sum();
            *bias = (f64::from(*bias) + sum) as f32;
        }
    }
    (Op::Dense { weight: taken, bias }, None)
}

/// The bias with what an operator without one makes of a form's constant; where that is no number per channel, as a map beside.
fn biased(
    unbiased: Op,
    bias: &[f32],
    form: &Form,
    input: &[usize],
    output: &[usize],
) -> (Vec<f32>, Option<Tensor>) {
    let Some(constant) = &form.constant else { return (bias.to_vec(), None) };
    let map = collapsed(evaluated(unbiased, repeat_to(constant, input), output));
    if per_channel(&map) {
        return (bias.iter().zip(&map.data).map(|(bias, added)| bias + added).collect(), None);
    }
    (bias.to_vec(), Some(map))
}

/// (out, in, taps...) with the parts of each input channel multiplied out.
fn columns_taking(weight: &Tensor, parts: &Parts, channels: usize, taps: usize) -> Tensor {
    let mut data = vec![0f64; weight.shape[0] * channels * taps];
    for (row, taken) in weight.data.chunks(parts.len() * taps).zip(data.chunks_mut(channels * taps)) {
        for (weights, own) in row.chunks(taps).zip(parts) {
            for &(at, factor) in own {
                let sums = taken[at * taps..(at + 1) * taps].iter_mut();
                sums.zip(weights).for_each(|(sum, &w)| *sum += f64::from(w) * factor);
            }
        }
    }
    let mut shape = weight.shape.clone();
    shape[1] = channels;
    Tensor { shape, data: data.into_iter().map(|w| w as f32).collect() }
}

/// Multiplies each output channel's weights and bias.
fn scale_outputs(op: &mut Op, factors: &[f64]) {
    let times = |w: &mut f32, factor: f64| *w = (f64::from(*w) * factor) as f32;
    let bias = match op {
        Op::Conv { weight, bias, .. } | Op::Dense { weight, bias } => {
            let run = weight.data.len() / factors.len();
            let rows = weight.data.chunks_mut(run).zip(factors);
            rows.for_each(|(row, &factor)| row.iter_mut().for_each(|w| times(w, factor)));
            bias
        }
        Op::ConvTranspose { weight, bias, groups, .. } => {
            let (group_in, group_out) = (weight.shape[0] / *groups, weight.shape[1]);
            let run: usize = weight.shape[2..].iter().product();
            for (index, taps) in weight.data.chunks_mut(run).enumerate() {
                let out = index / group_out / group_in * group_out + index % group_out;
                taps.iter_mut().for_each(|w| times(w, factors[out]));
            }
            bias
        }
        _ => unreachable!("only linear layers have outputs to scale"),
    };
    bias.iter_mut().zip(factors).for_each(|(bias, &factor)| times(bias, factor));
}

/// The largest magnitude that each output channel of a linear operator can have, for inputs of at most `input`.
pub(super) fn reach(op: &Op, input: f64) -> Vec<f64> {
    let (weight, bias) = numbers(op).expect("only linear layers have outputs to scale");
    let size = |taps: &[f32]| taps.iter().map(|&w| f64::from(w.abs())).sum::<f64>() * input;
    let mut reach: Vec<f64> = bias.iter().map(|&bias| f64::from(bias.abs())).collect();
    if let Op::ConvTranspose { weight, groups, .. } = op {
        let (group_in, group_out) = (weight.shape[0] / *groups, weight.shape[1]);
        let run: usize = weight.shape[2..].iter().product();
        for (index, taps) in weight.data.chunks(run).enumerate() {
            reach[index / group_out / group_in * group_out + index % group_out] += size(taps);
        }
        return reach;
    }
    let rows = weight.chunks(weight.len() / bias.len());
    reach.iter_mut().zip(rows).for_each(|(reach, row)| *reach += size(row));
    reach
}

/// One operator on one tensor.
fn evaluated(op: Op, input: Tensor, output: &[usize]) -> Tensor {
    let value = |name: &str, shape: &[usize]| ValueInfo { name: name.into(), shape: shape.to_vec() };
    let values = vec![value("constant", &input.shape), value("behind", output)];
    let nodes = vec![Node { name: "constant".into(), op, inputs: vec![0], output: 1 }];
    let graph = Graph {
        name: String::new(),
        values,
        nodes,
        input: 0,
        output: 1,
        head: Head::Logits,
        classes: Classes::Single,
        input_range: None,
    };
    float::evaluate(&graph, &input).expect("a constant has the shape of its value")
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
