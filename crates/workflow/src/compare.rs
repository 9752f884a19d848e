//! Float, fixed and private side by side, layer by layer and on the answer; or over many images.
//!
//! For whoever owns both files and wants to know where numbers part, never for a deployment: both parties run in one process,
//! or as two that this one starts.

pub mod clear;
pub mod many;
pub mod private;

use std::path::{Path, PathBuf};
use std::time::Instant;

use blindscan_graph::fixed::Clamped;
use blindscan_graph::ir::Tensor;
use blindscan_graph::plan::PublicPlan;
use blindscan_graph::{float, npy};
use blindscan_imaging::{GreyKind, dice};
use blindscan_inference::Output;
use serde::Serialize;

use crate::error::{At, CompareError, InputError, Result};
use crate::events::Events;
use crate::fit::FittedStudy;
use crate::model::Model;
use crate::report::JobReport;
use crate::{hex, job, reference};
use clear::{Clear, ErrorMade, TensorRow, clear_by_tensor};
use private::Private;

/// One image, tensor by tensor: the report's keys, and these.
#[derive(Serialize)]
pub struct ComparedImage {
    /// What the private run did, and what was read.
    #[serde(flatten)]
    pub report: JobReport,
    /// Largest difference between our float answer and the other framework's, when one was given.
    pub float_max_abs_error: Option<f64>,
    /// Largest difference between the fixed answer and the float answer, in real units.
    pub fixed_max_abs_error: Option<f64>,
    /// The same as a share of the float answer's range.
    pub fixed_error_of_range: Option<f64>,
    /// Share of labels on which fixed and float agree.
    pub label_agreement: Option<f64>,
    /// Where the error is made.
    pub error_made: Option<ErrorMade>,
    /// Input values that the plan's range cut off.
    pub clamped: Clamped,
    /// Values beyond the bounds that the plan promises.
    pub values_beyond_bounds: u64,
    /// The tensor that left its ring: the private answer will differ.
    pub leaves_ring: Option<String>,
    /// One row per tensor.
    pub tensors: Vec<TensorRow>,
}

/// What one image is compared with.
#[derive(Clone, Debug)]
pub struct CompareOptions {
    /// Slice of a scan; none for the middle one.
    pub slice: Option<usize>,
    /// What grey values mean, where the file does not say it or is wrong.
    pub unit: Option<GreyKind>,
    /// Another framework's float answer, `.npy`.
    pub expected: Option<PathBuf>,
    /// How a private answer is made, where it is asked for.
    pub private: Option<Private>,
}

/// Compares one image, tensor by tensor.
pub fn compare(
    model: &Model,
    input: &Path,
    options: &CompareOptions,
    begun: Instant,
    events: &dyn Events,
) -> Result<ComparedImage> {
    let source = FittedStudy::open(input, options.unit, &model.plan)?;
    let slice = options.slice.unwrap_or(source.count() / 2);
    if slice >= source.count() {
        return Err(InputError::NoSuchSlice { slice, count: source.count() }.into());
    }
    let (input, clamped) = source.input(slice, &model.plan)?;
    let (clear, mut by_tensor) = clear_by_tensor(model, &input, clamped)?;
    let float_max_abs_error = match &options.expected {
        Some(path) => {
            let ours = clear.float.as_ref().ok_or(CompareError::NoFloat)?;
            Some(against_expected(model, ours, path)?)
        }
        None => None,
    };
    let mut report = JobReport::default();
    if let Some(private) = &options.private {
        let output;
        (output, report) = private.run(model, &input, Some(&mut by_tensor), events)?;
        judge(&model.plan, &output, &clear, &mut report)?;
    }
    if let (None, Some(agreement)) = (report.dice.float, &clear.agreement) {
        report.dice.float = Some(agreement.dice);
    }
    report.model = model.plan.name.clone();
    report.plan_digest = hex(&model.plan.digest());
    report.input = Some(source.found_of(&[slice], clear.clamped));
    report.card = Some(model.plan.input_spec.clone());
    report.notes = [&model.notes, source.notes()].concat();
    job::close(&mut report, begun);
    let agreement = clear.agreement.as_ref();
    let comparison = ComparedImage {
        report,
        float_max_abs_error,
        fixed_max_abs_error: agreement.map(|found| found.largest_error),
        fixed_error_of_range: agreement.map(|found| found.error_of_range),
        label_agreement: agreement.map(|found| found.labels),
        error_made: by_tensor.error_made,
        clamped: clear.clamped,
        values_beyond_bounds: clear.values_beyond_bounds,
        leaves_ring: clear.leaves_ring,
        tensors: by_tensor.rows,
    };
    comparison.warn(events);
    Ok(comparison)
}

fn against_expected(model: &Model, logits: &Tensor, path: &Path) -> Result<f64> {
    let expected = npy::read(path).at(path)?;
    let head = model.plan.answer.head;
    let ours = float::head_applied(head, logits);
    let (found, wanted) = (expected.data.len(), ours.data.len());
    if found != wanted {
        return Err(CompareError::OtherAnswer { path: path.into(), found, wanted }.into());
    }
    clear::ensure_finite(&expected.data, &format!("{}", path.display()))?;
    Ok(clear::largest_difference(&ours.data, &expected.data))
}

/// Whether a private answer equals the fixed one.
fn private_equals(output: &Output, answer: &Output) -> Result<bool> {
    let expected = reference::values(answer);
    Ok(reference::equal_count(&reference::values(output), &expected)? == expected.len() as u64)
}

/// Fills in whether a private answer equals the fixed one, and how far masks overlap.
fn judge(plan: &PublicPlan, output: &Output, clear: &Clear, report: &mut JobReport) -> Result<()> {
    let expected = reference::values(&clear.answer);
    let equal = reference::equal_count(&reference::values(output), &expected)?;
    report.values_total = Some(expected.len() as u64);
    report.values_equal = Some(equal);
    report.equals_reference = Some(equal == expected.len() as u64);
    let labels = reference::labels(plan, output);
    report.dice.reference = Some(dice(&labels, &reference::labels(plan, &clear.answer))?);
    if let Some(logits) = &clear.float {
        report.dice.float = Some(dice(&labels, &reference::float_labels(plan, logits))?);
    }
    Ok(())
}

impl ComparedImage {
    /// What makes the answer wrong or doubtful is said as it is found.
    fn warn(&self, events: &dyn Events) {
        if let Some(tensor) = &self.leaves_ring {
            events.warning(&format!(
                "{tensor} leaves its ring on this input; the private answer will differ. Calibrate with inputs like this one."
            ));
        }
        if self.clamped.is_much() {
            events.warning(&format!(
                "{}. The answer is not that of this input: check that it is scaled as the model's samples were, or make the plan with samples like it (--calibrate).",
                self.clamped
            ));
        }
    }
}
