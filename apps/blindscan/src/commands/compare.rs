//! `compare`: float, fixed and private side by side, layer by layer and on the answer.
//!
//! This command owns both files and runs both parties in one process (or, with `--processes`, as two): it is for the
//! engineer who wants to know where numbers part, never for a deployment.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use blindscan_arith::ring::Ring;
use blindscan_graph::ir::Tensor;
use blindscan_graph::plan::{PublicPlan, TensorId};
use blindscan_graph::{fixed, float, npy};
use blindscan_imaging::dice;
use blindscan_inference::roles::{ImageOwner, ModelOwner, Observer, Phase};
use blindscan_inference::stock::{StockHeader, StockId, StockWriter};
use blindscan_inference::{AssignedPlan, OtKind, Output};
use blindscan_protocols::Party;
use blindscan_wire::memory::pair;
use blindscan_wire::{Channel, Traffic};
use serde::Serialize;

use super::plan::hex;
use super::{Outcome, print_json};
use crate::cli::CompareArgs;
use crate::input::Source;
use crate::model::{self, Model};
use crate::pair::Pair;
use crate::report::{LayerReport, Report};
use crate::watch::{Watch, phase_bytes, turns};
use crate::{job, ot, random, reference};

/// What is printed as JSON: the report's keys, and these.
#[derive(Serialize)]
struct Comparison {
    #[serde(flatten)]
    report: Report,
    /// Largest difference between our float answer and the other framework's, when one was given.
    float_max_abs_error: Option<f64>,
    /// Largest difference between the fixed answer and the float answer, in real units.
    fixed_max_abs_error: Option<f64>,
    /// Share of labels on which fixed and float agree.
    label_agreement: Option<f64>,
    /// One row a tensor.
    tensors: Vec<Row>,
    /// Things to know.
    notes: Vec<String>,
}

/// One tensor.
#[derive(Clone, Serialize)]
struct Row {
    name: String,
    /// Bits of the ring.
    ring_bits: u32,
    /// Bits between the largest value and what the ring holds.
    margin_bits: f64,
    /// Values beyond the promised bound were seen.
    beyond_bound: bool,
    /// Largest magnitude in the float run.
    float_max_abs: Option<f64>,
    /// Largest difference between fixed and float.
    fixed_max_abs_error: Option<f64>,
    /// Whether every private value equals the fixed one.
    private_equals_fixed: Option<bool>,
}

pub(crate) fn run(args: &CompareArgs) -> Result<Outcome> {
    let begun = Instant::now();
    let model = model::load(&args.model, &args.options, Some(&args.input))?;
    let source = Source::open(&args.input, &model.plan)?;
    let slice = args.slice.unwrap_or(source.count() / 2);
    ensure!(slice < source.count(), "slice {slice} was asked for, and the scan has {}", source.count());
    let input = source.tensor(slice, &model.plan)?;

    let mut result = clear(&model, &input)?;
    if let Some(path) = &args.expected {
        let ours =
            result.float.as_ref().context("a saved plan has no float model to hold against --expected")?;
        result.comparison.float_max_abs_error = Some(against_expected(&model, ours, path)?);
    }
    if args.private {
        let (output, report) = match args.processes {
            true => by_processes(args, &model, &source, slice)?,
            false => {
                let kind = args.ot.in_memory();
                in_memory(&model, &input, kind, &result.tensors, &mut result.comparison.tensors)?
            }
        };
        result.comparison.report = report;
        judge(&model, &output, &result.answer, result.float.as_ref(), &mut result.comparison.report)?;
    }
    let mut comparison = result.comparison;
    comparison.report.model = model.plan.name.clone();
    comparison.report.plan_digest = hex(&model.plan.digest());
    comparison.notes = model.notes;
    job::close(&mut comparison.report, begun);
    if args.json {
        print_json(&comparison)?;
    } else {
        print_table(&comparison, args.private);
    }
    Ok(if comparison.report.equals_reference == Some(false) { Outcome::No } else { Outcome::Done })
}

/// The clear runs.
struct Clear {
    comparison: Comparison,
    /// The fixed answer.
    answer: Output,
    float: Option<Tensor>,
    /// The fixed integers of every tensor.
    tensors: Vec<Vec<i64>>,
}

fn clear(model: &Model, input: &Tensor) -> Result<Clear> {
    let plan = &model.plan;
    let integers = fixed::quantise_input(plan, input)?;
    let mut tensors = vec![Vec::new(); plan.tensors.len()];
    let evaluation = fixed::evaluate_with(plan, &model.weights, &integers, &mut |tensor, values| {
        tensors[tensor] = values.to_vec();
    })?;
    let mut rows: Vec<Row> = (0..plan.tensors.len())
        .map(|tensor| Row {
            name: plan.tensors[tensor].name.clone(),
            ring_bits: plan.tensors[tensor].ring_bits,
            margin_bits: evaluation.tensors[tensor].margin_bits,
            beyond_bound: evaluation.tensors[tensor].beyond_bound,
            float_max_abs: None,
            fixed_max_abs_error: None,
            private_equals_fixed: None,
        })
        .collect();
    let float = float_rows(model, input, &tensors, &mut rows)?;
    let answer = reference::clear(model, input)?;
    let fixed_logits = fixed::dequantise(plan, plan.output, &evaluation.logits);
    let comparison = Comparison {
        report: Report::default(),
        float_max_abs_error: None,
        fixed_max_abs_error: float
            .as_ref()
            .map(|logits| largest_difference(&fixed_logits.data, &logits.data)),
        label_agreement: float.as_ref().map(|logits| {
            agreement(&reference::labels(plan, &answer), &reference::float_labels(plan, logits))
        }),
        tensors: rows,
        notes: Vec::new(),
    };
    Ok(Clear { comparison, answer, float, tensors })
}

