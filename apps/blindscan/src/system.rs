//! What this program asks of the operating system: lines on standard output, and no core dumps.

use std::io::Write;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

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

/// Secrets of this process do not end in a core dump.
pub(crate) fn no_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none);
    let private = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if limited.is_err() || private.is_err() {
        eprintln!("warning: core dumps could not be turned off on this system");
    }
}
