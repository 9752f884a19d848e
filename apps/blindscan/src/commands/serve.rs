//! `serve`: a model behind a port, for the clients on a list, several at a time, for as long as the process lives.
//!
//! Standard output carries the join line; with `--json` one event a line: `listening`, `prepared`, `served`, `ended`,
//! `refused`, `failed`. Events name clients by the list's names and say nothing of what was computed.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use blindscan_inference::AssignedPlan;
use blindscan_inference::roles::Unobserved;
use blindscan_session::enrol::{Admitted, Door};
use blindscan_session::handshake::{self, Binding};
use blindscan_session::job::{Done, Server, Service};
use blindscan_session::join::JoinLine;
use blindscan_wire::link::{LinkConfig, LinkError};
use blindscan_wire::listener::{Incoming, Listener, ListenerConfig};
use blindscan_wire::{Channel, fingerprint::Fingerprint};
use serde_json::{Value, json};

use super::Outcome;
use super::plan::hex;
use crate::card::Card;
use crate::cli::ServeArgs;
use crate::connection::identity;
use crate::model::Model;
use crate::system::told;
use crate::{model, random, system};

/// How long an invitation is open.
const INVITATION: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn run(args: &ServeArgs) -> Result<Outcome> {
    let Model { plan, weights, notes, .. } = model::load(&args.model, &args.options, None)?;
    let plan = AssignedPlan::new(plan)?;
    let identity = identity(&args.keys)?;
    let door = match &args.clients {
        Some(list) => Door::with_list(list, &args.keys)?,
        None => Door::open(&args.keys)?,
    };
    let link = LinkConfig { deadline: Duration::from_secs(args.deadline), ..LinkConfig::default() };
    let tls = door.tls(&identity, SystemTime::now)?;
    let config = ListenerConfig { tls: Some(tls), link, connections_max: args.clients_max };
    let listener = Listener::bind(args.listen.as_str(), config)
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_address()?;
    let secret = match args.enrol {
        true => Some(door.invite(INVITATION, SystemTime::now(), &mut random::random())?),
        false => None,
    };
    let line = JoinLine {
        host: args.host.clone().unwrap_or_else(|| host_of(address)),
        port: address.port(),
        server: identity.fingerprint(),
        secret,
    };
    let service = Service::new(plan, weights, args.stock.clone(), &args.keys, door.failed().clone());
    service.clear_leftovers()?;
    let house =
        Arc::new(House { service, door, server: identity.fingerprint(), log: Log { json: args.json } });
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    house.log.listening(&line, house.service.plan());
    if nobody_may_come(&house.door)? {
        eprintln!(
            "warning: no client is allowed, so that every connection is refused: give --clients FILE with the fingerprints of those that may come, and --enrol to admit a new one"
        );
    }
    serve(&listener, &house)
}

/// Whether the list is empty and no invitation is open.
fn nobody_may_come(door: &Door) -> Result<bool> {
    Ok(door.allowed().clients()?.is_empty() && !door.is_inviting(SystemTime::now())?)
}

/// The host in the join line: an address that can be connected to, or this machine's name.
fn host_of(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => system::host_name().unwrap_or_else(|| address.ip().to_string()),
        false => address.ip().to_string(),
    }
}

/// What all connections share.
struct House {
    service: Service,
    door: Door,
    server: Fingerprint,
    log: Log,
}

/// Accepts for ever; each client has a thread of its own.
fn serve(listener: &Listener, house: &Arc<House>) -> Result<Outcome> {
    loop {
        match listener.accept() {
            Ok(incoming) => {
                let house = house.clone();
                let spawned =
                    std::thread::Builder::new().name("client".into()).spawn(move || house.receive(incoming));
                if let Err(error) = spawned {
                    eprintln!("a client was turned away, no thread could be had: {error}");
                }
            }
            Err(LinkError::Stopped) => return Ok(Outcome::Done),
            Err(error) => {
                eprintln!("accepting failed: {error}");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

impl House {
    fn receive(&self, incoming: Incoming) {
        let admitted = incoming
            .establish()
            .map_err(anyhow::Error::from)
            .and_then(|channel| Ok(self.door.admit(channel, SystemTime::now())?));
        match admitted {
            Err(error) => self.log.event("refused", json!({ "reason": told(&error) })),
            Ok(mut admitted) => {
                let client = admitted.client().clone();
                let fingerprint = client.fingerprint.to_string();
                match self.session(&mut admitted) {
                    Ok(()) => self.log.event("ended", json!({ "client": client.name })),
                    Err(error) => self.log.event(
                        "failed",
                        json!({ "client": client.name, "fingerprint": fingerprint, "reason": told(&error) }),
                    ),
                }
            }
        }
    }

    fn session(&self, admitted: &mut Admitted) -> Result<()> {
        let client = admitted.client().clone();
        let binding = Binding {
            exporter: admitted.exporter(),
            client: *client.fingerprint.as_bytes(),
            server: *self.server.as_bytes(),
        };
        let channel = admitted.channel();
        let mut rng = random::random();
        let session = handshake::server(&binding, self.service.plan().plan(), &mut rng, channel)?;
        let mut server = Server::new(&self.service, session, client.fingerprint, rng)?;
        loop {
            let begun = Instant::now();
            let Some(done) = server.next(&mut Unobserved, channel)? else {
                channel.finish()?;
                return Ok(());
            };
            let traffic = channel.traffic();
            let word = match done {
                Done::Prepared => "prepared",
                Done::Served => "served",
            };
            self.log.event(
                word,
                json!({
                    "client": client.name,
                    "seconds": begun.elapsed().as_secs_f64(),
                    "bytes_sent": traffic.bytes_sent,
                    "bytes_received": traffic.bytes_received,
                    "cpu_seconds": system::cpu_seconds(),
                    "peak_memory_bytes": system::peak_memory_bytes(),
                }),
            );
        }
    }
}

/// Where events go.
struct Log {
    json: bool,
}

impl Log {
    fn listening(&self, line: &JoinLine, plan: &AssignedPlan) {
        let secret_line = line.with_secret();
        let digest = hex(&plan.digest());
        let takes = Card::of(plan.plan()).words();
        if self.json {
            let event = json!({
                "event": "listening",
                "join": secret_line.as_str(),
                "model": plan.plan().name,
                "plan_digest": digest,
                "takes": takes,
                "cpu_seconds": system::cpu_seconds(),
            });
            say!("{event}");
        } else {
            say!("serving {} (plan {digest})", plan.plan().name);
            say!("join line: {}", secret_line.as_str());
            say!("takes: {takes}");
        }
    }

    fn event(&self, name: &str, mut content: Value) {
        if self.json {
            content["event"] = name.into();
            // A server whose log nobody reads any more goes on serving.
            let _ = writeln!(std::io::stdout(), "{content}");
        } else {
            let text = |key: &str| content[key].as_str().unwrap_or_default().to_string();
            let line = match name {
                "refused" | "failed" => format!("{name} {}: {}", text("client"), text("reason")),
                "ended" => format!("{} has left", text("client")),
                _ => format!(
                    "{name} one image for {} in {:.2} s",
                    text("client"),
                    content["seconds"].as_f64().unwrap_or_default()
                ),
            };
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}
