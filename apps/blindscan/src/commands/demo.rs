//! `demo`: the whole job on the bundled CT slice, two processes with a folder each, and the proof beside it.
//!
//! The parent makes keys, starts both, and compares afterwards with the clear integer model, the float model and the
//! expert's mask: it owns all files. The vendor's folder never holds the scan, the hospital's never the model.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use blindscan_graph::ir::Tensor;
use blindscan_imaging::{Mask, Scan, dice, read_mask};
use blindscan_inference::Output;
use blindscan_workflow::fit::FittedStudy;
use blindscan_workflow::model::{self, Model, PlanOptions};
use blindscan_workflow::out::OutFolder;
use blindscan_workflow::pair::{Pair, bring};
use blindscan_workflow::reference;
use blindscan_workflow::report::JobReport;

use super::{Outcome, show};
use crate::cli::DemoArgs;
use crate::screen::Screen;

const MODEL: &str = "covid_unet_w8_128";
const SLICE: usize = 10;

pub(crate) fn run(args: &DemoArgs) -> Result<Outcome> {
    let begun = Instant::now();
    let data = data_folder(args)?;
    let slice = args.slice.unwrap_or(SLICE);
    let out = OutFolder::make(&args.out)?;
    eprintln!(
        "research demonstration only, not for diagnosis; data and model: {}",
        data.join("LICENSE.md").display()
    );

    let model_path = std::path::absolute(data.join(MODEL).with_extension("onnx"))?;
    let pair = Pair::start(&std::env::current_exe()?, &["--model", &model_path.display().to_string()], None)?;
    bring(&data.join("scan.nii.gz"), &pair.hospital(), "scan.nii.gz")?;
    let slices = slice.to_string();
    let asked = [
        "segment",
        "scan.nii.gz",
        "--out",
        "out",
        "--slices",
        &slices,
        "--ot",
        args.ot.choice().between_processes(None),
    ];
    let mut report = pair.ask(&asked)?;

    let answers = pair.hospital().join("out");
    report.files.clear();
    let names = ["mask.nii.gz", "covered.nii.gz", "overlay.png"];
    for name in names.into_iter().filter(|name| answers.join(name).exists()) {
        bring(&answers.join(name), out.path(), name)?;
        report.files.push(out.path().join(name).display().to_string());
    }
    prove(&data, &model_path, &answers, slice, &mut report)?;
    report.seconds.total = begun.elapsed().as_secs_f64();
    report.files.push(out.path().join("report.json").display().to_string());
    report.write(out.path())?;
    show(&report, args.layers, args.json)?;
    Ok(if report.equals_reference == Some(true) { Outcome::Done } else { Outcome::No })
}

/// Compares the mask that the hospital wrote with the three references.
fn prove(data: &Path, model_path: &Path, answers: &Path, slice: usize, report: &mut JobReport) -> Result<()> {
    let model = model::load(model_path, &PlanOptions::default(), None)?;
    let source = FittedStudy::open(&data.join("scan.nii.gz"), None, &model.plan)?;
    let input = source.tensor(slice, &model.plan)?;
    let found = plane(&source, &read_mask(&answers.join("mask.nii.gz"))?, slice)?;
    compare_labels(&model, &input, &found, report)?;
    let expert = plane(&source, &read_mask(&data.join("expert.nii.gz"))?, slice)?;
    report.dice.expert = Some(dice(&found, &expert)?);
    Ok(())
}

/// Fills in what depends on the model's owner's files.
pub(crate) fn compare_labels(
    model: &Model,
    input: &Tensor,
    found: &[u8],
    report: &mut JobReport,
) -> Result<()> {
    let expected = reference::labels(&model.plan, &reference::clear(model, input, &Screen::new())?);
    let values = |labels: &[u8]| reference::values(&Output::Labels(labels.to_vec()));
    let equal = reference::equal_count(&values(found), &values(&expected))?;
    report.values_total = Some(expected.len() as u64);
    report.values_equal = Some(equal);
    report.equals_reference = Some(equal == expected.len() as u64);
    report.dice.reference = Some(dice(found, &expected)?);
    if let Some(logits) = reference::float_logits(model, input)? {
        report.dice.float = Some(dice(found, &reference::float_labels(&model.plan, &logits))?);
    }
    Ok(())
}

fn plane(source: &FittedStudy, mask: &Mask, slice: usize) -> Result<Vec<u8>> {
    let Some((Scan::Volume(volume), preparation)) = source.scan() else {
        anyhow::bail!("the demo's scan is a volume");
    };
    mask.check_grid(volume)?;
    Ok(mask.cut(&preparation.patch(slice))?.labels().to_vec())
}

/// The bundled files: in the working folder's checkout, or in the one that the program was built in.
fn data_folder(args: &DemoArgs) -> Result<PathBuf> {
    if let Some(folder) = &args.data {
        return Ok(folder.clone());
    }
    let program = std::env::current_exe().unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors()
        .chain(program.ancestors())
        .map(|folder| folder.join("demo/covid-ct"))
        .find(|folder| folder.join("scan.nii.gz").exists())
        .context(
            "the demo's files (demo/covid-ct) were not found; run this in a checkout, or give --data FOLDER",
        )
}