/// Runs the float graph and holds each of its values against the tensor of the same name.
fn float_rows(
    model: &Model,
    input: &Tensor,
    tensors: &[Vec<i64>],
    rows: &mut [Row],
) -> Result<Option<Tensor>> {
    let Some(graph) = &model.graph else { return Ok(None) };
    let plan = &model.plan;
    let logits = float::evaluate_with(graph, input, &mut |value, seen| {
        let name = &graph.values[value].name;
        for (tensor, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.name == *name) {
            if tensors[tensor].len() == seen.data.len() {
                let real = fixed::dequantise(plan, tensor, &tensors[tensor]);
                row.float_max_abs = Some(f64::from(seen.data.iter().fold(0f32, |most, x| most.max(x.abs()))));
                row.fixed_max_abs_error = Some(largest_difference(&real.data, &seen.data));
            }
        }
    })?;
    Ok(Some(logits))
}

fn against_expected(model: &Model, logits: &Tensor, path: &std::path::Path) -> Result<f64> {
    let expected = npy::read(path).with_context(|| format!("{}", path.display()))?;
    let head = model.plan.answer.head;
    let ours = float::head_applied(head, logits);
    ensure!(
        ours.data.len() == expected.data.len(),
        "{} has {} values, the model's answer has {}",
        path.display(),
        expected.data.len(),
        ours.data.len()
    );
    Ok(largest_difference(&ours.data, &expected.data))
}

/// Fills in the report's verdict on a private answer.
fn judge(
    model: &Model,
    output: &Output,
    answer: &Output,
    float: Option<&Tensor>,
    report: &mut Report,
) -> Result<()> {
    let expected = reference::values(answer);
    let equal = reference::equal_count(&reference::values(output), &expected)?;
    report.values_total = Some(expected.len() as u64);
    report.values_equal = Some(equal);
    report.equals_reference = Some(equal == expected.len() as u64);
    let labels = reference::labels(&model.plan, output);
    report.dice.reference = Some(dice(&labels, &reference::labels(&model.plan, answer))?);
    if let Some(logits) = float {
        report.dice.float = Some(dice(&labels, &reference::float_labels(&model.plan, logits))?);
    }
    Ok(())
}

/// Both parties in this process, with a look at every share.
fn in_memory(
    model: &Model,
    input: &Tensor,
    kind: OtKind,
    tensors: &[Vec<i64>],
    rows: &mut [Row],
) -> Result<(Output, Report)> {
    let plan = AssignedPlan::new(model.plan.clone())?;
    let integers = fixed::quantise_input(&model.plan, input)?;
    let cost = plan.cost(Party::ImageOwner, kind);
    let seen: [Mutex<Shares>; 2] = Default::default();
    let mut watch = Watch::new(cost, 1, &[Phase::Offline, Phase::Online], false);
    let (mut image_end, mut model_end) = pair(Duration::from_secs(3600));
    watch.begin(Phase::Offline, Traffic::default());
    let session = blake3_session();
    let header = |party| StockHeader { id: StockId([0; 16]), made_for: plan.digest(), party };
    let output = std::thread::scope(|scope| -> Result<Output> {
        let theirs = scope.spawn(|| -> Result<()> {
            let mut tap = Tap { inner: None, shares: &seen[1] };
            let mut rng = random::random();
            let result = (|| {
                let mut owner = ModelOwner::set_up(session, &mut model_end)?;
                owner.set_ot(kind);
                let stock = StockWriter::anonymous(header(Party::ModelOwner), &mut rng)?;
                let made = owner.offline(&plan, &model.weights, stock, &mut rng, &mut tap, &mut model_end)?;
                let stock = made.into_stock()?;
                ModelOwner::stored(&mut model_end)?;
                Ok(ModelOwner::online(&plan, &model.weights, stock, &mut tap, &mut model_end)?)
            })();
            let _ = model_end.finish();
            result
        });
        let mut tap = Tap { inner: Some(&mut watch), shares: &seen[0] };
        let mut rng = random::random();
        let mine = (|| -> Result<Output> {
            let mut owner = ImageOwner::set_up(session, &mut rng, &mut image_end)?;
            owner.set_ot(kind);
            let stock = StockWriter::anonymous(header(Party::ImageOwner), &mut rng)?;
            let made = owner.offline(&plan, stock, &mut rng, &mut tap, &mut image_end)?;
            Ok(ImageOwner::online(&plan, &integers, made.into_stock()?, &mut tap, &mut image_end)?)
        })();
        let _ = image_end.finish();
        theirs.join().expect("the model owner's thread does not panic")?;
        mine
    })?;
    let [mine, theirs] = seen.map(|shares| shares.into_inner().expect("no thread has panicked"));
    for (tensor, share) in mine {
        let other =
            &theirs.iter().find(|(other, _)| *other == tensor).context("both parties pass every layer")?.1;
        rows[tensor].private_equals_fixed =
            Some(joined(&model.plan, tensor, &share, other) == tensors[tensor]);
    }
    let (layers, images) = watch.finish();
    let mut report =
        Report { suite: ot::suite(Some(kind)), ot: Some(ot::name(kind).into()), images, ..Report::default() };
    report.bytes = phase_bytes(&layers);
    report.turns = turns(&layers);
    let seconds = |phase: &str| layers.iter().filter(|l| l.phase == phase).map(|l| l.seconds).sum();
    (report.seconds.offline, report.seconds.online) = (seconds("offline"), seconds("online"));
    report.layers = layers.into_iter().filter(LayerReport::happened).collect();
    Ok((output, report))
}

