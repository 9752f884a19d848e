//! The model owner: a server process in a folder of its own, its events, and the ways to its door.

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use blindscan_session::join::JoinLine;
use blindscan_wire::relay::{Fault, Relay, RelayConfig};
use serde_json::Value;
use tempfile::TempDir;

use crate::hospital::{Hospital, files_in};
use crate::program::{self, Ended, Job, wait_until};

/// A running server.
pub struct Vendor {
    place: TempDir,
    arguments: Vec<String>,
    job: Job,
    join: JoinLine,
    /// Lines of output that were looked at.
    looked_at: Cell<usize>,
}

impl Vendor {
    /// Serves a model to these clients, with more options after `serve`.
    pub fn serve(model: &str, clients: &[&Hospital], options: &[&str]) -> Self {
        let place = tempfile::tempdir().expect("a folder can be made");
        let known = clients.iter().enumerate().map(|(index, client)| {
            format!("[[client]]\nname = \"hospital-{index}\"\nfingerprint = \"{}\"\n", client.fingerprint())
        });
        fs::write(place.path().join("allowed.toml"), known.collect::<String>())
            .expect("a file can be written");
        let arguments: Vec<String> = arguments_of(model, options);
        let job = started(place.path(), &arguments);
        let join = join_line(&job);
        Self { place, arguments, job, join, looked_at: Cell::new(1) }
    }

    /// Serves as [`Vendor::serve`] does; after the join line nobody reads what the server prints.
    pub fn serve_unread(model: &str, clients: &[&Hospital]) -> Self {
        let mut vendor = Self::serve(model, clients, &[]);
        vendor.kill();
        vendor.job = Job::start_reading(command(vendor.folder(), &vendor.arguments), 1);
        vendor.join = join_line(&vendor.job);
        vendor
    }

    /// Tries to serve what cannot be served, to the end.
    pub fn try_serve(folder: &Path, model: &str, options: &[&str]) -> Ended {
        started(folder, &arguments_of(model, options)).finish()
    }

    /// The join line, with its secret if it has one.
    pub fn join(&self) -> String {
        self.join.with_secret().to_string()
    }

    /// The join line's parts.
    pub fn join_line(&self) -> JoinLine {
        self.join.clone()
    }

    /// A relay in front of the server, and the join line that leads through it.
    pub fn behind(&self, config: RelayConfig) -> (Relay, String) {
        let address: SocketAddr = self.join.address().parse().expect("servers of tests listen on an address");
        let relay = Relay::start(address, config).expect("a relay can be started");
        let line = JoinLine { port: relay.address().port(), ..self.join.clone() };
        let text = line.with_secret().to_string();
        (relay, text)
    }

    /// A relay with one fault on the way to the server or back.
    pub fn behind_fault(&self, way: Way, fault: Fault) -> (Relay, String) {
        self.behind(match way {
            Way::TowardServer => RelayConfig { toward_target: Some(fault), ..RelayConfig::default() },
            Way::TowardClient => RelayConfig { toward_client: Some(fault), ..RelayConfig::default() },
        })
    }

    /// Waits for the next event of this name after those that were waited for.
    pub fn event(&self, name: &str) -> Value {
        let mut found = None;
        wait_until(name, || {
            let output = self.job.stdout();
            let new = output.lines().enumerate().skip(self.looked_at.get());
            let events =
                new.filter_map(|(line, text)| Some((line, serde_json::from_str::<Value>(text).ok()?)));
            found = events.into_iter().find(|(_, event)| event["event"] == name);
            found.is_some()
        });
        let (line, event) = found.expect("it was waited for");
        self.looked_at.set(line + 1);
        event
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.place.path()
    }

    /// All that it has printed and said.
    pub fn words(&self) -> String {
        self.job.stdout() + &self.job.stderr()
    }

    /// Its stock files with this ending, of all clients.
    pub fn stocks(&self, ending: &str) -> Vec<PathBuf> {
        let clients = fs::read_dir(self.folder().join("stock")).into_iter().flatten().flatten();
        clients.flat_map(|client| files_in(&client.path(), ending)).collect()
    }

    /// The keys of its stocks, of all clients.
    pub fn stock_keys(&self) -> Vec<PathBuf> {
        let clients = fs::read_dir(self.folder().join("keys/stock-keys")).into_iter().flatten().flatten();
        clients.flat_map(|client| files_in(&client.path(), "key")).collect()
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.job.kill();
    }

    /// Starts it again in the same folder, on another port.
    pub fn restart(&mut self) {
        self.kill();
        self.job = started(self.place.path(), &self.arguments);
        self.join = join_line(&self.job);
        self.looked_at.set(1);
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        if !thread::panicking() {
            let words = self.job.stderr();
            assert!(!words.contains("panicked"), "the server panicked: {words}");
        }
    }
}

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    TowardServer,
    /// From the server to the client.
    TowardClient,
}

fn arguments_of(model: &str, options: &[&str]) -> Vec<String> {
    let fixed = ["serve", "--model", model, "--listen", "127.0.0.1:0", "--clients", "allowed.toml"];
    let folders = ["--keys", "keys", "--stock", "stock", "--json"];
    fixed.iter().chain(&folders).chain(options).map(|&argument| argument.to_string()).collect()
}

fn started(folder: &Path, arguments: &[String]) -> Job {
    Job::start(command(folder, arguments))
}

fn command(folder: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new(program::path());
    command.args(arguments).current_dir(folder);
    command
}

fn join_line(job: &Job) -> JoinLine {
    let mut first = String::new();
    wait_until("the join line", || {
        let output = job.stdout();
        first = output.lines().next().unwrap_or_default().to_string();
        assert!(!job.stderr().contains("error: "), "the server does not start: {}", job.stderr());
        output.contains('\n')
    });
    let event: Value = serde_json::from_str(&first).expect("events are JSON");
    assert_eq!(event["event"], "listening");
    event["join"]
        .as_str()
        .expect("the first event has the join line")
        .parse()
        .expect("join lines can be read")
}
