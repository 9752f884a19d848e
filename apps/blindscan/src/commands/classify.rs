//! `classify`: one image in, one class out; or any model whose input is a tensor.

use std::time::Instant;

use anyhow::{Context, Result};
use blindscan_graph::fixed;
use blindscan_inference::Output;

use super::{Outcome, print_json};
use crate::cli::ClassifyArgs;
use crate::connection::{Connection, connect, stock};
use crate::input::Source;
use crate::job::{self, run_images};
use crate::reference;

pub(crate) fn run(args: &ClassifyArgs) -> Result<Outcome> {
    let begun = Instant::now();
    let stock = args.stock.as_deref().map(|folder| stock(folder, &args.server)).transpose()?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    let mut connection = connect(&args.server)?;
    let plan = connection.client.plan().plan().clone();
    let source = Source::open(&args.image, &plan)?;
    let finished = run_images(&mut connection, &source, &[0], stock.as_ref(), begun)?;
    let Connection { client, mut channel, .. } = connection;
    client.finish(&mut channel)?;

    let output = &finished.outputs[0];
    let mut report = finished.report;
    let labels = reference::labels(&plan, output);
    if let [label] = labels[..] {
        report.label = Some(u32::from(label));
        report.class = plan.answer.class_names.get(usize::from(label)).cloned();
    }
    if let Output::Logits(logits) = output {
        let real = fixed::dequantise(&plan, plan.output, logits);
        report.logits = Some(real.data.iter().map(|&x| f64::from(x)).collect());
    }
    report.values = args.values.then(|| reference::values(output));
    if let Some(path) = &args.reference {
        reference::compare(path, &plan, &source, &[0], &finished.outputs, &mut report)?;
    }
    job::close(&mut report, begun);
    if let Some(folder) = &args.out {
        report.files.push(folder.join("report.json").display().to_string());
        report.write(folder)?;
    }
    if args.json {
        print_json(&report)?;
    } else {
        say_part!("{}", report.table());
        match (&report.class, report.label, labels.len()) {
            (Some(class), Some(label), _) => say!("class {label}: {class}"),
            (None, Some(label), _) => say!("class {label}"),
            (_, _, count) => say!("{count} labels"),
        }
    }
    Ok(if report.equals_reference == Some(false) { Outcome::No } else { Outcome::Done })
}
