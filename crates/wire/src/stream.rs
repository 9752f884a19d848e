//! A channel over TCP, under TLS 1.3 or in the clear.
//!
//! | part    | bytes | what                                     |
//! |---------|-------|------------------------------------------|
//! | length  | 8     | of the payload, little endian            |
//! | payload | n     | the message; the receiver has stated `n` |
//!
//! A frame that announces another length than the receiver stated is refused before a byte is reserved for it.
//! `send` returns when the message is queued, so the wire works while the processor does; `exchange` feeds
//! the outgoing queue and empties the incoming one in turns, so two messages of any size pass each other in bounded
//! memory. `send` on both ends at once of more than the queues hold ends in [`WireError::Deadline`]: use `exchange`.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::fingerprint::Fingerprint;
pub use crate::greeting::Peer;
use crate::greeting::{self, Timed};
use crate::link::{LinkConfig, LinkError};
use crate::listener::Permit;
use crate::pipes::{CHUNK, Moved, Patience, Pipes};
use crate::tls::{ClientTls, ServerTls};
use crate::{Channel, Meter, Traffic, WireError};

const HEADER: usize = 8;

/// One end of a TCP connection. Dropping it sends what was queued, for which it waits two seconds at most, and closes.
pub struct StreamChannel {
    codec: Codec,
    pipes: Pipes,
    config: LinkConfig,
    meter: Meter,
    peer: Option<Peer>,
    /// A message was taken in part: where the next one begins is unknown.
    lost_place: bool,
}

/// Bytes on the socket: payload, framing and TLS, from the first byte of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawTraffic {
    /// Bytes the operating system has taken from us so far.
    pub bytes_sent: u64,
    /// Bytes it has given us so far; the protocol may not have asked for them yet.
    pub bytes_received: u64,
}

impl StreamChannel {
    /// Connects to a server under TLS and waits until it has said that it knows this client.
    pub fn connect(address: &str, tls: &ClientTls, config: &LinkConfig) -> Result<Self, LinkError> {
        let deadline = config.handshake_deadline;
        let until = Instant::now() + deadline;
        let socket = connected(address, until)?;
        let mut timed = Timed::new(&socket, until);
        let (connection, peer) =
            greeting::connect(tls, &mut timed).map_err(|failure| failure.at_client(tls.own, deadline))?;
        let carried = (timed.sent, timed.received);
        let pipes = Pipes::start(socket, config, carried, None)?;
        Ok(Self::new(Codec::tls(connection), pipes, config, Some(peer)))
    }

    /// Connects in the clear: no secrecy, no authentication. For tests, and for links that are protected otherwise.
    pub fn connect_plain(address: &str, config: &LinkConfig) -> Result<Self, LinkError> {
        let socket = connected(address, Instant::now() + config.handshake_deadline)?;
        Ok(Self::plain(socket, config, None)?)
    }

    /// A connected socket as a channel in the clear.
    pub fn over(socket: TcpStream, config: &LinkConfig) -> io::Result<Self> {
        Self::plain(socket, config, None)
    }

    pub(crate) fn accept(
        socket: TcpStream,
        tls: Option<&ServerTls>,
        config: &LinkConfig,
        permit: Permit,
    ) -> Result<Self, LinkError> {
        let Some(tls) = tls else { return Ok(Self::plain(socket, config, Some(permit))?) };
        let deadline = config.handshake_deadline;
        let mut timed = Timed::new(&socket, Instant::now() + deadline);
        let (connection, peer) = greeting::accept(tls, &mut timed).map_err(|failure| {
            greeting::part_from(&socket);
            failure.at_either(deadline)
        })?;
        let carried = (timed.sent, timed.received);
        let pipes = Pipes::start(socket, config, carried, Some(permit))?;
        Ok(Self::new(Codec::tls(connection), pipes, config, Some(peer)))
    }

    fn plain(socket: TcpStream, config: &LinkConfig, permit: Option<Permit>) -> io::Result<Self> {
        let pipes = Pipes::start(socket, config, (0, 0), permit)?;
        Ok(Self::new(Codec::plain(), pipes, config, None))
    }

