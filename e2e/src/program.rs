//! The program under test and its processes: watched, waited for with a limit, killed on drop.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No wait of a test is longer. Jobs take a few seconds on an idle machine; a loaded one is slow.
pub const LIMIT: Duration = Duration::from_secs(90);

/// The program, which Cargo builds before the tests of its package, in their profile. `BLINDSCAN_PROGRAM` names another one to test.
pub fn path() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let built = || profile_folder().join("blindscan").with_extension(env::consts::EXE_EXTENSION);
    PROGRAM.get_or_init(|| env::var_os("BLINDSCAN_PROGRAM").map_or_else(built, PathBuf::from))
}

/// The folder of these tests' profile in the target folder.
pub(crate) fn profile_folder() -> PathBuf {
    let tests = env::current_exe().expect("a test knows where it is");
    let folder = tests.ancestors().find(|folder| folder.ends_with("deps")).and_then(Path::parent);
    folder.expect("tests lie in TARGET/PROFILE/deps").to_path_buf()
}

/// Runs the program in a folder to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(path());
    command.args(arguments).current_dir(folder);
    Job::start(command).finish()
}

/// A process with its output so far.
pub struct Job {
    child: Child,
    out: Arc<Mutex<String>>,
    err: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Job {
    /// Starts a command.
    pub fn start(command: Command) -> Self {
        Self::start_reading(command, usize::MAX)
    }

    /// Starts a command, and closes its standard output after so many lines.
    pub fn start_reading(mut command: Command, lines: usize) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the program can be started");
        let (out, err) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().expect("standard output is piped"), &out, lines),
            collect(child.stderr.take().expect("standard error is piped"), &err, usize::MAX),
        ];
        Self { child, out, err, readers }
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        self.out.lock().expect("no reader panics").clone()
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        self.err.lock().expect("no reader panics").clone()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// Waits for its end, which must come within [`LIMIT`] and without a panic.
    pub fn finish(mut self) -> Ended {
        let begun = Instant::now();
        while self.is_running() {
            assert!(begun.elapsed() < LIMIT, "the program does not end; it said: {}", self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
        let status = self.child.wait().expect("it has ended");
        self.readers.drain(..).for_each(|reader| reader.join().expect("no reader panics"));
        let ended = Ended { code: status.code(), stdout: self.stdout(), stderr: self.stderr() };
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended
    }

    /// Ends it as a power cut would: SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("it has ended");
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps what a pipe brings, line by line, and closes it after so many.
fn collect(pipe: impl Read + Send + 'static, kept: &Arc<Mutex<String>>, lines: usize) -> JoinHandle<()> {
    let kept = kept.clone();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        for _ in 0..lines {
            let mut line = Vec::new();
            let Ok(1..) = pipe.read_until(b'\n', &mut line) else { return };
            kept.lock().expect("nobody panics with it").push_str(&String::from_utf8_lossy(&line));
        }
    })
}

/// A process that has ended.
pub struct Ended {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// All that it printed.
    pub stdout: String,
    /// All that it said.
    pub stderr: String,
}

impl Ended {
    /// It must have succeeded.
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// It must have done its work with "no" for an answer: exit code 3.
    pub fn said_no(self) -> Self {
        assert_eq!(self.code, Some(3), "{}", self.stderr);
        self
    }

    /// It must have failed with exit code 1, and its last words hold each of these parts.
    pub fn failed(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{} {}", self.stdout, self.stderr);
        let reason = self.stderr.split_once("error: ").map(|(_, reason)| reason).unwrap_or_default();
        for part in parts {
            assert!(reason.contains(part), "`{part}` is missing in: {}", self.stderr);
        }
        assert!(!reason.trim().is_empty(), "a failure has a reason: {}", self.stderr);
        self
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// Waits until something holds, within [`LIMIT`].
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "{what}: it does not come about");
        thread::sleep(Duration::from_millis(2));
    }
}
