//! The offline phase ahead of time, for images that need not exist yet.

use std::path::Path;
use std::time::Instant;

use blindscan_inference::roles::Phase;
use blindscan_protocols::two_party::Party;

use crate::connection::{Connection, ServerOptions, connect, stock};
use crate::error::Result;
use crate::events::Events;
use crate::job;
use crate::report::JobReport;
use crate::watch::Watch;

/// Makes `count` stocks in a folder. Returns the report, and how many unused stocks lie there now.
pub fn prepare(
    server: &ServerOptions,
    folder: &Path,
    count: usize,
    events: &dyn Events,
) -> Result<(JobReport, usize)> {
    let begun = Instant::now();
    let folder = stock(folder, server)?;
    let mut connection = connect(server, events)?;
    let kind = connection.settle()?;
    let cost = connection.client.plan().cost(Party::ImageOwner, kind);
    let mut watch = Watch::new(cost, count, &[Phase::Offline], events);
    for _ in 0..count {
        let Connection { client, channel, .. } = &mut connection;
        client.prepare(&folder, &mut watch, channel)?;
    }
    let mut report = job::report(&connection, Some(kind), watch, begun);
    connection.leave()?;
    job::close(&mut report, begun);
    Ok((report, folder.unused()?.len()))
}
