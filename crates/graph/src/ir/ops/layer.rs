//! Weights and biases of the operators that mix channels, and which input and output channel each kernel joins.

use super::{Tensor, Window};

/// The channels of a value: the extent of axis 1, or a single one where there is no such axis.
pub(crate) fn channel_count(shape: &[usize]) -> usize {
    if has_channels(shape) { shape[1] } else { 1 }
}

/// Whether axis 1 of a shape counts channels: there is one behind a batch of 1.
pub(crate) fn has_channels(shape: &[usize]) -> bool {
    shape.len() >= 2 && shape[0] == 1 && shape[1] > 0
}

/// A layer's numbers.
#[derive(Clone, Copy)]
pub(crate) struct Layer<'a> {
    pub(crate) weight: &'a Tensor,
    /// One per output channel.
    pub(crate) bias: &'a [f32],
    pub(crate) form: LayerForm<'a>,
}

/// How a layer's weights are arranged, and what its channels are.
#[derive(Clone, Copy)]
pub(crate) enum LayerForm<'a> {
    /// (out, in / groups, window...); channels are axis 1.
    Conv { window: &'a Window, groups: usize },
    /// (in, out / groups, window...); channels are axis 1.
    ConvTranspose { groups: usize },
    /// (out, in); channels are the last axis.
    Dense,
}

impl LayerForm<'_> {
    fn meets_zeros(self) -> bool {
        match self {
            LayerForm::Conv { window, .. } => window.is_padded(),
            LayerForm::ConvTranspose { .. } => true,
            LayerForm::Dense => false,
        }
    }
}

/// A layer's numbers, to be changed.
pub(crate) struct LayerMut<'a> {
    pub(crate) weight: &'a mut Tensor,
    pub(crate) bias: &'a mut [f32],
    /// Where the kernels lie in the weights.
    pub(crate) kernels: Kernels,
    /// Whether zeros may take the place of elements of its input.
    pub(crate) meets_zeros: bool,
}

impl<'a> Layer<'a> {
    pub(crate) fn groups(&self) -> usize {
        match self.form {
            LayerForm::Conv { groups, .. } | LayerForm::ConvTranspose { groups } => groups,
            LayerForm::Dense => 1,
        }
    }

    /// Whether it is a matrix over the last axis.
    pub(crate) fn is_dense(&self) -> bool {
        matches!(self.form, LayerForm::Dense)
    }

    /// The axis of its weights that counts input channels.
    pub(crate) fn input_axis(&self) -> usize {
        match self.form {
            LayerForm::Conv { .. } | LayerForm::Dense => 1,
            LayerForm::ConvTranspose { .. } => 0,
        }
    }

    /// The axis of its output along which its channels are.
    pub(crate) fn output_axis(&self, output: &[usize]) -> usize {
        match self.form {
            LayerForm::Conv { .. } | LayerForm::ConvTranspose { .. } => 1,
            LayerForm::Dense => output.len() - 1,
        }
    }

    /// Whether zeros may take the place of elements of its input.
    pub(crate) fn meets_zeros(&self) -> bool {
        self.form.meets_zeros()
    }

    /// Whether it is a factor and a shift per channel: a depthwise convolution with a window of 1.
    pub(crate) fn is_affine(&self, input: &[usize]) -> bool {
        let LayerForm::Conv { window, groups } = self.form else { return false };
        let one = |list: &[usize]| list.iter().all(|&n| n == 1);
        one(&window.kernel)
            && one(&window.strides)
            && !window.is_padded()
            && groups == self.bias.len()
            && (3..=5).contains(&input.len())
            && input[..2] == [1, groups]
    }

    /// Each kernel's weights with the input and the output channel that it joins.
    pub(crate) fn each_kernel(self, kernels: Kernels) -> impl Iterator<Item = ((usize, usize), &'a [f32])> {
        let weights = self.weight.data.chunks(kernels.taps).enumerate();
        weights.map(move |(index, kernel)| (kernels.joined(index), kernel))
    }