    fn new(codec: Codec, pipes: Pipes, config: &LinkConfig, peer: Option<Peer>) -> Self {
        Self { codec, pipes, config: config.clone(), meter: Meter::default(), peer, lost_place: false }
    }

    /// Who is at the other end; `None` in the clear.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// The fingerprint of the peer's certificate; `None` in the clear.
    pub fn peer_fingerprint(&self) -> Option<Fingerprint> {
        self.peer.as_ref().map(|peer| peer.fingerprint)
    }

    /// The channel binding of RFC 9266: equal at both ends, and different on every connection; `None` in the clear.
    pub fn exporter(&self) -> Option<[u8; 32]> {
        self.peer.as_ref().map(|peer| peer.exporter)
    }

    /// Bytes on the socket so far. What was sent a moment ago may still be queued.
    pub fn raw_traffic(&self) -> RawTraffic {
        let (bytes_sent, bytes_received) = self.pipes.carried();
        RawTraffic { bytes_sent, bytes_received }
    }

    /// The longest wait.
    pub fn deadline(&self) -> Duration {
        self.config.deadline
    }

    /// Changes the longest wait, for instance between an idle client and a job that runs.
    pub fn set_deadline(&mut self, deadline: Duration) -> Result<(), WireError> {
        self.config.deadline = deadline;
        Ok(self.pipes.set_deadline(deadline)?)
    }

    /// Receives a message whose length the peer chooses, up to a limit. Memory grows only as bytes come.
    pub fn receive_at_most(&mut self, limit: usize) -> Result<Vec<u8>, WireError> {
        self.complete(Incoming::new(Length::AtMost(limit)))
    }

    /// Takes bytes until the message is whole.
    fn complete(&mut self, mut incoming: Incoming) -> Result<Vec<u8>, WireError> {
        let patience = Patience::new(&self.config, incoming.length.most());
        while !self.advance(&mut incoming)? {
            let raw = self.pipes.pull(&patience).inspect_err(|_| self.lost_place |= incoming.begun())?;
            self.codec.feed(raw);
        }
        let payload = incoming.payload;
        self.meter.received(payload.len());
        Ok(payload)
    }

    /// Moves what is there into the message; true when the message is whole.
    fn advance(&mut self, incoming: &mut Incoming) -> Result<bool, WireError> {
        if self.lost_place {
            return Err(WireError::Invalid("nothing can be received after a message that failed half-way"));
        }
        let moved = self.move_available(incoming);
        if moved.is_err() {
            self.lost_place = true;
            let alert = self.codec.last_word();
            if !alert.is_empty() {
                self.pipes.push_if_free(alert);
            }
        }
        moved
    }

    fn move_available(&mut self, incoming: &mut Incoming) -> Result<bool, WireError> {
        while !incoming.is_whole() {
            let available = self.codec.available()?;
            if available.is_empty() {
                return Ok(false);
            }
            let taken = incoming.take(available)?;
            self.codec.consume(taken);
        }
        Ok(true)
    }

    /// Queues a message. A message that was queued in part leaves no way to send another, so the half is given up.
    fn push(&mut self, message: &[u8]) -> Result<(), WireError> {
        let patience = Patience::new(&self.config, message.len());
        for piece in pieces(message) {
            let sealed = self.codec.seal(piece)?;
            self.pipes.push(sealed, &patience).inspect_err(|_| self.pipes.close_outgoing())?;
        }
        self.meter.sent(message.len());
        Ok(())
    }

    /// Queues a message while the other one comes in.
    fn push_while_receiving(&mut self, message: &[u8], incoming: &mut Incoming) -> Result<(), WireError> {
        let patience = Patience::new(&self.config, message.len() + incoming.length.most());
        for piece in pieces(message) {
            let mut sealed = Some(self.codec.seal(piece)?);
            while sealed.is_some() {
                if self.advance(incoming)? {
                    self.pipes.push(sealed.take().expect("the loop's condition"), &patience)?;
                } else if let Moved::In(raw) = self.pipes.push_or_pull(&mut sealed, &patience)? {
                    self.codec.feed(raw);
                }
            }
        }
        self.meter.sent(message.len());
        Ok(())
    }
}

