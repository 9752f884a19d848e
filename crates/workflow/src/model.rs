//! A model on its owner's disk: an ONNX file with a card beside it, or a folder with a saved plan.
//!
//! The card is `NAME.toml` beside `NAME.onnx`: what the network takes, what its classes are called, and on which samples
//! ranges are measured. Without a card the input is a plain tensor; its ranges are measured on `NAME.in.npy` when it is there.

mod record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use blindscan_graph::calibrate::{self, Calibrated, calibrated};
use blindscan_graph::ir::{Graph, Tensor, ValueId};
use blindscan_graph::plan::{
    FixedPlan, GreyScale, InputSpec, Meaning, Modality, Normalisation, OutputPolicy, PublicPlan, Range,
    Weights, steers_a_terminal,
};
use blindscan_graph::{npy, onnx};
use blindscan_inference::AssignedPlan;
use blindscan_session::limits::Limits;
use serde::Deserialize;

use crate::error::{At, ModelError, Result};
use crate::fit;
use crate::hex;
use crate::images::images_at;

pub use record::{FittedTo, PlanRecord};

/// A choice of widths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accuracy {
    /// Weights of 10 bits, activations and input of 9.
    Fast,
    /// Weights of 12 bits, activations and input of 9.
    Good,
    /// 12 bits for all.
    Best,
}

/// How an ONNX model becomes integers: what is said here goes before the model's card.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// What the file may leave open.
    pub import: onnx::Options,
    /// Sample inputs on which ranges are measured: images, scans or `.npy` files; none for those of the card.
    pub calibrate: Vec<PathBuf>,
    /// Widths of integers; those below go before it.
    pub accuracy: Option<Accuracy>,
    /// Bits of activations.
    pub activation_bits: Option<u32>,
    /// Bits of the input.
    pub input_bits: Option<u32>,
    /// Bits of weights.
    pub weight_bits: Option<u32>,
    /// Refuse every range that is only calibrated.
    pub proven_only: bool,
    /// What the image owner gets.
    pub policy: Option<OutputPolicy>,
}

impl PlanOptions {
    /// The first option that a plan which is made already cannot follow.
    fn first_of_making(&self) -> Option<&'static str> {
        let onnx::Options { input_name, input_shape, dimensions, output, class_axis } = &self.import;
        let given = [
            ("--shape", input_name.is_some() || input_shape.is_some()),
            ("--dim", !dimensions.is_empty()),
            ("--output", output.is_some()),
            ("--class-axis", class_axis.is_some()),
            ("--calibrate", !self.calibrate.is_empty()),
            ("--accuracy", self.accuracy.is_some()),
            ("--activation-bits", self.activation_bits.is_some()),
            ("--weight-bits", self.weight_bits.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }
}

/// A model, ready to be served or compared.
pub struct Model {
    /// The float graph; a saved plan has none.
    pub graph: Option<Graph>,
    /// The graph as the plan was fitted to it: with channels folded or equalised. Its answer is the other's for inputs of the
    /// declared range.
    pub fitted: Option<Graph>,
    /// For each of the plan's tensors the value of `fitted` that it is in integers, as far as it is one.
    pub values: Vec<Option<ValueId>>,
    /// The public half of the fixed plan.
    pub plan: PublicPlan,
    /// The secret half.
    pub weights: Weights,
    /// How the plan came about; none for one that was saved without it.
    pub record: Option<PlanRecord>,
    /// What a person should know of how the plan came about.
    pub notes: Vec<String>,
    /// How long it took to read the ONNX file and to make the plan; none for a saved plan.
    pub made_in: Option<Duration>,
}

impl Model {
    /// Saves the plan in a folder: `plan.public`, `plan.weights`, and the record of how it came about.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let plan = FixedPlan { public: self.plan.clone(), weights: self.weights.clone() };
        plan.save(folder).at(folder)?;
        match &self.record {
            Some(record) => record.save(folder),
            None => PlanRecord::remove(folder),
        }
    }
}

