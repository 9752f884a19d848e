//! `estimate`: bytes and turns exactly, seconds and memory as estimates, before anything runs.

use anyhow::{Context, Result};
use blindscan_inference::estimate::{Estimate, Speed, estimate};
use blindscan_inference::{AssignedPlan, OtKind};
use blindscan_protocols::Party;
use blindscan_wire::Traffic;
use blindscan_wire::link::LinkSpec;
use serde::Serialize;

use super::plan::{OffByOneReport, hex};
use super::{Outcome, print_json};
use crate::cli::{CLIENT_KEYS, EstimateArgs, ServerOptions};
use crate::connection::{Connection, connect};
use crate::{model, ot, speed};

#[derive(Serialize)]
struct Printed {
    model: String,
    plan_digest: String,
    link: String,
    /// The kind of oblivious transfer.
    ot: &'static str,
    /// Keys: once a connection, and counted in the totals below.
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
    layers: Vec<Layer>,
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
    let plan = plan(args)?;
    let speed = if args.calibrate_machine { speed::measured()? } else { speed::ASSUMED };
    let printed = printed(&plan, link, args.ot.on(link), &speed);
    if args.json {
        print_json(&printed)?;
    } else {
        print_table(&printed, args.calibrate_machine);
    }
    Ok(Outcome::Done)
}

/// The plan of a file, or the one that a server serves.
fn plan(args: &EstimateArgs) -> Result<AssignedPlan> {
    match (&args.server, &args.model) {
        (Some(server), _) => {
            let keys = args.keys.clone().unwrap_or_else(|| CLIENT_KEYS.into());
            let options =
                ServerOptions { server: server.clone(), keys, plan_digest: None, deadline: 120, ot: args.ot };
            let Connection { client, mut channel, .. } = connect(&options)?;
            let plan = AssignedPlan::new(client.plan().plan().clone())?;
            client.finish(&mut channel)?;
            Ok(plan)
        }
        (None, model) => {
            let path = model.as_deref().context("give a model, or --server")?;
            Ok(AssignedPlan::new(model::load(path, &args.options, None)?.plan)?)
        }
    }
}

fn printed(plan: &AssignedPlan, link: LinkSpec, kind: OtKind, speed: &Speed) -> Printed {
    let cost = plan.cost(Party::ImageOwner, kind);
    let Estimate { start, offline, online, layers, memory_bytes, stock_bytes } =
        estimate(plan, &cost, kind, speed, link);
    let setup = cost.setup;
    Printed {
        model: plan.plan().name.clone(),
        plan_digest: hex(&plan.digest()),
        link: link.to_string(),
        ot: ot::name(kind),
        setup: Setup { bytes: ways(setup), turns: setup.turns },
        bytes: Phases { offline: ways(setup + cost.offline), online: ways(cost.online) },
        turns: Phases { offline: setup.turns + cost.offline.turns, online: cost.online.turns },
        seconds: Phases { offline: offline.wall, online: online.wall },
        total_seconds: (start + offline + online).wall,
        cpu_seconds: Phases { offline: offline.work, online: online.work },
        peak_memory_bytes: memory_bytes,
        stock_bytes,
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
                    ciphertexts_sent: layer.ciphertexts.0,
                    ciphertexts_returned: layer.ciphertexts.1,
                    products: layer.products,
                    kernels: layer.kernels,
                    transfers: layer.pads.forward_cots + layer.pads.backward_cots,
                    multiplications: layer.macs,
                },
            })
            .collect(),
    }
}

fn print_table(printed: &Printed, measured: bool) {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    say!("{} on a link of {}, {}, as the image owner sees it", printed.model, printed.link, printed.ot);
    say!(
        "{:<40} {:>10} {:>10} {:>6} {:>8} {:>10} {:>10} {:>6} {:>8}",
        "",
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
    say!(
        "{:.2} s in all; processor {:.1} s offline and {:.1} s online, both parties together; memory about {:.0} MB a party; stock {:.0} MB on disk",
        printed.total_seconds,
        printed.cpu_seconds.offline,
        printed.cpu_seconds.online,
        mb(printed.peak_memory_bytes),
        mb(printed.stock_bytes)
    );
    say!(
        "bytes and turns are exact; the public plan and control messages (a few kB), a probe of 1 MiB with --ot auto, frames and TLS (about 0.2 %) come on top"
    );
    say!("{}", printed.off_by_one.line());
    say!("plan digest {}", printed.plan_digest);
    match measured {
        true => {
            say!("seconds are estimated from this machine's speed, measured now, for both parties on it")
        }
        false => say!(
            "seconds are estimated for a machine of 2 cores that both parties share; --calibrate-machine measures yours"
        ),
    }
}
