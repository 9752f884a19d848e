//! Jobs between a client and a server in memory, on one small random model.

use std::time::Duration;

use blindscan_graph::plan::{FixedPlan, OutputPolicy};
use blindscan_graph::{fixed, random};
use blindscan_inference::roles::Unobserved;
use blindscan_inference::stock::{StockError, StockFolder, StockId};
use blindscan_inference::{AssignedPlan, InferenceError, OtKind, Output, parameters_digest};
use blindscan_wire::Channel;
use blindscan_wire::memory::play;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::purpose::{purpose, purpose_of};
use super::request::{Reply, Request, ask, asked};
use super::*;
use crate::control;
use crate::failed_checks::Peers;
use crate::handshake::{PROTOCOL_VERSION, SessionId};

const SESSION: SessionId = SessionId([6; 32]);
const CLIENT: Fingerprint = Fingerprint::from_bytes([1; 32]);
const SERVER: Fingerprint = Fingerprint::from_bytes([2; 32]);

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
        let stock = self.folder.path().join("server");
        let state = self.state("server-state");
        let failed = FailedChecks::of(&state, Peers::Clients);
        Service::new(assigned, plan.weights.clone(), stock, &state, failed)
    }

    fn stock(&self) -> StockFolder {
        StockFolder::open(&self.folder.path().join("client"), &stock_keys(&self.client_state())).unwrap()
    }

    /// The state directory of a program, which has one when jobs begin.
    fn state(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    fn client_state(&self) -> PathBuf {
        self.state("client-state")
    }

    fn client(&self, server: Fingerprint) -> ClientSession<ChaCha20Rng> {
        let plan = AssignedPlan::new(self.plan.public.clone()).unwrap();
        ClientSession::new(plan, SESSION, server, &self.client_state(), ChaCha20Rng::seed_from_u64(1))
    }

    /// Prepares one stock on a connection of its own.
    fn prepare(&self) {
        let (asked, served) = self.try_prepare();
        asked.unwrap();
        served.unwrap();
    }

    /// The same where it may fail: how the client and the server ended.
    fn try_prepare(&self) -> (Result<StockId, SessionError>, Result<Option<Done>, SessionError>) {
        let service = self.service(&self.plan);
        let mut server =
            ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
        let played = play(
            |channel| self.client(SERVER).prepare(&self.stock(), &mut Unobserved, channel),
            |channel| server.next(&mut Unobserved, channel),
        );
        (played.left, played.right)
    }

    /// Where the server keeps the client's stock.
    fn server_folder(&self) -> PathBuf {
        self.folder.path().join("server").join("01".repeat(32))
    }

    /// What lies there beside the lock.
    fn names_at_server(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.server_folder()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "lock").collect()
    }

    fn assert_names_no_path(&self, reason: &str) {
        let path = self.folder.path().to_str().unwrap();
        assert!(!reason.contains(path) && !reason.contains('/'), "{reason}");
    }

    /// What the model answers in the clear.
    fn expected(&self) -> Vec<i64> {
        let plan = &self.plan;
        let logits = fixed::evaluate(&plan.public, &plan.weights, &self.input).unwrap().logits;
        match plan.public.answer.policy {
            OutputPolicy::Labels => fixed::labels(&plan.public, &logits).into_iter().map(i64::from).collect(),
            OutputPolicy::Logits => logits,
        }
    }

    /// Runs the image on the prepared stock, at a server of this plan that knows the client by this fingerprint.
    fn run(
        &self,
        plan: &FixedPlan,
        client: Fingerprint,
    ) -> (Result<Output, SessionError>, Option<SessionError>) {
        let service = self.service(plan);
        let mut server =
            ServerSession::new(&service, SESSION, client, ChaCha20Rng::seed_from_u64(3)).unwrap();
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
    assert_eq!(values(&answer.unwrap()), place.expected());
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
    let weight = &mut changed.weights.layers_mut().next().unwrap().1.weight[0];
    *weight = if *weight == 0 { 1 } else { 0 };
    let (answer, error) = place.run(&changed, CLIENT);
    assert!(matches!(answer, Err(SessionError::Refused(_))), "{answer:?}");
    assert!(matches!(error, Some(SessionError::Inference(InferenceError::Stock(StockError::Foreign(_))))));
}