/// The file beside a model.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelCard {
    name: Option<String>,
    input: Option<InputSpec>,
    #[serde(default)]
    class_names: Vec<String>,
    policy: Option<OutputPolicy>,
    calibration: Option<Calibration>,
    #[serde(default)]
    calibration_slices: Vec<usize>,
    activation_bits: Option<u32>,
    weight_bits: Option<u32>,
    shape: Option<Vec<usize>>,
    #[serde(default)]
    dims: BTreeMap<String, usize>,
    output: Option<String>,
    class_axis: Option<usize>,
}

/// One file, a folder, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Calibration {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

/// Loads a model. `extra` is an input on which ranges may be measured when the model brings none (`compare`).
pub fn load(path: &Path, options: &PlanOptions, extra: Option<&Path>) -> Result<Model> {
    if path.is_dir() {
        return load_saved(path, options);
    }
    let begun = Instant::now();
    let card = read_card(path)?;
    let import = import(path, &card, &options.import)?;
    let mut notes = import.report.notes.clone();
    let graph = import.into_graph().at(path)?;
    let samples = Samples { model: path, card: &card, options, extra, graph: &graph };
    let fitted_to = samples.fitted_to()?;
    let (spec, samples) = samples.gather()?;
    notes.extend(scale_note(&samples, &spec));
    let settings = calibrate::Options { name: Some(name_of(path, &card)), ..settings(&card, options) };
    let made = calibrated(graph.clone(), &spec, &samples, &settings).at(path)?;
    let record = record(&made, &settings, fitted_to, samples.len());
    notes.extend(record.notes());
    let FixedPlan { public: plan, weights } = made.plan;
    Ok(Model {
        graph: Some(graph),
        fitted: Some(made.graph),
        values: made.values,
        plan,
        weights,
        record: Some(record),
        notes,
        made_in: Some(begun.elapsed()),
    })
}

/// Reads the ONNX file with what its card and the command line say of it.
fn import(path: &Path, card: &ModelCard, said: &onnx::Options) -> Result<onnx::Import> {
    let options = import_options(card, said);
    onnx::read(path, &options).at(path)
}

/// What the card leaves open, and what is said above it.
fn import_options(card: &ModelCard, said: &onnx::Options) -> onnx::Options {
    let mut dimensions = card.dims.clone();
    dimensions.extend(said.dimensions.clone());
    onnx::Options {
        input_name: said.input_name.clone(),
        input_shape: said.input_shape.clone().or_else(|| card.shape.clone()),
        dimensions,
        output: said.output.clone().or_else(|| card.output.clone()),
        class_axis: said.class_axis.or(card.class_axis),
    }
}

/// Reads a model and makes its plan dry, on no samples: what this accepts, `plan`, `estimate` and `serve` accept.
pub fn inspect(path: &Path, options: &onnx::Options) -> Result<onnx::Import> {
    let card = read_card(path)?;
    let mut found = import(path, &card, options)?;
    let Some(graph) = &found.graph else { return Ok(found) };
    if let Err(error) = dry_run(graph, &card) {
        found.report.problems.push(error.one_line());
        found.graph = None;
    }
    Ok(found)
}

/// Every refusal of a plan that does not hang on samples.
fn dry_run(graph: &Graph, card: &ModelCard) -> Result<()> {
    let spec = specification(graph, card.input.as_ref(), (0.0, 1.0))?;
    let settings = settings(card, &PlanOptions::default());
    if let Some(plan) = calibrate::dry_run(graph, &spec, &settings)? {
        Limits::default().check(&plan)?;
        AssignedPlan::new(plan)?;
    }
    Ok(())
}

