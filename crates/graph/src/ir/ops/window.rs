//! Sliding windows.

use super::{Refusal, refuse};
use serde::{Deserialize, Serialize};

/// Geometry of a sliding window over 1 to 3 spatial axes. All vectors have one entry per spatial axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Extent of the window.
    pub kernel: Vec<usize>,
    /// Step between windows.
    pub strides: Vec<usize>,
    /// Step between taps of one window.
    pub dilations: Vec<usize>,
    /// Padding before each axis.
    pub pads_begin: Vec<usize>,
    /// Padding behind each axis (for `ceil_mode` pools, enlarged so that the last window fits).
    pub pads_end: Vec<usize>,
}

impl Window {
    /// A window with steps of 1 and no padding.
    pub fn plain(kernel: Vec<usize>) -> Self {
        let (ones, zeros) = (vec![1; kernel.len()], vec![0; kernel.len()]);
        Window { kernel, strides: ones.clone(), dilations: ones, pads_begin: zeros.clone(), pads_end: zeros }
    }

    /// Extent that the window covers along spatial axis `axis`.
    pub fn span(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilations[axis] + 1
    }

    /// Output extent of spatial axis `axis` of extent `size`, for pools and convolutions.
    pub fn output_size(&self, axis: usize, size: usize) -> usize {
        let (span, padded) = (self.span(axis), size + self.pads_begin[axis] + self.pads_end[axis]);
        if padded < span { 0 } else { (padded - span) / self.strides[axis] + 1 }
    }

    /// The number of taps.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Whether it has padding on any side.
    pub fn is_padded(&self) -> bool {
        self.pads_begin.iter().chain(&self.pads_end).any(|&pad| pad != 0)
    }

    /// The shape of a pool's or convolution's output of so many channels.
    pub(super) fn output_shape(&self, input: &[usize], channels: usize) -> Result<Vec<usize>, Refusal> {
        let sizes = &input[2..];
        let outputs = sizes.iter().enumerate().map(|(axis, &size)| self.output_size(axis, size));
        let shape: Vec<usize> = [1, channels].into_iter().chain(outputs).collect();
        match shape[2..].contains(&0) {
            true => refuse(
                format!("its window {:?} is larger than its data {sizes:?}", self.kernel),
                "give the network a larger input",
            ),
            false => Ok(shape),
        }
    }

    /// The same window on three axes, so that convolutions and pools of rank 1 to 3 are one code.
    pub(super) fn on_three_axes(&self) -> Self {
        let three = |list: &[usize], neutral| three(list, neutral).to_vec();
        Window {
            kernel: three(&self.kernel, 1),
            strides: three(&self.strides, 1),
            dilations: three(&self.dilations, 1),
            pads_begin: three(&self.pads_begin, 0),
            pads_end: three(&self.pads_end, 0),
        }
    }

    /// Position in the data of tap `tap` of the window at `output`; `None` in the padding.
    pub(super) fn position(&self, axis: usize, output: usize, tap: usize, size: usize) -> Option<usize> {
        let padded = output * self.strides[axis] + tap * self.dilations[axis];
        padded.checked_sub(self.pads_begin[axis]).filter(|&position| position < size)
    }
}

/// Numbers of the three spatial axes; axes that are not there come first and have the neutral number.
pub(super) type Three = [usize; 3];

/// Fills up to three axes from the front.
pub(super) fn three(list: &[usize], neutral: usize) -> Three {
    let mut filled = [neutral; 3];
    filled[3 - list.len()..].copy_from_slice(list);
    filled
}