#[test]
fn the_stock_of_one_client_is_not_there_for_another() {
    let place = Place::new();
    place.prepare();
    let (answer, _) = place.run(&place.plan, Fingerprint::from_bytes([9; 32]));
    assert!(matches!(answer, Err(SessionError::Refused(_))), "{answer:?}");
}

#[test]
fn a_stock_made_with_one_server_is_not_spent_on_another() {
    let place = Place::new();
    place.prepare();
    let folder = place.stock();
    let elsewhere = place.client(Fingerprint::from_bytes([8; 32])).run_prepared(
        &place.input,
        &folder,
        &mut Unobserved,
        &mut Silent,
    );
    assert!(matches!(elsewhere, Err(SessionError::Inference(InferenceError::Stock(StockError::Empty(_))))));
    assert_eq!(folder.unused().unwrap().len(), 1);
}

#[test]
fn one_connection_carries_several_jobs_and_each_answer_is_the_models() {
    let place = Place::new();
    let (service, folder) = (place.service(&place.plan), place.stock());
    let mut server = ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
    let input = &place.input;
    let played = play(
        |channel| {
            let mut client = place.client(SERVER);
            let mut outputs = Vec::new();
            for _ in 0..2 {
                client.prepare(&folder, &mut Unobserved, channel).unwrap();
            }
            outputs.push(client.run_prepared(input, &folder, &mut Unobserved, channel).unwrap());
            outputs.push(client.run(input, &mut Unobserved, channel).unwrap());
            outputs.push(client.run_prepared(input, &folder, &mut Unobserved, channel).unwrap());
            client.finish(channel).unwrap();
            outputs
        },
        |channel| {
            let mut done = Vec::new();
            while let Some(job) = server.next(&mut Unobserved, channel).unwrap() {
                done.push(job);
            }
            done
        },
    );
    for output in &played.left {
        assert_eq!(values(output), place.expected());
    }
    assert_eq!(played.left.len(), 3);
    assert_eq!(played.right, [Done::Prepared, Done::Prepared, Done::Served, Done::Served, Done::Served]);
    assert!(folder.unused().unwrap().is_empty());
    assert!(place.names_at_server().is_empty(), "spent stock is removed");
}

#[test]
fn a_stock_that_the_server_has_lost_is_refused_by_name_and_without_a_path() {
    let place = Place::new();
    place.prepare();
    let id = place.stock().unused().unwrap()[0];
    std::fs::remove_dir_all(place.server_folder()).unwrap();
    let (answer, error) = place.run(&place.plan, CLIENT);
    let Err(SessionError::Refused(reason)) = answer else { panic!("{answer:?}") };
    assert!(reason.contains(&id.to_string()), "{reason}");
    place.assert_names_no_path(&reason);
    assert!(matches!(error, Some(SessionError::Inference(InferenceError::Stock(StockError::Absent(_))))));
    assert!(place.stock().unused().unwrap().is_empty(), "the client's half was marked spent before it asked");
}

#[test]
fn a_client_may_leave_so_many_stocks_and_no_more() {
    let place = Place::new();
    let folder = place.server_folder();
    std::fs::create_dir_all(&folder).unwrap();
    for index in 0..STOCKS_MAX {
        std::fs::write(folder.join(format!("{index:032x}.stock")), []).unwrap();
    }
    let (asked, ended) = place.try_prepare();
    let Err(SessionError::Refused(reason)) = asked else { panic!("{asked:?}") };
    assert!(reason.contains(&STOCKS_MAX.to_string()), "{reason}");
    assert!(matches!(ended, Err(SessionError::Refused(_))));
    assert!(place.stock().unused().unwrap().is_empty());

    std::fs::remove_file(folder.join(format!("{:032x}.stock", 0))).unwrap();
    let (asked, ended) = place.try_prepare();
    assert!(asked.is_ok() && ended.is_ok(), "with one fewer there is room");
}

#[test]
fn what_the_servers_disk_says_does_not_reach_the_client() {
    let place = Place::new();
    let folder = place.server_folder();
    let service = place.service(&place.plan);
    let mut server = ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let played = play(
        |channel| place.client(SERVER).prepare(&place.stock(), &mut Unobserved, channel),
        |channel| server.next(&mut Unobserved, channel),
    );
    let Err(SessionError::Refused(reason)) = played.left else { panic!("{:?}", played.left) };
    place.assert_names_no_path(&reason);
    assert!(matches!(
        played.right,
        Err(SessionError::Inference(InferenceError::Stock(StockError::Io { .. })))
    ));
}