/// What the input must be: the card's words, or a tensor of the range that was `seen`; within what the file itself states.
fn specification(graph: &Graph, card: Option<&InputSpec>, seen: (f32, f32)) -> Result<InputSpec> {
    let Some(stated) = graph.input_range else {
        return Ok(card.cloned().unwrap_or_else(|| InputSpec::tensor(seen)));
    };
    let within = |(low, high): (f32, f32)| (low.max(stated.low), high.min(stated.high));
    let Some(card) = card else {
        let bounded = stated.low > f32::MIN && stated.high < f32::MAX;
        let range = if bounded { (stated.low, stated.high) } else { within(seen) };
        let spec = InputSpec { clips: stated.clips, ..InputSpec::tensor(range) };
        return Ok(if stated.clips { spec } else { stored_grey(graph, spec) });
    };
    let as_it_is = Normalisation::Linear { offset: 0.0, divisor: 1.0 };
    if !stated.clips && card.normalisation != as_it_is {
        return Err(ModelError::NormalisedTwice { low: stated.low, high: stated.high }.into());
    }
    let range = within(card.range);
    if range.0 >= range.1 {
        return Err(ModelError::OtherRange { card: card.range, model: (stated.low, stated.high) }.into());
    }
    Ok(InputSpec { range, clips: stated.clips, ..card.clone() })
}

/// A model whose input is of integers takes pictures of one channel as they are stored.
fn stored_grey(graph: &Graph, spec: InputSpec) -> InputSpec {
    match (graph.values[graph.input].shape.as_slice(), spec.range) {
        (&[1, 1, rows, columns], (0.0, 255.0)) => InputSpec {
            modality: Modality::Any,
            grey: GreyScale::EightBit,
            size: Some((rows, columns)),
            resize: true,
            ..spec
        },
        _ => spec,
    }
}

fn load_saved(path: &Path, options: &PlanOptions) -> Result<Model> {
    if let Some(option) = options.first_of_making() {
        return Err(ModelError::PlanIsMade { folder: path.into(), option }.into());
    }
    let FixedPlan { public: mut plan, weights } = FixedPlan::load(path).at(path)?;
    check_saved(path, &plan, options)?;
    if let Some(policy) = options.policy {
        plan.answer.policy = policy;
    }
    let record = PlanRecord::load(path)?;
    let notes = record.as_ref().map(PlanRecord::notes).unwrap_or_default();
    Ok(Model { graph: None, fitted: None, values: Vec::new(), plan, weights, record, notes, made_in: None })
}

/// What the options promise of a plan that is made already must hold.
fn check_saved(folder: &Path, plan: &PublicPlan, options: &PlanOptions) -> Result<(), ModelError> {
    let fitted = plan.tensors.iter().find(|tensor| tensor.range == Range::Calibrated);
    if let (true, Some(tensor)) = (options.proven_only, fitted) {
        return Err(ModelError::NotProven { folder: folder.into(), tensor: tensor.name.clone() });
    }
    if options.policy == Some(OutputPolicy::Labels) && plan.answer.meaning == Meaning::Values {
        return Err(ModelError::NoLabels { folder: folder.into() });
    }
    let found = calibrate::input_bits(plan);
    match options.input_bits {
        Some(asked) if i64::from(asked) != i64::from(found) => {
            Err(ModelError::OtherInputBits { folder: folder.into(), asked, found })
        }
        _ => Ok(()),
    }
}

/// The plan's name: the card's, or the file's.
fn name_of(path: &Path, card: &ModelCard) -> String {
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    card.name.clone().unwrap_or_else(|| stem().chars().filter(|&c| !steers_a_terminal(c)).collect())
}

fn record(
    made: &Calibrated,
    settings: &calibrate::Options,
    fitted_to: FittedTo,
    samples: usize,
) -> PlanRecord {
    let folded = made.constant_channels.iter().map(|(node, kernels)| {
        format!("{node} reads constant channels: {kernels} kernel(s) were folded into its bias (the answer in floats is the same)")
    });
    PlanRecord {
        program: env!("CARGO_PKG_VERSION").into(),
        fitted_to,
        samples,
        samples_digest: hex(&made.samples_digest),
        activation_bits: settings.activation_bits,
        input_bits: settings.input_bits,
        weight_bits: settings.weight_bits,
        changes: folded.chain(made.equalised.iter().map(ToString::to_string)).collect(),
    }
}

