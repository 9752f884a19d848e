//! Two threads and two bounded queues between a protocol and its socket: raw bytes, whatever they are.
//!
//! The protocol's thread never touches the socket, so it computes while bytes travel. When a queue is full the
//! protocol waits, or TCP holds the peer back. The threads outlive the channel for at most [`LINGER`]: what was queued
//! still leaves, and what the peer had under way is read, so that closing does not reset what it has not read yet.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{
    Receiver, RecvTimeoutError, SendTimeoutError, Sender, TrySendError, bounded, select_biased,
};
use socket2::{SockRef, TcpKeepalive};

use crate::WireError;
use crate::link::LinkConfig;
use crate::listener::Permit;

/// Bytes of one entry of a queue at most, and of one read.
pub(crate) const CHUNK: usize = 64 << 10;

/// How long a dropped channel may take to bring out what was queued.
const LINGER: Duration = Duration::from_secs(2);

/// How much of what still comes is read for a dropped channel, before the peer is cut off.
const LINGER_BYTES: usize = 16 << 20;

/// How often the reader looks whether its channel is gone.
const LOOK_AROUND: Duration = Duration::from_millis(500);

/// Before the first keepalive probe, and between probes: a host that vanished is noticed also without a wait.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5));

/// When the waits of one operation end: nothing moved for the silence, or the whole took too long.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    silence: Duration,
    until: Instant,
}

impl Patience {
    /// Patience for a message of `bytes`.
    pub(crate) fn new(config: &LinkConfig, bytes: usize) -> Self {
        let slowest = Duration::from_secs_f64(bytes as f64 / config.bytes_per_second_min.max(1) as f64);
        Self { silence: config.deadline, until: Instant::now() + config.deadline + slowest }
    }

    /// How long the next wait may take.
    fn next(&self) -> Duration {
        self.silence.min(self.until.saturating_duration_since(Instant::now()))
    }

    fn exhausted(&self) -> WireError {
        WireError::Deadline(self.silence)
    }
}

/// What came of offering a chunk while listening.
pub(crate) enum Moved {
    /// The chunk was queued.
    Out,
    /// The chunk was not queued; these bytes came first.
    In(Vec<u8>),
}

/// The protocol's ends of the two queues.
pub(crate) struct Pipes {
    outgoing: Option<Sender<Vec<u8>>>,
    incoming: Receiver<Vec<u8>>,
    writer_gone: Receiver<()>,
    shared: Arc<Shared>,
}

/// What the threads and the protocol's end have in common. The socket closes with the last of them.
struct Shared {
    socket: TcpStream,
    sent: AtomicU64,
    received: AtomicU64,
    read_fault: Mutex<Option<io::Error>>,
    write_fault: Mutex<Option<io::Error>>,
    abandoned: OnceLock<Instant>,
    _permit: Option<Permit>,
}

impl Pipes {
    /// Starts the threads of a connected socket that has already carried `(sent, received)` bytes.
    pub(crate) fn start(
        socket: TcpStream,
        config: &LinkConfig,
        carried: (u64, u64),
        permit: Option<Permit>,
    ) -> io::Result<Self> {
        prepare(&socket, config)?;
        let slots = (config.queue_bytes / CHUNK).max(2);
        let (outgoing, to_write) = bounded(slots);
        let (from_read, incoming) = bounded(slots);
        let (writer_lives, writer_gone) = bounded(0);
        let shared = Arc::new(Shared {
            socket,
            sent: AtomicU64::new(carried.0),
            received: AtomicU64::new(carried.1),
            read_fault: Mutex::new(None),
            write_fault: Mutex::new(None),
            abandoned: OnceLock::new(),
            _permit: permit,
        });
        let writer = shared.clone();
        thread::Builder::new().name("wire-out".into()).spawn(move || {
            let _lives = writer_lives;
            writer.write_all(&to_write);
        })?;
        let pipes = Self { outgoing: Some(outgoing), incoming, writer_gone, shared: shared.clone() };
        thread::Builder::new().name("wire-in".into()).spawn(move || shared.read_all(from_read))?;
        Ok(pipes)
    }