#[test]
fn a_client_that_leaves_while_a_stock_is_made_leaves_none_behind() {
    let place = Place::new();
    let service = place.service(&place.plan);
    let mut server = ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
    let played = play(
        |channel| {
            let mut client = place.client(SERVER);
            let header = client.fresh_header();
            ask(Request::Prepare { id: header.id.0, transfers: client.ot() }, channel).unwrap();
        },
        |channel| server.next(&mut Unobserved, channel),
    );
    assert!(matches!(played.right, Err(SessionError::Inference(_))), "{:?}", played.right);
    assert!(place.names_at_server().is_empty());
}

#[test]
fn a_stock_is_spent_at_both_ends_though_the_image_never_came_through() {
    let place = Place::new();
    place.prepare();
    let service = place.service(&place.plan);
    let mut server = ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(3)).unwrap();
    let wrong = vec![0; place.input.len() + 1];
    let played = play(
        |channel| place.client(SERVER).run_prepared(&wrong, &place.stock(), &mut Unobserved, channel),
        |channel| server.next(&mut Unobserved, channel),
    );
    assert!(matches!(played.left, Err(SessionError::Inference(InferenceError::Input { .. }))));
    assert!(played.right.is_err());
    assert!(place.stock().unused().unwrap().is_empty() && place.names_at_server().is_empty());
}

#[test]
fn a_request_that_is_none_ends_the_session_with_an_error() {
    let place = Place::new();
    let service = place.service(&place.plan);
    let next = |length: u32, body: &[u8]| {
        let mut server =
            ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
        let sent = (length.to_le_bytes(), body);
        let played = play(
            |channel| {
                channel.send(&sent.0).unwrap();
                channel.send(sent.1).unwrap();
            },
            |channel| server.next(&mut Unobserved, channel),
        );
        played.right.err()
    };
    assert!(matches!(next(3, &[0xee; 3]), Some(SessionError::Unreadable)));
    assert!(matches!(next(2, &[0, 1]), Some(SessionError::Unreadable)), "an id cut short");
    assert!(matches!(next(u32::MAX, &[]), Some(SessionError::TooLong { .. })));
}

#[test]
fn a_stock_of_another_version_or_of_other_parameters_fits_no_job() {
    let parts = [&[1; 32], &[2; 32]];
    let made_for = purpose(&parts);
    let parameters = parameters_digest();
    assert_eq!(purpose_of(env!("CARGO_PKG_VERSION"), PROTOCOL_VERSION, &parameters, &parts), made_for);
    let others = [
        purpose_of("0.0.1", PROTOCOL_VERSION, &parameters, &parts),
        purpose_of(env!("CARGO_PKG_VERSION"), PROTOCOL_VERSION + 1, &parameters, &parts),
        purpose_of(env!("CARGO_PKG_VERSION"), PROTOCOL_VERSION, &[3; 32], &parts),
        purpose(&[&[1; 32], &[3; 32]]),
    ];
    assert!(others.iter().all(|other| *other != made_for));

    let place = Place::new();
    place.prepare();
    let folder = place.stock();
    let mut upgraded = place.client(SERVER);
    upgraded.made_for =
        purpose_of("0.0.1", PROTOCOL_VERSION, &parameters, &[&upgraded.plan().digest(), SERVER.as_bytes()]);
    let refused = upgraded.run_prepared(&place.input, &folder, &mut Unobserved, &mut Silent);
    assert!(matches!(refused, Err(SessionError::Inference(InferenceError::Stock(StockError::Empty(_))))));
    assert_eq!(folder.unused().unwrap().len(), 1);
}

