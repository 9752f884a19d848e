//! The clear evaluation of a fixed plan: the ideal that every private run is compared with.
//!
//! Integers of 64 bits, no wrapping: where a value leaves its ring, a private run would go wrong, and the report says so by
//! the tensor's name. Equality is promised for values within the rings.
#![deny(clippy::wildcard_enum_match_arm)]

mod clamp;
mod report;
#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm)]
mod tests;

use crate::ir::Tensor;
use crate::plan::{PlanError, PlanNode, PublicPlan, TensorId, Weights};

pub use clamp::{Clamped, clamped};
pub use report::TensorReport;
use report::measured;

/// What comes of an evaluation.
pub struct Evaluation {
    /// The logits' integers.
    pub logits: Vec<i64>,
    /// How far each tensor went, by tensor.
    pub tensors: Vec<TensorReport>,
}

impl Evaluation {
    /// Tensors that left their rings: a private run of this input would be wrong.
    pub fn overflows(&self) -> impl Iterator<Item = &TensorReport> {
        self.tensors.iter().filter(|tensor| tensor.overflows)
    }
}

/// Evaluates a plan on quantised input. The plan must be valid.
pub fn evaluate(plan: &PublicPlan, weights: &Weights, input: &[i64]) -> Result<Evaluation, PlanError> {
    evaluate_with(plan, weights, input, &mut |_, _| {})
}

/// As [`evaluate`]; shows every tensor as soon as it is there, the input first.
pub fn evaluate_with(
    plan: &PublicPlan,
    weights: &Weights,
    input: &[i64],
    show: &mut dyn FnMut(TensorId, &[i64]),
) -> Result<Evaluation, PlanError> {
    weights.check(plan)?;
    let expected = plan.tensors[plan.input].count();
    if input.len() != expected {
        return Err(PlanError::InputLength { expected, found: input.len() });
    }
    let headroom = plan.headroom_bits();
    let last_reader = last_readers(plan);
    let mut values: Vec<Option<Vec<i64>>> = vec![None; plan.tensors.len()];
    let mut reports = vec![None; plan.tensors.len()];
    let mut keep = |id: TensorId, value: Vec<i64>, values: &mut Vec<Option<Vec<i64>>>| {
        reports[id] = Some(measured(&plan.tensors[id], headroom[id], &value));
        show(id, &value);
        values[id] = Some(value);
    };

    keep(plan.input, input.to_vec(), &mut values);
    for (index, node) in plan.nodes.iter().enumerate() {
        let output = run(plan, weights, index, node, &values);
        keep(node.output, output, &mut values);
        for &id in &node.inputs {
            if last_reader[id] == Some(index) && id != plan.output {
                values[id] = None;
            }
        }
    }
    let logits = values[plan.output].take().expect("a valid plan makes its output");
    let tensors =
        reports.into_iter().map(|report| report.expect("a valid plan makes every tensor")).collect();
    Ok(Evaluation { logits, tensors })
}

/// One node on its inputs' values.
fn run(
    plan: &PublicPlan,
    weights: &Weights,
    index: usize,
    node: &PlanNode,
    values: &[Option<Vec<i64>>],
) -> Vec<i64> {
    let inputs: Vec<&[i64]> =
        node.inputs.iter().map(|&id| values[id].as_deref().expect("a valid plan is in order")).collect();

    node.step.clear(&inputs, &plan.shapes(node), weights.of(index))
}

/// For each tensor the last node that reads it.
fn last_readers(plan: &PublicPlan) -> Vec<Option<usize>> {
    let mut last = vec![None; plan.tensors.len()];
    for (index, node) in plan.nodes.iter().enumerate() {
        for &id in &node.inputs {
            last[id] = Some(index);
        }
    }
    last
}

/// The input's integers: clamped to the declared range, rounded to nearest. [`clamped`] counts what that changes.
pub fn quantise_input(plan: &PublicPlan, input: &Tensor) -> Result<Vec<i64>, PlanError> {
    let spec = &plan.tensors[plan.input];
    if input.data.len() != spec.count() {
        return Err(PlanError::InputLength { expected: spec.count(), found: input.data.len() });
    }
    if let Some(index) = input.data.iter().position(|x| !x.is_finite()) {
        return Err(PlanError::NotFinite { index });
    }
    let (low, high) = plan.input_spec.range;
    let scale = f64::from(spec.fraction).exp2() * f64::from(spec.divisor);
    let limit = spec.bound as i64;
    let integer = |&x: &f32| ((f64::from(x.clamp(low, high)) * scale).round() as i64).clamp(-limit, limit);

    Ok(input.data.iter().map(integer).collect())
}

/// The real values of a tensor's integers.
pub fn dequantise(plan: &PublicPlan, tensor: TensorId, integers: &[i64]) -> Tensor {
    let spec = &plan.tensors[tensor];

    Tensor { shape: spec.shape.clone(), data: integers.iter().map(|&x| spec.real(x) as f32).collect() }
}

/// Labels in the logits' order without the class axis; ties go to the lower index, a single logit gives 1 when >= 0.
pub fn labels(plan: &PublicPlan, logits: &[i64]) -> Vec<u32> {
    labels_along(logits, &plan.tensors[plan.output].shape, plan.answer.class_axis())
}

/// As [`labels`], for any ordered logits: the same rule for floats and integers.
pub fn labels_along<T: PartialOrd + Default + Copy>(
    logits: &[T],
    shape: &[usize],
    class_axis: Option<usize>,
) -> Vec<u32> {
    let Some(axis) = class_axis else {
        return logits.iter().map(|&logit| u32::from(logit >= T::default())).collect();
    };
    let classes = shape[axis];
    let inner: usize = shape[axis + 1..].iter().product();
    let mut labels = Vec::with_capacity(logits.len() / classes);
    for block in logits.chunks(classes * inner) {
        for place in 0..inner {
            let better = |best: usize, class: usize| {
                if block[class * inner + place] > block[best * inner + place] { class } else { best }
            };
            labels.push((1..classes).fold(0, better) as u32);
        }
    }
    labels
}
