//! The clear side of `compare`: one integer and one float run of an image, held against each other tensor by tensor.

use blindscan_graph::fixed::{self, Clamped, Evaluation};
use blindscan_graph::float;
use blindscan_graph::ir::Tensor;
use blindscan_graph::plan::{OutputPolicy, PlanNode, PublicPlan, TensorId};
use blindscan_imaging::dice;
use blindscan_inference::Output;
use serde::Serialize;

use crate::error::{CompareError, Result};
use crate::model::Model;
use crate::reference;

/// One tensor.
#[derive(Clone, Serialize)]
pub struct TensorRow {
    /// Its name in the model.
    pub name: String,
    /// Bits of the ring.
    pub ring_bits: u32,
    /// Bits between the largest value and what the ring holds.
    pub margin_bits: f64,
    /// Values beyond the promised bound were seen.
    pub beyond_bound: bool,
    /// How many.
    pub values_beyond_bound: u64,
    /// Largest magnitude in the float run; null for a step between two of the model's values.
    pub float_max_abs: Option<f64>,
    /// Largest difference between fixed and float.
    pub fixed_max_abs_error: Option<f64>,
    /// Whether every private value equals the fixed one.
    pub private_equals_fixed: Option<bool>,
}

/// Where integers part from floats.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorMade {
    /// The first layer, or the input, that makes at least half as large an error as the worst.
    pub layer: String,
    /// Largest error of its inputs, as a share of their largest magnitude.
    pub before: f64,
    /// The same of its output.
    pub after: f64,
}

/// How the fixed answer of an image agrees with the float answer.
#[derive(Clone, Debug, Serialize)]
pub struct Agreement {
    /// Largest difference of logits, in real units.
    pub largest_error: f64,
    /// The same as a share of the float answer's range.
    pub error_of_range: f64,
    /// Share of labels that are the same.
    pub labels: f64,
    /// Overlap of the labels that are not 0.
    pub dice: f64,
}

/// The clear runs of one image.
pub struct Clear {
    /// The fixed answer.
    pub answer: Output,
    /// What the plan's range cut off.
    pub clamped: Clamped,
    /// Values beyond their tensors' promised bounds.
    pub values_beyond_bounds: u64,
    /// The first tensor that left its ring: the private answer will differ.
    pub leaves_ring: Option<String>,
    /// None for a saved plan, which has no float model.
    pub agreement: Option<Agreement>,
    /// The float logits.
    pub float: Option<Tensor>,
}

/// Tensor by tensor.
pub struct ByTensor {
    /// One row per tensor.
    pub rows: Vec<TensorRow>,
    /// The fixed integers.
    pub integers: Vec<Vec<i64>>,
    /// Where the error is made.
    pub error_made: Option<ErrorMade>,
}

/// Evaluates an image.
pub fn clear(model: &Model, input: &Tensor, clamped: Clamped) -> Result<Clear> {
    let evaluation =
        fixed::evaluate(&model.plan, &model.weights, &fixed::quantise_input(&model.plan, input)?)?;
    let float = reference::float_logits(model, input)?;
    summed(model, evaluation, float, clamped)
}

/// The same, with every tensor.
pub fn clear_by_tensor(model: &Model, input: &Tensor, clamped: Clamped) -> Result<(Clear, ByTensor)> {
    let plan = &model.plan;
    let mut integers = vec![Vec::new(); plan.tensors.len()];
    let quantised = fixed::quantise_input(plan, input)?;
    let evaluation = fixed::evaluate_with(plan, &model.weights, &quantised, &mut |tensor, values| {
        integers[tensor] = values.to_vec();
    })?;
    let rows = plan.tensors.iter().zip(&evaluation.tensors).map(|(spec, report)| TensorRow {
        name: spec.name.clone(),
        ring_bits: spec.ring_bits,
        margin_bits: report.margin_bits,
        beyond_bound: report.beyond_bound,
        values_beyond_bound: report.values_beyond_bound,
        float_max_abs: None,
        fixed_max_abs_error: None,
        private_equals_fixed: None,
    });
    let mut rows: Vec<TensorRow> = rows.collect();
    let float = float_rows(model, input, &integers, &mut rows)?;
    let error_made = error_made(&plan.nodes, plan.input, &rows);
    Ok((summed(model, evaluation, float, clamped)?, ByTensor { rows, integers, error_made }))
}

