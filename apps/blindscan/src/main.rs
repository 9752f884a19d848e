//! The one program people install: check, plan, estimate, compare, keys, serve, prepare, look, segment, classify, demo, bench,
//! canaries, clients, servers.
//!
//! Exit codes: 0 done; 1 failed, the reason is on standard error; 2 the command line is wrong; 3 done, and the answer is no
//! (`check` of a model that cannot be run, `look` at a scan that does not fit, an answer that differs from the reference);
//! 4 done, and a known answer was wrong: the answers are not to be trusted.
#![forbid(unsafe_code)]

/// A line on standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::system::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// Text on standard output as it is.
macro_rules! say_part {
    ($($text:tt)*) => { $crate::system::print(format_args!($($text)*)) };
}

mod cli;
mod commands;
mod screen;
mod system;

use std::process::ExitCode;

use blindscan_session::failed_checks::Peers;
use clap::Parser;
use cli::{Cli, Command};
use commands::Outcome;

fn main() -> ExitCode {
    system::no_core_dumps();
    let outcome = match &Cli::parse().command {
        Command::Demo(args) => commands::demo::run(args),
        Command::Check(args) => commands::check::run(args),
        Command::Plan(args) => commands::plan::run(args),
        Command::Estimate(args) => commands::estimate::run(args),
        Command::Compare(args) => commands::compare::run(args),
        Command::Keys(args) => commands::keys::run(args),
        Command::Serve(args) => commands::serve::run(args),
        Command::Prepare(args) => commands::prepare::run(args),
        Command::Look(args) => commands::look::run(args),
        Command::Segment(args) => commands::segment::run(args),
        Command::Classify(args) => commands::classify::run(args),
        Command::Bench(args) => commands::bench::run(args),
        Command::Canaries(args) => commands::canaries::run(args),
        Command::Clients(args) => commands::peers::run(args, Peers::Clients, cli::SERVER_KEYS),
        Command::Servers(args) => commands::peers::run(args, Peers::Servers, cli::CLIENT_KEYS),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(3),
        Ok(Outcome::Untrusted) => ExitCode::from(4),
        Err(error) => {
            eprintln!("error: {}", blindscan_workflow::one_line(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
