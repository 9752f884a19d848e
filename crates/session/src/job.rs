//! Jobs on an agreed session: prepare a stock, or run an image; asked by the client, answered by the server.
//!
//! | step | who | message |
//! |---|---|---|
//! | 1 | client | what it asks for, a control message |
//! | 2 | server | accepted, or refused with a reason: a control message |
//! | 3 | both | at the first job that makes stock: set-up of the roles |
//! | 4 | both | offline, and online, as the request says |
//!
//! With its request for a stock the client chooses the kind of correlated transfers. Before that it may once ask for a
//! probe, [`PROBE_BYTES`] from the server after its word, whose time tells the link's bandwidth in the direction that
//! most bytes take.
//!
//! A connection carries any number of jobs, one after another. The image owner is the client, the model owner the server.
//! A stock is taken, and thereby marked spent, at each end before the first byte of its online phase is sent. A half is
//! good for what it was made for alone: at the client the plan and the server, at the server the plan, the client and
//! the weights; at both the program's version and its cryptographic parameters. The key of a half is erased when the
//! server has accepted the job, and before the half is read.
//!
//! A peer that a consistency check has caught is counted ([`crate::failed_checks`]); the stock in the making is dropped,
//! and the session ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use blindscan_graph::plan::{Weights, steers_a_terminal};
use blindscan_inference::roles::{ImageOwner, ModelOwner, Observer, Phase};
use blindscan_inference::stock::{Stock, StockError, StockFolder, StockHeader, StockId, StockWriter};
use blindscan_inference::{AssignedPlan, InferenceError, OtKind, Output, parameters_digest};
use blindscan_protocols::Party;
use blindscan_wire::Channel;
use blindscan_wire::fingerprint::Fingerprint;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::failed_checks::{FailedChecks, Peers};
use crate::handshake::{PROTOCOL_VERSION, SessionId};
use crate::{SessionError, control};

/// The longest control message of a job.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Prepared stocks that one client may leave at the server.
pub const STOCKS_MAX: usize = 4096;

/// Bytes of a probe.
pub const PROBE_BYTES: usize = 1 << 20;

/// Where a party keeps the keys of its stocks: in its state directory, beside its identity and apart from the stock.
pub fn stock_keys(state: &Path) -> PathBuf {
    state.join("stock-keys")
}

/// A kind of correlated transfers, as a client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Transfers {
    SoftSpoken,
    Ferret,
}

impl From<OtKind> for Transfers {
    fn from(kind: OtKind) -> Self {
        match kind {
            OtKind::SoftSpoken => Self::SoftSpoken,
            OtKind::Ferret => Self::Ferret,
        }
    }
}

impl From<Transfers> for OtKind {
    fn from(transfers: Transfers) -> Self {
        match transfers {
            Transfers::SoftSpoken => Self::SoftSpoken,
            Transfers::Ferret => Self::Ferret,
        }
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Request {
    /// Make a stock of this name and keep it.
    Prepare { id: [u8; 16], transfers: Transfers },
    /// Run an image: make its stock now.
    Run { id: [u8; 16], transfers: Transfers },
    /// Run an image on the prepared stock of this name.
    RunPrepared { id: [u8; 16] },
    /// Send bytes to measure the link by.
    Probe,
    /// Nothing more.
    Finish,
}

/// What the server says to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Reply {
    Accepted,
    Refused(String),
}

/// The client's end of a session.
pub struct Client<R> {
    plan: AssignedPlan,
    session: SessionId,
    made_for: [u8; 32],
    server: Fingerprint,
    failed: FailedChecks,
    owner: Option<ImageOwner>,
    ot: OtKind,
    rng: R,
}

impl<R: CryptoRng> Client<R> {
    /// A client that has agreed on a session and a plan with the server of this fingerprint. In its state directory it
    /// counts the checks that the server fails.
    pub fn new(plan: AssignedPlan, session: SessionId, server: Fingerprint, state: &Path, rng: R) -> Self {
        let made_for = purpose(&[&plan.digest(), server.as_bytes()]);
        let failed = FailedChecks::of(state, Peers::Servers);
        Self { plan, session, made_for, server, failed, owner: None, ot: OtKind::default(), rng }
    }

    /// The plan.
    pub fn plan(&self) -> &AssignedPlan {
        &self.plan
    }

