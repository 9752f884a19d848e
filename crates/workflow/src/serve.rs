//! A model behind a port, for the clients on a list, several at a time, until it is stopped.
//!
//! What happens comes as [`ServerEvent`]s. They name clients by the list's names and say nothing of what was computed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use blindscan_inference::AssignedPlan;
use blindscan_inference::roles::Unobserved;
use blindscan_session::allow::Client;
use blindscan_session::enrol::{Admitted, Door};
use blindscan_session::handshake::{self, Binding};
use blindscan_session::job::{Done, ServerSession, Service};
use blindscan_session::join::JoinLine;
use blindscan_wire::link::{LinkConfig, LinkError};
use blindscan_wire::listener::{Incoming, Listener, ListenerConfig, Stopper};
use blindscan_wire::{Channel, Traffic, fingerprint::Fingerprint};

use crate::connection::identity;
use crate::error::{Result, WorkflowError};
use crate::events::{Events, Silent};
use crate::model::Model;
use crate::{machine, random};

/// How long an invitation is open.
const INVITATION: Duration = Duration::from_secs(24 * 3600);

/// How a model is served.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: String,
    /// The host name that clients use, for the join line; none for the address, or this machine's name.
    pub host: Option<String>,
    /// The clients that may come: a file of names and fingerprints; none for the list in `keys`.
    pub clients: Option<PathBuf>,
    /// Puts a one-time secret into the join line, which enrols one new client.
    pub enrol: bool,
    /// Folder of the server's identity, of the keys of its stock and of the count of failed checks; made when absent.
    pub keys: PathBuf,
    /// Folder for prepared stock.
    pub stock: PathBuf,
    /// Clients served at the same time.
    pub clients_max: usize,
    /// The longest wait for a client.
    pub deadline: Duration,
}

/// What happens at a server.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// A job is done.
    Done {
        /// Which kind of job.
        done: Done,
        /// For whom.
        client: &'a Client,
        /// Wall time.
        seconds: f64,
        /// Of the whole connection so far.
        traffic: Traffic,
    },
    /// A client has left.
    Ended {
        /// Who.
        client: &'a Client,
    },
    /// A connection was turned away.
    Refused {
        /// Why.
        reason: String,
    },
    /// A session broke off.
    Failed {
        /// Whose.
        client: &'a Client,
        /// Why.
        reason: String,
    },
    /// A connection could not be taken on.
    Trouble {
        /// Why.
        reason: String,
    },
}

/// Hears what happens at a server, from several threads.
pub trait ServerEvents: Send + Sync {
    /// Something has happened.
    fn happened(&self, event: ServerEvent<'_>);
}

impl ServerEvents for Silent {
    fn happened(&self, _: ServerEvent<'_>) {}
}

/// A model that is ready to be served: its port is open, nobody is let in before [`ModelServer::run`].
pub struct ModelServer {
    listener: Listener,
    join: JoinLine,
    house: Arc<House>,
}

/// What all connections share.
struct House {
    service: Service,
    door: Door,
    server: Fingerprint,
    events: Box<dyn ServerEvents>,
}

impl ModelServer {
    /// Opens the port for a model.
    pub fn open(
        model: Model,
        options: &ServeOptions,
        events: &dyn Events,
        server_events: Box<dyn ServerEvents>,
    ) -> Result<Self> {
        let Model { plan, weights, .. } = model;
        let plan = AssignedPlan::new(plan)?;
        let identity = identity(&options.keys, events)?;
        let door = match &options.clients {
            Some(list) => Door::with_list(list, &options.keys)?,
            None => Door::open(&options.keys)?,
        };
        let link = LinkConfig { deadline: options.deadline, ..LinkConfig::default() };
        let tls = door.tls(&identity, SystemTime::now)?;
        let config = ListenerConfig { tls: Some(tls), link, connections_max: options.clients_max };
        let listener = Listener::bind(options.listen.as_str(), config)
            .map_err(|source| WorkflowError::Listen { address: options.listen.clone(), source })?;
        let address = listener.local_address()?;
        let secret = match options.enrol {
            true => Some(door.invite(INVITATION, SystemTime::now(), &mut random::random())?),
            false => None,
        };
        let join = JoinLine {
            host: options.host.clone().unwrap_or_else(|| host_of(address)),
            port: address.port(),
            server: identity.fingerprint(),
            secret,
        };
        let failed = door.failed().clone();
        let service = Service::new(plan, weights, options.stock.clone(), &options.keys, failed);
        service.clear_leftovers()?;
        let house = House { service, door, server: identity.fingerprint(), events: server_events };
        Ok(Self { listener, join, house: Arc::new(house) })
    }

