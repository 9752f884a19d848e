//! `plan`: an ONNX model as integers: printed, and saved with `--out`.

use anyhow::Result;
use blindscan_graph::table::table;
use blindscan_inference::AssignedPlan;
use blindscan_workflow::hex;
use blindscan_workflow::model::{self, PlanRecord};
use serde::Serialize;

use super::{Outcome, print_json};
use crate::cli::PlanArgs;

#[derive(Serialize)]
struct Printed<'a> {
    digest: String,
    off_by_one: OffByOneReport,
    plan: &'a blindscan_graph::plan::PublicPlan,
    /// How the plan came about; null for a saved plan without a record.
    record: Option<&'a PlanRecord>,
    notes: &'a [String],
}

pub(crate) fn run(args: &PlanArgs) -> Result<Outcome> {
    let model = model::load(&args.model, &args.options.parsed()?, None)?;
    let off_by_one = OffByOneReport::of(&AssignedPlan::new(model.plan.clone())?);
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)?;
        model.save(folder)?;
    }
    if args.json {
        let digest = hex(&model.plan.digest());
        let record = model.record.as_ref();
        print_json(&Printed { digest, off_by_one, plan: &model.plan, record, notes: &model.notes })?;
        return Ok(Outcome::Done);
    }
    say_part!("{}", table(&model.plan));
    say!("{}", off_by_one.line());
    say!("digest {}", hex(&model.plan.digest()));
    model.notes.iter().for_each(|note| say!("note: {note}"));
    if let Some(folder) = &args.out {
        say!("saved in {}; plan.weights is the model owner's alone", folder.display());
    }
    Ok(Outcome::Done)
}

/// How often the private answer is not the clear one, at most: the homomorphic step rounds.
#[derive(Serialize)]
pub(crate) struct OffByOneReport {
    /// log2 of the probability for one value, in the layer where it is largest; null without linear layers.
    value_log2: Option<f64>,
    /// Probability for one image.
    image: f64,
    /// Probability for a thousand images.
    thousand_images: f64,
}

impl OffByOneReport {
    pub(crate) fn of(plan: &AssignedPlan) -> Self {
        let off_by_one = plan.off_by_one();
        Self {
            value_log2: off_by_one.value_log2.is_finite().then_some(off_by_one.value_log2),
            image: off_by_one.image,
            thousand_images: off_by_one.images(1000),
        }
    }

    /// The same for people.
    pub(crate) fn line(&self) -> String {
        match self.value_log2 {
            None => "exact: no layer of this plan rounds".into(),
            Some(log2) => format!(
                "a value inside the network is off by one with probability at most 2^{log2:.1}: {:.1e} per image, {:.1e} per thousand images",
                self.image, self.thousand_images
            ),
        }
    }
}