fn summed(model: &Model, evaluation: Evaluation, float: Option<Tensor>, clamped: Clamped) -> Result<Clear> {
    let plan = &model.plan;
    let leaves_ring = evaluation.overflows().next().map(|tensor| tensor.name.clone());
    let values_beyond_bounds = evaluation.tensors.iter().map(|tensor| tensor.values_beyond_bound).sum();
    let fixed_logits = fixed::dequantise(plan, plan.output, &evaluation.logits);
    let answer = match plan.answer.policy {
        OutputPolicy::Labels => Output::Labels(reference::bytes(&fixed::labels(plan, &evaluation.logits))),
        OutputPolicy::Logits => Output::Logits(evaluation.logits),
    };
    let agreement = float.as_ref().map(|float| agreement(plan, &answer, &fixed_logits, float)).transpose()?;
    Ok(Clear { answer, clamped, values_beyond_bounds, leaves_ring, agreement, float })
}

fn agreement(plan: &PublicPlan, answer: &Output, fixed: &Tensor, float: &Tensor) -> Result<Agreement> {
    ensure_finite(&float.data, "the float model's answer")?;
    let (ours, theirs) = (reference::labels(plan, answer), reference::float_labels(plan, float));
    let same = ours.iter().zip(&theirs).filter(|(a, b)| a == b).count();
    let largest_error = largest_difference(&fixed.data, &float.data);
    let (low, high) = float
        .data
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    // A single value has no range: its magnitude stands in for it.
    let range = if high > low { high - low } else { high.abs() };
    Ok(Agreement {
        largest_error,
        error_of_range: largest_error / f64::from(range).max(f64::MIN_POSITIVE),
        labels: same as f64 / ours.len().max(1) as f64,
        dice: dice(&ours, &theirs)?,
    })
}

/// Runs the float graph as the plan was fitted to it, and holds each of its values against the tensor that is that value in
/// integers. The answer is the model's own: the two part where an input leaves the declared range.
fn float_rows(
    model: &Model,
    input: &Tensor,
    integers: &[Vec<i64>],
    rows: &mut [TensorRow],
) -> Result<Option<Tensor>> {
    let Some(graph) = &model.fitted else { return Ok(None) };
    float::evaluate_with(graph, input, &mut |value, seen| {
        let tensors = (0..rows.len()).filter(|&tensor| model.values[tensor] == Some(value));
        for tensor in tensors.collect::<Vec<TensorId>>() {
            let real = fixed::dequantise(&model.plan, tensor, &integers[tensor]);
            let most = seen.data.iter().fold(0f32, |most, x| most.max(x.abs()));
            rows[tensor].float_max_abs = Some(f64::from(most));
            rows[tensor].fixed_max_abs_error = Some(largest_difference(&real.data, &seen.data));
        }
    })?;
    reference::float_logits(model, input)
}

/// The first layer whose error jumps: by at least half of the largest jump. None where nothing was held against floats.
fn error_made(nodes: &[PlanNode], input: TensorId, rows: &[TensorRow]) -> Option<ErrorMade> {
    // A step between two of the model's values passes its inputs' error on.
    let mut errors: Vec<f64> = vec![0.0; rows.len()];
    let relative =
        |row: &TensorRow| Some(row.fixed_max_abs_error? / row.float_max_abs.filter(|&most| most > 0.0)?);
    errors[input] = relative(&rows[input]).unwrap_or(0.0);
    // What the input's range and width cut off is an error too, made before the first layer.
    let name = rows[input].name.clone();
    let mut jumps = vec![ErrorMade { layer: name, before: 0.0, after: errors[input] }];
    for node in nodes {
        let before = node.inputs.iter().map(|&input| errors[input]).fold(0.0, f64::max);
        let after = relative(&rows[node.output]);
        errors[node.output] = after.unwrap_or(before);
        jumps.extend(after.map(|after| ErrorMade { layer: node.name.clone(), before, after }));
    }
    let largest = jumps.iter().map(|jump| jump.after - jump.before).fold(0.0, f64::max);
    jumps.into_iter().find(|jump| largest > 0.0 && jump.after - jump.before >= largest / 2.0)
}

