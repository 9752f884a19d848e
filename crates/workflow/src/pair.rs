//! Two operating-system processes on this machine, each with a folder of its own: a vendor that serves, a hospital that asks.
//!
//! For `demo`, `compare --processes` and `bench`. The parent owns both folders; neither child sees the other's.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use blindscan_session::join::JoinLine;
use blindscan_session::keys;
use blindscan_wire::link::LinkSpec;
use blindscan_wire::relay::{Relay, RelayConfig};
use serde_json::Value;
use tempfile::TempDir;

use crate::error::{At, PairError, Result};
use crate::report::JobReport;

/// A vendor that serves, and a place for the hospital.
pub struct Pair {
    program: PathBuf,
    place: TempDir,
    vendor: Child,
    events: Arc<Mutex<Vec<Value>>>,
    join: String,
    vendor_cpu_at_start: f64,
    _relay: Option<Relay>,
}

impl Pair {
    /// Makes both identities, lets the vendor know the hospital, and starts the vendor: `program`, which is `blindscan`,
    /// with `arguments` after `serve`. A `link` puts a slow line between the two.
    pub fn start(program: &Path, arguments: &[&str], link: Option<LinkSpec>) -> Result<Self> {
        let place = tempfile::Builder::new().prefix("blindscan-").tempdir()?;
        for side in ["vendor", "hospital"] {
            std::fs::create_dir(place.path().join(side))?;
        }
        let hospital = keys::create(&place.path().join("hospital/keys"))?;
        let allowed =
            format!("[[client]]\nname = \"hospital\"\nfingerprint = \"{}\"\n", hospital.fingerprint());
        std::fs::write(place.path().join("vendor/allowed.toml"), allowed)?;
        let mut vendor = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--clients", "allowed.toml", "--keys", "keys"])
            .args(["--stock", "stock", "--json"])
            .args(arguments)
            .current_dir(place.path().join("vendor"))
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|source| PairError::NotStarted { whose: "vendor's", source })?;
        let mut output = BufReader::new(vendor.stdout.take().expect("standard output is piped"));
        let (join, vendor_cpu_at_start) = match first_event(&mut output) {
            Ok(first) => first,
            Err(error) => {
                let _ = vendor.kill();
                let _ = vendor.wait();
                return Err(error);
            }
        };
        let events = collect(output);
        let (join, relay) = match link {
            None => (join, None),
            Some(link) => {
                let (join, relay) = behind_relay(&join, link)?;
                (join, Some(relay))
            }
        };
        Ok(Self { program: program.into(), place, vendor, events, join, vendor_cpu_at_start, _relay: relay })
    }

    /// The hospital's folder.
    pub fn hospital(&self) -> PathBuf {
        self.place.path().join("hospital")
    }

    /// Runs `blindscan` in the hospital's folder with these arguments and `--server`, `--keys`, `--json`; its report.
    pub fn ask(&self, arguments: &[&str]) -> Result<JobReport> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .args(["--server", &self.join, "--keys", "keys", "--json"])
            .current_dir(self.hospital())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|source| PairError::NotStarted { whose: "hospital's", source })?;
        let mut text = String::new();
        child.stdout.take().expect("standard output is piped").read_to_string(&mut text)?;
        let status = child.wait()?;
        if !status.success() {
            return Err(PairError::Hospital { status }.into());
        }
        serde_json::from_str(&text).map_err(|source| PairError::NoReport { source }.into())
    }

    /// Processor time that the vendor had used before it listened: loading the model.
    pub fn vendor_cpu_at_start(&self) -> f64 {
        self.vendor_cpu_at_start
    }

    /// What the vendor said of its last finished job: processor time and peak memory of its process.
    pub fn vendor_usage(&self) -> Option<(f64, u64)> {
        let events = self.events.lock().ok()?;
        let last = events.iter().rev().find(|event| event.get("cpu_seconds").is_some())?;
        Some((last["cpu_seconds"].as_f64()?, last["peak_memory_bytes"].as_u64()?))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.vendor.kill();
        let _ = self.vendor.wait();
    }
}

/// Copies a file into a folder under a name.
pub fn bring(file: &Path, folder: &Path, name: &str) -> Result<()> {
    std::fs::copy(file, folder.join(name)).map(drop).at(file)
}

/// The join line, and the processor time used until then.
fn first_event(output: &mut BufReader<ChildStdout>) -> Result<(String, f64)> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    let event: Value = serde_json::from_str(&line).map_err(|_| PairError::NoVendor)?;
    let join = event["join"].as_str().ok_or(PairError::NoVendor)?;
    Ok((join.to_string(), event["cpu_seconds"].as_f64().unwrap_or_default()))
}

/// Keeps the vendor's events as they come.
fn collect(output: BufReader<ChildStdout>) -> Arc<Mutex<Vec<Value>>> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = events.clone();
    std::thread::spawn(move || {
        for event in output.lines().map_while(|line| serde_json::from_str(&line.ok()?).ok()) {
            if let Ok(mut kept) = kept.lock() {
                kept.push(event);
            }
        }
    });
    events
}

/// The same join line with the address of a slow relay in front of the server.
fn behind_relay(join: &str, link: LinkSpec) -> Result<(String, Relay)> {
    let mut line: JoinLine = join.parse()?;
    let target: SocketAddr =
        line.address().to_socket_addrs()?.next().expect("a server that listens has an address");
    let relay = Relay::start(target, RelayConfig { link: Some(link), ..RelayConfig::default() })?;
    line.port = relay.address().port();
    let text = line.with_secret().to_string();
    Ok((text, relay))
}
