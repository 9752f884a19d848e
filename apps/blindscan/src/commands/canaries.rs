//! `canaries`: notes the right answers of a folder of images, for `--canaries`.

use std::time::Duration;

use anyhow::{Context, Result};
use blindscan_inference::roles::Unobserved;
use blindscan_workflow::canaries::{Notes, UnnotedSet};
use blindscan_workflow::connection::{Connection, ServerOptions, connect};
use blindscan_workflow::{model, reference};

use super::{Outcome, print_json};
use crate::cli::CanariesArgs;
use crate::screen::Screen;

pub(crate) fn run(args: &CanariesArgs) -> Result<Outcome> {
    let set = UnnotedSet::open(&args.set)?;
    let notes = match &args.server {
        Some(server) => asked(args, server, set)?,
        None => computed(args, set)?,
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
fn computed(args: &CanariesArgs, set: UnnotedSet) -> Result<Notes> {
    let path = args.model.as_deref().context("give --model or --server")?;
    let model = model::load(path, &args.options.parsed()?, None)?;
    let answer = |tensor: &_, _: &_| reference::clear(&model, tensor, &Screen::new());
    Ok(Notes::take(set, args.slices.as_deref(), &model.plan, answer)?)
}

/// By a server that is trusted today, one job per image.
fn asked(args: &CanariesArgs, server: &str, set: UnnotedSet) -> Result<Notes> {
    let options = ServerOptions {
        server: server.into(),
        keys: args.keys.clone(),
        plan_digest: args.plan_digest,
        deadline: Duration::from_secs(args.deadline),
        ot: args.ot.choice(),
    };
    let mut connection = connect(&options, &Screen::new())?;
    connection.settle()?;
    let plan = connection.client.plan().plan().clone();
    let notes = Notes::take(set, args.slices.as_deref(), &plan, |_, input| {
        let Connection { client, channel, .. } = &mut connection;
        Ok(client.run(input, &mut Unobserved, channel)?)
    })?;
    connection.leave()?;
    Ok(notes)
}
