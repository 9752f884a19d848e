//! `prepare`: the offline phase ahead of time, for images that need not exist yet.

use anyhow::Result;
use blindscan_workflow::prepare::prepare;

use super::{Outcome, print_json};
use crate::cli::PrepareArgs;
use crate::screen::{Screen, report};

pub(crate) fn run(args: &PrepareArgs) -> Result<Outcome> {
    let (done, unused) = prepare(&args.server.options(), &args.stock, args.count, &Screen::new())?;
    if args.json {
        print_json(&done)?;
    } else {
        say_part!("{}", report::totals(&done, args.layers));
        say!("{unused} unused stocks in {}", args.stock.display());
    }
    Ok(Outcome::Done)
}