    /// Says how the transfers of the stocks to come are made: the server follows.
    pub fn set_ot(&mut self, ot: OtKind) {
        self.ot = ot;
    }

    /// How they are made.
    pub fn ot(&self) -> OtKind {
        self.ot
    }

    /// Asks for the server's word and then its probe, at most once a connection; the time of each by the caller's `clock`.
    pub fn probe(
        &mut self,
        clock: impl Fn() -> Duration,
        channel: &mut dyn Channel,
    ) -> Result<Probe, SessionError> {
        let begun = clock();
        ask(Request::Probe, channel)?;
        let answered = clock();
        channel.receive(PROBE_BYTES)?;
        Ok(Probe { round_trip: answered.saturating_sub(begun), transfer: clock().saturating_sub(answered) })
    }

    /// Makes one stock and keeps it in `folder`.
    pub fn prepare(
        &mut self,
        folder: &StockFolder,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<StockId, SessionError> {
        let header = self.fresh_header();
        let writer = folder.create(header, &mut self.rng).map_err(crate::inference)?;
        ask(Request::Prepare { id: header.id.0, transfers: self.ot.into() }, channel)?;
        let made = self.offline(writer, observer, channel)?;
        made.store().map_err(crate::inference)
    }

    /// Runs one image; its stock is made now.
    pub fn run(
        &mut self,
        input: &[i64],
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Output, SessionError> {
        let header = self.fresh_header();
        let writer = StockWriter::anonymous(header, &mut self.rng).map_err(crate::inference)?;
        ask(Request::Run { id: header.id.0, transfers: self.ot.into() }, channel)?;
        let made = self.offline(writer, observer, channel)?;
        let stock = made.into_stock().map_err(crate::inference)?;
        self.online(input, stock, observer, channel)
    }

    /// Runs one image on a prepared stock, which is spent from here on, whatever happens.
    pub fn run_prepared(
        &mut self,
        input: &[i64],
        folder: &StockFolder,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Output, SessionError> {
        let (id, taken) = folder.take_any(self.made_for, Party::ImageOwner).map_err(crate::inference)?;
        ask(Request::RunPrepared { id: id.0 }, channel)?;
        let stock = taken.begin().map_err(crate::inference)?;
        self.online(input, stock, observer, channel)
    }

    /// Says that nothing more will be asked.
    pub fn finish(self, channel: &mut dyn Channel) -> Result<(), SessionError> {
        control::send(&Request::Finish, channel)?;
        Ok(channel.finish()?)
    }

    fn fresh_header(&mut self) -> StockHeader {
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        StockHeader { id: StockId(id), made_for: self.made_for, party: Party::ImageOwner }
    }

    fn online(
        &self,
        input: &[i64],
        stock: Stock,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Output, SessionError> {
        observer.begin(Phase::Online, channel.traffic());
        let answer = ImageOwner::online(&self.plan, input, stock, observer, channel);
        answer.map_err(|error| counted(error, self.server, &self.failed))
    }

    /// Set-up, when it has not been, counts as offline.
    fn offline(
        &mut self,
        writer: StockWriter,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<StockWriter, SessionError> {
        observer.begin(Phase::Offline, channel.traffic());
        let owner = match &mut self.owner {
            Some(owner) => owner,
            none => none.insert(ImageOwner::set_up(self.session.0, &mut self.rng, channel)?),
        };
        owner.set_ot(self.ot);
        let made = owner.offline(&self.plan, writer, &mut self.rng, observer, channel);
        made.map_err(|error| counted(error, self.server, &self.failed))
    }
}

/// What a probe told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// From the question to the server's word.
    pub round_trip: Duration,
    /// From then to the last byte.
    pub transfer: Duration,
}

impl Probe {
    /// The bandwidth that the client saw.
    pub fn bits_per_second(&self) -> u64 {
        (PROBE_BYTES as f64 * 8.0 / self.transfer.as_secs_f64().max(1e-9)) as u64
    }
}

/// Asks, and waits for the server's word.
fn ask(request: Request, channel: &mut dyn Channel) -> Result<(), SessionError> {
    control::send(&request, channel)?;
    match control::receive(MESSAGE_BYTES_MAX, channel)? {
        Reply::Accepted => Ok(()),
        Reply::Refused(reason) => Err(SessionError::Refused(printable(&reason))),
    }
}

/// A peer's words, fit for a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|&c| !steers_a_terminal(c)).take(500).collect()
}

/// What a server serves: shared by all its sessions.
pub struct Service {
    plan: AssignedPlan,
    weights: Weights,
    weights_digest: [u8; 32],
    stock: PathBuf,
    keys: PathBuf,
    failed: FailedChecks,
}

impl Service {
    /// Serves a plan with its weights. Each client has a folder of its own in the folder of prepared stocks, and their keys
    /// lie in the state directory. Checks that clients fail are counted in `failed`, where the door asks.
    pub fn new(
        plan: AssignedPlan,
        weights: Weights,
        stock: PathBuf,
        state: &Path,
        failed: FailedChecks,
    ) -> Self {
        Self { plan, weights_digest: weights.digest(), weights, stock, keys: stock_keys(state), failed }
    }

    /// Clears what a crash left behind in each client's folder of stock.
    pub fn clear_leftovers(&self) -> Result<(), StockError> {
        let Ok(entries) = std::fs::read_dir(&self.stock) else { return Ok(()) };
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            self.folder(Path::new(&entry.file_name()))?;
        }
        Ok(())
    }

    /// One client's folder of stock, with the keys of it.
    fn folder(&self, client: &Path) -> Result<StockFolder, StockError> {
        StockFolder::open(&self.stock.join(client), &self.keys.join(client))
    }

    /// The plan with protocols.
    pub fn plan(&self) -> &AssignedPlan {
        &self.plan
    }
}

/// What a finished job was, for the server's log: no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    /// A stock was made and kept.
    Prepared,
    /// An image was run.
    Served,
}

/// The server's end of a session.
pub struct Server<'a, R> {
    service: &'a Service,
    session: SessionId,
    made_for: [u8; 32],
    client: Fingerprint,
    folder: StockFolder,
    owner: Option<ModelOwner>,
    probed: bool,
    rng: R,
}

impl<'a, R: CryptoRng> Server<'a, R> {
    /// A server that has agreed on a session with the client of this fingerprint.
    pub fn new(
        service: &'a Service,
        session: SessionId,
        client: Fingerprint,
        rng: R,
    ) -> Result<Self, SessionError> {
        let folder = service.folder(Path::new(&client.to_string())).map_err(crate::inference)?;
        let made_for = purpose(&[&service.plan.digest(), client.as_bytes(), &service.weights_digest]);
        Ok(Self { service, session, made_for, client, folder, owner: None, probed: false, rng })
    }

