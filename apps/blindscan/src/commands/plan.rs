//! `plan`: an ONNX model as integers: printed, and saved with `--out`.

use anyhow::Result;
use blindscan_graph::table::table;
use serde::Serialize;

use super::{Outcome, print_json};
use crate::cli::PlanArgs;
use crate::model;

#[derive(Serialize)]
struct Printed<'a> {
    digest: String,
    plan: &'a blindscan_graph::plan::PublicPlan,
    notes: &'a [String],
}

pub(crate) fn run(args: &PlanArgs) -> Result<Outcome> {
    let model = model::load(&args.model, &args.options, None)?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)?;
        model.save(folder)?;
    }
    if args.json {
        print_json(&Printed { digest: hex(&model.plan.digest()), plan: &model.plan, notes: &model.notes })?;
        return Ok(Outcome::Done);
    }
    say_part!("{}", table(&model.plan));
    say!("digest {}", hex(&model.plan.digest()));
    model.notes.iter().for_each(|note| say!("note: {note}"));
    if let Some(folder) = &args.out {
        say!("saved in {}; plan.weights is the model owner's alone", folder.display());
    }
    Ok(Outcome::Done)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