    /// Where the kernels lie in its weights, by the weights' shape.
    pub(crate) fn kernels(&self) -> Kernels {
        Kernels::of(self.weight, self.form)
    }

    /// As [`Layer::kernels`]; none where channels are not on axis 1 of what it reads and makes (a dense layer on rows), and where
    /// its numbers do not fit the shapes.
    pub(crate) fn kernels_between(&self, input: &[usize], output: &[usize]) -> Option<Kernels> {
        let rows = matches!(self.form, LayerForm::Dense) && output.len() != 2;
        let groups = self.groups();
        if rows || groups == 0 || self.weight.shape.len() < 2 || !has_channels(input) || !has_channels(output)
        {
            return None;
        }
        let kernels = self.kernels();
        let fits = !self.weight.data.is_empty()
            && self.weight.data.len() == Tensor::count(&self.weight.shape)
            && self.bias.len() == output[1]
            && self.weight.shape[0].is_multiple_of(groups)
            && [input[1], output[1]] == [kernels.group_in * groups, kernels.group_out * groups];
        fits.then_some(kernels)
    }
}

impl<'a> LayerMut<'a> {
    pub(super) fn new(weight: &'a mut Tensor, bias: &'a mut [f32], form: LayerForm<'_>) -> Self {
        let kernels = Kernels::of(weight, form);
        Self { weight, bias, kernels, meets_zeros: form.meets_zeros() }
    }

    /// Whether every weight and bias is a finite number.
    pub(crate) fn is_finite(&self) -> bool {
        self.weight.data.iter().chain(self.bias.iter()).all(|x| x.is_finite())
    }

    /// Each kernel's weights with the input and the output channel that it joins.
    pub(crate) fn each_kernel(&mut self) -> impl Iterator<Item = ((usize, usize), &mut [f32])> {
        let kernels = self.kernels;
        let weights = self.weight.data.chunks_mut(kernels.taps).enumerate();
        weights.map(move |(index, kernel)| (kernels.joined(index), kernel))
    }
}

/// Where kernels lie in weights: a kernel is what lies between one input and one output channel.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    /// Elements of a kernel.
    pub(crate) taps: usize,
    /// Input channels of a group.
    pub(crate) group_in: usize,
    /// Output channels of a group.
    pub(crate) group_out: usize,
    /// Whether the input channel is the slower index.
    by_input: bool,
}

impl Kernels {
    fn of(weight: &Tensor, form: LayerForm<'_>) -> Self {
        let taps = weight.shape.iter().skip(2).product::<usize>().max(1);
        let extent = |axis: usize| weight.shape.get(axis).copied().unwrap_or(1);
        let (group_in, group_out, by_input) = match form {
            LayerForm::Conv { groups, .. } => (extent(1), extent(0) / groups.max(1), false),
            LayerForm::ConvTranspose { groups } => (extent(0) / groups.max(1), extent(1), true),
            LayerForm::Dense => (extent(1), extent(0), false),
        };
        Self { taps, group_in, group_out, by_input }
    }

    /// The same with other numbers of input channels.
    pub(crate) fn reading(self, group_in: usize) -> Self {
        Self { group_in, ..self }
    }

    /// The input and the output channel of a kernel, by its place.
    pub(crate) fn joined(&self, kernel: usize) -> (usize, usize) {
        match self.by_input {
            false => {
                let output = kernel / self.group_in;
                (output / self.group_out * self.group_in + kernel % self.group_in, output)
            }
            true => {
                let input = kernel / self.group_out;
                (input, input / self.group_in * self.group_out + kernel % self.group_out)
            }
        }
    }

    /// The place of the kernel between two channels of one group.
    pub(crate) fn place(&self, input: usize, output: usize) -> usize {
        match self.by_input {
            false => output * self.group_in + input % self.group_in,
            true => input * self.group_out + output % self.group_out,
        }
    }
}
