//! `estimate`: bytes and turns exactly, seconds and memory as estimates, before anything runs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use blindscan_inference::estimate::{Estimate, Speed, estimate};
use blindscan_inference::{AssignedPlan, OtKind};
use blindscan_protocols::two_party::Party;
use blindscan_wire::Traffic;
use blindscan_wire::link::LinkSpec;
use blindscan_workflow::connection::{Connection, ServerOptions, connect};
use blindscan_workflow::{hex, model, speed, transfers};
use serde::Serialize;

use super::plan::OffByOneReport;
use super::{Outcome, print_json};
use crate::cli::{CLIENT_KEYS, EstimateArgs};
use crate::screen::Screen;

#[derive(Serialize)]
struct Printed {
    model: String,
    plan_digest: String,
    link: String,
    /// The kind of oblivious transfer.
    ot: &'static str,
    /// Keys: once per connection, and counted in the totals below.
    setup: Setup,
    bytes: Phases<Ways>,
    turns: Phases<u64>,
    seconds: Phases<f64>,
    /// Both phases, and connecting.
    total_seconds: f64,
    cpu_seconds: Phases<f64>,
    peak_memory_bytes: u64,
    stock_bytes: u64,
    off_by_one: OffByOneReport,
    /// For so many images on one connection: keys once, all else as often.
    images: Images,
    layers: Vec<Layer>,
    /// Things to know of the plan.
    notes: Vec<String>,
}

/// What many images come to.
#[derive(Serialize)]
struct Images {
    count: u64,
    bytes: u64,
    turns: u64,
    seconds: f64,
    stock_bytes: u64,
}

#[derive(Serialize)]
struct Setup {
    bytes: Ways,
    turns: u64,
}

#[derive(Serialize)]
struct Phases<T> {
    offline: T,
    online: T,
}

#[derive(Serialize)]
struct Ways {
    sent: u64,
    received: u64,
}

#[derive(Serialize)]
struct Layer {
    name: String,
    kind: &'static str,
    bytes: Phases<Ways>,
    turns: Phases<u64>,
    seconds: Phases<f64>,
    operations: Operations,
}

/// What a layer's seconds are estimated from.
#[derive(Serialize)]
struct Operations {
    ciphertexts_sent: u64,
    ciphertexts_returned: u64,
    products: u64,
    kernels: u64,
    transfers: u64,
    multiplications: u64,
}

fn ways(traffic: Traffic) -> Ways {
    Ways { sent: traffic.bytes_sent, received: traffic.bytes_received }
}

pub(crate) fn run(args: &EstimateArgs) -> Result<Outcome> {
    let link: LinkSpec = args.link.parse()?;
    ensure!(args.images > 0, "--images takes a number from 1 on");
    let (plan, notes) = plan(args)?;
    let speed =
        if args.calibrate_machine { speed::measured(&std::env::current_exe()?)? } else { speed::ASSUMED };
    let printed = Printed { notes, ..printed(&plan, link, args.ot.choice().on(link), &speed, args.images) };
    if args.json {
        print_json(&printed)?;
    } else {
        print_summary(&printed, args.calibrate_machine);
        if args.layers {
            print_table(&printed);
        }
    }
    Ok(Outcome::Done)
}

/// The plan of a file with its notes, or the one that a server serves.
fn plan(args: &EstimateArgs) -> Result<(AssignedPlan, Vec<String>)> {
    match (&args.server, &args.model) {
        (Some(server), _) => {
            let keys = args.keys.clone().unwrap_or_else(|| CLIENT_KEYS.into());
            let options = ServerOptions {
                server: server.clone(),
                keys,
                plan_digest: None,
                deadline: Duration::from_secs(120),
                ot: args.ot.choice(),
            };
            let Connection { client, mut channel, .. } = connect(&options, &Screen::new())?;
            let plan = AssignedPlan::new(client.plan().plan().clone())?;
            client.finish(&mut channel)?;
            Ok((plan, Vec::new()))
        }
        (None, model) => {
            let path = model.as_deref().context("give a model, or --server")?;
            let model = model::load(path, &args.options.parsed()?, None)?;
            Ok((AssignedPlan::new(model.plan)?, model.notes))
        }
    }
}

