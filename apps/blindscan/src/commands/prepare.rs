//! `prepare`: the offline phase ahead of time, for images that need not exist yet.

use anyhow::Result;
use blindscan_workflow::prepare::prepare;

use super::{Outcome, print_json};
use crate::cli::PrepareArgs;
use crate::screen::Screen;

pub(crate) fn run(args: &PrepareArgs) -> Result<Outcome> {
    let (report, unused) = prepare(&args.server.options(), &args.stock, args.count, &Screen::new())?;
    if args.json {
        print_json(&report)?;
    } else {
        say_part!("{}", report.totals(args.layers));
        say!("{unused} unused stocks in {}", args.stock.display());
    }
    Ok(Outcome::Done)
}
