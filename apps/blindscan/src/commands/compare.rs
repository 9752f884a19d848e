//! `compare`: float, fixed and private side by side, layer by layer and on the answer; or over many images.
//!
//! This command owns both files and runs both parties in one process (or, with `--processes`, as two): it is for the
//! engineer who wants to know where numbers part, never for a deployment.

mod clear;
mod folder;
mod private;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use blindscan_graph::fixed::Clamped;
use blindscan_graph::ir::Tensor;
use blindscan_graph::plan::PublicPlan;
use blindscan_graph::{float, npy};
use blindscan_imaging::dice;
use blindscan_inference::Output;
use serde::Serialize;

use super::plan::hex;
use super::{Outcome, print_json};
use crate::cli::CompareArgs;
use crate::images::images_of;
use crate::input::Source;
use crate::model::{self, Model};
use crate::report::Report;
use crate::{job, reference};
use clear::{ByTensor, Clear, ErrorMade, Row, clear_by_tensor};

/// What is printed as JSON: the report's keys, and these.
#[derive(Serialize)]
struct Comparison {
    #[serde(flatten)]
    report: Report,
    /// Largest difference between our float answer and the other framework's, when one was given.
    float_max_abs_error: Option<f64>,
    /// Largest difference between the fixed answer and the float answer, in real units.
    fixed_max_abs_error: Option<f64>,
    /// The same as a share of the float answer's range.
    fixed_error_of_range: Option<f64>,
    /// Share of labels on which fixed and float agree.
    label_agreement: Option<f64>,
    /// Where the error is made.
    error_made: Option<ErrorMade>,
    /// Input values that the plan's range cut off.
    clamped: Clamped,
    /// Values beyond the bounds that the plan promises.
    values_beyond_bounds: u64,
    /// The tensor that left its ring: the private answer will differ.
    leaves_ring: Option<String>,
    /// One row a tensor.
    tensors: Vec<Row>,
}

pub(crate) fn run(args: &CompareArgs) -> Result<Outcome> {
    let begun = Instant::now();
    let model = model::load(&args.model, &args.options, Some(&args.input))?;
    let (files, aside) = match args.input.is_dir() {
        true => images_of(&args.input)?,
        false => (Vec::new(), Vec::new()),
    };
    if !files.is_empty() {
        return folder::run(args, &model, &files, &aside);
    }
    match args.slices.is_some() || args.out.is_some() {
        true => folder::run(args, &model, std::slice::from_ref(&args.input), &[]),
        false => one(args, model, begun),
    }
}

