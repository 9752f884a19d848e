//! A relay of TCP connections that is slow, stalls, cuts or corrupts on request: the test kit's bad network.
//!
//! It runs in user space because the kernel's own emulation is not there on every machine. It forwards bytes
//! and half-closes, keeps at most [`IN_FLIGHT`] bytes under way in each direction, and passes a full receiver's
//! back pressure on to the sender.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::delayed::{Pace, sleep_until};
use crate::link::LinkSpec;

/// Bytes under way in one direction at most: enough for 10 Gbit/s times 50 ms.
pub const IN_FLIGHT: usize = 64 << 20;

const CHUNK: usize = 16 << 10;

/// What goes wrong in one direction of a connection, counted from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// After so many bytes nothing more is forwarded, and the connection stays open.
    StallAfter(u64),
    /// After so many bytes both directions are closed.
    CutAfter(u64),
    /// The byte at this position is forwarded with its lowest bit flipped.
    CorruptAt(u64),
}

/// How a relay treats each connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct RelayConfig {
    /// The link to imitate; `None` forwards at once.
    pub link: Option<LinkSpec>,
    /// What goes wrong on the way to the target.
    pub toward_target: Option<Fault>,
    /// What goes wrong on the way back to the client.
    pub toward_client: Option<Fault>,
}

/// A running relay. Dropping it closes its connections.
pub struct Relay {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    /// Listens on a free local port and forwards each connection to `target`.
    pub fn start(target: SocketAddr, config: RelayConfig) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let relay =
            Self { address: listener.local_addr()?, stopped: Arc::default(), sockets: Arc::default() };
        let (stopped, sockets) = (relay.stopped.clone(), relay.sockets.clone());
        thread::Builder::new().name("relay".into()).spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A target that does not answer shows to the client as a closed connection.
                let _ = client.and_then(|client| join(client, target, config, &sockets, &stopped));
            }
        })?;
        Ok(relay)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection now, both ways; new ones are still relayed.
    pub fn cut(&self) {
        for socket in self.sockets.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        self.cut();
    }
}

/// Joins a client to the target by one [`Way`] in each direction.
fn join(
    client: TcpStream,
    target: SocketAddr,
    config: RelayConfig,
    sockets: &Mutex<Vec<TcpStream>>,
    stopped: &Arc<AtomicBool>,
) -> io::Result<()> {
    let target = TcpStream::connect(target)?;
    client.set_nodelay(true)?;
    target.set_nodelay(true)?;
    let mut known = sockets.lock().unwrap_or_else(PoisonError::into_inner);
    known.push(client.try_clone()?);
    known.push(target.try_clone()?);
    drop(known);

    let way = |from, to, fault| Way { from, to, fault, stopped: stopped.clone() };
    way(client.try_clone()?, target.try_clone()?, config.toward_target).run(config.link)?;
    way(target, client, config.toward_client).run(config.link)
}

/// What is under way in one direction.
enum Cargo {
    /// Bytes and when they arrive.
    Bytes(Instant, Vec<u8>),
    /// The end of the whole connection.
    Cut,
}

/// One direction of a relayed connection.
struct Way {
    from: TcpStream,
    to: TcpStream,
    fault: Option<Fault>,
    stopped: Arc<AtomicBool>,
}

impl Way {
    /// Starts a thread that reads at the link's bandwidth and one that writes when the bytes arrive.
    fn run(self, link: Option<LinkSpec>) -> io::Result<()> {
        let (under_way, arriving) = bounded(IN_FLIGHT / CHUNK);
        let (from, to) = (self.from.try_clone()?, self.to.try_clone()?);
        thread::Builder::new().name("relay-out".into()).spawn(move || deliver(&arriving, &from, &to))?;
        thread::Builder::new().name("relay-in".into()).spawn(move || self.take_in(link, &under_way))?;
        Ok(())
    }

    fn take_in(mut self, link: Option<LinkSpec>, under_way: &Sender<Cargo>) {
        let mut pace = link.map(Pace::new);
        let mut passed = 0;
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = self.from.read(&mut buffer) {
            let mut bytes = buffer[..count].to_vec();
            let kept = self.spoil(&mut bytes, passed);
            passed += count as u64;
            let (left, arrives) = match &mut pace {
                Some(pace) => pace.carry(kept),
                None => (Instant::now(), Instant::now()),
            };
            sleep_until(left);
            bytes.truncate(kept);
            if under_way.send(Cargo::Bytes(arrives, bytes)).is_err() {
                return;
            }
            if kept < count {
                return self.fail(under_way);
            }
        }
    }

    /// Applies the fault to bytes that begin at `position`; how many of them are forwarded.
    fn spoil(&self, bytes: &mut [u8], position: u64) -> usize {
        let end = position + bytes.len() as u64;
        match self.fault {
            Some(Fault::CorruptAt(at)) if (position..end).contains(&at) => {
                bytes[(at - position) as usize] ^= 1;
                bytes.len()
            }
            Some(Fault::StallAfter(limit) | Fault::CutAfter(limit)) if end > limit => {
                limit.saturating_sub(position) as usize
            }
            _ => bytes.len(),
        }
    }

    /// The limit is passed: cuts both ways, or holds the connection open and reads no more until the relay is dropped.
    fn fail(&self, under_way: &Sender<Cargo>) {
        if let Some(Fault::CutAfter(_)) = self.fault {
            let _ = under_way.send(Cargo::Cut);
            return;
        }
        while !self.stopped.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Writes each piece when it arrives, then closes the half.
fn deliver(arriving: &Receiver<Cargo>, from: &TcpStream, mut to: &TcpStream) {
    for cargo in arriving {
        match cargo {
            Cargo::Bytes(arrives, bytes) => {
                sleep_until(arrives);
                if to.write_all(&bytes).is_err() {
                    return;
                }
            }
            Cargo::Cut => {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
