//! `compare`: float, fixed and private side by side, layer by layer and on the answer; or over many images.
//!
//! This command owns both files and runs both parties in one process (or, with `--processes`, as two): it is for the
//! engineer who wants to know where numbers part, never for a deployment.

mod many;

use std::time::Instant;

use anyhow::Result;
use blindscan_workflow::compare::private::Private;
use blindscan_workflow::compare::{CompareOptions, ComparedImage, compare};
use blindscan_workflow::images::images_of;
use blindscan_workflow::model::{self, Model};

use super::{Outcome, print_json};
use crate::cli::CompareArgs;
use crate::screen::{Screen, report};

pub(crate) fn run(args: &CompareArgs) -> Result<Outcome> {
    let begun = Instant::now();
    let model = model::load(&args.model, &args.options.parsed()?, Some(&args.input))?;
    let (files, aside) = match args.input.is_dir() {
        true => images_of(&args.input)?,
        false => (Vec::new(), Vec::new()),
    };
    if !files.is_empty() {
        return many::run(args, &model, &files, &aside);
    }
    match args.slices.is_some() || args.out.is_some() {
        true => many::run(args, &model, std::slice::from_ref(&args.input), &[]),
        false => one(args, &model, begun),
    }
}

/// Where the private answer is made, when it is asked for.
fn private(args: &CompareArgs) -> Result<Option<Private>> {
    let kind = args.ot.choice().in_memory();
    Ok(match (args.private, args.processes) {
        (false, _) => None,
        (true, false) => Some(Private::InMemory(kind)),
        (true, true) => Some(Private::Processes { program: std::env::current_exe()?, kind }),
    })
}

/// One image, tensor by tensor.
fn one(args: &CompareArgs, model: &Model, begun: Instant) -> Result<Outcome> {
    let options = CompareOptions {
        slice: args.slice,
        unit: args.unit,
        expected: args.expected.clone(),
        private: private(args)?,
    };
    let comparison = compare(model, &args.input, &options, begun, &Screen::new())?;
    match args.json {
        true => print_json(&comparison)?,
        false => print_table(&comparison, args.private),
    }
    Ok(if comparison.report.equals_reference == Some(false) { Outcome::No } else { Outcome::Done })
}

/// A private value's verdict, for a column.
fn verdict(equal: Option<bool>) -> &'static str {
    match equal {
        Some(true) => "equal",
        Some(false) => "DIFFERS",
        None => "-",
    }
}

fn print_table(comparison: &ComparedImage, private: bool) {
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
        true => say_part!("{}", report::words(&comparison.report, false)),
        false => report::reading_lines(&comparison.report).iter().for_each(|line| say!("{line}")),
    }
}
