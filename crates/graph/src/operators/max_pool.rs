//! Maxima over windows, padding as minus infinity.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, Operator, OutputUnit, Role, Shapes, SpokenOperator, Unit,
    elements, shapes, window_numbers,
};
use crate::ir::Window;
use crate::plan::{Secret, Step};

/// Maximum over windows, in the input's ring; differences of two elements fit it: |x| < 2^(l-2) (or x >= 0 and x < 2^(l-1)).
/// Padding counts as minus infinity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxPool {
    /// Geometry.
    pub window: Window,
}

impl Operator for MaxPool {
    fn name(&self) -> &'static str {
        "max pool"
    }

    fn numbers(&self) -> String {
        window_numbers(&self.window)
    }

    fn input_count(&self) -> usize {
        1
    }

    /// Every window must hold at least one real element: padding is minus infinity, which no integer is.
    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let (window, input) = (&self.window, inputs[0]);
        let shape = shapes::pooled(window, input)?;
        for (axis, &size) in input[2..].iter().enumerate() {
            let span = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
            let stepped_over = window.kernel[axis] > 1 && window.dilations[axis] > size;
            if window.pads_begin[axis] >= span || window.pads_end[axis] >= span || stepped_over {
                return Err("a window of a max pool may lie in the padding entirely; pad less".into());
            }
        }
        Ok(shape)
    }

    fn check_numbers(&self) -> Result<(), String> {
        Ok(())
    }

    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        OutputUnit::Is(inputs[0])
    }

    fn bound(&self, inputs: &[Bound], _: Option<&Secret>) -> Bound {
        inputs[0]
    }

    /// Pooled one axis at a time.
    fn load(&self, inputs: &[&[usize]], output: &[usize]) -> Load {
        let widest = elements(inputs[0]).max(elements(output));
        let taps = || self.window.kernel.iter().map(|&taps| taps as u64);
        Load {
            comparisons: widest.saturating_mul(taps().map(|taps| taps - 1).sum()),
            gathered: widest.saturating_mul(taps().sum()),
            ..Load::default()
        }
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        None
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        (self.clone().into(), fit.inputs[0])
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Moves
    }
}

impl SpokenOperator for MaxPool {
    fn clear(&self, inputs: &[&[i64]], shapes: &Shapes<'_>, _: Option<&Secret>) -> Vec<i64> {
        pooled(inputs[0], shapes.inputs[0], shapes.output, &self.window)
    }

    fn keeps_ring(&self) -> bool {
        true
    }

    fn bits_dropped(&self) -> u32 {
        0
    }

    fn role(&self) -> Role {
        Role::Passes
    }
}

/// Maxima along each spatial axis in turn; positions in the padding do not count.
fn pooled(input: &[i64], shape: &[usize], output: &[usize], window: &Window) -> Vec<i64> {
    let (mut values, mut now) = (input.to_vec(), shape.to_vec());
    for spatial in 0..window.kernel.len() {
        let axis = spatial + 2;
        let inner: usize = now[axis + 1..].iter().product();
        let mut maxima = vec![i64::MIN; values.len() / now[axis] * output[axis]];
        let blocks = values.chunks(now[axis] * inner).zip(maxima.chunks_mut(output[axis] * inner));
        for (source, target) in blocks {
            for (position, line) in target.chunks_mut(inner).enumerate() {
                for tap in 0..window.kernel[spatial] {
                    let padded = position * window.strides[spatial] + tap * window.dilations[spatial];
                    let Some(at) = padded.checked_sub(window.pads_begin[spatial]) else { continue };
                    if at < now[axis] {
                        let line = line.iter_mut().zip(&source[at * inner..]);
                        line.for_each(|(most, &x)| *most = x.max(*most));
                    }
                }
            }
        }
        values = maxima;
        now[axis] = output[axis];
    }
    values
}