/// One image, tensor by tensor.
fn one(args: &CompareArgs, model: Model, begun: Instant) -> Result<Outcome> {
    let source = Source::open(&args.input, args.unit, &model.plan)?;
    let slice = args.slice.unwrap_or(source.count() / 2);
    ensure!(slice < source.count(), "slice {slice} was asked for, and the scan has {}", source.count());
    let (input, clamped) = source.input(slice, &model.plan)?;
    let (clear, mut by_tensor) = clear_by_tensor(&model, &input, clamped)?;
    let float_max_abs_error = match &args.expected {
        Some(path) => {
            let ours =
                clear.float.as_ref().context("a saved plan has no float model to hold against --expected")?;
            Some(against_expected(&model, ours, path)?)
        }
        None => None,
    };
    let mut report = Report::default();
    if args.private {
        let output;
        (output, report) = private_answer(args, &model, &input, Some(&mut by_tensor))?;
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
    let comparison = Comparison {
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
    comparison.warn();
    match args.json {
        true => print_json(&comparison)?,
        false => print_table(&comparison, args.private),
    }
    Ok(if comparison.report.equals_reference == Some(false) { Outcome::No } else { Outcome::Done })
}

fn against_expected(model: &Model, logits: &Tensor, path: &Path) -> Result<f64> {
    let expected = npy::read(path).with_context(|| format!("{}", path.display()))?;
    let head = model.plan.answer.head;
    let ours = float::head_applied(head, logits);
    ensure!(
        ours.data.len() == expected.data.len(),
        "{} has {} values, the model's answer has {}",
        path.display(),
        expected.data.len(),
        ours.data.len()
    );
    clear::ensure_finite(&expected.data, &format!("{}", path.display()))?;
    Ok(clear::largest_difference(&ours.data, &expected.data))
}

/// The private answer, and with `by_tensor` in one process what each tensor's shares add up to.
fn private_answer(
    args: &CompareArgs,
    model: &Model,
    input: &Tensor,
    by_tensor: Option<&mut ByTensor>,
) -> Result<(Output, Report)> {
    match args.processes {
        true => private::by_processes(model, input, args.ot),
        false => private::in_memory(model, input, args.ot.in_memory(), by_tensor),
    }
}

/// Whether a private answer equals the fixed one.
fn private_equals(output: &Output, answer: &Output) -> Result<bool> {
    let expected = reference::values(answer);
    Ok(reference::equal_count(&reference::values(output), &expected)? == expected.len() as u64)
}

/// Fills in the report's verdict on a private answer.
fn judge(plan: &PublicPlan, output: &Output, clear: &Clear, report: &mut Report) -> Result<()> {
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

impl Comparison {
    /// What makes the answer wrong or doubtful goes to standard error, whatever is printed.
    fn warn(&self) {
        if let Some(tensor) = &self.leaves_ring {
            eprintln!(
                "warning: {tensor} leaves its ring on this input; the private answer will differ. Calibrate with inputs like this one."
            );
        }
        if self.clamped.is_much() {
            eprintln!(
                "WARNING: {}. The answer is not that of this input: check that it is scaled as the model's samples were, or make the plan with samples like it (--calibrate).",
                self.clamped
            );
        }
    }
}

/// A private value's verdict, for a column.
fn verdict(equal: Option<bool>) -> &'static str {
    match equal {
        Some(true) => "equal",
        Some(false) => "DIFFERS",
        None => "-",
    }
}

fn print_table(comparison: &Comparison, private: bool) {
    say!(
        "{:<44} {:>5} {:>8} {:>12} {:>12} {:>8}",
        "tensor",
        "ring",
        "margin",
        "float max",
        "fixed error",
        "private"
    );
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3e}"));
    for row in &comparison.tensors {
        let name: String = row.name.chars().take(44).collect();
        let margin = format!("{:.1}{}", row.margin_bits, if row.beyond_bound { "!" } else { "" });
        let (float, fixed) = (number(row.float_max_abs), number(row.fixed_max_abs_error));
        let verdict = verdict(row.private_equals_fixed);
        say!("{name:<44} {:>5} {margin:>8} {float:>12} {fixed:>12} {verdict:>8}", row.ring_bits);
    }
    say!(
        "margin: bits between the largest value and what the ring holds; ! marks values beyond the promised bound; \
         a tensor without an error stands between two of the model's values"
    );
    if let Some(made) = &comparison.error_made {
        say!(
            "the error is made in {}: {:.2} % of the largest value before it, {:.2} % behind it",
            made.layer,
            100.0 * made.before,
            100.0 * made.after
        );
    }
    for (what, value) in [
        ("float against --expected, largest difference", comparison.float_max_abs_error),
        ("fixed against float, largest difference of logits", comparison.fixed_max_abs_error),
        ("the same as a share of the answer's range", comparison.fixed_error_of_range),
        ("labels of fixed and float that agree", comparison.label_agreement),
    ] {
        if let Some(value) = value {
            say!("{what}: {value:.6}");
        }
    }
    if let (false, Some(dice)) = (private, comparison.report.dice.float) {
        say!("Dice of fixed against float: {dice:.4}");
    }
    if comparison.values_beyond_bounds > 0 {
        say!("values beyond the plan's bounds: {}", comparison.values_beyond_bounds);
    }
    match private {
        true => say_part!("{}", comparison.report.screen(false)),
        false => comparison.report.reading_lines().iter().for_each(|line| say!("{line}")),
    }
}