/// Refuses numbers that nothing can be held against.
pub fn ensure_finite(values: &[f32], whose: &str) -> Result<(), CompareError> {
    match values.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(CompareError::NotFinite { whose: whose.into(), index }),
        None => Ok(()),
    }
}

/// Infinite where a value or a difference is no number: such an answer agrees with nothing.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    let difference = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).abs();
    let differences = a.iter().zip(b).map(difference);
    differences
        .map(|difference| if difference.is_nan() { f64::INFINITY } else { difference })
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use blindscan_graph::plan::Reshape;

    use super::*;

    /// A chain of nodes, and the relative error of each tensor, the input's first; none where it has no float.
    fn made(errors: &[Option<f64>]) -> Option<ErrorMade> {
        let node = |index: usize| PlanNode {
            name: format!("node{index}"),
            step: Reshape.into(),
            inputs: vec![index],
            output: index + 1,
        };
        let row = |error: &Option<f64>| TensorRow {
            name: "tensor".into(),
            ring_bits: 20,
            margin_bits: 1.0,
            beyond_bound: false,
            values_beyond_bound: 0,
            float_max_abs: error.map(|_| 2.0),
            fixed_max_abs_error: error.map(|error| 2.0 * error),
            private_equals_fixed: None,
        };
        let nodes: Vec<PlanNode> = (0..errors.len() - 1).map(node).collect();
        error_made(&nodes, 0, &errors.iter().map(row).collect::<Vec<_>>())
    }

    #[test]
    fn the_error_is_made_in_the_first_layer_where_it_jumps() {
        let found = made(&[Some(0.001), Some(0.002), Some(0.25), Some(0.3), Some(0.35)]).unwrap();
        assert_eq!(found, ErrorMade { layer: "node1".into(), before: 0.002, after: 0.25 });
        // The first of two jumps that are about as large.
        assert_eq!(made(&[Some(0.0), Some(0.2), Some(0.5)]).unwrap().layer, "node0");
        // A step between two values passes the error on.
        let found = made(&[Some(0.0), Some(0.01), None, Some(0.2)]).unwrap();
        assert_eq!((found.layer.as_str(), found.before), ("node2", 0.01));
    }

    #[test]
    fn what_is_no_number_is_no_agreement() {
        assert_eq!(largest_difference(&[1.0, -2.0], &[1.5, 2.0]), 4.0);
        for wrong in [f32::NAN, f32::INFINITY] {
            assert_eq!(largest_difference(&[0.0, 1.0, 2.0], &[0.0, wrong, 2.0]), f64::INFINITY);
            assert_eq!(largest_difference(&[wrong, 1.0], &[wrong, 1.0]), f64::INFINITY);
            let refused = ensure_finite(&[0.0, wrong], "the answer").unwrap_err().to_string();
            assert!(refused.contains("the answer is not finite at value 1"), "{refused}");
        }
        assert!(ensure_finite(&[0.0, -1.0], "the answer").is_ok());
        // A tensor that is no number is where the error is made.
        assert_eq!(made(&[Some(0.0), Some(0.1), Some(f64::INFINITY)]).unwrap().layer, "node1");
    }

    #[test]
    fn an_input_that_was_cut_off_makes_the_error_itself_and_no_floats_make_none() {
        assert_eq!(made(&[Some(0.8), Some(0.9), Some(0.7)]).unwrap().layer, "tensor");
        assert_eq!(made(&[None, None, None]), None);
    }
}
