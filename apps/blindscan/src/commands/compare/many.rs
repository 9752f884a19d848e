//! `compare` over many images: one line each and a summary.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use blindscan_workflow::compare::many::{Acceptance, ImageRow, ManyOptions, Summary, Which, compare_many};
use blindscan_workflow::model::Model;

use super::private;
use crate::cli::CompareArgs;
use crate::commands::{Outcome, print_json};
use crate::screen::Screen;

/// Compares every image of these files; of a scan the slices that are named, or the middle one.
pub(super) fn run(
    args: &CompareArgs,
    model: &Model,
    files: &[PathBuf],
    aside: &[PathBuf],
) -> Result<Outcome> {
    ensure!(args.expected.is_none(), "--expected holds one answer against one image; give one image with it");
    let which = match (&args.slices, args.slice) {
        (Some(text), _) => Which::Listed(text.clone()),
        (None, Some(slice)) => Which::One(slice),
        (None, None) => Which::Middle,
    };
    let options = ManyOptions { which, unit: args.unit, private: private(args)? };
    let mut first = true;
    let report = compare_many(model, files, aside, &options, &Screen::new(), &mut |row| {
        if !args.json {
            print_row(row, std::mem::take(&mut first));
        }
    })?;
    if let Some(path) = &args.out {
        report.write(path)?;
    }
    match args.json {
        true => print_json(&report)?,
        false => print_summary(&report, args.out.as_deref()),
    }
    Ok(if report.images.iter().any(ImageRow::is_wrong) { Outcome::No } else { Outcome::Done })
}

fn print_row(row: &ImageRow, first: bool) {
    if first {
        say!(
            "{:<36} {:>5} {:>9} {:>9} {:>12} {:>9} {:>8} {:>9} {:>8}",
            "image",
            "slice",
            "labels",
            "Dice",
            "error",
            "of range",
            "beyond",
            "clamped",
            "private"
        );
    }
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
    let name: String = row.name.chars().take(36).collect();
    say!(
        "{name:<36} {:>5} {:>9} {:>9} {:>12} {:>9} {:>8} {:>9} {:>8}",
        row.slice,
        number(row.label_agreement),
        number(row.dice_float),
        row.fixed_max_abs_error.map_or("-".into(), |error| format!("{error:.3e}")),
        row.error_of_range.map_or("-".into(), |share| format!("{:.2} %", 100.0 * share)),
        match &row.leaves_ring {
            Some(_) => "RING".into(),
            None => row.values_beyond_bounds.to_string(),
        },
        row.clamped.count(),
        super::verdict(row.private_equals_fixed)
    );
}

fn print_summary(report: &Acceptance, out: Option<&Path>) {
    let Summary { images, clamped, .. } = &report.summary;
    let found = &report.summary;
    say!("{images} image(s) of {}, plan {}", report.model, report.plan_digest);
    if let (Some(labels), Some(least), Some(dice), Some(dice_least), Some(error), Some(share)) = (
        found.label_agreement_mean,
        found.label_agreement_least,
        found.dice_float_mean,
        found.dice_float_least,
        found.fixed_max_abs_error,
        found.error_of_range,
    ) {
        say!("labels of fixed and float that agree: {labels:.6} on average, {least:.6} at the least");
        say!("Dice of fixed against float: {dice:.4} on average, {dice_least:.4} at the least");
        say!(
            "largest difference of logits: {error:.3e}, {:.2} % of the answer's range at the most",
            100.0 * share
        );
    } else {
        say!("there is no float model to hold the plan against: a saved plan has none; give the ONNX file");
    }
    say!(
        "values beyond the plan's bounds: {} in {} image(s); images that leave a ring: {}",
        found.values_beyond_bounds,
        found.images_beyond_bounds,
        found.images_beyond_rings
    );
    say!("clamped: {clamped}; in {} image(s)", found.images_clamped);
    if found.images_clamped_much > 0 {
        say!(
            "WARNING: in {} image(s) more than 1 % of the input was clamped: their answers are not to be relied on",
            found.images_clamped_much
        );
    }
    if found.images_beyond_rings > 0 {
        say!(
            "WARNING: answers of images that leave a ring will be wrong in private; make the plan again with samples like them"
        );
    }
    if let Some(equal) = found.private_equal {
        say!("private answers that equal the fixed ones: {equal} of {images}");
    }
    report.notes.iter().for_each(|note| say!("note: {note}"));
    if let Some(path) = out {
        say!("wrote {}", path.display());
    }
}
