//! `classify`: one image in, one class or several findings out; or any model whose input is a tensor.

use anyhow::Result;
use blindscan_workflow::classify::{ClassifyOptions, classify};

use super::{Outcome, show};
use crate::cli::ClassifyArgs;
use crate::screen::Screen;

pub(crate) fn run(args: &ClassifyArgs) -> Result<Outcome> {
    let options = ClassifyOptions {
        server: args.server.options(),
        study: args.study.options(),
        canaries: args.canaries.options(),
        slice: args.slice,
        out: args.out.clone(),
        stock: args.stock.clone(),
        reference: args.reference.clone(),
        values: args.values,
    };
    let (report, labels) = classify(&args.image, &options, &Screen::new())?;
    if !args.json && report.label.is_none() && report.findings.is_empty() {
        say!(
            "{labels} labels: this model gives no single class; --values with --out puts them into report.json"
        );
    }
    show(&report, args.layers, args.json)?;
    Ok(Outcome::of(&report))
}
