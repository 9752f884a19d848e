//! Transposed convolution, as ONNX defines it.

use super::layer::LayerForm;
use super::rows::{RowSum, lines, over_channels};
use super::window::{Three, three};
use super::{ChannelFlow, FloatOperator, Inputs, Layer, LayerMut, Refusal, Tensor, Window, refuse};

/// Transposed convolution of rank 1 to 3.
#[derive(Clone)]
pub struct ConvTransposeOp {
    /// Taps, steps; the pads cut the output.
    pub window: Window,
    /// Rows added behind each output axis.
    pub output_padding: Vec<usize>,
    /// Number of groups.
    pub groups: usize,
    /// (in channels, out channels / groups, kernel...).
    pub weight: Tensor,
    /// One per channel.
    pub bias: Vec<f32>,
}

impl FloatOperator for ConvTransposeOp {
    fn name(&self) -> &'static str {
        "ConvTranspose"
    }

    fn details(&self) -> String {
        format!("{:?}, {:?}, {} groups, {:?}", self.window, self.output_padding, self.groups, self.weight)
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        let (data, weight) = (inputs[0], &self.weight.shape);
        if weight[0] != data[1] {
            return refuse(
                format!("its weight {weight:?} does not fit data of {} channels", data[1]),
                "check the exporter",
            );
        }
        let Some(channels) = weight[1].checked_mul(self.groups) else {
            return refuse("it has too many channels", "check the exporter");
        };
        let mut shape = vec![1, channels];
        for (axis, &size) in data[2..].iter().enumerate() {
            let cut = self.window.pads_begin[axis] + self.window.pads_end[axis];
            match self.uncut(axis, size).checked_sub(cut) {
                Some(extent @ 1..) => shape.push(extent),
                _ => return refuse("its padding cuts away all of its answer", "check the exporter"),
            }
        }
        Ok(shape)
    }

    fn evaluate(&self, inputs: Inputs<'_>, shape: &[usize]) -> Vec<f32> {
        let (x, weight, bias, groups) = (inputs.get(0), &self.weight, &self.bias, self.groups);
        let grid = self.window.on_three_axes();
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
                            let filter = (input * out_per_group + within) * taps_of_filter
                                + source.tap * grid.kernel[2];
                            for kw in 0..grid.kernel[2] {
                                let shift = kw * grid.dilations[2];
                                sums[shift % phases].add_shifted(
                                    weight.data[filter + kw],
                                    row,
                                    shift / phases,
                                );
                            }
                        }
                    }
                    for (sum, phase) in sums.iter_mut().zip(&mut by_phase) {
                        sum.finish(bias[channel], phase);
                    }
                    let to = (channel - channels.start) * plane + line * outputs[2];
                    for (w, value) in answer[to..to + outputs[2]].iter_mut().enumerate() {
                        let full = w + grid.pads_begin[2];
                        *value = by_phase[full % phases].get(full / phases).copied().unwrap_or(bias[channel]);
                    }
                }
            }
        })
    }

    fn channels(&self) -> ChannelFlow<'_> {
        ChannelFlow::Mixed(Layer { weight: &self.weight, bias: &self.bias, form: self.form() })
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], _output: &[usize]) -> Option<usize> {
        (axis != 1).then_some(axis)
    }

    fn moves_only(&self) -> bool {
        false
    }
}

impl ConvTransposeOp {
    pub(super) fn layer_mut(&mut self) -> LayerMut<'_> {
        let form = LayerForm::ConvTranspose { groups: self.groups };
        LayerMut::new(&mut self.weight, &mut self.bias, form)
    }

    /// Extent of its output along spatial axis `axis` before the pads cut it.
    pub(crate) fn uncut(&self, axis: usize, size: usize) -> usize {
        self.window.strides[axis] * (size - 1) + self.output_padding[axis] + self.window.span(axis)
    }

    fn form(&self) -> LayerForm<'_> {
        LayerForm::ConvTranspose { groups: self.groups }
    }
}

/// An input row that a transposed convolution adds to an output line.
struct Source {
    depth: usize,
    height: usize,
    /// Index of the kernel's row.
    tap: usize,
}

fn sources(grid: &Window, sizes: Three, d: usize, h: usize) -> Vec<Source> {
    let along = |axis: usize, output: usize| {
        (0..grid.kernel[axis]).filter_map(move |tap| {
            let scaled = (output + grid.pads_begin[axis]).checked_sub(tap * grid.dilations[axis])?;
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
