//! Between plaintext and the bytes of the socket: nothing, or a TLS connection. Owned by the protocol's thread.

use std::io::{self, BufRead, Write};

use rustls::Connection;

use crate::WireError;

/// Turns plaintext into the socket's bytes and back.
pub(crate) struct Codec {
    tls: Option<Box<Connection>>,
    /// The socket's bytes not looked at yet.
    raw: Vec<u8>,
    used: usize,
    /// Decrypted bytes that wait inside `tls`.
    ready: usize,
    /// The first failure: nothing after it is trusted.
    failed: Option<rustls::Error>,
}

impl Codec {
    /// Bytes as they are.
    pub(crate) fn plain() -> Self {
        Self { tls: None, raw: Vec::new(), used: 0, ready: 0, failed: None }
    }

    /// Bytes under an established TLS connection.
    pub(crate) fn tls(mut connection: Connection) -> Self {
        // One chunk at a time is encrypted and taken out at once, so the connection's own bound would only split it.
        connection.set_buffer_limit(None);
        let ready = connection.process_new_packets().map_or(0, |state| state.plaintext_bytes_to_read());
        Self { tls: Some(Box::new(connection)), raw: Vec::new(), used: 0, ready, failed: None }
    }

    /// The socket's bytes for this plaintext.
    pub(crate) fn seal(&mut self, plaintext: Vec<u8>) -> Result<Vec<u8>, WireError> {
        match &mut self.tls {
            None => Ok(plaintext),
            Some(connection) => {
                connection.writer().write_all(&plaintext)?;
                Ok(drained(connection, plaintext.len())?)
            }
        }
    }

    /// What TLS itself still has to say: an alert, an answer to a key update. Empty when there is nothing.
    pub(crate) fn last_word(&mut self) -> Vec<u8> {
        self.tls.as_mut().and_then(|connection| drained(connection, 0).ok()).unwrap_or_default()
    }

    /// The bytes that announce the end of what this side sends.
    pub(crate) fn goodbye(&mut self) -> Vec<u8> {
        if let Some(connection) = &mut self.tls {
            connection.send_close_notify();
        }
        self.last_word()
    }

    /// Takes the next bytes of the socket; all earlier ones have been used up.
    pub(crate) fn feed(&mut self, raw: Vec<u8>) {
        assert!(self.used == self.raw.len(), "the socket's earlier bytes are used up before more are taken");
        self.raw = raw;
        self.used = 0;
    }

    /// Plaintext that is there without waiting; empty when more of the socket's bytes are needed.
    pub(crate) fn available(&mut self) -> Result<&[u8], WireError> {
        let Some(connection) = &mut self.tls else { return Ok(&self.raw[self.used..]) };
        if let Some(error) = &self.failed {
            return Err(error.clone().into());
        }
        while self.ready == 0 && self.used < self.raw.len() {
            self.used += connection.read_tls(&mut &self.raw[self.used..])?;
            let state = connection.process_new_packets().inspect_err(|error| {
                self.failed = Some(error.clone());
            })?;
            self.ready = state.plaintext_bytes_to_read();
            if state.peer_has_closed() && self.ready == 0 {
                self.used = self.raw.len();
                return Err(WireError::Closed);
            }
        }
        if self.ready == 0 {
            return Ok(&[]);
        }
        Ok(connection.reader().into_first_chunk()?)
    }

    /// Marks `count` of the available bytes as taken.
    pub(crate) fn consume(&mut self, count: usize) {
        match &mut self.tls {
            None => self.used += count,
            Some(connection) => {
                connection.reader().consume(count);
                self.ready -= count;
            }
        }
    }
}

/// Everything the connection wants to send. `plaintext` sizes the answer: a record adds 22 bytes to 16 KiB.
fn drained(connection: &mut Connection, plaintext: usize) -> Result<Vec<u8>, io::Error> {
    let mut bytes = Vec::new();
    if connection.wants_write() {
        bytes.reserve(plaintext + 32 * (plaintext / 16384 + 2));
    }
    while connection.wants_write() {
        connection.write_tls(&mut bytes)?;
    }
    Ok(bytes)
}
