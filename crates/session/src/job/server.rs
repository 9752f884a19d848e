//! The server's end: a plan with its weights, and the jobs that clients ask for.

use std::path::{Path, PathBuf};

use blindscan_graph::plan::Weights;
use blindscan_inference::roles::{ModelOwner, Observer};
use blindscan_inference::stock::{Stock, StockError, StockFolder, StockHeader, StockId, StockWriter};
use blindscan_inference::{AssignedPlan, OtKind};
use blindscan_protocols::two_party::Party;
use blindscan_wire::Channel;
use blindscan_wire::fingerprint::Fingerprint;
use rand_core::CryptoRng;
use serde::Serialize;

use super::probe::PROBE_BYTES;
use super::purpose::purpose;
use super::request::{Reply, Request, accept, asked, refuse};
use super::{counted, stock_keys};
use crate::failed_checks::FailedChecks;
use crate::handshake::SessionId;
use crate::{SessionError, control};

/// Prepared stocks that one client may leave at the server.
pub const STOCKS_MAX: usize = 4096;

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
pub struct ServerSession<'a, R> {
    service: &'a Service,
    session: SessionId,
    made_for: [u8; 32],
    client: Fingerprint,
    folder: StockFolder,
    owner: Option<ModelOwner>,
    probed: bool,
    rng: R,
}

impl<'a, R: CryptoRng> ServerSession<'a, R> {
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
        let request = asked(channel)?;
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
                self.prepare(self.header(id), transfers, observer, channel).map(Some)
            }
            Request::Run { id, transfers } => {
                self.run(self.header(id), transfers, observer, channel).map(Some)
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
        let purpose = self.service.plan.purpose(Party::ModelOwner, self.made_for);
        StockHeader { id: StockId(id), purpose }
    }
}
