//! The client's way to a server: identity, join line, TLS, the door, the handshake; and the way out.
//!
//! Whether a scan fits the server's plan is judged before a job is asked for. A client whose scan does not fit leaves as one that only
//! wanted the plan: it says that it has finished, and nothing else.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use blindscan_graph::plan::PublicPlan;
use blindscan_inference::stock::StockFolder;
use blindscan_inference::{AssignedPlan, OtKind};
use blindscan_session::failed_checks::{FailedChecks, Peers};
use blindscan_session::handshake::{self, Binding};
use blindscan_session::job::{self, ClientSession};
use blindscan_session::join::JoinLine;
use blindscan_session::{PlanDigest, enrol, keys};
use blindscan_wire::fingerprint::Fingerprint;
use blindscan_wire::link::LinkConfig;
use blindscan_wire::script::Seat;
use blindscan_wire::stream::StreamChannel;
use blindscan_wire::tls::{ClientTls, Identity};

use crate::card::Card;
use crate::error::{At, Result, WorkflowError};
use crate::events::Events;
use crate::random::Random;
use crate::transfers::OtChoice;

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The join line that the server printed, or `@FILE` that holds it.
    pub server: String,
    /// Folder of this client's identity, of the keys of its stock and of the count of failed checks; made when absent.
    pub keys: PathBuf,
    /// Digest of the plan that was agreed on: a server with another is left.
    pub plan_digest: Option<PlanDigest>,
    /// The longest wait for the server.
    pub deadline: Duration,
    /// Which oblivious transfers make the stock.
    pub ot: OtChoice,
}

/// An agreed session of the image owner.
pub struct Connection {
    /// The link.
    pub channel: StreamChannel,
    /// The client's end of the session, with the server's plan.
    pub client: ClientSession<Random>,
    /// How the transfers of its stocks are made: what was asked for, until [`Connection::settle`].
    pub ot: OtChoice,
    /// Who takes part, by seat.
    pub seats: Vec<(Seat, Fingerprint)>,
}

impl Connection {
    /// Looks at the plan before any job is asked for. Where `judge` refuses, the server is left as by a client that only
    /// wanted its plan.
    pub fn judged<T>(self, judge: impl FnOnce(&PublicPlan) -> Result<T>) -> Result<(Self, T)> {
        match judge(self.client.plan().plan()) {
            Ok(fit) => Ok((self, fit)),
            Err(reason) => {
                // The reason is what the user must see; a connection that breaks on the way out changes nothing.
                let _ = self.leave();
                Err(reason)
            }
        }
    }

    /// Settles how transfers are made on a connection that will make stock: with `auto` by a probe of 1 MiB, sent by the server.
    pub fn settle(&mut self) -> Result<OtKind> {
        let Self { client, channel, ot, .. } = self;
        let begun = Instant::now();
        let kind = ot.kind(|| Ok(client.probe(|| begun.elapsed(), channel)?.bits_per_second()))?;
        *ot = kind.into();
        client.set_ot(kind);
        Ok(kind)
    }

    /// Says that nothing more will be asked.
    pub fn leave(self) -> Result<()> {
        let Self { client, mut channel, .. } = self;
        Ok(client.finish(&mut channel)?)
    }
}

/// Connects, and agrees on a plan, whose card is kept beside the keys.
pub fn connect(options: &ServerOptions, events: &dyn Events) -> Result<Connection> {
    let line = join_line(&options.server)?;
    let identity = identity(&options.keys, events)?;
    FailedChecks::of(&options.keys, Peers::Servers).admit(&line.server)?;
    let tls = ClientTls::new(&identity, line.server)?;
    let config = LinkConfig { deadline: options.deadline, ..LinkConfig::default() };
    let mut channel = StreamChannel::connect(&line.address(), &tls, &config)?;
    enrol::knock(&mut channel, line.secret.as_ref())?;
    let exporter = channel.exporter().ok_or(WorkflowError::NoTls)?;
    let binding = Binding::two_party(exporter, identity.fingerprint(), line.server);
    let mut rng = crate::random::random();
    let (session, plan) = handshake::client(&binding, options.plan_digest, &mut rng, &mut channel)?;
    if let Err(error) = Card::of(&plan).keep(&options.keys, &line.server) {
        events.note(&format!("what this server takes was not kept for the next time: {}", error.one_line()));
    }
    let client = ClientSession::new(AssignedPlan::new(plan)?, session, line.server, &options.keys, rng);
    Ok(Connection { channel, client, ot: options.ot, seats: binding.seats })
}

/// The card that this client keeps of a server from an earlier connection, and the file.
pub fn kept_card(server: &str, keys: &Path) -> Result<Option<(Card, PathBuf)>> {
    Ok(Card::kept(keys, &join_line(server)?.server))
}

/// A client's folder of stock, whose keys lie beside its identity.
pub fn stock(folder: &Path, options: &ServerOptions) -> Result<StockFolder> {
    Ok(StockFolder::open(folder, &job::stock_keys(&options.keys))?)
}

/// The join line itself, or that of the file named after an `@`: a line with a secret need not stand on a command line.
fn join_line(text: &str) -> Result<JoinLine> {
    let line = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).at_place(|| format!("the join line in {path}"))?,
        None => text.to_string(),
    };
    Ok(line.trim().parse::<JoinLine>()?)
}

/// The identity of a folder, made when there is none.
pub fn identity(folder: &Path, events: &dyn Events) -> Result<Identity> {
    match keys::path_in(folder).exists() {
        true => Ok(keys::load(folder)?),
        false => {
            let identity = keys::create(folder)?;
            events.note(&format!(
                "made a new identity in {}: fingerprint {}",
                folder.display(),
                identity.fingerprint()
            ));
            Ok(identity)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_line_can_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line");
        let line = format!("blindscan:host:7443#{}?secret={}", "c5".repeat(32), "01".repeat(16));
        std::fs::write(&path, format!("{line}\n")).unwrap();
        let read = join_line(&format!("@{}", path.display())).unwrap();
        assert_eq!(read, join_line(&line).unwrap());
        assert!(read.secret.is_some());
    }

    #[test]
    fn a_wrong_join_line_is_not_repeated_in_the_error() {
        let error = join_line("blindscan:host:7443#c5?secret=0123").unwrap_err();
        assert!(!error.one_line().contains("0123"));
    }
}
