//! The client's end: asks for stocks and images.

use std::path::Path;
use std::time::Duration;

use blindscan_inference::roles::{ImageOwner, Observer, Phase};
use blindscan_inference::stock::{Purpose, Stock, StockFolder, StockHeader, StockId, StockWriter};
use blindscan_inference::{AssignedPlan, OtKind, Output};
use blindscan_protocols::two_party::Party;
use blindscan_wire::Channel;
use blindscan_wire::fingerprint::Fingerprint;
use rand_core::CryptoRng;

use super::counted;
use super::probe::{PROBE_BYTES, Probe};
use super::purpose::purpose;
use super::request::{Request, ask};
use crate::failed_checks::{FailedChecks, Peers};
use crate::handshake::SessionId;
use crate::{SessionError, control};

/// The client's end of a session.
pub struct ClientSession<R> {
    plan: AssignedPlan,
    session: SessionId,
    pub(super) made_for: [u8; 32],
    server: Fingerprint,
    failed: FailedChecks,
    owner: Option<ImageOwner>,
    ot: OtKind,
    rng: R,
}

impl<R: CryptoRng> ClientSession<R> {
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

    /// Selects the OT extension for stocks made after this call; the server uses the same.
    pub fn set_ot(&mut self, ot: OtKind) {
        self.ot = ot;
    }

    /// The selected OT extension.
    pub fn ot(&self) -> OtKind {
        self.ot
    }

    /// Asks for a probe, at most once per connection: first the reply, then the bytes, each timed by the caller's `clock`.
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
        ask(Request::Prepare { id: header.id.0, transfers: self.ot }, channel)?;
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
        ask(Request::Run { id: header.id.0, transfers: self.ot }, channel)?;
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
        let (id, taken) = folder.take_any(self.purpose()).map_err(crate::inference)?;
        ask(Request::RunPrepared { id: id.0 }, channel)?;
        let stock = taken.begin().map_err(crate::inference)?;
        self.online(input, stock, observer, channel)
    }

    /// Says that nothing more will be asked.
    pub fn finish(self, channel: &mut dyn Channel) -> Result<(), SessionError> {
        control::send(&Request::Finish, channel)?;
        Ok(channel.finish()?)
    }

    pub(super) fn fresh_header(&mut self) -> StockHeader {
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        StockHeader { id: StockId(id), purpose: self.purpose() }
    }

    fn purpose(&self) -> Purpose {
        self.plan.purpose(Party::ImageOwner, self.made_for)
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
