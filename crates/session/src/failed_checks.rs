//! Peers whose oblivious transfers failed a consistency check: counted on the disk, and refused from [`MOST`] failures on
//! until a person lifts it.
//!
//! A peer that deviates is caught, but for a guess: of a group of four bits of Delta it passes one time in sixteen (of the
//! first, for Delta is odd, one in eight). A guess that fails tells it nothing that lasts, for Delta is fresh in every stock;
//! but with tries without end one would pass. An honest peer fails only when a machine or a program is broken. Three failures
//! let two such accidents pass without a person, and leave a cheat 1 - (15/16)^3 = 18 % to learn four of the 127 secret bits
//! of one stock before it is locked out, and 1.2 % for eight bits. A connection ends with its first failure, and each job
//! asks again whether its peer is let in; jobs that run side by side when the third is counted add one failure each. With
//! four places that is six tries, and 1 - (15/16)^6 = 32 %.
//!
//! The count never falls by itself: a cheat would mix in honest jobs. The list lies in the state directory, not in the
//! folder of stock, and holds at most [`PEERS_MAX`] peers: they are all peers that a person has let in, or has connected
//! to. When it cannot be read, everybody is refused. A failure that cannot be written down, as on a full disk, is kept in
//! memory, and its peer is refused by this process from then on.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blindscan_wire::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files::{self, StoreError};

/// A peer with so many failed checks is refused.
pub const MOST: u32 = 3;

/// Peers that a list holds, at most.
pub const PEERS_MAX: usize = 4096;

/// Which peers a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// A server's clients.
    Clients,
    /// A client's servers.
    Servers,
}

impl Peers {
    /// The command that lists and lifts.
    fn command(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Servers => "servers",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Clients => "failed-clients.toml",
            Self::Servers => "failed-servers.toml",
        }
    }
}

/// The list on disk. Clones share what could not be written there.
#[derive(Clone, Debug)]
pub struct FailedChecks {
    path: PathBuf,
    peers: Peers,
    unwritten: Arc<Mutex<HashSet<Fingerprint>>>,
}

/// A peer that is refused, or a list that cannot say.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RefusedPeer {
    /// It has failed too often.
    #[error(
        "{peer} has failed {failures} consistency checks of its transfers, as a cheat or a broken machine does, and is refused until you lift it: blindscan {command} lift {peer}"
    )]
    Failed {
        /// Who.
        peer: Fingerprint,
        /// How often.
        failures: u32,
        /// What lists and lifts.
        command: &'static str,
    },
    /// It has failed, and that could not be written down.
    #[error(
        "{0} has failed a consistency check of its transfers, which could not be written down; it is refused until this program is started again"
    )]
    Unwritten(Fingerprint),
    /// The list cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    peer: Vec<Entry>,
}

/// One peer of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The fingerprint of its certificate, in hexadecimal.
    pub fingerprint: String,
    /// Checks that it has failed.
    pub failures: u32,
}

impl Entry {
    /// Whether it is refused.
    pub fn is_refused(&self) -> bool {
        self.failures >= MOST
    }
}

impl FailedChecks {
    /// The list of a state directory. It need not exist: then it is empty.
    pub fn of(directory: &Path, peers: Peers) -> Self {
        Self { path: directory.join(peers.file()), peers, unwritten: Arc::default() }
    }

