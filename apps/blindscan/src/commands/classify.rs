//! `classify`: one image in, one class or several findings out; or any model whose input is a tensor.

use std::time::Instant;

use anyhow::{Result, bail};
use blindscan_graph::ir::Head;
use blindscan_graph::plan::PublicPlan;
use blindscan_graph::{fixed, float};
use blindscan_inference::Output;
use blindscan_workflow::canaries::Canaries;
use blindscan_workflow::connection::{connect, stock};
use blindscan_workflow::fit::Source;
use blindscan_workflow::job::{self, run_images};
use blindscan_workflow::out::OutFolder;
use blindscan_workflow::random::random;
use blindscan_workflow::reference;
use blindscan_workflow::report::{FindingReport, Report};
use blindscan_workflow::study::Study;

use super::{Outcome, print_json};
use crate::cli::ClassifyArgs;
use crate::screen::Screen;

pub(crate) fn run(args: &ClassifyArgs) -> Result<Outcome> {
    let begun = Instant::now();
    let (screen, server) = (Screen::new(), args.server.options());
    let stock = args.stock.as_deref().map(|folder| stock(folder, &server)).transpose()?;
    let out = args.out.as_deref().map(OutFolder::make).transpose()?;
    let study = Study::before_connecting(&args.image, &args.study.options(), &server)?;
    let (mut connection, (source, slice, canaries)) = connect(&server, &screen)?.judged(|plan| {
        let source = Source::new(study, plan)?;
        let slice = one_slice(args.slice, source.count())?;
        let canaries = Canaries::draw(&args.canaries.options(), plan, &mut random())?;
        job::check_stock(stock.as_ref(), 1 + canaries.count())?;
        Ok((source, slice, canaries))
    })?;
    let plan = connection.client.plan().plan().clone();
    let finished = run_images(&mut connection, &source, &[slice], stock.as_ref(), &canaries, begun, &screen)?;
    connection.leave()?;

    let output = &finished.outputs[0];
    let mut report = finished.report;
    let labels = tell(&plan, output, &mut report);
    report.values = args.values.then(|| reference::values(output));
    if let Some(path) = &args.reference {
        reference::compare(path, &plan, &source, &[slice], &finished.outputs, &mut report, &screen)?;
    }
    job::close(&mut report, begun);
    if let Some(folder) = &out {
        let place = job::place(folder.path(), &report)?;
        report.files.push(place.join("report.json").display().to_string());
        report.write(&place)?;
    }
    if args.json {
        print_json(&report)?;
    } else {
        if report.label.is_none() && report.findings.is_empty() {
            say!(
                "{labels} labels: this model gives no single class; --values with --out puts them into report.json"
            );
        }
        say_part!("{}", report.screen(args.layers));
    }
    Ok(Outcome::of(&report))
}

/// The slice that is classified: of several one must be named.
fn one_slice(asked: Option<usize>, count: usize) -> Result<usize> {
    match asked {
        Some(slice) if slice < count => Ok(slice),
        Some(slice) => bail!("slice {slice} was asked for, and the scan has {count} (counted from 0)"),
        None if count == 1 => Ok(0),
        None => bail!("the scan has {count} slices, and one is classified; name it with --slice"),
    }
}

/// Puts the answer into the report: a class, or a yes or no to each finding; probabilities where the policy opens the logits.
/// Returns how many labels there are.
fn tell(plan: &PublicPlan, output: &Output, report: &mut Report) -> usize {
    let labels = reference::labels(plan, output);
    if let Output::Logits(logits) = output {
        let real = fixed::dequantise(plan, plan.output, logits);
        let numbers = |values: &[f32]| -> Vec<f64> { values.iter().map(|&x| f64::from(x)).collect() };
        if matches!(plan.answer.head, Head::Sigmoid | Head::Softmax { .. }) {
            report.probabilities = Some(numbers(&float::head_applied(plan.answer.head, &real).data));
        }
        report.logits = Some(numbers(&real.data));
    }
    if plan.findings() == Some(labels.len()) {
        let probability = |index: usize| report.probabilities.as_ref().map(|all| all[index]);
        report.findings = (labels.iter().enumerate())
            .map(|(index, &label)| FindingReport {
                name: plan.answer.class_names.get(index).cloned(),
                present: label == 1,
                probability: probability(index),
            })
            .collect();
    } else if let [label] = labels[..] {
        report.label = Some(u32::from(label));
        report.class = plan.answer.class_names.get(usize::from(label)).cloned();
    }
    labels.len()
}
