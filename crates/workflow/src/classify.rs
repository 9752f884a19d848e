//! One image in, one class or several findings out; or any model whose input is a tensor.

use std::path::{Path, PathBuf};
use std::time::Instant;

use blindscan_graph::ir::Head;
use blindscan_graph::plan::{Meaning, Places, PublicPlan};
use blindscan_graph::{fixed, float};
use blindscan_inference::Output;

use crate::canaries::{CanaryOptions, DrawnCanaries};
use crate::connection::{ServerOptions, connect, stock};
use crate::error::{InputError, Result};
use crate::events::Events;
use crate::fit::FittedStudy;
use crate::job::{self, run_images};
use crate::out::OutFolder;
use crate::random::random;
use crate::reference;
use crate::report::{FindingReport, JobReport};
use crate::study::{Study, StudyOptions};

/// What is classified, by whom, and what comes of it.
#[derive(Clone, Debug)]
pub struct ClassifyOptions {
    /// Who classifies.
    pub server: ServerOptions,
    /// How the image is read and judged.
    pub study: StudyOptions,
    /// Images with known answers beside it.
    pub canaries: CanaryOptions,
    /// Slice of a scan of several.
    pub slice: Option<usize>,
    /// Folder for the report.
    pub out: Option<PathBuf>,
    /// Folder of prepared stock.
    pub stock: Option<PathBuf>,
    /// The model, to compare with its clear integer answer.
    pub reference: Option<PathBuf>,
    /// Whether every value of the answer goes into the report.
    pub values: bool,
}

/// Classifies one image. Returns the report and how many labels the answer has.
pub fn classify(image: &Path, options: &ClassifyOptions, events: &dyn Events) -> Result<(JobReport, usize)> {
    let begun = Instant::now();
    let server = &options.server;
    let stock = options.stock.as_deref().map(|folder| stock(folder, server)).transpose()?;
    let out = options.out.as_deref().map(OutFolder::make).transpose()?;
    let study = Study::before_connecting(image, &options.study, server)?;
    let canaries = DrawnCanaries::draw(&options.canaries, &mut random())?;
    let (mut connection, (source, slice, canaries)) = connect(server, events)?.judged(|plan| {
        let source = FittedStudy::new(study, plan)?;
        let slice = one_slice(options.slice, source.count())?;
        let canaries = canaries.fitted(plan)?;
        job::check_stock(stock.as_ref(), 1 + canaries.count())?;
        Ok((source, slice, canaries))
    })?;
    let plan = connection.client.plan().plan().clone();
    let finished = run_images(&mut connection, &source, &[slice], stock.as_ref(), &canaries, begun, events)?;
    connection.leave()?;

    let output = &finished.outputs[0];
    let mut report = finished.report;
    let labels = tell(&plan, output, &mut report);
    report.values = options.values.then(|| reference::values(output));
    if let Some(path) = &options.reference {
        reference::compare(path, &plan, &source, &[slice], &finished.outputs, &mut report, events)?;
    }
    job::close(&mut report, begun);
    if let Some(folder) = &out {
        let place = job::place(folder.path(), &report)?;
        report.files.push(place.join("report.json").display().to_string());
        report.write(&place)?;
    }
    Ok((report, labels))
}

/// The slice that is classified: of several one must be named.
fn one_slice(asked: Option<usize>, count: usize) -> Result<usize> {
    match asked {
        Some(slice) if slice < count => Ok(slice),
        Some(slice) => Err(InputError::NoSuchSlice { slice, count }.into()),
        None if count == 1 => Ok(0),
        None => Err(InputError::WhichSlice { count }.into()),
    }
}

/// Puts the answer into the report: a class, or a yes or no to each finding; probabilities where the policy opens the logits.
/// Returns how many labels there are.
fn tell(plan: &PublicPlan, output: &Output, report: &mut JobReport) -> usize {
    let labels = reference::labels(plan, output);
    if let Output::Logits(logits) = output {
        let real = fixed::dequantise(plan, plan.output, logits);
        let numbers = |values: &[f32]| -> Vec<f64> { values.iter().map(|&x| f64::from(x)).collect() };
        if matches!(plan.answer.head, Head::Sigmoid | Head::Softmax { .. }) {
            report.probabilities = Some(numbers(&float::head_applied(plan.answer.head, &real).data));
        }
        report.logits = Some(numbers(&real.data));
    }
    let names = &plan.answer.class_names;
    match (plan.answer.meaning, plan.answer.places) {
        (Meaning::Findings { .. }, Places::Whole) => {
            let probability = |index: usize| report.probabilities.as_ref().map(|all| all[index]);
            report.findings = (labels.iter().enumerate())
                .map(|(index, &label)| FindingReport {
                    name: names.get(index).cloned(),
                    present: label == 1,
                    probability: probability(index),
                })
                .collect();
        }
        (Meaning::Class { .. } | Meaning::YesNo, Places::Whole) => {
            let label = labels[0];
            report.label = Some(u32::from(label));
            report.class = names.get(usize::from(label)).cloned();
        }
        // A mask or plain values: no single class.
        (_, Places::Plane { .. } | Places::Block { .. } | Places::List)
        | (Meaning::Values, Places::Whole) => {}
    }
    labels.len()
}
