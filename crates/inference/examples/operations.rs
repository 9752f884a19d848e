//! Prints the operations of a model: what `docs/performance.md` counts.
//!
//! `cargo run -p blindscan-inference --example operations -- PLAN_FOLDER` (a folder made by `blindscan plan MODEL --out`).

use std::path::Path;

use blindscan_graph::plan::PublicPlan;
use blindscan_inference::AssignedPlan;
use blindscan_inference::cost::LayerCost;
use blindscan_protocols::ot::source::OtKind;
use blindscan_protocols::two_party::Party;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder of a saved plan")?;
    let plan = AssignedPlan::new(PublicPlan::load(Path::new(&folder))?)?;
    for ot in [OtKind::SoftSpoken, OtKind::Ferret] {
        let cost = plan.cost(Party::ImageOwner, ot);
        let sum = |of: fn(&LayerCost) -> u64| cost.layers.iter().map(of).sum::<u64>();
        println!("{ot:?}");
        println!("  multiplications of the clear network {}", sum(|layer| layer.work.macs));
        println!(
            "  ciphertexts in {}, out {}",
            sum(|layer| layer.work.ciphertexts.0),
            sum(|layer| layer.work.ciphertexts.1)
        );
        println!("  products of a ciphertext and a kernel {}", sum(|layer| layer.work.products));
        println!("  values compared {}", sum(|layer| layer.work.compared));
        println!(
            "  transfers forward {}, backward {}",
            sum(|layer| layer.work.forward_cots),
            sum(|layer| layer.work.backward_cots)
        );
        for kind in ["linear", "relu", "rescale", "max pool", "answer"] {
            let layers = || cost.layers.iter().filter(|layer| layer.kind == kind);
            let bytes = |traffic: blindscan_wire::Traffic| traffic.bytes_sent + traffic.bytes_received;
            println!(
                "  {kind}: {} layers, {} bytes offline, {} bytes online, {} bytes of stock",
                layers().count(),
                layers().map(|layer| bytes(layer.offline)).sum::<u64>(),
                layers().map(|layer| bytes(layer.online)).sum::<u64>(),
                layers().map(|layer| layer.stock_bytes).sum::<u64>()
            );
        }
    }
    Ok(())
}
