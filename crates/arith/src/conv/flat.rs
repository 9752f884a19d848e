//! Geometry of a convolution as shifted copies of flat arrays.
//!
//! The padded input of one channel is split by stride into *phases*: phase (p1, p2, p3) holds the elements at positions
//! p + stride * j. A tap of the window then reads one phase from a fixed offset on, and neighbouring outputs read neighbouring
//! words, whatever the stride. The whole map is treated as one row: outputs are computed also for the few columns in which
//! a window would reach over the end of a line, and dropped afterwards.

use super::LinearShape;

/// Where each tap of a window reads, and where the outputs lie.
pub(super) struct Flat {
    /// Extents of the output, three axes, missing ones are 1.
    output: [usize; 3],
    /// Extents of the input.
    input: [usize; 3],
    /// Zeros before each axis.
    pads: [usize; 3],
    /// Step between windows.
    strides: [usize; 3],
    /// Extents of one phase.
    phase: [usize; 3],
    /// The phases that some tap reads.
    phases: Vec<[usize; 3]>,
    /// Start of each tap in a channel's phases, in the order of the weights.
    taps: Vec<usize>,
}

impl Flat {
    pub(super) fn new(shape: &LinearShape) -> Self {
        let output = three(&shape.output_size());
        let input = three(&shape.input_size);
        let (kernel, strides, dilations) =
            (three(&shape.kernel), three(&shape.strides), three(&shape.dilations));
        let (pads, ends) = (three_pads(&shape.pads_begin), three_pads(&shape.pads_end));
        let phase = [0, 1, 2].map(|a| (input[a] + pads[a] + ends[a]).div_ceil(strides[a]));

        let mut flat = Self { output, input, pads, strides, phase, phases: Vec::new(), taps: Vec::new() };
        for i in 0..kernel[0] {
            for j in 0..kernel[1] {
                for k in 0..kernel[2] {
                    flat.push_tap([i * dilations[0], j * dilations[1], k * dilations[2]]);
                }
            }
        }
        flat
    }

    fn push_tap(&mut self, position: [usize; 3]) {
        let wanted = [0, 1, 2].map(|a| position[a] % self.strides[a]);
        let index = self.phases.iter().position(|&phase| phase == wanted).unwrap_or_else(|| {
            self.phases.push(wanted);
            self.phases.len() - 1
        });
        let offset = [0, 1, 2].map(|a| position[a] / self.strides[a]);
        let within = (offset[0] * self.phase[1] + offset[1]) * self.phase[2] + offset[2];
        self.taps.push(index * self.phase_len() + within);
    }

    fn phase_len(&self) -> usize {
        self.phase.iter().product()
    }

    /// Words of one channel's phases.
    pub(super) fn channel_len(&self) -> usize {
        self.phases.len() * self.phase_len()
    }

    /// See the field.
    pub(super) fn taps(&self) -> &[usize] {
        &self.taps
    }

    /// Length of one output channel with the columns that will be dropped.
    pub(super) fn row_len(&self) -> usize {
        if self.output.contains(&0) {
            return 0;
        }
        let [d, h, w] = self.output;
        ((d - 1) * self.phase[1] + h - 1) * self.phase[2] + w
    }

    /// Writes one channel's input into its zeroed phases.
    pub(super) fn split<W: Copy>(&self, channel: &[W], phases: &mut [W]) {
        for (index, &residue) in self.phases.iter().enumerate() {
            let target = &mut phases[index * self.phase_len()..][..self.phase_len()];
            for z in self.inside(0, residue[0]) {
                for y in self.inside(1, residue[1]) {
                    let line = &channel[(self.source(0, z, residue) * self.input[1]
                        + self.source(1, y, residue))
                        * self.input[2]..][..self.input[2]];
                    let x = self.inside(2, residue[2]);
                    if x.is_empty() {
                        continue;
                    }
                    let first = self.source(2, x.start, residue);
                    let to = &mut target[(z * self.phase[1] + y) * self.phase[2]..][x];
                    if self.strides[2] == 1 {
                        to.copy_from_slice(&line[first..][..to.len()]);
                    } else {
                        to.iter_mut()
                            .zip(line[first..].iter().step_by(self.strides[2]))
                            .for_each(|(t, &f)| *t = f);
                    }
                }
            }
        }
    }

    /// Indices along an axis of a phase that hold input, not padding.
    fn inside(&self, axis: usize, residue: usize) -> std::ops::Range<usize> {
        let stride = self.strides[axis];
        let begin = self.pads[axis].saturating_sub(residue).div_ceil(stride);
        let end = (self.pads[axis] + self.input[axis]).saturating_sub(residue).div_ceil(stride);
        begin..end.max(begin)
    }

    /// The input index behind index `i` of a phase.
    fn source(&self, axis: usize, i: usize, residue: [usize; 3]) -> usize {
        i * self.strides[axis] + residue[axis] - self.pads[axis]
    }

    /// Copies one output channel out of its row, without the dropped columns.
    pub(super) fn gather<W: Copy>(&self, row: &[W], output: &mut Vec<W>) {
        let [d, h, w] = self.output;
        for z in 0..d {
            for y in 0..h {
                output.extend_from_slice(&row[(z * self.phase[1] + y) * self.phase[2]..][..w]);
            }
        }
    }

    /// Start in a row of each output, in order.
    pub(super) fn starts(&self) -> Vec<usize> {
        let row: Vec<usize> = (0..self.row_len()).collect();
        let mut starts = Vec::new();
        self.gather(&row, &mut starts);
        starts
    }
}

/// Extents over three axes: those that are missing come first and are 1.
fn three(extents: &[usize]) -> [usize; 3] {
    padded_front(extents, 1)
}

/// Pads over three axes: those that are missing come first and are 0.
fn three_pads(pads: &[usize]) -> [usize; 3] {
    padded_front(pads, 0)
}

fn padded_front(values: &[usize], missing: usize) -> [usize; 3] {
    assert!(values.len() <= 3, "linear layers have at most three spatial axes");
    let mut all = [missing; 3];
    all[3 - values.len()..].copy_from_slice(values);
    all
}