#[test]
fn a_key_is_there_until_the_server_has_accepted_and_gone_before_the_stock_is_read() {
    let place = Place::new();
    place.prepare();
    let keys = stock_keys(&place.client_state());
    let count = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    assert_eq!(count(&keys), 1);
    let folder = place.stock();
    let played = play(
        |channel| {
            place.client(SERVER).run_prepared(&place.input, &folder, &mut Unobserved, channel).map(drop)
        },
        |channel| {
            asked(channel).unwrap();
            let asked = count(&keys);
            control::send(&Reply::Accepted, channel).unwrap();
            channel.finish().unwrap();
            // The first message of the online phase, or its end: the half has been read from.
            let _ = channel.receive(usize::MAX);
            (asked, count(&keys))
        },
    );
    assert_eq!(played.right, (1, 0));
    assert!(played.left.is_err(), "this server does not go on");
}

#[test]
fn a_peer_that_fails_a_check_is_counted_and_other_errors_are_not() {
    let place = Place::new();
    let failed = FailedChecks::of(&place.client_state(), Peers::Servers);
    let check = || InferenceError::from(blindscan_protocols::ProtocolError::FailedCheck("transfers"));
    for expected in 1..=crate::failed_checks::MOST {
        let error = counted(check(), SERVER, &failed);
        assert!(
            matches!(error, SessionError::FailedCheck { failures, peer, .. } if failures == expected && peer == SERVER)
        );
        assert!(error.to_string().contains(&SERVER.to_string()), "{error}");
    }
    assert!(failed.admit(&SERVER).is_err());
    let lie = InferenceError::from(blindscan_protocols::ProtocolError::Peer("a lie"));
    assert!(matches!(counted(lie, CLIENT, &failed), SessionError::Inference(_)));
    assert_eq!(failed.entries().unwrap().len(), 1);

    std::fs::remove_dir_all(place.client_state()).unwrap();
    let error = counted(check(), SERVER, &failed);
    assert!(matches!(error, SessionError::UncountedCheck { .. }), "what cannot be counted is said: {error}");
}

/// A peer that turns one bit in the middle of one of its messages.
struct Turning<'a> {
    channel: &'a mut dyn Channel,
    at: usize,
    sent: usize,
}

impl<'a> Turning<'a> {
    fn new(channel: &'a mut dyn Channel, at: usize) -> Self {
        Self { channel, at, sent: 0 }
    }

    fn turned(&mut self, message: &[u8]) -> Vec<u8> {
        let mut message = message.to_vec();
        let middle = message.len() / 2;
        if self.sent == self.at {
            message[middle] ^= 1;
        }
        self.sent += 1;
        message
    }
}