fn read_card(model: &Path) -> Result<ModelCard> {
    let path = model.with_extension("toml");
    if !path.exists() {
        return Ok(ModelCard::default());
    }
    let text = std::fs::read_to_string(&path).at(&path)?;
    toml::from_str(&text).map_err(|source| ModelError::NoCard { path, source: Box::new(source) }.into())
}

fn settings(card: &ModelCard, options: &PlanOptions) -> calibrate::Options {
    let default = match options.accuracy {
        Some(Accuracy::Fast) => calibrate::Options::fast(),
        Some(Accuracy::Best) => calibrate::Options::best(),
        Some(Accuracy::Good) | None => calibrate::Options::default(),
    };
    calibrate::Options {
        activation_bits: options.activation_bits.or(card.activation_bits).unwrap_or(default.activation_bits),
        input_bits: options.input_bits.unwrap_or(default.input_bits),
        weight_bits: options.weight_bits.or(card.weight_bits).unwrap_or(default.weight_bits),
        proven_only: options.proven_only,
        policy: options.policy.or(card.policy).unwrap_or(default.policy),
        class_names: card.class_names.clone(),
        ..default
    }
}

/// Where sample inputs come from.
struct Samples<'a> {
    model: &'a Path,
    card: &'a ModelCard,
    options: &'a PlanOptions,
    extra: Option<&'a Path>,
    graph: &'a Graph,
}

impl Samples<'_> {
    /// The input's specification, and the samples.
    fn gather(&self) -> Result<(InputSpec, Vec<Tensor>)> {
        let shape = &self.graph.values[self.graph.input].shape;
        let files = self.files()?;
        let Some(spec) = &self.card.input else {
            let tensors = match files.is_empty() {
                true => synthetic(shape),
                false => plain_tensors(&files, shape)?,
            };
            return Ok((specification(self.graph, None, range_of(&tensors))?, tensors));
        };
        let spec = specification(self.graph, Some(spec), spec.range)?;
        if files.is_empty() {
            return Err(ModelError::NoSamples { card: self.model.with_extension("toml") }.into());
        }
        let mut tensors = Vec::new();
        for file in &files {
            tensors.extend(fit::samples(file, &spec, shape, &self.card.calibration_slices)?);
        }
        Ok((spec, tensors))
    }

    /// What ranges are fitted to.
    fn fitted_to(&self) -> Result<FittedTo> {
        let files = self.files()?;
        let compared = self.extra.map(images_at).transpose()?.unwrap_or_default();
        let same = |file: &PathBuf| {
            let place = |path: &Path| path.canonicalize().ok();
            compared.iter().any(|other| place(file).is_some() && place(file) == place(other))
        };
        Ok(match files.is_empty() {
            true => FittedTo::Synthetic,
            false if files.iter().all(same) => FittedTo::TheInput,
            false => FittedTo::Samples,
        })
    }

    /// The files that hold samples: those of the command line, else of the card, else what lies beside the model.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let folder = self.model.parent().unwrap_or(Path::new(""));
        if !self.options.calibrate.is_empty() {
            return all_of(&self.options.calibrate);
        }
        let named = match &self.card.calibration {
            Some(Calibration::One(path)) => vec![folder.join(path)],
            Some(Calibration::Several(paths)) => paths.iter().map(|path| folder.join(path)).collect(),
            None => Vec::new(),
        };
        if !named.is_empty() {
            return all_of(&named);
        }
        let beside = self.model.with_extension("in.npy");
        match (beside.exists(), self.extra) {
            (true, _) => Ok(vec![beside]),
            (false, Some(extra)) => images_at(extra),
            (false, None) => Ok(Vec::new()),
        }
    }
}

/// The images at all of these paths.
fn all_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    Ok(paths.iter().map(|path| images_at(path)).collect::<Result<Vec<_>>>()?.concat())
}