    /// Queues bytes for the wire; waits while the queue is full.
    pub(crate) fn push(&self, chunk: Vec<u8>, patience: &Patience) -> Result<(), WireError> {
        self.queue()?.send_timeout(chunk, patience.next()).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => patience.exhausted(),
            SendTimeoutError::Disconnected(_) => self.shared.write_error(patience),
        })
    }

    /// Queues bytes if there is room at once, and forgets them otherwise: for a last word.
    pub(crate) fn push_if_free(&self, chunk: Vec<u8>) {
        if let Some(queue) = &self.outgoing {
            let _ = queue.try_send(chunk);
        }
    }

    /// Queues the chunk or takes what came, whichever is possible first. The chunk is left in place when bytes came.
    pub(crate) fn push_or_pull(
        &self,
        chunk: &mut Option<Vec<u8>>,
        patience: &Patience,
    ) -> Result<Moved, WireError> {
        let queue = self.queue()?;
        let first = chunk.take().expect("there is a chunk to offer");
        match queue.try_send(first) {
            Ok(()) => return Ok(Moved::Out),
            Err(TrySendError::Full(back)) => *chunk = Some(back),
            Err(TrySendError::Disconnected(_)) => return Err(self.shared.write_error(patience)),
        }
        select_biased! {
            send(queue, chunk.take().expect("the chunk was put back")) -> sent => {
                sent.map(|()| Moved::Out).map_err(|_| self.shared.write_error(patience))
            }
            recv(self.incoming) -> bytes => bytes.map(Moved::In).map_err(|_| self.shared.read_error()),
            default(patience.next()) => Err(patience.exhausted()),
        }
    }

    /// The next bytes that came; waits for them.
    pub(crate) fn pull(&self, patience: &Patience) -> Result<Vec<u8>, WireError> {
        self.incoming.recv_timeout(patience.next()).map_err(|error| match error {
            RecvTimeoutError::Timeout => patience.exhausted(),
            RecvTimeoutError::Disconnected => self.shared.read_error(),
        })
    }

    /// Nothing more will be queued: the writer sends what it has and closes the outgoing half.
    pub(crate) fn close_outgoing(&mut self) {
        self.outgoing = None;
    }

    /// Bytes the socket has taken and given.
    pub(crate) fn carried(&self) -> (u64, u64) {
        (self.shared.sent.load(Ordering::Relaxed), self.shared.received.load(Ordering::Relaxed))
    }

    /// Changes the longest wait of the writer's thread.
    pub(crate) fn set_deadline(&self, deadline: Duration) -> io::Result<()> {
        self.shared.socket.set_write_timeout(Some(deadline))
    }

    fn queue(&self) -> Result<&Sender<Vec<u8>>, WireError> {
        self.outgoing.as_ref().ok_or(WireError::Closed)
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.outgoing = None;
        let _ = self.shared.abandoned.set(Instant::now());
        if self.writer_gone.recv_timeout(LINGER) == Err(RecvTimeoutError::Timeout) {
            let _ = self.shared.socket.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    /// The writer's thread: everything queued, in order, then the end of the outgoing half.
    fn write_all(&self, queue: &Receiver<Vec<u8>>) {
        while let Ok(mut bytes) = queue.recv() {
            while bytes.len() < CHUNK
                && let Ok(more) = queue.try_recv()
            {
                bytes.extend_from_slice(&more);
            }
            if let Err(error) = (&self.socket).write_all(&bytes) {
                *self.write_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
            self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// The reader's thread: everything that comes, until the end or until nobody wants it.
    fn read_all(&self, queue: Sender<Vec<u8>>) {
        let mut buffer = vec![0; CHUNK];
        let mut unwanted = 0;
        loop {
            match (&self.socket).read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    self.received.fetch_add(count as u64, Ordering::Relaxed);
                    if queue.send(buffer[..count].to_vec()).is_err() {
                        unwanted += count;
                    }
                }
                Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => {
                    *self.read_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return;
                }
            }
            let overdue = self.abandoned.get().is_some_and(|since| since.elapsed() > LINGER);
            if overdue || unwanted > LINGER_BYTES {
                let _ = self.socket.shutdown(Shutdown::Both);
                return;
            }
        }
    }

    fn read_error(&self) -> WireError {
        named(self.read_fault.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    fn write_error(&self, patience: &Patience) -> WireError {
        let fault = self.write_fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        if fault.as_ref().is_some_and(is_timeout) { patience.exhausted() } else { named(fault) }
    }
}

/// A socket's error in the words of [`WireError`].
fn named(fault: Option<io::Error>) -> WireError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    match fault {
        None => WireError::Closed,
        Some(error) if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset) => {
            WireError::Closed
        }
        Some(error) => WireError::Io(error),
    }
}

/// A socket's own timeout; the operating system's `ETIMEDOUT` has the same kind, and a code.
fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn prepare(socket: &TcpStream, config: &LinkConfig) -> io::Result<()> {
    let (idle, interval) = KEEPALIVE;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(LOOK_AROUND))?;
    socket.set_write_timeout(Some(config.deadline))?;
    SockRef::from(socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(interval))
}
