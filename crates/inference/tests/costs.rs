//! What models cost, held against `costs/*.txt`: a change of bytes, turns or stock is seen in a diff or does not happen.
//!
//! `BLINDSCAN_UPDATE_COSTS=1 cargo test -p blindscan-inference --test costs` writes the files anew; read their diff.
//! Calibration sums floats in one order whatever the machine, so the plans, and hence these files, are the same everywhere.

mod common;

use std::fmt::Write;
use std::path::PathBuf;

use blindscan_graph::plan::{FixedPlan, OutputPolicy, PublicPlan};
use blindscan_graph::random::random_plan;
use blindscan_inference::AssignedPlan;
use blindscan_inference::cost::{LayerCost, PlanCost};
use blindscan_wire::Traffic;
use common::models;
use common::rooms::{Room, every_suites, for_every_suite};

for_every_suite!(costs_are_those_of_the_snapshots);

const UPDATE_VARIABLE: &str = "BLINDSCAN_UPDATE_COSTS";

/// How each snapshot begins.
const HEADING: &str = "# Cost of";

/// The snapshot of a plan: totals for each kind of transfers, and layer by layer with the first.
fn snapshot<R: Room>(name: &str, plan: &AssignedPlan) -> String {
    let parties = R::PARTIES.iter().map(|(party, _)| format!("the {party} ({})", initials(party)));
    let mut text = format!(
        "{HEADING} {name}. Written by `cargo xtask costs`, compared by crates/inference/tests/costs.rs.\n\
         # Layers: values compared, bytes that {} send, turns at each, bytes of\n\
         # stock, correlated transfers forward and backward; offline bytes with {:?}.\n\n",
        parties.collect::<Vec<_>>().join(" and "),
        R::KINDS[0]
    );
    write_totals::<R>(&mut text, plan);
    write_row(&mut text, headings::<R>(), "");
    let costs: Vec<PlanCost> = R::PARTIES.iter().map(|(_, seat)| plan.cost(*seat, R::KINDS[0])).collect();
    for layer in 0..costs[0].layers.len() {
        write_layer(&mut text, &costs.iter().map(|cost| &cost.layers[layer]).collect::<Vec<_>>());
    }
    write_rings(&mut text, plan.plan());
    text
}

/// A party's name in the heads of columns.
fn initials(party: &str) -> String {
    party.split(' ').filter_map(|word| word.chars().next()).collect()
}

fn write_totals<R: Room>(text: &mut String, plan: &AssignedPlan) {
    for &(party, seat) in R::PARTIES {
        let cost = plan.cost(seat, R::KINDS[0]);
        write_traffic(text, party, "set-up", cost.setup);
        for &kind in R::KINDS {
            write_traffic(text, party, &format!("offline, {kind:?}"), plan.cost(seat, kind).offline);
        }
        write_traffic(text, party, "online", cost.online);
        let _ = writeln!(text, "{party}  stock: {} bytes\n", cost.stock_bytes());
    }
    let work = plan.work();
    let _ = writeln!(text, "transfers: {} forward, {} backward\n", work.forward_cots, work.backward_cots);
}

fn write_traffic(text: &mut String, party: &str, phase: &str, traffic: Traffic) {
    let Traffic { bytes_sent, bytes_received, turns } = traffic;
    let _ = writeln!(text, "{party}  {phase}: {bytes_sent} sent, {bytes_received} received, {turns} turns");
}

fn headings<R: Room>() -> Vec<String> {
    let each = |what: &str| -> Vec<String> {
        R::PARTIES.iter().map(|(party, _)| format!("{what} {}", initials(party))).collect()
    };
    let [begin, turns, end] = [vec!["kind", "values"], vec!["turns"], vec!["forward", "backward"]]
        .map(|words| words.into_iter().map(String::from).collect::<Vec<_>>());
    [begin, each("offline"), turns.clone(), each("online"), turns, each("stock"), end].concat()
}