    /// Every peer that has failed a check.
    pub fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        Ok(files::load_toml::<File>(&self.path)?.peer)
    }

    /// Refuses a peer that has failed too often.
    pub fn admit(&self, peer: &Fingerprint) -> Result<(), RefusedPeer> {
        if self.unwritten().contains(peer) {
            return Err(RefusedPeer::Unwritten(*peer));
        }
        let digits = peer.to_string();
        match self.entries()?.into_iter().find(|entry| entry.fingerprint == digits && entry.is_refused()) {
            None => Ok(()),
            Some(Entry { failures, .. }) => {
                Err(RefusedPeer::Failed { peer: *peer, failures, command: self.peers.command() })
            }
        }
    }

    /// Counts a failed check; how many there are now. On the disk when this returns, or else in memory.
    pub fn record(&self, peer: &Fingerprint) -> Result<u32, StoreError> {
        let written = self.write(peer);
        if written.is_err() {
            self.unwritten().insert(*peer);
        }
        written
    }

    fn unwritten(&self) -> MutexGuard<'_, HashSet<Fingerprint>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, peer: &Fingerprint) -> Result<u32, StoreError> {
        let digits = peer.to_string();
        files::update_toml(&self.path, |file: &mut File| {
            if let Some(entry) = file.peer.iter_mut().find(|entry| entry.fingerprint == digits) {
                entry.failures = entry.failures.saturating_add(1);
                return Ok(entry.failures);
            }
            if file.peer.len() >= PEERS_MAX {
                return Err(StoreError::unreadable(
                    &self.path,
                    format!("{PEERS_MAX} peers have failed checks already; lift some"),
                ));
            }
            file.peer.push(Entry { fingerprint: digits, failures: 1 });
            Ok(1)
        })
    }

    /// Takes a peer from the list; false when it was not there.
    pub fn lift(&self, peer: &Fingerprint) -> Result<bool, StoreError> {
        let digits = peer.to_string();
        files::update_toml(&self.path, |file: &mut File| {
            let before = file.peer.len();
            file.peer.retain(|entry| entry.fingerprint != digits);
            Ok(file.peer.len() < before)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(byte: u8) -> Fingerprint {
        Fingerprint::from_bytes([byte; 32])
    }

    #[test]
    fn the_third_failure_refuses_a_peer_and_no_other_until_it_is_lifted() {
        let directory = tempfile::tempdir().unwrap();
        let list = || FailedChecks::of(directory.path(), Peers::Clients);
        for failures in 1..=MOST {
            assert!(list().admit(&peer(1)).is_ok(), "{failures}");
            assert_eq!(list().record(&peer(1)).unwrap(), failures);
        }
        let error = list().admit(&peer(1)).unwrap_err().to_string();
        assert!(error.contains(&format!("blindscan clients lift {}", peer(1))), "{error}");
        assert!(list().admit(&peer(2)).is_ok());
        assert!(FailedChecks::of(directory.path(), Peers::Servers).admit(&peer(1)).is_ok());

        assert!(list().lift(&peer(1)).unwrap());
        assert!(list().admit(&peer(1)).is_ok() && list().entries().unwrap().is_empty());
        assert!(!list().lift(&peer(1)).unwrap());
    }

    #[test]
    fn a_list_that_cannot_be_read_refuses_everybody_and_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let list = FailedChecks::of(directory.path(), Peers::Servers);
        std::fs::write(&list.path, "broken").unwrap();
        assert!(matches!(list.admit(&peer(1)), Err(RefusedPeer::Store(_))));
        assert!(list.record(&peer(1)).is_err());
        assert_eq!(std::fs::read(&list.path).unwrap(), b"broken");
    }

    #[test]
    fn failures_of_many_connections_at_once_are_all_counted() {
        let directory = tempfile::tempdir().unwrap();
        let list = FailedChecks::of(directory.path(), Peers::Clients);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| list.record(&peer(1)).unwrap());
            }
        });
        assert_eq!(list.entries().unwrap()[0].failures, 4);
    }

    #[test]
    fn the_list_is_bounded_and_small_enough_to_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let list = FailedChecks::of(directory.path(), Peers::Clients);
        let entry = |index: usize| Entry { fingerprint: format!("{index:064x}"), failures: u32::MAX };
        let full = File { peer: (0..PEERS_MAX).map(entry).collect() };
        files::replace(&list.path, toml::to_string(&full).unwrap().as_bytes()).unwrap();
        assert_eq!(list.entries().unwrap().len(), PEERS_MAX);
        assert!(list.record(&peer(0xff)).unwrap_err().to_string().contains("lift some"));
        let elsewhere = list.clone();
        assert!(matches!(elsewhere.admit(&peer(0xff)), Err(RefusedPeer::Unwritten(_))), "not forgotten");
        assert!(elsewhere.admit(&peer(0xfe)).is_ok());
        assert!(list.lift(&entry(7).fingerprint.parse().unwrap()).unwrap());
        assert_eq!(list.record(&peer(0xff)).unwrap(), 1);
    }
}
