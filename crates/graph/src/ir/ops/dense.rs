//! Dense layers: dot products over the last axis.

use super::layer::LayerForm;
use super::{ChannelFlow, FloatOperator, Inputs, Layer, LayerMut, Refusal, Tensor, refuse};

/// Products that are summed in `f32` before they are added in `f64`.
const RUN: usize = 256;
/// Sums that run side by side.
const LANES: usize = 16;

/// y = W x + b on the last axis; the axes before it are rows.
#[derive(Clone)]
pub struct DenseOp {
    /// (out features, in features).
    pub weight: Tensor,
    /// One per output feature.
    pub bias: Vec<f32>,
}

impl FloatOperator for DenseOp {
    fn name(&self) -> &'static str {
        "Dense"
    }

    fn details(&self) -> String {
        format!("{:?}", self.weight)
    }

    fn output_shape(&self, inputs: &[&[usize]], _declared: &[usize]) -> Result<Vec<usize>, Refusal> {
        let mut shape = inputs[0].to_vec();
        match shape.last_mut() {
            Some(features) if *features == self.weight.shape[1] => {
                *features = self.weight.shape[0];
                Ok(shape)
            }
            _ => refuse(
                format!(
                    "its matrix takes {} features, and its data has shape {shape:?}",
                    self.weight.shape[1]
                ),
                "export with the input size that will be used",
            ),
        }
    }

    fn evaluate(&self, inputs: Inputs<'_>, shape: &[usize]) -> Vec<f32> {
        let features = self.weight.shape[1];
        let mut answer = Vec::with_capacity(Tensor::count(shape));
        for row in inputs.get(0).data.chunks(features) {
            for (filter, &bias) in self.weight.data.chunks(features).zip(&self.bias) {
                answer.push((dot(row, filter) + f64::from(bias)) as f32);
            }
        }
        answer
    }

    fn channels(&self) -> ChannelFlow<'_> {
        ChannelFlow::Mixed(Layer { weight: &self.weight, bias: &self.bias, form: self.form() })
    }

    fn axis_behind(&self, axis: usize, _input: &[usize], output: &[usize]) -> Option<usize> {
        (axis + 1 < output.len()).then_some(axis)
    }

    fn moves_only(&self) -> bool {
        false
    }
}

impl DenseOp {
    pub(super) fn layer_mut(&mut self) -> LayerMut<'_> {
        let form = LayerForm::Dense;
        LayerMut::new(&mut self.weight, &mut self.bias, form)
    }

    fn form(&self) -> LayerForm<'_> {
        LayerForm::Dense
    }
}

fn dot(x: &[f32], y: &[f32]) -> f64 {
    x.chunks(RUN).zip(y.chunks(RUN)).map(|(x, y)| short_dot(x, y)).sum()
}

fn short_dot(x: &[f32], y: &[f32]) -> f64 {
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ys, y_rest) = y.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (x, y) in xs.iter().zip(ys) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = x_rest.iter().zip(y_rest).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
    sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() + rest
}
