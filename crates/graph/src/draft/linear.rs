//! Convolutions, transposed convolutions and dense layers as one linear step.

use super::Drafting;
use crate::ir::{Node, Tensor, Window};
use crate::operators::{Interleave, Linear, PixelShuffle};
use crate::plan::TensorId;

impl Drafting<'_> {
    pub(super) fn convolution(
        &mut self,
        node: &Node,
        window: &Window,
        groups: usize,
        weight: &Tensor,
        bias: &[f32],
    ) -> Result<TensorId, String> {
        let input = self.input(node, 0)?;
        let (in_channels, input_size) = channels_and_size(&self.tensors[input].shape, window)?;
        let linear = linear(window.clone(), input_size, in_channels, bias.len(), groups);
        let layer = (linear, weight.data.clone(), bias.to_vec());
        self.linear(node.name.clone(), input, layer, node.output)
    }

    pub(super) fn dense(&mut self, node: &Node, weight: &Tensor, bias: &[f32]) -> Result<TensorId, String> {
        let input = self.input(node, 0)?;
        let shape = &self.tensors[input].shape;
        let &[out_channels, in_channels] = weight.shape.as_slice() else {
            return Err(format!("its weight has shape {:?}, two axes are expected", weight.shape));
        };
        let rows = shape[..shape.len().saturating_sub(1)].iter().product();
        let window = Window::plain(Vec::new());
        let linear = Linear { rows, ..linear(window, Vec::new(), in_channels, out_channels, 1) };
        let layer = (linear, weight.data.clone(), bias.to_vec());
        self.linear(node.name.clone(), input, layer, node.output)
    }

    pub(super) fn transposed(
        &mut self,
        node: &Node,
        window: &Window,
        output_padding: &[usize],
        groups: usize,
        weight: &Tensor,
        bias: &[f32],
    ) -> Result<TensorId, String> {
        let input = self.input(node, 0)?;
        channels_and_size(&self.tensors[input].shape, window)?;
        if weight.shape.len() != window.kernel.len() + 2
            || groups == 0
            || output_padding.len() != window.kernel.len()
        {
            return Err(format!("its weight has shape {:?}, which does not fit its window", weight.shape));
        }
        let unpadded =
            window.pads_begin.iter().chain(&window.pads_end).chain(output_padding).all(|&n| n == 0);
        if unpadded && window.strides == window.kernel && window.dilations.iter().all(|&d| d == 1) {
            return self.blocks(node, input, window, groups, weight, bias);
        }
        self.spread(node, input, window, output_padding, groups, weight, bias)
    }

    /// Stride equal to the kernel: each input position makes a block of its own, so a window of 1 to as many channels as a
    /// block has positions, and the channels spread out.
    fn blocks(
        &mut self,
        node: &Node,
        input: TensorId,
        window: &Window,
        groups: usize,
        weight: &Tensor,
        bias: &[f32],
    ) -> Result<TensorId, String> {
        let rank = window.kernel.len();
        let (in_channels, input_size) = channels_and_size(&self.tensors[input].shape, window)?;
        let (block, group_out) = (window.taps(), weight.shape[1]);
        let group_in = in_channels / groups;
        let mut arranged = Vec::with_capacity(weight.data.len());
        for group in 0..groups {
            for out in 0..group_out * block {
                arranged.extend(
                    (0..group_in)
                        .filter_map(|c| weight.data.get((group * group_in + c) * group_out * block + out)),
                );
            }
        }
        let linear =
            linear(Window::plain(vec![1; rank]), input_size, in_channels, groups * group_out * block, groups);
        let bias = bias.iter().flat_map(|&b| std::iter::repeat_n(b, block)).collect();
        let layer = (linear, arranged, bias);
        let channels = self.linear(format!("{}/blocks", node.name), input, layer, node.output)?;
        let step = PixelShuffle { factors: window.kernel.clone() };
        self.push(node.name.clone(), step, vec![channels], node.output, true)
    }

    /// The general form: zeros between the elements and around them, then a convolution with the turned kernel.
    fn spread(
        &mut self,
        node: &Node,
        input: TensorId,
        window: &Window,
        output_padding: &[usize],
        groups: usize,
        weight: &Tensor,
        bias: &[f32],
    ) -> Result<TensorId, String> {
        let rank = window.kernel.len();
        let reach = |axis: usize| (window.kernel[axis] - 1) * window.dilations[axis];
        let pads = |pads: &[usize], extra: &[usize]| -> Option<Vec<usize>> {
            (0..rank).map(|axis| (reach(axis) + extra[axis]).checked_sub(pads[axis])).collect()
        };
        let (Some(pads_begin), Some(pads_end)) =
            (pads(&window.pads_begin, &vec![0; rank]), pads(&window.pads_end, output_padding))
        else {
            return Err(
                "its padding cuts more than its kernel reaches; crop the input before it instead".into()
            );
        };
        let mut spread = self.narrow(input)?;
        if window.strides.iter().any(|&stride| stride != 1) {
            let (name, source) = (format!("{}/spread", node.name), self.tensors[spread].source);
            let step = Interleave { strides: window.strides.clone() };
            spread = self.push(name, step, vec![spread], source, false)?;
        }
        let turned = Window { strides: vec![1; rank], pads_begin, pads_end, ..window.clone() };
        let (in_channels, input_size) = channels_and_size(&self.tensors[spread].shape, &turned)?;
        let taps = window.taps();
        let linear = linear(turned, input_size, in_channels, groups * weight.shape[1], groups);
        let weight = turned_kernel(&weight.data, in_channels / groups, weight.shape[1], taps, groups);
        let layer = (linear, weight, bias.to_vec());
        self.linear(node.name.clone(), spread, layer, node.output)
    }
}

/// (in, out / groups, taps) of a transposed convolution as (out, in / groups, taps reversed).
fn turned_kernel(weight: &[f32], group_in: usize, group_out: usize, taps: usize, groups: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(weight.len());
    for group in 0..groups {
        for out in 0..group_out {
            for channel in 0..group_in {
                let first = ((group * group_in + channel) * group_out + out) * taps;
                turned.extend(weight.get(first..first + taps).into_iter().flatten().rev());
            }
        }
    }
    turned
}

/// Channels and spatial extents of an input that a window of this rank can run over.
fn channels_and_size(shape: &[usize], window: &Window) -> Result<(usize, Vec<usize>), String> {
    let rank = window.kernel.len();
    let lists = [&window.strides, &window.dilations, &window.pads_begin, &window.pads_end];
    let whole = lists.iter().all(|list| list.len() == rank) && window.kernel.iter().all(|&k| k > 0);
    if !whole || !(1..=3).contains(&rank) || shape.len() != rank + 2 {
        return Err(format!("a window over {rank} axes does not fit an input of shape {shape:?}"));
    }
    Ok((shape[1], shape[2..].to_vec()))
}

fn linear(
    window: Window,
    input_size: Vec<usize>,
    in_channels: usize,
    out_channels: usize,
    groups: usize,
) -> Linear {
    Linear {
        window,
        input_size,
        in_channels,
        out_channels,
        groups,
        rows: 1,
        weight_bits: 0,
        weight_fraction: 0,
    }
}