/// Tensors of a model without a card: `.npy` files, or pictures taken as grey / 255.
fn plain_tensors(files: &[PathBuf], shape: &[usize]) -> Result<Vec<Tensor>> {
    let mut tensors = Vec::new();
    for file in files {
        tensors.extend(stacked(file, shape)?);
    }
    Ok(tensors)
}

/// The tensors of a file: a `.npy` array of several along its first axis, where the model takes one, is so many samples.
fn stacked(file: &Path, shape: &[usize]) -> Result<Vec<Tensor>> {
    if file.extension().is_some_and(|extension| extension == "npy") {
        let tensor = npy::read(file).at(file)?;
        if let ([1, one @ ..], [(2..), each @ ..]) = (shape, tensor.shape.as_slice())
            && one == each
        {
            let length = shape.iter().product::<usize>().max(1);
            let sample = |data: &[f32]| Tensor { shape: shape.to_vec(), data: data.to_vec() };
            return Ok(tensor.data.chunks(length).map(sample).collect());
        }
    }
    Ok(vec![fit::plain(file, shape)?])
}

/// What to say when samples are of another scale than the card declares.
fn scale_note(tensors: &[Tensor], spec: &InputSpec) -> Option<String> {
    let values = || tensors.iter().flat_map(|tensor| tensor.data.iter().copied());
    let (least, most) = (values().fold(f32::MAX, f32::min), values().fold(f32::MIN, f32::max));
    let (low, high) = spec.range;
    let slack = 0.01 * (high - low);
    (!spec.clips && (least < low - slack || most > high + slack)).then(|| {
        format!(
            "the samples reach from {least:.4} to {most:.4}, and the model declares {low} to {high}: what lies outside is clamped; give samples of the declared scale, or correct `range` in the card"
        )
    })
}

/// The range that sample inputs span, zero included.
fn range_of(tensors: &[Tensor]) -> (f32, f32) {
    let values = || tensors.iter().flat_map(|tensor| tensor.data.iter().copied());
    let (low, high) = (values().fold(0f32, f32::min), values().fold(0f32, f32::max));
    if low == high { (0.0, 1.0) } else { (low, high) }
}

/// Smooth waves between 0 and 1 with some grain, from fixed phases: better than nothing, and always the same.
fn synthetic(shape: &[usize]) -> Vec<Tensor> {
    let count: usize = shape.iter().product();
    let columns = shape.last().copied().unwrap_or(1).max(1);
    (0..4u32)
        .map(|phase| {
            let value = |index: usize| {
                let (row, column) = ((index / columns) as f32, (index % columns) as f32);
                let wave = (row * 0.13 + phase as f32).sin() * (column * 0.11 + phase as f32 * 0.7).cos();
                let grain = (index as u32).wrapping_mul(2_654_435_761).wrapping_add(phase) >> 24;
                (0.5 + 0.4 * wave + (grain as f32 / 255.0 - 0.5) * 0.2).clamp(0.0, 1.0)
            };
            Tensor { shape: shape.to_vec(), data: (0..count).map(value).collect() }
        })
        .collect()
}

/// An input to try a model with: `NAME.in.npy` beside it, or a synthetic one.
pub fn sample(path: &Path, plan: &PublicPlan) -> Result<Tensor> {
    let shape = &plan.tensors[plan.input].shape;
    let beside = path.with_extension("in.npy");
    match beside.exists() {
        true => Ok(stacked(&beside, shape)?.swap_remove(0)),
        false => Ok(synthetic(shape).swap_remove(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_named_by_its_card_or_its_file_without_what_steers_a_terminal() {
        let name = |path: &str, card: Option<&str>| {
            name_of(Path::new(path), &ModelCard { name: card.map(str::to_string), ..ModelCard::default() })
        };
        assert_eq!(name("models/lesions.onnx", None), "lesions");
        assert_eq!(name("models/lesions.onnx", Some("Lesions 2")), "Lesions 2");
        assert_eq!(name("a\u{1b}[2J\u{202e}b.v2.onnx", None), "a[2Jb.v2");
    }
}
