//! Sums over windows, padding as zeros.

use blindscan_arith::erase::erase;
use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit, shapes,
    window_numbers,
};
use crate::ir::Window;
use crate::local::Numbers;
use crate::plan::{Secret, Step};

/// Sum over windows (zero padding). The mean's divisor is in the output's `fraction` and `divisor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumPool {
    /// Geometry.
    pub window: Window,
}

impl Operator for SumPool {
    fn name(&self) -> &'static str {
        "sum pool"
    }

    fn numbers(&self) -> String {
        window_numbers(&self.window)
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        shapes::pooled(&self.window, inputs[0])
    }

    fn check_numbers(&self) -> Result<(), String> {
        Ok(())
    }

    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        OutputUnit::Is(inputs[0].mean_over(self.window.taps()))
    }

    fn bound(&self, inputs: &[Bound], _: Option<&Secret>) -> Bound {
        inputs[0].times(self.window.taps() as u128)
    }

    fn load(&self, _: &[&[usize]], _: &[usize]) -> Load {
        Load::default()
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        None
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        (self.clone().into(), fit.inputs[0].mean_over(self.window.taps()))
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Never
    }
}

impl LocalOperator for SumPool {
    fn words<N: Numbers>(&self, numbers: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word> {
        let mut words = inputs[0].to_vec();
        let mut now = shapes.inputs[0].to_vec();
        for spatial in 0..self.window.kernel.len() {
            let extent = shapes.output[spatial + 2];
            let sums = sum_along(numbers, &words, &now, (spatial, extent), &self.window);
            erase(&mut words);
            words = sums;
            now[spatial + 2] = extent;
        }
        words
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}

/// Sums over the window along one spatial axis: a box is separable.
fn sum_along<N: Numbers>(
    numbers: N,
    input: &[N::Word],
    shape: &[usize],
    (spatial, extent): (usize, usize),
    window: &Window,
) -> Vec<N::Word> {
    let axis = spatial + 2;
    let inner: usize = shape[axis + 1..].iter().product();
    let mut out = vec![N::Word::default(); input.len() / shape[axis].max(1) * extent];
    if inner == 0 || shape[axis] == 0 || extent == 0 {
        return out;
    }
    for (source, target) in input.chunks(shape[axis] * inner).zip(out.chunks_mut(extent * inner)) {
        for (position, row) in target.chunks_mut(inner).enumerate() {
            for tap in 0..window.kernel[spatial] {
                let padded = position * window.strides[spatial] + tap * window.dilations[spatial];
                let Some(at) = padded.checked_sub(window.pads_begin[spatial]) else { continue };
                if at < shape[axis] {
                    for (sum, x) in row.iter_mut().zip(&source[at * inner..][..inner]) {
                        *sum = numbers.plus(*sum, *x);
                    }
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Integers;

    /// Sums of 0 to 11 in three rows of four.
    fn sums(stride: usize, pad: usize, output: &[usize]) -> Vec<i64> {
        let window = Window {
            kernel: vec![2; 2],
            strides: vec![stride; 2],
            dilations: vec![1; 2],
            pads_begin: vec![pad; 2],
            pads_end: vec![pad; 2],
        };
        let input: Vec<i64> = (0..12).collect();
        SumPool { window }.words(Integers, &[&input], &Shapes { inputs: vec![&[1, 1, 3, 4]], output })
    }

    #[test]
    fn a_sum_pool_adds_what_its_window_covers() {
        assert_eq!(sums(1, 0, &[1, 1, 2, 3]), [10, 14, 18, 26, 30, 34]);
        assert_eq!(sums(2, 1, &[1, 1, 2, 3]), [0, 3, 3, 12, 30, 18]);
    }
}