fn printed(plan: &AssignedPlan, link: LinkSpec, kind: OtKind, speed: &Speed, images: u64) -> Printed {
    let cost = plan.cost(Party::ImageOwner, kind);
    let Estimate { start, set_up, offline, online, layers, memory_bytes, stock_bytes } =
        estimate(plan, &cost, kind, speed, link);
    let setup = cost.setup;
    let both = |traffic: Traffic| traffic.bytes_sent + traffic.bytes_received;
    let images = Images {
        count: images,
        bytes: both(setup) + images * (both(cost.offline) + both(cost.online)),
        turns: setup.turns + images * (cost.offline.turns + cost.online.turns),
        seconds: start.wall + set_up.wall + images as f64 * (offline.wall - set_up.wall + online.wall),
        stock_bytes: images * stock_bytes,
    };
    Printed {
        model: plan.plan().name.clone(),
        plan_digest: hex(&plan.digest()),
        link: link.to_string(),
        ot: transfers::name(kind),
        setup: Setup { bytes: ways(setup), turns: setup.turns },
        bytes: Phases { offline: ways(setup + cost.offline), online: ways(cost.online) },
        turns: Phases { offline: setup.turns + cost.offline.turns, online: cost.online.turns },
        seconds: Phases { offline: offline.wall, online: online.wall },
        total_seconds: (start + offline + online).wall,
        cpu_seconds: Phases { offline: offline.work, online: online.work },
        peak_memory_bytes: memory_bytes,
        stock_bytes,
        images,
        notes: Vec::new(),
        off_by_one: OffByOneReport::of(plan),
        layers: cost
            .layers
            .into_iter()
            .zip(layers)
            .map(|(layer, (offline, online))| Layer {
                name: layer.name,
                kind: layer.kind,
                bytes: Phases { offline: ways(layer.offline), online: ways(layer.online) },
                turns: Phases { offline: layer.offline.turns, online: layer.online.turns },
                seconds: Phases { offline: offline.wall, online: online.wall },
                operations: Operations {
                    ciphertexts_sent: layer.work.ciphertexts.0,
                    ciphertexts_returned: layer.work.ciphertexts.1,
                    products: layer.work.products,
                    kernels: layer.work.kernels,
                    transfers: layer.work.forward_cots + layer.work.backward_cots,
                    multiplications: layer.work.macs,
                },
            })
            .collect(),
    }
}

/// The figures that decide come first: seconds and bytes of what was asked for.
fn print_summary(printed: &Printed, measured: bool) {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let both = |ways: &Ways| mb(ways.sent + ways.received);
    let Images { count, bytes, turns, seconds, stock_bytes } = &printed.images;
    let of = if *count == 1 { "one image".into() } else { format!("{count} images") };
    say!("{}: {of} in about {seconds:.1} s and {:.1} MB", printed.model, mb(*bytes));
    say!("on a link of {}, transfers by {}, {turns} turns", printed.link, printed.ot);
    say!(
        "of each image before it is there (offline): {:.2} s, {:.1} MB, keys included; after (online): {:.2} s, {:.1} MB",
        printed.seconds.offline,
        both(&printed.bytes.offline),
        printed.seconds.online,
        both(&printed.bytes.online)
    );
    say!(
        "memory about {:.0} MB at the larger party; stock on disk {:.0} MB if all is prepared; processor {:.1} s an image, both parties together",
        mb(printed.peak_memory_bytes),
        mb(*stock_bytes),
        printed.cpu_seconds.offline + printed.cpu_seconds.online
    );
    say!(
        "bytes and turns are exact; the public plan and control messages (a few kB), a probe of 1 MiB with --ot auto, frames and TLS (about 0.2 %) come on top"
    );
    match measured {
        true => {
            say!("seconds are estimated from this machine's speed, measured now, for both parties on it")
        }
        false => say!(
            "seconds are estimated for a machine of 2 cores that both parties share; --calibrate-machine measures yours"
        ),
    }
    say!("{}", printed.off_by_one.line());
    say!("plan digest {}", printed.plan_digest);
    printed.notes.iter().for_each(|note| say!("note: {note}"));
}

/// Layer by layer, of one image.
fn print_table(printed: &Printed) {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    say!(
        "{:<40} {:>10} {:>10} {:>6} {:>8} {:>10} {:>10} {:>6} {:>8}",
        "as the image owner sees it",
        "off. sent",
        "received",
        "turns",
        "seconds",
        "on. sent",
        "received",
        "turns",
        "seconds"
    );
    let row = |name: &str, bytes: &Phases<Ways>, turns: &Phases<u64>, seconds: &Phases<f64>| {
        let name: String = name.chars().take(40).collect();
        say!(
            "{name:<40} {:>10.3} {:>10.3} {:>6} {:>8.2} {:>10.3} {:>10.3} {:>6} {:>8.2}",
            mb(bytes.offline.sent),
            mb(bytes.offline.received),
            turns.offline,
            seconds.offline,
            mb(bytes.online.sent),
            mb(bytes.online.received),
            turns.online,
            seconds.online
        );
    };
    for layer in &printed.layers {
        row(&format!("{} {}", layer.kind, layer.name), &layer.bytes, &layer.turns, &layer.seconds);
    }
    row("total, MB (keys included)", &printed.bytes, &printed.turns, &printed.seconds);
}
