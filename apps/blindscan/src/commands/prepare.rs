//! `prepare`: the offline phase ahead of time, for images that need not exist yet.

use std::time::Instant;

use anyhow::Result;
use blindscan_inference::roles::Phase;
use blindscan_protocols::Party;
use blindscan_workflow::connection::{Connection, connect, stock};
use blindscan_workflow::watch::Watch;
use blindscan_workflow::{job, transfers};

use super::{Outcome, print_json};
use crate::cli::PrepareArgs;
use crate::screen::Screen;

pub(crate) fn run(args: &PrepareArgs) -> Result<Outcome> {
    let begun = Instant::now();
    let (screen, server) = (Screen::new(), args.server.options());
    let folder = stock(&args.stock, &server)?;
    let mut connection = connect(&server, &screen)?;
    let kind = transfers::settle(&mut connection)?;
    let cost = connection.client.plan().cost(Party::ImageOwner, kind);
    let mut watch = Watch::new(cost, args.count, &[Phase::Offline], &screen);
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
