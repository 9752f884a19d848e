//! The private side: both parties in this process with a look at every share, or as two processes.

use std::sync::Mutex;
use std::time::Duration;

use blindscan_arith::ring::{Ring, Ring32};
use blindscan_graph::ir::Tensor;
use blindscan_graph::plan::{OutputPolicy, PublicPlan, TensorId};
use blindscan_graph::{fixed, npy};
use blindscan_inference::roles::{ImageOwner, ModelOwner, Observer, Phase};
use blindscan_inference::stock::{StockHeader, StockId, StockWriter};
use blindscan_inference::{AssignedPlan, OtKind, Output};
use blindscan_protocols::Party;
use blindscan_protocols::share::{Share, ShareView};
use blindscan_wire::memory::pair;
use blindscan_wire::{Channel, Traffic};

use super::clear::ByTensor;
use crate::error::{CompareError, PairError, Result};
use crate::events::Events;
use crate::model::Model;
use crate::pair::Pair;
use crate::report::{LayerReport, Report};
use crate::watch::{Watch, phase_bytes, turns};
use crate::{random, transfers};

/// How a private answer is made: where both parties run, and with which transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Private {
    /// In this process.
    InMemory(OtKind),
    /// As two processes over TLS.
    Processes(OtKind),
}

impl Private {
    /// The private answer, and with `by_tensor` in one process what each tensor's shares add up to.
    pub fn run(
        self,
        model: &Model,
        input: &Tensor,
        by_tensor: Option<&mut ByTensor>,
        events: &dyn Events,
    ) -> Result<(Output, Report)> {
        match self {
            Self::Processes(kind) => by_processes(model, input, kind),
            Self::InMemory(kind) => in_memory(model, input, kind, by_tensor, events),
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
) -> Result<(Output, Report)> {
    let plan = AssignedPlan::new(model.plan.clone())?;
    let integers = fixed::quantise_input(&model.plan, input)?;
    let cost = plan.cost(Party::ImageOwner, kind);
    let seen: [Mutex<Shares>; 2] = Default::default();
    let mut watch = Watch::new(cost, 1, &[Phase::Offline, Phase::Online], events);
    let (mut image_end, mut model_end) = pair(Duration::from_secs(3600));
    watch.begin(Phase::Offline, Traffic::default());
    let session = fresh_session();
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
    if let Some(ByTensor { rows, integers, .. }) = by_tensor {
        for (tensor, share) in mine {
            let other = theirs.iter().find(|(other, _)| *other == tensor);
            let other = &other.ok_or_else(|| no_share(&model.plan, tensor))?.1;
            rows[tensor].private_equals_fixed =
                Some(joined(&model.plan, tensor, &share, other) == integers[tensor]);
        }
    }
    let (layers, images) = watch.finish();
    let mut report = Report {
        suite: transfers::suite(Some(kind)),
        ot: Some(transfers::name(kind).into()),
        images,
        ..Report::default()
    };
    report.bytes = phase_bytes(&layers);
    report.turns = turns(&layers);
    let seconds = |phase: &str| layers.iter().filter(|l| l.phase == phase).map(|l| l.seconds).sum();
    (report.seconds.offline, report.seconds.online) = (seconds("offline"), seconds("online"));
    report.layers = layers.into_iter().filter(LayerReport::happened).collect();
    Ok((output, report))
}

/// Shares by tensor, as a role produced them.
type Shares = Vec<(TensorId, Share)>;

/// Looks at shares, and passes progress on.
struct Tap<'a, 'w> {
    inner: Option<&'a mut Watch<'w>>,
    shares: &'a Mutex<Shares>,
}

impl Observer for Tap<'_, '_> {
    fn layer(&mut self, phase: Phase, done: usize, of: usize, traffic: Traffic) {
        if let Some(inner) = &mut self.inner {
            inner.layer(phase, done, of, traffic);
        }
    }

    fn share(&mut self, tensor: TensorId, share: ShareView<'_>) {
        self.shares.lock().expect("no thread has panicked").push((tensor, share.copied()));
    }

    fn wants_shares(&self) -> bool {
        true
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
fn by_processes(model: &Model, input: &Tensor, kind: OtKind) -> Result<(Output, Report)> {
    let saved = tempfile::tempdir()?;
    model.save(saved.path())?;
    let pair = Pair::start(&["--model", &saved.path().display().to_string()], None)?;
    npy::write(&pair.hospital().join("input.npy"), input)?;
    let report = pair.ask(&["classify", "input.npy", "--values", "--ot", transfers::name(kind)])?;
    let values = report.values.clone().ok_or(PairError::Lacks { what: "values" })?;
    let output = match model.plan.answer.policy {
        OutputPolicy::Labels => Output::Labels(values.into_iter().map(|value| value as u8).collect()),
        OutputPolicy::Logits => Output::Logits(values),
    };
    Ok((output, Report { values: None, ..report }))
}
