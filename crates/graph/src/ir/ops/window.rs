//! Spatial axes as three numbers, so that convolutions and pools of rank 1 to 3 are one code.

use crate::ir::Window;

/// Numbers of the three spatial axes; axes that are not there come first and have the neutral number.
pub(super) type Three = [usize; 3];

/// Fills up to three axes from the front.
pub(super) fn three(list: &[usize], neutral: usize) -> Three {
    let mut filled = [neutral; 3];
    filled[3 - list.len()..].copy_from_slice(list);
    filled
}

/// A window on three axes.
#[derive(Clone, Copy)]
pub(super) struct Window3 {
    pub(super) kernel: Three,
    pub(super) strides: Three,
    pub(super) dilations: Three,
    pub(super) begin: Three,
}

impl Window3 {
    pub(super) fn new(window: &Window) -> Self {
        Window3 {
            kernel: three(&window.kernel, 1),
            strides: three(&window.strides, 1),
            dilations: three(&window.dilations, 1),
            begin: three(&window.pads_begin, 0),
        }
    }

    /// Position in the data of tap `tap` of the window at `output`; `None` in the padding.
    pub(super) fn position(&self, axis: usize, output: usize, tap: usize, size: usize) -> Option<usize> {
        let padded = output * self.strides[axis] + tap * self.dilations[axis];
        padded.checked_sub(self.begin[axis]).filter(|&position| position < size)
    }
}
