//! `compare` over many images: one line each and a summary, the report on which a vendor accepts a plan.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use blindscan_graph::fixed::Clamped;
use serde::Serialize;

use super::clear::{Clear, clear};
use super::{private_answer, private_equals};
use crate::cli::CompareArgs;
use crate::commands::plan::hex;
use crate::commands::{Outcome, print_json};
use crate::images::name;
use crate::input::Source;
use crate::model::Model;
use crate::record::Record;
use crate::slices::selection;

/// The whole report.
#[derive(Serialize)]
struct Acceptance {
    program: String,
    model: String,
    plan_digest: String,
    /// How the plan came about; null for a plan that was saved without it.
    record: Option<Record>,
    notes: Vec<String>,
    summary: Summary,
    images: Vec<ImageRow>,
}

/// One image.
#[derive(Clone, Serialize)]
struct ImageRow {
    /// The file.
    name: String,
    /// The slice of a scan.
    slice: usize,
    /// Share of labels on which fixed and float agree; null without a float model, as are the next three.
    label_agreement: Option<f64>,
    dice_float: Option<f64>,
    /// Largest difference of logits between fixed and float, in real units.
    fixed_max_abs_error: Option<f64>,
    /// The same as a share of the float answer's range.
    error_of_range: Option<f64>,
    /// Values beyond the bounds that the plan promises.
    values_beyond_bounds: u64,
    /// The tensor that left its ring: the private answer would be wrong.
    leaves_ring: Option<String>,
    clamped: Clamped,
    /// Whether the private answer equals the fixed one; null where it was not asked for.
    private_equals_fixed: Option<bool>,
}

/// All images together.
#[derive(Serialize)]
struct Summary {
    images: usize,
    label_agreement_mean: Option<f64>,
    label_agreement_least: Option<f64>,
    dice_float_mean: Option<f64>,
    dice_float_least: Option<f64>,
    fixed_max_abs_error: Option<f64>,
    error_of_range: Option<f64>,
    values_beyond_bounds: u64,
    images_beyond_bounds: usize,
    images_beyond_rings: usize,
    clamped: Clamped,
    images_clamped: usize,
    /// Images with so many clamped values that the answer is doubtful.
    images_clamped_much: usize,
    private_equal: Option<usize>,
}

/// Compares every image of these files; of a scan the slices that are named, or the middle one.
pub(super) fn run(
    args: &CompareArgs,
    model: &Model,
    files: &[PathBuf],
    aside: &[PathBuf],
) -> Result<Outcome> {
    ensure!(args.expected.is_none(), "--expected holds one answer against one image; give one image with it");
    let mut images = Vec::new();
    let mut notes = model.notes.clone();
    for file in files {
        let source = Source::open(file, args.unit, &model.plan)?;
        notes.extend(source.notes().iter().map(|note| format!("{}: {note}", file.display())));
        let slices = match (&args.slices, args.slice) {
            (Some(text), _) => selection(text, source.count())?,
            (None, slice) => vec![slice.unwrap_or(source.count() / 2)],
        };
        for slice in slices {
            let row = row(args, model, file, &source, slice)
                .with_context(|| format!("{}, slice {slice}", file.display()))?;
            if !args.json {
                print_row(&row, images.is_empty());
            }
            images.push(row);
        }
    }
    notes.extend(aside.iter().map(|path| format!("{} is no image and was left aside", path.display())));
    let report = Acceptance {
        program: env!("CARGO_PKG_VERSION").into(),
        model: model.plan.name.clone(),
        plan_digest: hex(&model.plan.digest()),
        record: model.record.clone(),
        notes,
        summary: summary(&images),
        images,
    };
    if let Some(path) = &args.out {
        write(&report, path)?;
    }
    match args.json {
        true => print_json(&report)?,
        false => print_summary(&report, args.out.as_deref()),
    }
    let wrong = |row: &ImageRow| row.private_equals_fixed == Some(false) || row.leaves_ring.is_some();
    Ok(if report.images.iter().any(wrong) { Outcome::No } else { Outcome::Done })
}

fn row(args: &CompareArgs, model: &Model, file: &Path, source: &Source, slice: usize) -> Result<ImageRow> {
    let (input, clamped) = source.input(slice, &model.plan)?;
    let Clear { answer, clamped, values_beyond_bounds, leaves_ring, agreement, .. } =
        clear(model, &input, clamped)?;
    let private = args.private.then(|| {
        let (output, _) = private_answer(args, model, &input, None)?;
        private_equals(&output, &answer)
    });
    Ok(ImageRow {
        name: name(file),
        slice,
        label_agreement: agreement.as_ref().map(|found| found.labels),
        dice_float: agreement.as_ref().map(|found| found.dice),
        fixed_max_abs_error: agreement.as_ref().map(|found| found.largest_error),
        error_of_range: agreement.as_ref().map(|found| found.error_of_range),
        values_beyond_bounds,
        leaves_ring,
        clamped,
        private_equals_fixed: private.transpose()?,
    })
}

fn summary(images: &[ImageRow]) -> Summary {
    let all = |of: fn(&ImageRow) -> Option<f64>| images.iter().map(of).collect::<Option<Vec<f64>>>();
    let mean = |of| all(of).map(|found| found.iter().sum::<f64>() / found.len().max(1) as f64);
    let least = |of| all(of).map(|found| found.into_iter().fold(1.0, f64::min));
    let most = |of| all(of).map(|found| found.into_iter().fold(0.0, f64::max));
    let count = |of: &dyn Fn(&ImageRow) -> bool| images.iter().filter(|row| of(row)).count();
    let mut clamped = Clamped::default();
    images.iter().for_each(|row| clamped += row.clamped);
    Summary {
        images: images.len(),
        label_agreement_mean: mean(|row| row.label_agreement),
        label_agreement_least: least(|row| row.label_agreement),
        dice_float_mean: mean(|row| row.dice_float),
        dice_float_least: least(|row| row.dice_float),
        fixed_max_abs_error: most(|row| row.fixed_max_abs_error),
        error_of_range: most(|row| row.error_of_range),
        values_beyond_bounds: images.iter().map(|row| row.values_beyond_bounds).sum(),
        images_beyond_bounds: count(&|row| row.values_beyond_bounds > 0),
        images_beyond_rings: count(&|row| row.leaves_ring.is_some()),
        clamped,
        images_clamped: count(&|row| row.clamped.count() > 0),
        images_clamped_much: count(&|row| row.clamped.is_much()),
        private_equal: images
            .iter()
            .any(|row| row.private_equals_fixed.is_some())
            .then(|| count(&|row| row.private_equals_fixed == Some(true))),
    }
}

/// Writes the report, whole or not at all.
fn write(report: &Acceptance, path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let text = serde_json::to_vec_pretty(report)?;
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        std::io::Write::write_all(&mut file, &text)?;
        Ok(file.persist(path)?)
    });
    written.map(drop).with_context(|| format!("{} could not be written", path.display()))
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