    /// What a client needs to find this server.
    pub fn join_line(&self) -> &JoinLine {
        &self.join
    }

    /// The plan that is served.
    pub fn plan(&self) -> &AssignedPlan {
        self.house.service.plan()
    }

    /// Whether the list is empty and no invitation is open.
    pub fn nobody_may_come(&self) -> Result<bool> {
        let door = &self.house.door;
        Ok(door.allowed().clients()?.is_empty() && !door.is_inviting(SystemTime::now())?)
    }

    /// Ends [`ModelServer::run`] from another thread. Clients that are being served are served to their end first.
    pub fn stopper(&self) -> Result<Stopper> {
        Ok(self.listener.stopper()?)
    }

    /// Accepts until it is stopped; each client has a thread of its own. When this returns, all of them have ended: a client that
    /// keeps silent is waited for no longer than the deadline.
    pub fn run(&self) {
        let mut clients: Vec<JoinHandle<()>> = Vec::new();
        loop {
            clients.retain(|client| !client.is_finished());
            match self.listener.accept() {
                Ok(incoming) => clients.extend(self.receive(incoming)),
                Err(LinkError::Stopped) => break,
                Err(error) => {
                    self.house.trouble(format!("accepting failed: {error}"));
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        }
        // A client's thread that panicked has ended too.
        clients.into_iter().for_each(|client| drop(client.join()));
    }

    fn receive(&self, incoming: Incoming) -> Option<JoinHandle<()>> {
        let house = self.house.clone();
        let spawned =
            std::thread::Builder::new().name("client".into()).spawn(move || house.receive(incoming));
        spawned
            .map_err(|error| {
                self.house.trouble(format!("a client was turned away, no thread could be had: {error}"))
            })
            .ok()
    }
}

/// The host in the join line: an address that can be connected to, or this machine's name.
fn host_of(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => machine::host_name().unwrap_or_else(|| address.ip().to_string()),
        false => address.ip().to_string(),
    }
}

impl House {
    fn trouble(&self, reason: String) {
        self.events.happened(ServerEvent::Trouble { reason });
    }

    fn receive(&self, incoming: Incoming) {
        let admitted = incoming
            .establish()
            .map_err(WorkflowError::from)
            .and_then(|channel| Ok(self.door.admit(channel, SystemTime::now())?));
        match admitted {
            Err(error) => self.events.happened(ServerEvent::Refused { reason: error.one_line() }),
            Ok(mut admitted) => {
                let client = admitted.client().clone();
                self.events.happened(match self.session(&mut admitted) {
                    Ok(()) => ServerEvent::Ended { client: &client },
                    Err(error) => ServerEvent::Failed { client: &client, reason: error.one_line() },
                });
            }
        }
    }

    fn session(&self, admitted: &mut Admitted) -> Result<()> {
        let client = admitted.client().clone();
        let binding = Binding::two_party(admitted.exporter(), client.fingerprint, self.server);
        let channel = admitted.channel();
        let mut rng = random::random();
        let session = handshake::server(&binding, self.service.plan().plan(), &mut rng, channel)?;
        let mut server = ServerSession::new(&self.service, session, client.fingerprint, rng)?;
        loop {
            let begun = Instant::now();
            let Some(done) = server.next(&mut Unobserved, channel)? else {
                channel.finish()?;
                return Ok(());
            };
            self.events.happened(ServerEvent::Done {
                done,
                client: &client,
                seconds: begun.elapsed().as_secs_f64(),
                traffic: channel.traffic(),
            });
        }
    }
}
