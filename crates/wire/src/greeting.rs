//! The handshake over a bare socket, within one deadline, before any thread or queue exists for the peer.
//!
//! | step | who    | message                                   |
//! |------|--------|-------------------------------------------|
//! | 1    | both   | TLS 1.3 handshake, both certificates      |
//! | 2    | server | four bytes under TLS: the client is known |
//!
//! In TLS 1.3 the client is finished before the server has looked at the client's certificate. Step 2 lets
//! `connect` fail with the server's reason, and not the first message after it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConnection, Connection, Error, ServerConnection};

use crate::fingerprint::Fingerprint;
use crate::link::LinkError;
use crate::tls::{ClientTls, NAME, Refusal, ServerTls};

const WELCOME: &[u8; 4] = b"bsw1";

/// A fatal `internal_error` alert in the clear, before the server's first message: what a full server answers.
/// TLS has no alert that says so; a working server of ours sends this one at no other time.
const FULL: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// How much, and for how long, a refused peer's last bytes are read so that the refusal reaches it.
const FAREWELL: (Duration, usize) = (Duration::from_millis(500), 64 << 10);

/// Who is at the other end, and what the two ends alone share.
#[derive(Clone)]
pub struct Peer {
    /// The fingerprint of the peer's certificate.
    pub fingerprint: Fingerprint,
    /// The key exchange that was negotiated.
    pub key_exchange: rustls::NamedGroup,
    pub(crate) exporter: [u8; 32],
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({}, {:?})", self.fingerprint, self.key_exchange)
    }
}

/// A socket whose every operation must end before an instant; counts what passes.
pub(crate) struct Timed<'s> {
    socket: &'s TcpStream,
    until: Instant,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl<'s> Timed<'s> {
    pub(crate) fn new(socket: &'s TcpStream, until: Instant) -> Self {
        Self { socket, until, sent: 0, received: 0 }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        let count = self.socket.read(buffer)?;
        self.received += count as u64;
        Ok(count)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        let count = self.socket.write(bytes)?;
        self.sent += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The client's handshake.
pub(crate) fn connect(tls: &ClientTls, socket: &mut Timed<'_>) -> Result<(Connection, Peer), Failure> {
    let name = ServerName::try_from(NAME).expect("the name is a valid DNS name");
    let mut connection = ClientConnection::new(tls.config.clone(), name).map(Connection::from)?;
    shake_hands(&mut connection, socket)?;

    let mut word = [0; WELCOME.len()];
    let mut filled = 0;
    while filled < word.len() {
        match connection.reader().read(&mut word[filled..]) {
            Ok(0) => return Err(Failure::Closed),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => take_records(&mut connection, socket)?,
            Err(error) => return Err(error.into()),
        }
    }
    if &word != WELCOME {
        return Err(Failure::Protocol("the server's first word is another"));
    }
    let peer = peer_of(&connection)?;
    Ok((connection, peer))
}

/// The server's handshake.
pub(crate) fn accept(tls: &ServerTls, socket: &mut Timed<'_>) -> Result<(Connection, Peer), Failure> {
    let mut connection = ServerConnection::new(Arc::clone(&tls.config)).map(Connection::from)?;
    shake_hands(&mut connection, socket)?;
    connection.writer().write_all(WELCOME)?;
    flush(&mut connection, socket)?;
    let peer = peer_of(&connection)?;
    Ok((connection, peer))
}

/// Lets the last word to a refused peer arrive: closing a socket with unread bytes would cut it off.
pub(crate) fn part_from(socket: &TcpStream) {
    let (time, most) = FAREWELL;
    let mut timed = Timed::new(socket, Instant::now() + time);
    let _ = socket.shutdown(Shutdown::Write);
    let mut waste = [0; 4096];
    while timed.received < most as u64 && matches!(timed.read(&mut waste), Ok(count) if count > 0) {}
}

/// Tells a client in the clear that the server is full.
pub(crate) fn refuse_as_full(socket: &TcpStream) {
    let mut timed = Timed::new(socket, Instant::now() + FAREWELL.0);
    if timed.write_all(&FULL).is_ok() {
        part_from(socket);
    }
}

/// Why a handshake failed, before it is told to one side or the other.
#[derive(Debug)]
pub(crate) enum Failure {
    Closed,
    Protocol(&'static str),
    Tls(Error),
    Io(io::Error),
}

impl Failure {
    /// The failure as the client sees it, `own` being its own fingerprint.
    pub(crate) fn at_client(self, own: Fingerprint, deadline: Duration) -> LinkError {
        match self {
            Self::Tls(Error::AlertReceived(AlertDescription::CertificateUnknown)) => {
                LinkError::UnknownHere { fingerprint: own }
            }
            Self::Tls(Error::AlertReceived(AlertDescription::InternalError)) => LinkError::Busy,
            other => other.at_either(deadline),
        }
    }

    /// The failure as the server sees it.
    pub(crate) fn at_either(self, deadline: Duration) -> LinkError {
        match self {
            Self::Closed => LinkError::Closed,
            Self::Protocol(reason) => LinkError::Protocol(reason),
            Self::Tls(Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
                LinkError::Protocol("it runs another version")
            }
            Self::Tls(Error::InvalidMessage(_)) => LinkError::Protocol("it does not speak TLS"),
            Self::Tls(error) => match Refusal::inside(&error) {
                Some(&Refusal::Server { expected, found }) => LinkError::WrongServer { expected, found },
                Some(&Refusal::Client { found }) => LinkError::ClientRefused { fingerprint: found },
                None => LinkError::Tls(error),
            },
            Self::Io(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => LinkError::Deadline(deadline),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => LinkError::Closed,
                _ => LinkError::Io(error),
            },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Tls(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn shake_hands(connection: &mut Connection, socket: &mut Timed<'_>) -> Result<(), Failure> {
    loop {
        flush(connection, socket)?;
        if !connection.is_handshaking() {
            return Ok(());
        }
        take_records(connection, socket)?;
    }
}

/// Reads once from the socket. A failure is told to the peer as an alert before it is returned.
fn take_records(connection: &mut Connection, socket: &mut Timed<'_>) -> Result<(), Failure> {
    if connection.read_tls(socket)? == 0 {
        return Err(Failure::Closed);
    }
    if let Err(error) = connection.process_new_packets() {
        let _ = flush(connection, socket);
        return Err(error.into());
    }
    Ok(())
}

fn flush(connection: &mut Connection, socket: &mut Timed<'_>) -> Result<(), Failure> {
    while connection.wants_write() {
        connection.write_tls(socket)?;
    }
    Ok(())
}

fn peer_of(connection: &Connection) -> Result<Peer, Failure> {
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    let group = connection.negotiated_key_exchange_group();
    let (Some(certificate), Some(group)) = (certificate, group) else {
        return Err(Failure::Protocol("the handshake ended without a certificate or a key exchange"));
    };
    // RFC 9266, section 4.2: this label, an empty context, 32 bytes.
    let exporter = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]))?;
    Ok(Peer { fingerprint: Fingerprint::of(certificate), key_exchange: group.name(), exporter })
}
