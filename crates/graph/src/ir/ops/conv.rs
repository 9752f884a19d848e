//! Convolution.

use super::layer::LayerForm;
use super::rows::{RowSum, Tap, lines, over_channels};
use super::window::{Three, three};
use super::{ChannelFlow, FloatOperator, Inputs, Layer, LayerMut, Refusal, Tensor, Window, refuse};

/// Convolution of rank 1 to 3.
#[derive(Clone)]
pub struct ConvOp {
    /// Taps, steps, padding with zeros.
    pub window: Window,
    /// Number of groups.
    pub groups: usize,
    /// (out channels, in channels / groups, kernel...).
    pub weight: Tensor,
    /// One per channel.
    pub bias: Vec<f32>,
}

impl FloatOperator for ConvOp {
    fn name(&self) -> &'static str {
        "Conv"
    }

    fn details(&self) -> String {
        format!("{:?}, {} groups, {:?}", self.window, self.groups, self.weight)
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        let (groups, weight, channels) = (self.groups, &self.weight.shape, inputs[0][1]);
        if weight[1] != channels / groups || !weight[0].is_multiple_of(groups) {
            return refuse(
                format!("its weight {weight:?} in {groups} groups does not fit data of {channels} channels"),
                "check the exporter",
            );
        }
        self.window.output_shape(inputs[0], weight[0])
    }

    fn evaluate(&self, inputs: Inputs<'_>, shape: &[usize]) -> Vec<f32> {
        let (x, weight, bias, groups) = (inputs.get(0), &self.weight, &self.bias, self.groups);
        let grid = self.window.on_three_axes();
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

impl ConvOp {
    pub(super) fn layer_mut(&mut self) -> LayerMut<'_> {
        let form = LayerForm::Conv { window: &self.window, groups: self.groups };
        LayerMut::new(&mut self.weight, &mut self.bias, form)
    }

    fn form(&self) -> LayerForm<'_> {
        LayerForm::Conv { window: &self.window, groups: self.groups }
    }
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
    fn new(x: &Tensor, grid: &Window, sizes: Three, outputs: Three) -> Self {
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
                let first = grid.pads_begin[2].saturating_sub(phase).div_ceil(stride);
                let from = (first * stride + phase - grid.pads_begin[2]).min(row.len());
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
        grid: &Window,
        first_channel: usize,
        channels: usize,
        d: usize,
        h: usize,
    ) {
        taps.clear();
        let [kernel_d, kernel_h, kernel_w] = three(&grid.kernel, 1);
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
