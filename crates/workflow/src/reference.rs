//! What the answer should be: the clear integer model and the float model, for whoever owns both files.

use std::path::Path;

use blindscan_graph::fixed;
use blindscan_graph::float;
use blindscan_graph::ir::Tensor;
use blindscan_graph::plan::{OutputPolicy, PublicPlan};
use blindscan_imaging::dice;
use blindscan_inference::Output;

use crate::error::{CompareError, Result};
use crate::events::Events;
use crate::fit::FittedStudy;
use crate::model::{self, Model, PlanOptions};
use crate::report::JobReport;

/// The answer as integers, whatever the policy: labels, or logits at their own scale.
pub fn values(output: &Output) -> Vec<i64> {
    match output {
        Output::Labels(labels) => labels.iter().map(|&label| i64::from(label)).collect(),
        Output::Logits(logits) => logits.clone(),
    }
}

/// The labels of an answer.
pub fn labels(plan: &PublicPlan, output: &Output) -> Vec<u8> {
    match output {
        Output::Labels(labels) => labels.clone(),
        Output::Logits(logits) => bytes(&fixed::labels(plan, logits)),
    }
}

/// The clear integer model's answer, as [`values`] gives it.
pub fn clear(model: &Model, input: &Tensor, events: &dyn Events) -> Result<Output> {
    let integers = fixed::quantise_input(&model.plan, input)?;
    let evaluation = fixed::evaluate(&model.plan, &model.weights, &integers)?;
    if let Some(tensor) = evaluation.overflows().next() {
        events.warning(&format!(
            "{} leaves its ring on this input; the private answer will differ. Calibrate with inputs like this one.",
            tensor.name
        ));
    }
    Ok(match model.plan.answer.policy {
        OutputPolicy::Labels => Output::Labels(bytes(&fixed::labels(&model.plan, &evaluation.logits))),
        OutputPolicy::Logits => Output::Logits(evaluation.logits),
    })
}

/// The float model's logits; `None` for a saved plan, which has none.
pub fn float_logits(model: &Model, input: &Tensor) -> Result<Option<Tensor>> {
    Ok(model.graph.as_ref().map(|graph| float::evaluate(graph, input)).transpose()?)
}

/// The labels of float logits, by the plan's rule.
pub fn float_labels(plan: &PublicPlan, logits: &Tensor) -> Vec<u8> {
    bytes(&fixed::labels_along(&logits.data, &logits.shape, plan.answer.class_axis()))
}

/// Holds answers of a served plan against the clear integer model and the float model of their owner's file.
pub fn compare(
    path: &Path,
    served: &PublicPlan,
    source: &FittedStudy,
    which: &[usize],
    outputs: &[Output],
    report: &mut JobReport,
    events: &dyn Events,
) -> Result<()> {
    let (owner, note) = owner(path, served)?;
    report.notes.extend(note);
    let (mut total, mut equal) = (0, 0);
    let (mut ours, mut clear_labels, mut float) = (Vec::new(), Vec::new(), Vec::new());
    for (&index, output) in which.iter().zip(outputs) {
        let input = source.tensor(index, served)?;
        let expected = clear(&owner, &input, events)?;
        let wanted = values(&expected);
        total += wanted.len() as u64;
        equal += equal_count(&values(output), &wanted)?;
        ours.extend(labels(served, output));
        clear_labels.extend(labels(served, &expected));
        if let Some(logits) = float_logits(&owner, &input)? {
            float.extend(float_labels(served, &logits));
        }
    }
    report.values_total = Some(total);
    report.values_equal = Some(equal);
    report.equals_reference = Some(equal == total);
    report.dice.reference = Some(dice(&ours, &clear_labels)?);
    if !float.is_empty() {
        report.dice.float = Some(dice(&ours, &float)?);
    }
    Ok(())
}

/// The model of a file, held against a served plan. Whether labels or logits are opened is the server's to say, so its
/// policy is taken. Adds a note when the two plans differ, because a mismatch then
/// proves nothing.
fn owner(path: &Path, served: &PublicPlan) -> Result<(Model, Option<String>)> {
    let mut owner = model::load(path, &PlanOptions::default(), None)?;
    if owner.plan.tensors[owner.plan.output].shape != served.tensors[served.output].shape {
        return Err(CompareError::OtherModel { path: path.into() }.into());
    }
    owner.plan.answer.policy = served.answer.policy;
    let note = (owner.plan.digest() != served.digest()).then(|| {
        "the reference's plan is not the one that the server serves; to compare to the bit, serve and give the same saved plan (`blindscan plan --out`)".into()
    });
    Ok((owner, note))
}

/// How many values of two answers are equal.
pub fn equal_count(a: &[i64], b: &[i64]) -> Result<u64> {
    if a.len() != b.len() {
        return Err(CompareError::Lengths { one: a.len(), other: b.len() }.into());
    }
    Ok(a.iter().zip(b).filter(|(a, b)| a == b).count() as u64)
}

/// Labels as bytes.
pub fn bytes(labels: &[u32]) -> Vec<u8> {
    labels.iter().map(|&label| label as u8).collect()
}
