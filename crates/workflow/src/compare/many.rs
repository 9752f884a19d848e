//! Many images: a row each and a summary, the report on which a vendor accepts a plan.

use std::path::{Path, PathBuf};

use blindscan_graph::fixed::Clamped;
use blindscan_imaging::GreyKind;
use serde::Serialize;

use super::clear::{Clear, clear};
use super::private::Private;
use crate::error::{At, Result};
use crate::events::Events;
use crate::files::write_whole;
use crate::fit::FittedStudy;
use crate::hex;
use crate::images::name;
use crate::model::{Model, PlanRecord};
use crate::slices::selection;

/// The whole report.
#[derive(Serialize)]
pub struct Acceptance {
    /// The program's version.
    pub program: String,
    /// The model's name.
    pub model: String,
    /// Digest of the public plan, hexadecimal.
    pub plan_digest: String,
    /// How the plan came about; null for a plan that was saved without it.
    pub record: Option<PlanRecord>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// All images together.
    pub summary: Summary,
    /// A row each.
    pub images: Vec<ImageRow>,
}

/// One image.
#[derive(Clone, Serialize)]
pub struct ImageRow {
    /// The file.
    pub name: String,
    /// The slice of a scan.
    pub slice: usize,
    /// Share of labels on which fixed and float agree; null without a float model, as are the next three.
    pub label_agreement: Option<f64>,
    /// Overlap of the labels that are not 0.
    pub dice_float: Option<f64>,
    /// Largest difference of logits between fixed and float, in real units.
    pub fixed_max_abs_error: Option<f64>,
    /// The same as a share of the float answer's range.
    pub error_of_range: Option<f64>,
    /// Values beyond the bounds that the plan promises.
    pub values_beyond_bounds: u64,
    /// The tensor that left its ring: the private answer would be wrong.
    pub leaves_ring: Option<String>,
    /// Input values that the plan's range cut off.
    pub clamped: Clamped,
    /// Whether the private answer equals the fixed one; null where it was not asked for.
    pub private_equals_fixed: Option<bool>,
}

/// All images together.
#[derive(Serialize)]
pub struct Summary {
    /// How many.
    pub images: usize,
    /// Of the rows' `label_agreement`; null without a float model, as are the five below.
    pub label_agreement_mean: Option<f64>,
    /// The least.
    pub label_agreement_least: Option<f64>,
    /// Of the rows' `dice_float`.
    pub dice_float_mean: Option<f64>,
    /// The least.
    pub dice_float_least: Option<f64>,
    /// The largest.
    pub fixed_max_abs_error: Option<f64>,
    /// The largest.
    pub error_of_range: Option<f64>,
    /// The sum.
    pub values_beyond_bounds: u64,
    /// Images with any.
    pub images_beyond_bounds: usize,
    /// Images of which a tensor left its ring.
    pub images_beyond_rings: usize,
    /// Over all images.
    pub clamped: Clamped,
    /// Images with any.
    pub images_clamped: usize,
    /// Images with so many clamped values that the answer is doubtful.
    pub images_clamped_much: usize,
    /// Images whose private answer equals the fixed one; null where none was made.
    pub private_equal: Option<usize>,
}

/// Which slices of a scan are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The middle one.
    Middle,
    /// This one.
    One(usize),
    /// Those of a list, as [`selection`] reads it.
    Listed(String),
}

impl Which {
    /// The slices of a scan of so many.
    pub fn of(&self, count: usize) -> Result<Vec<usize>> {
        match self {
            Self::Middle => Ok(vec![count / 2]),
            Self::One(slice) => Ok(vec![*slice]),
            Self::Listed(text) => Ok(selection(text, count)?),
        }
    }
}

/// How many images are compared.
#[derive(Clone, Debug)]
pub struct ManyOptions {
    /// Of a scan.
    pub which: Which,
    /// What grey values mean, where a file does not say it or is wrong.
    pub unit: Option<GreyKind>,
    /// How a private answer is made, where it is asked for.
    pub private: Option<Private>,
}

/// Compares every image of these files; `each` hears of a row as soon as it is there.
pub fn compare_many(
    model: &Model,
    files: &[PathBuf],
    aside: &[PathBuf],
    options: &ManyOptions,
    events: &dyn Events,
    each: &mut dyn FnMut(&ImageRow),
) -> Result<Acceptance> {
    let mut images = Vec::new();
    let mut notes = model.notes.clone();
    for file in files {
        let source = FittedStudy::open(file, options.unit, &model.plan)?;
        notes.extend(source.notes().iter().map(|note| format!("{}: {note}", file.display())));
        for slice in options.which.of(source.count())? {
            let row = row(model, file, &source, slice, options.private.as_ref(), events)
                .at_place(|| format!("{}, slice {slice}", file.display()))?;
            each(&row);
            images.push(row);
        }
    }
    notes.extend(aside.iter().map(|path| format!("{} is no image and was left aside", path.display())));
    Ok(Acceptance {
        program: env!("CARGO_PKG_VERSION").into(),
        model: model.plan.name.clone(),
        plan_digest: hex(&model.plan.digest()),
        record: model.record.clone(),
        notes,
        summary: summary(&images),
        images,
    })
}

fn row(
    model: &Model,
    file: &Path,
    source: &FittedStudy,
    slice: usize,
    private: Option<&Private>,
    events: &dyn Events,
) -> Result<ImageRow> {
    let (input, clamped) = source.input(slice, &model.plan)?;
    let Clear { answer, clamped, values_beyond_bounds, leaves_ring, agreement, .. } =
        clear(model, &input, clamped)?;
    let private = private.map(|private| {
        let (output, _) = private.run(model, &input, None, events)?;
        super::private_equals(&output, &answer)
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

impl ImageRow {
    /// Whether the private answer is wrong, or would be.
    pub fn is_wrong(&self) -> bool {
        self.private_equals_fixed == Some(false) || self.leaves_ring.is_some()
    }
}

impl Acceptance {
    /// Writes the report, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, &serde_json::to_vec_pretty(self)?)
    }
}
