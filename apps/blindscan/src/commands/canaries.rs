//! `canaries`: notes the right answers of a folder of images, for `--canaries`.

use std::time::Duration;

use anyhow::{Context, Result};
use blindscan_inference::roles::Unobserved;
use blindscan_workflow::canaries::Notes;
use blindscan_workflow::connection::{Connection, ServerOptions, connect};
use blindscan_workflow::{model, reference, transfers};

use super::{Outcome, print_json};
use crate::cli::CanariesArgs;
use crate::screen::Screen;

pub(crate) fn run(args: &CanariesArgs) -> Result<Outcome> {
    let notes = match &args.server {
        Some(server) => asked(args, server)?,
        None => computed(args)?,
    };
    let path = notes.write(&args.set)?;
    if args.json {
        print_json(&serde_json::json!({ "answers": notes.count(), "file": path }))?;
    } else {
        say!("noted {} answers in {}", notes.count(), path.display());
    }
    Ok(Outcome::Done)
}

/// By the clear integer model, which its owner has.
fn computed(args: &CanariesArgs) -> Result<Notes> {
    let path = args.model.as_deref().context("give --model or --server")?;
    let model = model::load(path, &args.options.parsed()?, None)?;
    Notes::take(&args.set, args.slices.as_deref(), &model.plan, |tensor, _| {
        reference::clear(&model, tensor, &Screen::new())
    })
}

/// By a server that is trusted today, one job an image.
fn asked(args: &CanariesArgs, server: &str) -> Result<Notes> {
    let options = ServerOptions {
        server: server.into(),
        keys: args.keys.clone(),
        plan_digest: args.plan_digest,
        deadline: Duration::from_secs(args.deadline),
        ot: args.ot.choice(),
    };
    let mut connection = connect(&options, &Screen::new())?;
    transfers::settle(&mut connection)?;
    let plan = connection.client.plan().plan().clone();
    let notes = Notes::take(&args.set, args.slices.as_deref(), &plan, |_, input| {
        let Connection { client, channel, .. } = &mut connection;
        Ok(client.run(input, &mut Unobserved, channel)?)
    })?;
    connection.leave()?;
    Ok(notes)
}
