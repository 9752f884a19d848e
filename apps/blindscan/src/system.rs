//! What the operating system knows of this process: memory, processor time, the date; and core dumps turned off.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// The time so long ago, in UTC to the second, as ISO 8601 writes it; the year 1970 on a machine without a clock.
pub(crate) fn utc_before(ago: Duration) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    utc(since.saturating_sub(ago).as_secs())
}

/// Seconds since 1970 as a date of the Gregorian calendar. Years are counted from March, so that a leap day is a year's last.
fn utc(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let from_march_0000 = days + 719_468;
    let (era, day_of_era) = (from_march_0000 / 146_097, from_march_0000 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month < 3);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// An error and its causes in one line. A cause that is told in its neighbour's words already is left out, for many errors
/// repeat the file's name or the system's words.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in error.chain().map(ToString::to_string) {
        match parts.last_mut() {
            Some(last) if last.contains(&part) => {}
            Some(last) if part.contains(last.as_str()) => *last = part,
            _ => parts.push(part),
        }
    }
    parts.join(": ")
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

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn seconds_become_dates() {
        // `date -u -d @N +%FT%TZ`.
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), date);
        }
    }

    #[test]
    fn an_error_tells_each_thing_once() {
        let refused = || std::io::Error::other("Connection refused");
        let twice: Result<(), _> =
            Err(refused()).context("host:1 cannot be reached: Connection refused; check it");
        assert_eq!(told(&twice.unwrap_err()), "host:1 cannot be reached: Connection refused; check it");
        let path: Result<(), _> = Err(anyhow::anyhow!("x.nii is damaged")).context("x.nii").context("out");
        assert_eq!(told(&path.unwrap_err()), "out: x.nii is damaged");
    }
}