/// Shares by tensor, as a role produced them.
type Shares = Vec<(TensorId, Vec<u32>)>;

/// Looks at shares, and passes progress on.
struct Tap<'a> {
    inner: Option<&'a mut Watch>,
    shares: &'a Mutex<Shares>,
}

impl Observer for Tap<'_> {
    fn layer(&mut self, phase: Phase, done: usize, of: usize, traffic: Traffic) {
        if let Some(inner) = &mut self.inner {
            inner.layer(phase, done, of, traffic);
        }
    }

    fn share(&mut self, tensor: TensorId, words: &[u32]) {
        self.shares.lock().expect("no thread has panicked").push((tensor, words.to_vec()));
    }

    fn wants_shares(&self) -> bool {
        true
    }
}

fn joined(plan: &PublicPlan, tensor: TensorId, a: &[u32], b: &[u32]) -> Vec<i64> {
    let ring = Ring::new(plan.tensors[tensor].ring_bits);
    a.iter().zip(b).map(|(a, b)| ring.to_signed(ring.reduce(a.wrapping_add(*b)))).collect()
}

/// A session id for two roles in one process.
fn blake3_session() -> [u8; 32] {
    let mut id = [0; 32];
    rand::Rng::fill_bytes(&mut random::random(), &mut id);
    id
}

/// Both parties as processes: the plan is saved, served, and asked.
fn by_processes(
    args: &CompareArgs,
    model: &Model,
    source: &Source,
    slice: usize,
) -> Result<(Output, Report)> {
    let saved = tempfile::tempdir()?;
    model.save(saved.path())?;
    let pair = Pair::start(&["--model", &saved.path().display().to_string()], None)?;
    let input = pair.hospital().join("input.npy");
    let tensor = source.tensor(slice, &model.plan)?;
    npy::write(&input, &tensor)?;
    let _ = args;
    let report = pair.ask(&["classify", "input.npy", "--values", "--ot", args.ot.between_processes(None)])?;
    let values = report.values.clone().context("the hospital's report has no values")?;
    let output = match model.plan.answer.policy {
        blindscan_graph::plan::OutputPolicy::Labels => {
            Output::Labels(values.into_iter().map(|value| value as u8).collect())
        }
        blindscan_graph::plan::OutputPolicy::Logits => Output::Logits(values),
    };
    Ok((output, Report { values: None, ..report }))
}

fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).fold(0.0, |most, (a, b)| f64::max(most, (f64::from(*a) - f64::from(*b)).abs()))
}

fn agreement(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len().max(1) as f64
}

fn print_table(comparison: &Comparison, private: bool) {
    say!(
        "{:<44} {:>5} {:>8} {:>12} {:>12} {:>8}",
        "tensor",
        "ring",
        "margin",
        "float max",
        "fixed error",
        "private"
    );
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3e}"));
    for row in &comparison.tensors {
        let name: String = row.name.chars().take(44).collect();
        let verdict = match row.private_equals_fixed {
            Some(true) => "equal",
            Some(false) => "DIFFERS",
            None => "-",
        };
        let margin = format!("{:.1}{}", row.margin_bits, if row.beyond_bound { "!" } else { "" });
        let (float, fixed) = (number(row.float_max_abs), number(row.fixed_max_abs_error));
        say!("{name:<44} {:>5} {margin:>8} {float:>12} {fixed:>12} {verdict:>8}", row.ring_bits);
    }
    say!(
        "margin: bits between the largest value and what the ring holds; ! marks values beyond the promised bound"
    );
    for (what, value) in [
        ("float against --expected, largest difference", comparison.float_max_abs_error),
        ("fixed against float, largest difference of logits", comparison.fixed_max_abs_error),
        ("labels of fixed and float that agree", comparison.label_agreement),
    ] {
        if let Some(value) = value {
            say!("{what}: {value:.6}");
        }
    }
    comparison.notes.iter().for_each(|note| say!("note: {note}"));
    if private {
        say_part!("{}", comparison.report.table());
    }
}
