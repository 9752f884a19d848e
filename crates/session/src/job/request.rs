//! The control messages of a job: what is asked, and the server's word.

use blindscan_graph::plan::steers_a_terminal;
use blindscan_inference::OtKind;
use blindscan_inference::stock::StockError;
use blindscan_wire::Channel;
use serde::{Deserialize, Serialize};

use crate::{SessionError, control};

/// The longest control message of a job.
const MESSAGE_BYTES_MAX: usize = 4096;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// Make a stock of this name and keep it.
    Prepare { id: [u8; 16], transfers: OtKind },
    /// Run an image: make its stock now.
    Run { id: [u8; 16], transfers: OtKind },
    /// Run an image on the prepared stock of this name.
    RunPrepared { id: [u8; 16] },
    /// Send bytes to measure the link by.
    Probe,
    /// Nothing more.
    Finish,
}

/// What the server says to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The job begins.
    Accepted,
    /// It does not: the reason, for a person.
    Refused(String),
}

/// The next request of a client.
pub(super) fn asked(channel: &mut dyn Channel) -> Result<Request, SessionError> {
    control::receive(MESSAGE_BYTES_MAX, channel)
}

/// Asks, and waits for the server's word.
pub(super) fn ask(request: Request, channel: &mut dyn Channel) -> Result<(), SessionError> {
    control::send(&request, channel)?;
    match control::receive(MESSAGE_BYTES_MAX, channel)? {
        Reply::Accepted => Ok(()),
        Reply::Refused(reason) => Err(SessionError::Refused(printable(&reason))),
    }
}

/// A peer's words, fit for a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|&c| !steers_a_terminal(c)).take(500).collect()
}

/// Tells the client that the job cannot begin, and why.
pub(super) fn refuse<T>(reason: String, channel: &mut dyn Channel) -> Result<T, SessionError> {
    control::send(&Reply::Refused(reason.clone()), channel)?;
    Err(SessionError::Refused(reason))
}

/// Tells the client whether the job can begin. The reason names no path of this machine.
pub(super) fn accept<T>(ready: Result<T, StockError>, channel: &mut dyn Channel) -> Result<T, SessionError> {
    let reason = match &ready {
        Ok(_) => None,
        Err(StockError::Io { .. }) => Some("the server's disk refused to keep a stock".to_string()),
        Err(StockError::NoKey { id, .. }) => {
            Some(format!("stock {id} has no key any more: it has been used; prepare new ones"))
        }
        Err(other) => Some(other.to_string()),
    };
    control::send(&reason.map_or(Reply::Accepted, Reply::Refused), channel)?;
    ready.map_err(crate::inference)
}