impl Channel for StreamChannel {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.push(message)
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        self.complete(Incoming::new(Length::Exactly(length)))
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        let mut incoming = Incoming::new(Length::Exactly(length));
        if let Err(error) = self.push_while_receiving(message, &mut incoming) {
            self.pipes.close_outgoing();
            // A peer that went away may have said why: its last message tells more than our failure to send.
            return Err(match error {
                WireError::Closed => self.complete(incoming).err().unwrap_or(error),
                _ => error,
            });
        }
        self.complete(incoming)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        let goodbye = self.codec.goodbye();
        if !goodbye.is_empty() {
            let patience = Patience::new(&self.config, goodbye.len());
            match self.pipes.push(goodbye, &patience) {
                Ok(()) | Err(WireError::Closed) => (),
                Err(error) => return Err(error),
            }
        }
        self.pipes.close_outgoing();
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.meter.traffic()
    }
}

impl Drop for StreamChannel {
    fn drop(&mut self) {
        let goodbye = self.codec.goodbye();
        if !goodbye.is_empty() {
            self.pipes.push_if_free(goodbye);
        }
    }
}

/// What the receiver has said about a message's length.
#[derive(Clone, Copy)]
enum Length {
    Exactly(usize),
    AtMost(usize),
}

impl Length {
    fn most(self) -> usize {
        match self {
            Self::Exactly(length) | Self::AtMost(length) => length,
        }
    }

    /// The announced length as ours, if it is one that is due.
    fn accept(self, announced: u64) -> Result<usize, WireError> {
        let length = usize::try_from(announced).ok().filter(|&length| match self {
            Self::Exactly(expected) => length == expected,
            Self::AtMost(limit) => length <= limit,
        });
        length.ok_or(match self {
            Self::Exactly(expected) => WireError::UnexpectedLength { expected, found: announced },
            Self::AtMost(_) => WireError::Invalid("a message is longer than its limit"),
        })
    }
}

/// A message on its way in.
struct Incoming {
    length: Length,
    header: Vec<u8>,
    announced: Option<usize>,
    payload: Vec<u8>,
}

impl Incoming {
    fn new(length: Length) -> Self {
        Self { length, header: Vec::with_capacity(HEADER), announced: None, payload: Vec::new() }
    }

    fn begun(&self) -> bool {
        !self.header.is_empty()
    }

    fn is_whole(&self) -> bool {
        self.announced == Some(self.payload.len())
    }

    /// Takes what belongs to this message and says how much that was.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        let Some(announced) = self.announced else {
            let taken = bytes.len().min(HEADER - self.header.len());
            self.header.extend_from_slice(&bytes[..taken]);
            if let Ok(header) = <[u8; HEADER]>::try_from(self.header.as_slice()) {
                let length = self.length.accept(u64::from_le_bytes(header))?;
                self.announced = Some(length);
                if let Length::Exactly(_) = self.length {
                    self.payload.reserve_exact(length);
                }
            }
            return Ok(taken);
        };
        let taken = bytes.len().min(announced - self.payload.len());
        self.payload.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }
}

/// A framed message in chunks: the first holds the header.
fn pieces(message: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let (start, rest) = message.split_at(message.len().min(CHUNK - HEADER));
    let mut first = Vec::with_capacity(HEADER + start.len());
    first.extend_from_slice(&(message.len() as u64).to_le_bytes());
    first.extend_from_slice(start);
    std::iter::once(first).chain(rest.chunks(CHUNK).map(<[u8]>::to_vec))
}

/// A TCP connection to the first of the address's hosts that answers.
fn connected(address: &str, until: Instant) -> Result<TcpStream, LinkError> {
    let unreachable = |source| LinkError::Unreachable { address: address.into(), source };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in address.to_socket_addrs().map_err(unreachable)? {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&candidate, left) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

#[cfg(test)]
mod tests;
