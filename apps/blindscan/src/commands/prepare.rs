//! `prepare`: the offline phase ahead of time, for images that need not exist yet.

use std::time::Instant;

use anyhow::Result;
use blindscan_inference::roles::Phase;
use blindscan_protocols::Party;

use super::{Outcome, print_json};
use crate::cli::PrepareArgs;
use crate::connection::{Connection, connect, stock};
use crate::watch::Watch;
use crate::{job, ot};

pub(crate) fn run(args: &PrepareArgs) -> Result<Outcome> {
    let begun = Instant::now();
    let folder = stock(&args.stock, &args.server)?;
    let mut connection = connect(&args.server)?;
    let kind = ot::settle(&mut connection)?;
    let cost = connection.client.plan().cost(Party::ImageOwner, kind);
    let mut watch = Watch::new(cost, args.count, &[Phase::Offline], false);
    for _ in 0..args.count {
        let Connection { client, channel, .. } = &mut connection;
        client.prepare(&folder, &mut watch, channel)?;
    }
    let mut report = job::report(&connection, Some(kind), watch, begun);
    connection.leave()?;
    job::close(&mut report, begun);
    if args.json {
        print_json(&report)?;
    } else {
        say_part!("{}", report.totals(args.layers));
        say!("{} unused stocks in {}", folder.unused()?.len(), args.stock.display());
    }
    Ok(Outcome::Done)
}