fn write_row(text: &mut String, cells: Vec<String>, name: &str) {
    let mut line = format!("{:<9}", cells[0]);
    cells[1..].iter().for_each(|cell| line.push_str(&format!("{cell:>11}")));
    let _ = writeln!(text, "{}", format!("{line}  {name}").trim_end());
}

/// One layer as each party has it.
fn write_layer(text: &mut String, parties: &[&LayerCost]) {
    let each = |of: &dyn Fn(&LayerCost) -> u64| -> Vec<String> {
        parties.iter().map(|layer| of(layer).to_string()).collect()
    };
    let phase = |of: fn(&LayerCost) -> Traffic| {
        let mut cells = each(&|layer| of(layer).bytes_sent);
        cells.push(each(&|layer| of(layer).turns).join("/"));
        cells
    };
    let LayerCost { kind, name, work, .. } = parties[0];
    let cells = [
        vec![kind.to_string(), work.compared.to_string()],
        phase(|layer| layer.offline),
        phase(|layer| layer.online),
        each(&|layer| layer.stock_bytes),
        vec![work.forward_cots.to_string(), work.backward_cots.to_string()],
    ];
    write_row(text, cells.concat(), name);
}

/// The widths that the costs follow from.
fn write_rings(text: &mut String, plan: &PublicPlan) {
    let rings: Vec<String> = plan.tensors.iter().map(|tensor| tensor.ring_bits.to_string()).collect();
    let _ = writeln!(text, "\nrings of the tensors, bits: {}", rings.join(" "));
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../costs")).join(format!("{name}.txt"))
}

/// The lines that differ, as `-` (the file's) and `+` (now).
fn difference(before: &str, now: &str) -> String {
    let (before, now): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let mut text = String::new();
    for index in 0..before.len().max(now.len()) {
        let (old, new) = (before.get(index), now.get(index));
        if old != new {
            old.iter().for_each(|line| text.push_str(&format!("- {line}\n")));
            new.iter().for_each(|line| text.push_str(&format!("+ {line}\n")));
        }
    }
    text
}

/// Every model with a snapshot.
fn all<R: Room>() -> Vec<(String, FixedPlan)> {
    let mut models = vec![
        ("covid_unet_w8_128".to_string(), models::covid_ct().plan),
        ("dnn1_150x125".to_string(), models::xray().plan),
        ("small_labels".to_string(), models::small(OutputPolicy::Labels, false)),
        ("small_logits".to_string(), models::small(OutputPolicy::Logits, true)),
    ];
    models.extend([3, 18, 40].map(|seed| (format!("random_{seed}"), random_plan(seed).0)));
    models.into_iter().map(|(name, made)| (format!("{}{name}", R::PREFIX), R::fitted(made))).collect()
}

fn costs_are_those_of_the_snapshots<R: Room>() {
    let mut changed = String::new();
    for (name, made) in all::<R>() {
        let now = snapshot::<R>(&name, &AssignedPlan::new(made.public).unwrap());
        if std::env::var(UPDATE_VARIABLE).is_ok() {
            std::fs::write(path(&name), now).unwrap();
            continue;
        }
        let before = std::fs::read_to_string(path(&name)).unwrap_or_default();
        if before != now {
            changed.push_str(&format!("costs/{name}.txt:\n{}", difference(&before, &now)));
        }
    }
    assert!(
        changed.is_empty(),
        "costs have changed; if that is meant, run `cargo xtask costs` and read its diff\n{changed}"
    );
}

#[test]
fn every_cost_snapshot_is_of_a_model() {
    let names: Vec<PathBuf> = every_suites!(all).into_iter().map(|(name, _)| path(&name)).collect();
    for entry in std::fs::read_dir(path("x").parent().unwrap()).unwrap() {
        let found = entry.unwrap().path();
        let is_snapshot = std::fs::read_to_string(&found).is_ok_and(|text| text.starts_with(HEADING));
        assert!(!is_snapshot || names.contains(&found), "{} is of no model: remove it", found.display());
    }
}