    /// Does the next job that the client asks for; `None` when it has finished.
    pub fn next(
        &mut self,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Option<Done>, SessionError> {
        let request = control::receive(MESSAGE_BYTES_MAX, channel)?;
        if request != Request::Finish && self.service.failed.admit(&self.client).is_err() {
            return refuse(
                "this client has failed too many consistency checks; ask the operator".into(),
                channel,
            );
        }
        match request {
            Request::Finish => Ok(None),
            Request::Probe => {
                self.probe(channel)?;
                self.next(observer, channel)
            }
            Request::Prepare { id, transfers } => {
                self.prepare(self.header(id), transfers.into(), observer, channel).map(Some)
            }
            Request::Run { id, transfers } => {
                self.run(self.header(id), transfers.into(), observer, channel).map(Some)
            }
            Request::RunPrepared { id } => self.run_prepared(self.header(id), observer, channel).map(Some),
        }
    }

    /// A probe is asked for once: a client could have the server send for ever.
    fn probe(&mut self, channel: &mut dyn Channel) -> Result<(), SessionError> {
        if std::mem::replace(&mut self.probed, true) {
            return refuse("the link has been measured already".into(), channel);
        }
        control::send(&Reply::Accepted, channel)?;
        Ok(channel.send(&vec![0; PROBE_BYTES])?)
    }

    fn prepare(
        &mut self,
        header: StockHeader,
        ot: OtKind,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Done, SessionError> {
        let waiting = self.folder.unused();
        if waiting.as_ref().is_ok_and(|waiting| waiting.len() >= STOCKS_MAX) {
            return refuse(format!("{STOCKS_MAX} stocks are waiting already; use some first"), channel);
        }
        let writer = accept(waiting.and_then(|_| self.folder.create(header, &mut self.rng)), channel)?;
        let made = self.offline(writer, ot, observer, channel)?;
        made.store().map_err(crate::inference)?;
        ModelOwner::stored(channel)?;
        Ok(Done::Prepared)
    }

    fn run(
        &mut self,
        header: StockHeader,
        ot: OtKind,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Done, SessionError> {
        let writer = accept(StockWriter::anonymous(header, &mut self.rng), channel)?;
        let made = self.offline(writer, ot, observer, channel)?;
        let stock = made.into_stock().map_err(crate::inference)?;
        ModelOwner::stored(channel)?;
        self.online(stock, observer, channel)
    }

    fn run_prepared(
        &mut self,
        header: StockHeader,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Done, SessionError> {
        let taken = accept(self.folder.take(header), channel)?;
        let stock = taken.begin().map_err(crate::inference)?;
        self.online(stock, observer, channel)
    }

    fn online(
        &mut self,
        stock: Stock,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<Done, SessionError> {
        let service = self.service;
        let served = ModelOwner::online(&service.plan, &service.weights, stock, observer, channel);
        served.map_err(|error| counted(error, self.client, &self.service.failed))?;
        Ok(Done::Served)
    }

    fn offline(
        &mut self,
        writer: StockWriter,
        ot: OtKind,
        observer: &mut dyn Observer,
        channel: &mut dyn Channel,
    ) -> Result<StockWriter, SessionError> {
        let owner = match &mut self.owner {
            Some(owner) => owner,
            none => none.insert(ModelOwner::set_up(self.session.0, channel)?),
        };
        owner.set_ot(ot);
        let service = self.service;
        let made = owner.offline(&service.plan, &service.weights, writer, &mut self.rng, observer, channel);
        made.map_err(|error| counted(error, self.client, &self.service.failed))
    }

    fn header(&self, id: [u8; 16]) -> StockHeader {
        StockHeader { id: StockId(id), made_for: self.made_for, party: Party::ModelOwner }
    }
}

/// Digest of what a half of a stock is good for: these parts, this program and its parameters.
fn purpose(parts: &[&[u8; 32]]) -> [u8; 32] {
    purpose_of(env!("CARGO_PKG_VERSION"), PROTOCOL_VERSION, &parameters_digest(), parts)
}

fn purpose_of(program: &str, protocol: u32, parameters: &[u8; 32], parts: &[&[u8; 32]]) -> [u8; 32] {
    let mut hash = blake3::Hasher::new_derive_key("blindscan 2 what a stock is made for");
    for part in parts {
        hash.update(*part);
    }
    hash.update(parameters).update(&protocol.to_le_bytes()).update(program.as_bytes());
    *hash.finalize().as_bytes()
}

/// Counts the peer's failure when a consistency check has caught it.
fn counted(error: InferenceError, peer: Fingerprint, failed: &FailedChecks) -> SessionError {
    if !error.is_failed_check() {
        return error.into();
    }
    let source = Box::new(error);
    match failed.record(&peer) {
        Ok(failures) => SessionError::FailedCheck { peer, failures, source },
        Err(reason) => SessionError::UncountedCheck { peer, source, reason: Box::new(reason) },
    }
}

/// Tells the client that the job cannot begin, and why.
fn refuse<T>(reason: String, channel: &mut dyn Channel) -> Result<T, SessionError> {
    control::send(&Reply::Refused(reason.clone()), channel)?;
    Err(SessionError::Refused(reason))
}

/// Tells the client whether the job can begin. The reason names no path of this machine.
fn accept<T>(ready: Result<T, StockError>, channel: &mut dyn Channel) -> Result<T, SessionError> {
    let reason = match &ready {
        Ok(_) => None,
        Err(StockError::Io { .. }) => Some("the server's disk refused to keep a stock".to_string()),
        Err(StockError::NoKey { id, .. }) => {
            Some(format!("stock {id} has no key any more: it has been used; prepare new ones"))
        }
        Err(other) => Some(other.to_string()),
    };
    control::send(&reason.map_or(Reply::Accepted, Reply::Refused), channel)?;
    ready.map_err(crate::inference)
}

#[cfg(test)]
mod tests;
