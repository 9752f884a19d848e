//! Jobs between a client and a server in memory, on one small random model.

use blindscan_graph::plan::{FixedPlan, OutputPolicy};
use blindscan_graph::{fixed, random};
use blindscan_inference::roles::Unobserved;
use blindscan_inference::stock::StockError;
use blindscan_inference::{InferenceError, Output};
use blindscan_wire::memory::play;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::*;

const SESSION: SessionId = SessionId([6; 32]);
const CLIENT: [u8; 32] = [1; 32];
const SERVER: [u8; 32] = [2; 32];

struct Place {
    folder: tempfile::TempDir,
    plan: FixedPlan,
    input: Vec<i64>,
}

impl Place {
    fn new() -> Self {
        let (plan, mut inputs) = random::random_plan(2);
        Self { folder: tempfile::tempdir().unwrap(), plan, input: inputs.remove(0) }
    }

    fn service(&self, plan: &FixedPlan) -> Service {
        let assigned = AssignedPlan::new(plan.public.clone()).unwrap();
        Service::new(assigned, plan.weights.clone(), self.folder.path().join("server"))
    }

    fn stock(&self) -> StockFolder {
        StockFolder::open(&self.folder.path().join("client")).unwrap()
    }

    fn client(&self, server: [u8; 32]) -> Client<ChaCha20Rng> {
        let plan = AssignedPlan::new(self.plan.public.clone()).unwrap();
        Client::new(plan, SESSION, &server, ChaCha20Rng::seed_from_u64(1))
    }

    /// Prepares one stock on a connection of its own.
    fn prepare(&self) {
        let service = self.service(&self.plan);
        let mut server = Server::new(&service, SESSION, &CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
        let played = play(
            |channel| self.client(SERVER).prepare(&self.stock(), &mut Unobserved, channel).map(drop),
            |channel| server.next(&mut Unobserved, channel).map(drop),
        );
        played.left.unwrap();
        played.right.unwrap();
    }

    /// Runs the image on the prepared stock, at a server of this plan that knows the client by this fingerprint.
    fn run(
        &self,
        plan: &FixedPlan,
        client: [u8; 32],
    ) -> (Result<Output, SessionError>, Option<SessionError>) {
        let service = self.service(plan);
        let mut server = Server::new(&service, SESSION, &client, ChaCha20Rng::seed_from_u64(3)).unwrap();
        let played = play(
            |channel| self.client(SERVER).run_prepared(&self.input, &self.stock(), &mut Unobserved, channel),
            |channel| server.next(&mut Unobserved, channel).err(),
        );
        (played.left, played.right)
    }
}

fn values(output: &Output) -> Vec<i64> {
    match output {
        Output::Labels(labels) => labels.iter().map(|&label| label.into()).collect(),
        Output::Logits(logits) => logits.clone(),
    }
}

#[test]
fn a_prepared_stock_serves_one_image_and_no_second() {
    let place = Place::new();
    place.prepare();
    let (answer, error) = place.run(&place.plan, CLIENT);
    let plan = &place.plan;
    let logits = fixed::evaluate(&plan.public, &plan.weights, &place.input).unwrap().logits;
    let expected = match plan.public.answer.policy {
        OutputPolicy::Labels => fixed::labels(&plan.public, &logits).into_iter().map(i64::from).collect(),
        OutputPolicy::Logits => logits,
    };
    assert_eq!(values(&answer.unwrap()), expected);
    assert!(error.is_none());
    let folder = place.stock();
    let again = place.client(SERVER).run_prepared(&place.input, &folder, &mut Unobserved, &mut Silent);
    assert!(matches!(again, Err(SessionError::Inference(InferenceError::Stock(StockError::Empty(_))))));
}

#[test]
fn a_stock_made_with_other_weights_is_refused_and_not_used() {
    let place = Place::new();
    place.prepare();
    let mut changed = place.plan.clone();
    let weight = &mut changed.weights.layers[0].1.weight[0];
    *weight = if *weight == 0 { 1 } else { 0 };
    let (answer, error) = place.run(&changed, CLIENT);
    assert!(matches!(answer, Err(SessionError::Refused(_))), "{answer:?}");
    assert!(matches!(error, Some(SessionError::Inference(InferenceError::Stock(StockError::Foreign(_))))));
}

#[test]
fn the_stock_of_one_client_is_not_there_for_another() {
    let place = Place::new();
    place.prepare();
    let (answer, _) = place.run(&place.plan, [9; 32]);
    assert!(matches!(answer, Err(SessionError::Refused(_))), "{answer:?}");
}

#[test]
fn a_stock_made_with_one_server_is_not_spent_on_another() {
    let place = Place::new();
    place.prepare();
    let folder = place.stock();
    let elsewhere = place.client([8; 32]).run_prepared(&place.input, &folder, &mut Unobserved, &mut Silent);
    assert!(matches!(elsewhere, Err(SessionError::Inference(InferenceError::Stock(StockError::Empty(_))))));
    assert_eq!(folder.unused().unwrap().len(), 1);
}

/// A channel on which nothing may be said.
struct Silent;

impl Channel for Silent {
    fn send(&mut self, _: &[u8]) -> Result<(), blindscan_wire::WireError> {
        panic!("nothing is sent before there is a stock")
    }

    fn receive(&mut self, _: usize) -> Result<Vec<u8>, blindscan_wire::WireError> {
        panic!("nothing is received before there is a stock")
    }

    fn exchange(&mut self, _: &[u8], _: usize) -> Result<Vec<u8>, blindscan_wire::WireError> {
        panic!("nothing is exchanged before there is a stock")
    }

    fn finish(&mut self) -> Result<(), blindscan_wire::WireError> {
        Ok(())
    }

    fn traffic(&self) -> blindscan_wire::Traffic {
        blindscan_wire::Traffic::default()
    }
}
