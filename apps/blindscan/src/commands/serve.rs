//! `serve`: a model behind a port, for the clients on a list, several at a time, for as long as the process lives.
//!
//! Standard output carries the join line; with `--json` one event a line: `listening`, `prepared`, `served`, `ended`,
//! `refused`, `failed`. Events name clients by the list's names and say nothing of what was computed.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use blindscan_session::PlanDigest;
use blindscan_session::job::Done;
use blindscan_workflow::card::Card;
use blindscan_workflow::events::Events;
use blindscan_workflow::machine;
use blindscan_workflow::model;
use blindscan_workflow::serve::{ModelServer, ServeOptions, ServerEvent, ServerEvents};
use serde_json::{Value, json};

use super::Outcome;
use crate::cli::ServeArgs;
use crate::screen::Screen;

pub(crate) fn run(args: &ServeArgs) -> Result<Outcome> {
    let screen = Screen::new();
    let model = model::load(&args.model, &args.options.parsed()?, None)?;
    let (notes, made_in) = (model.notes.clone(), model.made_in);
    let options = ServeOptions {
        listen: args.listen.clone(),
        host: args.host.clone(),
        clients: args.clients.clone(),
        enrol: args.enrol,
        keys: args.keys.clone(),
        stock: args.stock.clone(),
        clients_max: args.clients_max,
        deadline: Duration::from_secs(args.deadline),
    };
    let server = ModelServer::open(model, &options, &screen, Box::new(Log { json: args.json }))?;
    notes.iter().for_each(|note| screen.note(note));
    if let Some(taken) = made_in {
        screen.note(&format!(
            "reading and calibrating took {:.1} s; `blindscan plan {} --out DIR` does it once, and `serve --model DIR` offers what it has made",
            taken.as_secs_f64(),
            args.model.display()
        ));
    }
    listening(&server, args.json);
    if server.nobody_may_come()? {
        screen.warning(
            "no client is allowed, so that every connection is refused: give --clients FILE with the fingerprints of those that may come, and --enrol to admit a new one",
        );
    }
    server.run();
    Ok(Outcome::Done)
}

fn listening(server: &ModelServer, json: bool) {
    let secret_line = server.join_line().with_secret();
    let plan = server.plan().plan();
    let digest = PlanDigest(plan.digest()).to_string();
    let takes = Card::of(plan).words();
    if json {
        let event = json!({
            "event": "listening",
            "join": secret_line.as_str(),
            "model": plan.name,
            "plan_digest": digest,
            "takes": takes,
            "cpu_seconds": machine::cpu_seconds(),
        });
        say!("{event}");
    } else {
        say!("serving {} (plan {digest})", plan.name);
        say!("join line: {}", secret_line.as_str());
        say!("takes: {takes}");
    }
}

/// Where events go.
struct Log {
    json: bool,
}

impl ServerEvents for Log {
    fn happened(&self, event: ServerEvent<'_>) {
        match (self.json, as_json(&event)) {
            // A server whose log nobody reads any more goes on serving.
            (true, Some(line)) => drop(writeln!(std::io::stdout(), "{line}")),
            _ => drop(writeln!(std::io::stderr(), "{}", as_line(&event))),
        }
    }
}

/// An event for programs; none for what concerns no client.
fn as_json(event: &ServerEvent<'_>) -> Option<Value> {
    Some(match event {
        ServerEvent::Done { done, client, seconds, traffic } => json!({
            "event": word(*done),
            "client": client.name,
            "seconds": seconds,
            "bytes_sent": traffic.bytes_sent,
            "bytes_received": traffic.bytes_received,
            "cpu_seconds": machine::cpu_seconds(),
            "peak_memory_bytes": machine::peak_memory_bytes(),
        }),
        ServerEvent::Ended { client } => json!({ "event": "ended", "client": client.name }),
        ServerEvent::Refused { reason } => json!({ "event": "refused", "reason": reason }),
        ServerEvent::Failed { client, reason } => json!({
            "event": "failed",
            "client": client.name,
            "fingerprint": client.fingerprint.to_string(),
            "reason": reason,
        }),
        _ => return None,
    })
}

/// An event for people.
fn as_line(event: &ServerEvent<'_>) -> String {
    match event {
        ServerEvent::Done { done, client, seconds, .. } => {
            format!("{} one image for {} in {seconds:.2} s", word(*done), client.name)
        }
        ServerEvent::Ended { client } => format!("{} has left", client.name),
        ServerEvent::Refused { reason } => format!("refused: {reason}"),
        ServerEvent::Failed { client, reason } => format!("failed {}: {reason}", client.name),
        ServerEvent::Trouble { reason } => reason.clone(),
        // An event of a newer library; its content is not known here.
        _ => "something happened that this program has no words for".into(),
    }
}

fn word(done: Done) -> &'static str {
    match done {
        Done::Prepared => "prepared",
        Done::Served => "served",
    }
}
