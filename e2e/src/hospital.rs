//! The image owner: a folder with an identity, and jobs that ask a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use blindscan_session::keys;
use tempfile::TempDir;

use crate::program::{self, Ended, Job};

/// One client of a server.
pub struct Hospital {
    place: TempDir,
    fingerprint: String,
}

impl Hospital {
    /// A client with a new identity.
    #[allow(clippy::new_without_default)] // a default that touches the disk would surprise
    pub fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder can be made");
        let identity = keys::create(&place.path().join("keys")).expect("an identity can be made");
        Self { place, fingerprint: identity.fingerprint().to_string() }
    }

    /// Its folder: its jobs run there.
    pub fn folder(&self) -> &Path {
        self.place.path()
    }

    /// A path in its folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// What servers know it by.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// A job that asks the server of this join line.
    pub fn command(&self, arguments: &[&str], join: &str) -> Command {
        let mut command = Command::new(program::path());
        command.args(arguments).args(["--server", join, "--keys", "keys", "--json"]);
        command.current_dir(self.folder());
        command
    }

    /// Starts a job.
    pub fn start(&self, arguments: &[&str], join: &str) -> Job {
        Job::start(self.command(arguments, join))
    }

    /// Runs a job to its end.
    pub fn ask(&self, arguments: &[&str], join: &str) -> Ended {
        self.start(arguments, join).finish()
    }

    /// The keys of its stocks.
    pub fn stock_keys(&self) -> Vec<PathBuf> {
        files_in(&self.at("keys/stock-keys"), "key")
    }

    /// The files of its folder `stock` with this ending.
    pub fn stocks(&self, ending: &str) -> Vec<PathBuf> {
        files_in(&self.at("stock"), ending)
    }
}

/// The files of a folder with this ending; none when there is no folder.
pub(crate) fn files_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == ending)).collect()
}
