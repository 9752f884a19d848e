//! What the operating system knows of this process: memory, processor time; and core dumps turned off.

use std::io::Write;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Prints to standard output. A reader that has gone away (`| head`) ends the program quietly; any other failure is an error.
pub(crate) fn print(text: std::fmt::Arguments<'_>) {
    let Err(error) = std::io::stdout().write_fmt(text) else { return };
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        _ => {
            eprintln!("error: standard output: {error}");
            std::process::exit(1)
        }
    }
}

/// Peak resident memory of this process in bytes; 0 where the system does not tell.
pub(crate) fn peak_memory_bytes() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes * 1024)
}

/// Processor time of this process so far, user and system, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// This machine's name.
pub(crate) fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_string();
    (!name.is_empty()).then_some(name)
}

/// Secrets of this process do not end in a core dump.
pub(crate) fn no_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none);
    let private = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if limited.is_err() || private.is_err() {
        eprintln!("warning: core dumps could not be turned off on this system");
    }
}
