//! `segment`: slices of a scan in, a mask on the scan's own grid out.

use anyhow::Result;
use blindscan_workflow::segment::{SegmentOptions, segment};

use super::{Outcome, show};
use crate::cli::SegmentArgs;
use crate::screen::Screen;

pub(crate) fn run(args: &SegmentArgs) -> Result<Outcome> {
    let options = SegmentOptions {
        server: args.server.options(),
        study: args.study.options(),
        canaries: args.canaries.options(),
        out: args.out.clone(),
        slices: args.slices.clone(),
        stock: args.stock.clone(),
        reference: args.reference.clone(),
        expert: args.expert.clone(),
    };
    let report = segment(&args.scan, &options, &Screen::new())?;
    show(&report, args.layers, args.json)?;
    Ok(Outcome::of(&report))
}
