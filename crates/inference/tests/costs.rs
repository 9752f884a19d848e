//! What models cost, held against `costs/*.txt`: a change of bytes, turns or stock is seen in a diff or does not happen.
//!
//! `BLINDSCAN_UPDATE_COSTS=1 cargo test -p blindscan-inference --test costs` writes the files anew; read their diff.
//! Calibration sums floats in one order whatever the machine, so the plans, and hence these files, are the same everywhere.

mod common;

use std::fmt::Write;
use std::path::PathBuf;

use blindscan_graph::plan::{OutputPolicy, PublicPlan};
use blindscan_graph::random::random_plan;
use blindscan_inference::cost::LayerCost;
use blindscan_inference::{AssignedPlan, OtKind};
use blindscan_protocols::Party;
use blindscan_wire::Traffic;
use common::models;

const UPDATE_VARIABLE: &str = "BLINDSCAN_UPDATE_COSTS";

const OWNERS: [(&str, Party); 2] = [("image owner", Party::ImageOwner), ("model owner", Party::ModelOwner)];
/// How each snapshot begins.
const HEADING: &str = "# Cost of";
const KINDS: [OtKind; 2] = [OtKind::SoftSpoken, OtKind::Ferret];

/// The snapshot of a plan: totals for both kinds of transfers, and layer by layer with the default kind.
fn snapshot(name: &str, public: PublicPlan) -> String {
    let plan = AssignedPlan::new(public).unwrap();
    let [image, model] = OWNERS.map(|(_, party)| plan.cost(party, OtKind::SoftSpoken));
    let mut text = format!(
        "{HEADING} {name}. Written by `cargo xtask costs`, compared by crates/inference/tests/costs.rs.\n\
         # Layers: values compared, bytes that the image owner (io) and the model owner (mo) send, turns at each, bytes of\n\
         # stock, correlated transfers forward and backward; offline bytes with SoftSpoken.\n\n"
    );
    write_totals(&mut text, &plan);
    write_row(&mut text, HEADINGS.map(str::to_string), "");
    for (ours, theirs) in image.layers.iter().zip(&model.layers) {
        write_layer(&mut text, ours, theirs);
    }
    write_rings(&mut text, plan.plan());
    text
}

fn write_totals(text: &mut String, plan: &AssignedPlan) {
    for (owner, party) in OWNERS {
        let cost = plan.cost(party, OtKind::SoftSpoken);
        write_traffic(text, owner, "set-up", cost.setup);
        for kind in KINDS {
            write_traffic(text, owner, &format!("offline, {kind:?}"), plan.cost(party, kind).offline);
        }
        write_traffic(text, owner, "online", cost.online);
        let _ = writeln!(text, "{owner}  stock: {} bytes\n", cost.stock_bytes());
    }
    let demand = plan.demand();
    let _ = writeln!(text, "transfers: {} forward, {} backward\n", demand.forward_cots, demand.backward_cots);
}

fn write_traffic(text: &mut String, owner: &str, phase: &str, traffic: Traffic) {
    let Traffic { bytes_sent, bytes_received, turns } = traffic;
    let _ = writeln!(text, "{owner}  {phase}: {bytes_sent} sent, {bytes_received} received, {turns} turns");
}

const HEADINGS: [&str; 12] = [
    "kind",
    "values",
    "offline io",
    "offline mo",
    "turns",
    "online io",
    "online mo",
    "turns",
    "stock io",
    "stock mo",
    "forward",
    "backward",
];

fn write_row(text: &mut String, [kind, cells @ ..]: [String; 12], name: &str) {
    let mut line = format!("{kind:<9}");
    cells.iter().for_each(|cell| line.push_str(&format!("{cell:>11}")));
    let _ = writeln!(text, "{}", format!("{line}  {name}").trim_end());
}

fn write_layer(text: &mut String, image: &LayerCost, model: &LayerCost) {
    let turns = |phase: fn(&LayerCost) -> Traffic| format!("{}/{}", phase(image).turns, phase(model).turns);
    let cells = [
        image.kind.to_string(),
        image.compared.to_string(),
        image.offline.bytes_sent.to_string(),
        model.offline.bytes_sent.to_string(),
        turns(|layer| layer.offline),
        image.online.bytes_sent.to_string(),
        model.online.bytes_sent.to_string(),
        turns(|layer| layer.online),
        image.stock_bytes.to_string(),
        model.stock_bytes.to_string(),
        image.pads.forward_cots.to_string(),
        image.pads.backward_cots.to_string(),
    ];
    write_row(text, cells, &image.name);
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
fn all() -> Vec<(String, PublicPlan)> {
    let mut models = vec![
        ("covid_unet_w8_128".to_string(), models::covid_ct().plan.public),
        ("dnn1_150x125".to_string(), models::xray().plan.public),
        ("small_labels".to_string(), models::small(OutputPolicy::Labels, false).public),
        ("small_logits".to_string(), models::small(OutputPolicy::Logits, true).public),
    ];
    models.extend([3, 18, 40].map(|seed| (format!("random_{seed}"), random_plan(seed).0.public)));
    models
}

#[test]
fn costs_are_those_of_the_snapshots() {
    let mut changed = String::new();
    for (name, public) in all() {
        let now = snapshot(&name, public);
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
    let names: Vec<PathBuf> = all().into_iter().map(|(name, _)| path(&name)).collect();
    for entry in std::fs::read_dir(path("x").parent().unwrap()).unwrap() {
        let found = entry.unwrap().path();
        let is_snapshot = std::fs::read_to_string(&found).is_ok_and(|text| text.starts_with(HEADING));
        assert!(!is_snapshot || names.contains(&found), "{} is of no model: remove it", found.display());
    }
}
