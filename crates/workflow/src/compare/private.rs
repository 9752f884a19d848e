//! The private side: both parties in this process with a look at every share, or as two processes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use blindscan_arith::ring::{Ring, Ring32};
use blindscan_graph::ir::Tensor;
use blindscan_graph::plan::{OutputPolicy, PublicPlan, TensorId};
use blindscan_graph::{fixed, npy};
use blindscan_inference::roles::{Phase, Unobserved};
use blindscan_inference::tap::{self, Tap, WholeRun};
use blindscan_inference::{AssignedPlan, OtKind, Output};
use blindscan_protocols::share::{Share, ShareView};
use blindscan_protocols::two_party::Party;
use blindscan_wire::Channel;
use blindscan_wire::memory::pair;

use super::clear::ByTensor;
use crate::error::{CompareError, PairError, Result};
use crate::events::Events;
use crate::model::Model;
use crate::pair::Pair;
use crate::report::{JobReport, LayerReport};
use crate::watch::{Watch, phase_bytes, turns};
use crate::{random, transfers};

/// How a private answer is made: where both parties run, and with which transfers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Private {
    /// In this process.
    InMemory(OtKind),
    /// As two processes over TLS.
    Processes {
        /// `blindscan`, at both ends.
        program: PathBuf,
        /// How the transfers are made.
        kind: OtKind,
    },
}

impl Private {
    /// The private answer, and with `by_tensor` in one process what each tensor's shares add up to.
    pub fn run(
        &self,
        model: &Model,
        input: &Tensor,
        by_tensor: Option<&mut ByTensor>,
        events: &dyn Events,
    ) -> Result<(Output, JobReport)> {
        match self {
            Self::Processes { program, kind } => by_processes(program, model, input, *kind),
            Self::InMemory(kind) => in_memory(model, input, *kind, by_tensor, events),
        }
    }
}

/// Both parties in this process, with a look at every share.
fn in_memory(
    model: &Model,
    input: &Tensor,
    kind: OtKind,
    by_tensor: Option<&mut ByTensor>,
    events: &dyn Events,
) -> Result<(Output, JobReport)> {
    let plan = AssignedPlan::new(model.plan.clone())?;
    let integers = fixed::quantise_input(&model.plan, input)?;
    let cost = plan.cost(Party::ImageOwner, kind);
    let mut watch = Watch::new(cost, 1, &[Phase::Offline, Phase::Online], events);
    let (mut image_end, mut model_end) = pair(Duration::from_secs(3600));
    let run = WholeRun { session: fresh_session(), kind };
    let (mut mine, mut theirs) = (Shares::default(), Shares::default());
    let output = std::thread::scope(|scope| -> Result<Output> {
        let serving = scope.spawn(|| {
            let (weights, mut rng) = (&model.weights, random::random());
            let end = &mut model_end;
            let served = tap::model_owner(&plan, weights, run, &mut rng, &mut Unobserved, &mut theirs, end);
            let _ = model_end.finish();
            served
        });
        let (mut rng, end) = (random::random(), &mut image_end);
        let answer = tap::image_owner(&plan, &integers, run, &mut rng, &mut watch, &mut mine, end);
        let _ = image_end.finish();
        serving.join().expect("the model owner's thread does not panic")?;
        Ok(answer?)
    })?;
    if let Some(ByTensor { rows, integers, .. }) = by_tensor {
        for (tensor, share) in mine.0 {
            let other = theirs.0.iter().find(|(other, _)| *other == tensor);
            let other = &other.ok_or_else(|| no_share(&model.plan, tensor))?.1;
            rows[tensor].private_equals_fixed =
                Some(joined(&model.plan, tensor, &share, other) == integers[tensor]);
        }
    }
    let (layers, images) = watch.finish();
    let mut report = JobReport {
        suite: transfers::suite(model.plan.suite, Some(kind)),
        ot: Some(transfers::name(kind).into()),
        images,
        ..JobReport::default()
    };
    report.bytes = phase_bytes(&layers);
    report.turns = turns(&layers);
    let seconds = |phase: &str| layers.iter().filter(|l| l.phase == phase).map(|l| l.seconds).sum();
    (report.seconds.offline, report.seconds.online) = (seconds("offline"), seconds("online"));
    report.layers = layers.into_iter().filter(LayerReport::happened).collect();
    Ok((output, report))
}

/// A look at shares: by tensor, as a role produced them.
#[derive(Default)]
struct Shares(Vec<(TensorId, Share)>);

impl Tap for Shares {
    fn share(&mut self, tensor: TensorId, share: ShareView<'_>) {
        self.0.push((tensor, share.copied()));
    }
}

fn no_share(plan: &PublicPlan, tensor: TensorId) -> CompareError {
    CompareError::NoShare { tensor: plan.tensors[tensor].name.clone() }
}

fn joined(plan: &PublicPlan, tensor: TensorId, a: &Share, b: &Share) -> Vec<i64> {
    let ring = Ring32::new(plan.tensors[tensor].ring_bits);
    a.view().plus(ring, b.view()).words().iter().map(|word| ring.to_signed(*word)).collect()
}

/// A session id for two roles in one process.
fn fresh_session() -> [u8; 32] {
    let mut id = [0; 32];
    rand::Rng::fill_bytes(&mut random::random(), &mut id);
    id
}

/// Both parties as processes: the plan is saved, served, and asked.
fn by_processes(program: &Path, model: &Model, input: &Tensor, kind: OtKind) -> Result<(Output, JobReport)> {
    let saved = tempfile::tempdir()?;
    model.save(saved.path())?;
    let pair = Pair::start(program, &["--model", &saved.path().display().to_string()], None)?;
    npy::write(&pair.hospital().join("input.npy"), input)?;
    let report = pair.ask(&["classify", "input.npy", "--values", "--ot", transfers::name(kind)])?;
    let values = report.values.clone().ok_or(PairError::Lacks { what: "values" })?;
    let output = match model.plan.answer.policy {
        OutputPolicy::Labels => Output::Labels(values.into_iter().map(|value| value as u8).collect()),
        OutputPolicy::Logits => Output::Logits(values),
    };
    Ok((output, JobReport { values: None, ..report }))
}
