//! Jobs on an agreed session: prepare a stock, or run an image; asked by the client, answered by the server.
//!
//! | step | who | message |
//! |---|---|---|
//! | 1 | client | what it asks for, a control message |
//! | 2 | server | accepted, or refused with a reason: a control message |
//! | 3 | both | at the first job that makes stock: set-up of the roles |
//! | 4 | both | offline, and online, as the request says |
//!
//! With its request for a stock the client selects the OT extension. Before that it may ask for a probe once: the server
//! sends [`PROBE_BYTES`] bytes, and the client times them to estimate the downstream bandwidth, which most bytes need.
//!
//! A connection carries any number of jobs, one after another. The image owner is the client, the model owner the server.
//! A stock is taken, and thereby marked spent, at each end before the first byte of its online phase is sent. A half is
//! good for what it was made for alone: at the client the plan and the server, at the server the plan, the client and
//! the weights; at both the program's version and its cryptographic parameters. The key of a half is erased when the
//! server has accepted the job, and before the half is read.
//!
//! A peer that a consistency check has caught is counted ([`crate::failed_checks`]); the stock in the making is dropped,
//! and the session ends.

mod client;
mod probe;
mod purpose;
mod request;
mod server;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use blindscan_inference::InferenceError;
use blindscan_wire::fingerprint::Fingerprint;

pub use client::ClientSession;
pub use probe::{PROBE_BYTES, Probe};
pub use server::{Done, STOCKS_MAX, ServerSession, Service};

use crate::SessionError;
use crate::failed_checks::FailedChecks;

/// Where a party keeps the keys of its stocks: in its state directory, beside its identity and apart from the stock.
pub fn stock_keys(state: &Path) -> PathBuf {
    state.join("stock-keys")
}

/// Counts the peer's failure when a consistency check has caught it.
fn counted(error: InferenceError, peer: Fingerprint, failed: &FailedChecks) -> SessionError {
    if !error.is_failed_check() {
        return error.into();
    }
    let source = Box::new(error);
    match failed.record(&peer) {
        Ok(failures) => SessionError::FailedCheck { peer, failures, source },
        Err(reason) => SessionError::UncountedCheck { peer, source, reason: Box::new(reason) },
    }
}
