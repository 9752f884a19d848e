//! The server's side of connections: a bounded number of them, each with a handshake of bounded time.
//!
//! `accept` only takes the socket; the handshake runs where [`Incoming::establish`] is called, in the connection's own
//! thread, so that a slow client delays nobody. Before a client is known it costs a socket, that thread and
//! the handshake's state; queues and their threads come afterwards. Beyond the cap a client is told so and let go.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use crate::greeting;
use crate::link::{LinkConfig, LinkError};
use crate::stream::StreamChannel;
use crate::tls::ServerTls;

/// Clients that wait to be told that the server is full; beyond these, a connection is closed without a word.
const REFUSALS_WAITING: usize = 16;

/// What a listener accepts.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Who the server is and whom it knows; `None` listens in the clear.
    pub tls: Option<ServerTls>,
    /// Deadlines and bounds of each connection.
    pub link: LinkConfig,
    /// Connections at one time at most, those in their handshake included.
    pub connections_max: usize,
}

/// A bound port.
pub struct Listener {
    socket: TcpListener,
    config: Arc<ListenerConfig>,
    open: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
    refusals: Sender<TcpStream>,
}

impl Listener {
    /// Listens on an address such as `0.0.0.0:7443`; port 0 takes a free one.
    pub fn bind(address: impl ToSocketAddrs, config: ListenerConfig) -> io::Result<Self> {
        let socket = TcpListener::bind(address)?;
        let (refusals, to_refuse) = bounded::<TcpStream>(REFUSALS_WAITING);
        thread::Builder::new().name("wire-refuse".into()).spawn(move || {
            to_refuse.iter().for_each(|socket| greeting::refuse_as_full(&socket));
        })?;
        Ok(Self {
            socket,
            config: Arc::new(config),
            open: Arc::new(AtomicUsize::new(0)),
            stopped: Arc::new(AtomicBool::new(false)),
            refusals,
        })
    }

    /// The address that is listened on.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// A handle with which another thread ends `accept`.
    pub fn stopper(&self) -> io::Result<Stopper> {
        Ok(Stopper { address: self.local_address()?, stopped: self.stopped.clone() })
    }

    /// Waits for the next client within the cap. Any error but [`LinkError::Stopped`] concerns this attempt alone
    /// (too many open files, for example): wait a little, and accept again.
    pub fn accept(&self) -> Result<Incoming, LinkError> {
        loop {
            let accepted = self.socket.accept();
            if self.stopped.load(Ordering::SeqCst) {
                return Err(LinkError::Stopped);
            }
            let (socket, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            match Permit::take(&self.open, self.config.connections_max) {
                Some(permit) => return Ok(Incoming { socket, address, permit, config: self.config.clone() }),
                None => self.refuse(socket),
            }
        }
    }

    /// Tells a client that the server is full, if it speaks TLS and few others are being told.
    fn refuse(&self, socket: TcpStream) {
        if self.config.tls.is_some() {
            let _ = self.refusals.try_send(socket);
        }
    }
}

/// Ends a listener's `accept` from another thread.
#[derive(Clone, Debug)]
pub struct Stopper {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Stopper {
    /// From now on `accept` returns [`LinkError::Stopped`]. Open connections go on.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let host = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let _ =
            TcpStream::connect_timeout(&SocketAddr::new(host, self.address.port()), Duration::from_secs(1));
    }
}

/// A client that has connected and not proved anything yet.
pub struct Incoming {
    socket: TcpStream,
    address: SocketAddr,
    permit: Permit,
    config: Arc<ListenerConfig>,
}

impl Incoming {
    /// Where the client connected from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs the handshake, which ends within its deadline. Call it in the connection's own thread.
    pub fn establish(self) -> Result<StreamChannel, LinkError> {
        StreamChannel::accept(self.socket, self.config.tls.as_ref(), &self.config.link, self.permit)
    }
}

/// One of the connections that a listener allows; given back on drop.
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Permit {
    fn take(open: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| (count < max).then_some(count + 1))
            .ok()
            .map(|_| Self(open.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
