//! `bench`: workloads between two processes on this machine, with bytes and turns beside seconds.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use blindscan_graph::npy;
use blindscan_graph::plan::{OutputPolicy, PlanError};
use blindscan_wire::link::LinkSpec;
use blindscan_workflow::model::{self, Model, PlanOptions};
use blindscan_workflow::pair::Pair;
use blindscan_workflow::report::{JobReport, LayerReport};
use blindscan_workflow::{WorkflowError, reference};
use serde::Serialize;

use super::{Outcome, print_json};
use crate::cli::BenchArgs;
use crate::screen::Screen;

/// More labels than this are no classes.
const CLASSES_MAX: usize = 256;

/// One workload.
#[derive(Serialize)]
struct Row {
    workload: String,
    /// The kind of oblivious transfer.
    ot: Option<String>,
    /// From connecting to the answer.
    wall_seconds: f64,
    offline_seconds: f64,
    online_seconds: f64,
    image_owner_cpu_seconds: f64,
    model_owner_cpu_seconds: f64,
    bytes: u64,
    online_bytes: u64,
    turns: u64,
    image_owner_peak_bytes: u64,
    model_owner_peak_bytes: u64,
    equals_reference: bool,
    layers: Vec<LayerReport>,
}

pub(crate) fn run(args: &BenchArgs) -> Result<Outcome> {
    let link: Option<LinkSpec> = args.link.as_deref().map(str::parse).transpose()?;
    let mut rows = Vec::new();
    for path in &args.models {
        eprintln!("{}", path.display());
        let row = measure(path, args, link)?;
        if !args.json {
            print_row(&row, rows.is_empty());
            if args.layers {
                print_layers(&row);
            }
        }
        rows.push(row);
    }
    if args.json {
        print_json(&rows)?;
    }
    Ok(if rows.iter().all(|row| row.equals_reference) { Outcome::Done } else { Outcome::No })
}

fn measure(path: &Path, args: &BenchArgs, link: Option<LinkSpec>) -> Result<Row> {
    let options = args.options.parsed()?;
    let mut model = match model::load(path, &options, None) {
        Err(error) if matches!(error.reason(), WorkflowError::Plan(PlanError::ClassAxis { .. })) => {
            eprintln!("nothing says along which axis classes are: values are opened");
            let options = PlanOptions { policy: Some(OutputPolicy::Logits), ..options };
            model::load(path, &options, None)?
        }
        loaded => loaded?,
    };
    if model.plan.classes_and_places().0 > CLASSES_MAX {
        eprintln!("the output has no class axis: its values are opened");
        model.plan.answer.policy = OutputPolicy::Logits;
    }
    let saved = tempfile::tempdir()?;
    model.save(saved.path())?;
    let pair =
        Pair::start(&std::env::current_exe()?, &["--model", &saved.path().display().to_string()], link)?;
    let input = model::sample(path, &model.plan)?;
    npy::write(&pair.hospital().join("input.npy"), &input)?;
    let before = pair.vendor_cpu_at_start();
    let begun = Instant::now();
    let report =
        pair.ask(&["classify", "input.npy", "--values", "--ot", args.ot.choice().between_processes(link)])?;
    let wall_seconds = begun.elapsed().as_secs_f64();
    row(path, &model, &input, report, pair.vendor_usage(), before, wall_seconds)
}

fn row(
    path: &Path,
    model: &Model,
    input: &blindscan_graph::ir::Tensor,
    report: JobReport,
    vendor: Option<(f64, u64)>,
    vendor_before: f64,
    wall_seconds: f64,
) -> Result<Row> {
    let expected = reference::values(&reference::clear(model, input, &Screen::new())?);
    let found = report.values.unwrap_or_default();
    let (online, offline) = (report.bytes.online, report.bytes.offline);
    let online_bytes = online.sent + online.received;
    Ok(Row {
        workload: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        ot: report.ot,
        wall_seconds,
        offline_seconds: report.seconds.offline,
        online_seconds: report.seconds.online,
        image_owner_cpu_seconds: report.cpu_seconds,
        model_owner_cpu_seconds: vendor.map_or(0.0, |vendor| vendor.0 - vendor_before),
        bytes: online_bytes + offline.sent + offline.received,
        online_bytes,
        turns: report.turns,
        image_owner_peak_bytes: report.peak_memory_bytes,
        model_owner_peak_bytes: vendor.map_or(0, |vendor| vendor.1),
        equals_reference: reference::equal_count(&found, &expected)? == expected.len() as u64,
        layers: report.layers,
    })
}

fn print_row(row: &Row, first: bool) {
    if first {
        say!(
            "{:<24} {:>8} {:>8} {:>8} {:>15} {:>10} {:>10} {:>6} {:>15} {:>6}",
            "workload",
            "wall s",
            "offline",
            "online",
            "cpu s image+mod",
            "MB",
            "MB online",
            "turns",
            "peak MB",
            "equal"
        );
    }
    let mb = |bytes: u64| bytes as f64 / 1e6;
    say!(
        "{:<24} {:>8.2} {:>8.2} {:>8.2} {:>15} {:>10.2} {:>10.2} {:>6} {:>15} {:>6}",
        row.workload,
        row.wall_seconds,
        row.offline_seconds,
        row.online_seconds,
        format!("{:.2}+{:.2}", row.image_owner_cpu_seconds, row.model_owner_cpu_seconds),
        mb(row.bytes),
        mb(row.online_bytes),
        row.turns,
        format!("{:.0}+{:.0}", mb(row.image_owner_peak_bytes), mb(row.model_owner_peak_bytes)),
        if row.equals_reference { "yes" } else { "NO" }
    );
}

fn print_layers(row: &Row) {
    for layer in &row.layers {
        say!(
            "  {:<8} {:<9} {:<40} {:>8.3} s {:>10.3} MB {:>5} turns",
            layer.phase,
            layer.kind,
            layer.name.chars().take(40).collect::<String>(),
            layer.seconds,
            (layer.sent + layer.received) as f64 / 1e6,
            layer.turns
        );
    }
}