impl Channel for Turning<'_> {
    fn send(&mut self, message: &[u8]) -> Result<(), blindscan_wire::WireError> {
        let message = self.turned(message);
        self.channel.send(&message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, blindscan_wire::WireError> {
        self.channel.receive(length)
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, blindscan_wire::WireError> {
        let message = self.turned(message);
        self.channel.exchange(&message, length)
    }

    fn finish(&mut self) -> Result<(), blindscan_wire::WireError> {
        self.channel.finish()
    }

    fn traffic(&self) -> blindscan_wire::Traffic {
        self.channel.traffic()
    }
}

#[test]
fn a_client_that_cheats_in_transfers_is_counted_and_its_stock_is_dropped_until_it_is_refused() {
    let place = Place::new();
    let service = place.service(&place.plan);
    let failed = FailedChecks::of(&place.state("server-state"), Peers::Clients);
    let keys = stock_keys(&place.state("server-state")).join(CLIENT.to_string());
    let kept = || (place.names_at_server().len(), std::fs::read_dir(&keys).unwrap().count());
    let mut counted = 0;
    // Where a message is not one of the transfers, another error comes of it, or a wrong share: no check looks there.
    for at in 0..60 {
        let mut server =
            ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
        let (stock, before) = (place.stock(), kept());
        let played = play(
            |channel| {
                let mut cheat = Turning::new(channel, at);
                place.client(SERVER).prepare(&stock, &mut Unobserved, &mut cheat).map(drop)
            },
            |channel| server.next(&mut Unobserved, channel),
        );
        if let Err(SessionError::FailedCheck { peer, failures, .. }) = played.right {
            counted += 1;
            assert_eq!((peer, failures), (CLIENT, counted), "message {at}");
            assert_eq!(kept(), before, "message {at}: the stock is dropped");
            assert_eq!(failed.admit(&CLIENT).is_err(), counted == crate::failed_checks::MOST);
        }
        if counted == crate::failed_checks::MOST {
            // A connection that was open before asks in vain.
            assert!(played.left.is_err());
            let played = play(
                |channel| place.client(SERVER).prepare(&place.stock(), &mut Unobserved, channel).map(drop),
                |channel| server.next(&mut Unobserved, channel).map(drop),
            );
            assert!(matches!(played.left, Err(SessionError::Refused(_))), "{:?}", played.left);
            assert!(matches!(played.right, Err(SessionError::Refused(_))));
            return;
        }
    }
    panic!("{counted} of sixty were found");
}

#[test]
fn a_server_that_cheats_in_transfers_is_counted_by_its_client() {
    let place = Place::new();
    let service = place.service(&place.plan);
    let failed = FailedChecks::of(&place.client_state(), Peers::Servers);
    let mut counted = 0;
    for at in 0..60 {
        let mut server =
            ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
        let stock = place.stock();
        let before = stock.unused().unwrap().len();
        let played = play(
            |channel| place.client(SERVER).prepare(&stock, &mut Unobserved, channel).map(drop),
            |channel| server.next(&mut Unobserved, &mut Turning::new(channel, at)),
        );
        if let Err(SessionError::FailedCheck { peer, failures, .. }) = played.left {
            counted += 1;
            assert_eq!((peer, failures), (SERVER, counted), "message {at}");
            assert_eq!(stock.unused().unwrap().len(), before, "message {at}: the stock is dropped");
        }
    }
    assert!(counted > 0 && failed.entries().unwrap()[0].failures == counted);
}

#[test]
fn a_servers_reason_cannot_steer_a_terminal() {
    let place = Place::new();
    let reason = format!("\u{1b}[2J\u{202e}lo\u{2066}ok{}", "x".repeat(3000));
    let played = play(
        |channel| place.client(SERVER).run(&place.input, &mut Unobserved, channel),
        |channel| {
            asked(channel).unwrap();
            control::send(&Reply::Refused(reason), channel).unwrap();
        },
    );
    let Err(SessionError::Refused(shown)) = played.left else { panic!("{:?}", played.left) };
    assert!(shown.starts_with("[2Jlook") && shown.len() == 500);
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

#[test]
fn the_server_follows_the_clients_choice_of_transfers_from_job_to_job() {
    let place = Place::new();
    let service = place.service(&place.plan);
    let mut server = ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
    let mut client = place.client(SERVER);
    let kinds = [OtKind::Ferret, OtKind::SoftSpoken, OtKind::Ferret];
    let played = play(
        |channel| {
            kinds.map(|kind| {
                client.set_ot(kind);
                client.run(&place.input, &mut Unobserved, channel).unwrap()
            })
        },
        |channel| kinds.map(|_| server.next(&mut Unobserved, channel).unwrap()),
    );
    let [first, second, third] = played.left;
    assert!(first == second && second == third);
    assert_eq!(played.right, [Some(Done::Served); 3]);
}

#[test]
fn a_link_is_measured_once_a_connection_and_jobs_go_on() {
    let place = Place::new();
    let service = place.service(&place.plan);
    let mut server = ServerSession::new(&service, SESSION, CLIENT, ChaCha20Rng::seed_from_u64(2)).unwrap();
    let mut client = place.client(SERVER);
    let readings = std::cell::RefCell::new([5, 7, 1007].map(Duration::from_millis).into_iter());
    let played = play(
        move |channel| {
            let clock = || readings.borrow_mut().next().unwrap();
            let probe = client.probe(clock, channel).unwrap();
            client.prepare(&place.stock(), &mut Unobserved, channel).unwrap();
            (probe, client.probe(|| Duration::ZERO, channel))
        },
        |channel| {
            let done = server.next(&mut Unobserved, channel).unwrap();
            (done, server.next(&mut Unobserved, channel))
        },
    );
    let (probe, again) = played.left;
    assert_eq!(probe.round_trip, Duration::from_millis(2));
    assert_eq!(probe.bits_per_second(), PROBE_BYTES as u64 * 8);
    assert!(matches!(again, Err(SessionError::Refused(_))));
    assert_eq!(played.right.0, Some(Done::Prepared));
    assert!(matches!(played.right.1, Err(SessionError::Refused(_))));
}
