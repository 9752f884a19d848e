//! Evaluation in floats: what a trained model answers before anything is made an integer.
//!
//! Products are summed in `f32` over short runs and in `f64` over the runs, so that an answer agrees with other frameworks
//! to about 1e-6 of its largest magnitude. The order of sums does not depend on the number of threads.
#![warn(clippy::wildcard_enum_match_arm)]

use crate::ir::ops::Inputs;
use crate::ir::{Graph, Head, InputRange, Op, Tensor, ValueId};

/// Why a graph could not be evaluated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The input is not what the model takes.
    #[error("the model takes an input of shape {expected:?}, and got {got:?}")]
    InputShape {
        /// The model's.
        expected: Vec<usize>,
        /// The caller's.
        got: Vec<usize>,
    },
    /// The input's data is shorter or longer than its shape.
    #[error("an input of shape {shape:?} holds {elements} elements")]
    InputLength {
        /// As stated.
        shape: Vec<usize>,
        /// As counted.
        elements: usize,
    },
}

/// The logits for an input.
pub fn evaluate(graph: &Graph, input: &Tensor) -> Result<Tensor, EvaluateError> {
    evaluate_with(graph, input, &mut |_, _| {})
}

/// The logits for an input; `seen` gets every value, the input first, as soon as it is there. A value is freed after its
/// last use.
pub fn evaluate_with(
    graph: &Graph,
    input: &Tensor,
    seen: &mut dyn FnMut(ValueId, &Tensor),
) -> Result<Tensor, EvaluateError> {
    check_input(graph, input)?;
    let last_use = last_uses(graph);
    let mut values: Vec<Option<Tensor>> = vec![None; graph.values.len()];
    let mut input = input.clone();
    if let Some(InputRange { low, high, .. }) = graph.input_range {
        input.data.iter_mut().for_each(|x| *x = x.clamp(low, high));
    }
    seen(graph.input, &input);
    values[graph.input] = Some(input);
    for (index, node) in graph.nodes.iter().enumerate() {
        let is_last_use = |value: ValueId| last_use[value] == index;
        let shape = graph.values[node.output].shape.clone();
        let inputs = Inputs { values: &mut values, of_node: &node.inputs, is_last_use: &is_last_use };
        let made = Tensor { data: node.op.operator().evaluate(inputs, &shape), shape };
        assert_eq!(
            made.data.len(),
            Tensor::count(&made.shape),
            "a node fills the shape that the graph states"
        );
        seen(node.output, &made);
        values[node.output] = Some(made);
        for &value in &node.inputs {
            if is_last_use(value) {
                values[value] = None;
            }
        }
    }
    Ok(values[graph.output].take().expect("the output is made by a node, or is the input"))
}

/// What one operator of one input makes of a tensor.
pub(crate) fn applied(op: &Op, input: Tensor, shape: &[usize]) -> Tensor {
    let inputs = Inputs { values: &mut [Some(input)], of_node: &[0], is_last_use: &|_| true };
    Tensor { data: op.operator().evaluate(inputs, shape), shape: shape.to_vec() }
}

/// What the model's head makes of logits: probabilities, or the index of the largest logit (ties to the lower index, the
/// class axis dropped).
pub fn head_applied(head: Head, logits: &Tensor) -> Tensor {
    match head {
        Head::Logits => logits.clone(),
        Head::Sigmoid => Tensor {
            shape: logits.shape.clone(),
            data: logits.data.iter().map(|&x| 1.0 / (1.0 + (-x).exp())).collect(),
        },
        Head::Softmax { axis } => softmax(logits, axis),
        Head::ArgMax { axis } => arg_max(logits, axis),
    }
}

fn check_input(graph: &Graph, input: &Tensor) -> Result<(), EvaluateError> {
    let expected = &graph.values[graph.input].shape;
    if *expected != input.shape {
        return Err(EvaluateError::InputShape { expected: expected.clone(), got: input.shape.clone() });
    }
    if Tensor::count(&input.shape) != input.data.len() {
        return Err(EvaluateError::InputLength { shape: input.shape.clone(), elements: input.data.len() });
    }
    Ok(())
}

/// The index of the node that uses a value last; beyond all nodes for the output.
fn last_uses(graph: &Graph) -> Vec<usize> {
    let mut last = vec![usize::MAX; graph.values.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        for &value in &node.inputs {
            last[value] = index;
        }
    }
    last[graph.output] = usize::MAX;
    last
}

/// (outer, classes, inner) around an axis.
fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

fn softmax(logits: &Tensor, axis: usize) -> Tensor {
    let (outer, classes, inner) = around(&logits.shape, axis);
    let mut data = vec![0.0; logits.data.len()];
    for o in 0..outer {
        for i in 0..inner {
            let at = |class: usize| (o * classes + class) * inner + i;
            let largest = (0..classes).map(|class| logits.data[at(class)]).fold(f32::NEG_INFINITY, f32::max);
            let exponential = |class: usize| f64::from(logits.data[at(class)] - largest).exp();
            let total: f64 = (0..classes).map(exponential).sum();
            (0..classes).for_each(|class| data[at(class)] = (exponential(class) / total) as f32);
        }
    }
    Tensor { shape: logits.shape.clone(), data }
}

fn arg_max(logits: &Tensor, axis: usize) -> Tensor {
    let (outer, classes, inner) = around(&logits.shape, axis);
    let mut data = Vec::with_capacity(outer * inner);
    for o in 0..outer {
        for i in 0..inner {
            let at = |class: usize| logits.data[(o * classes + class) * inner + i];
            let best = (1..classes).fold(0, |best, class| if at(class) > at(best) { class } else { best });
            data.push(best as f32);
        }
    }
    let shape =
        (0..logits.shape.len()).filter(|&other| other != axis).map(|other| logits.shape[other]).collect();
    Tensor { shape, data }
}

#[cfg(test)]
mod tests;
