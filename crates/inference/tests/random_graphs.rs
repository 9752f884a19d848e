//! Random small graphs, both parties against the clear evaluation: equal bit for bit, at exactly the declared cost.
//!
//! `BLINDSCAN_GRAPHS=5000 cargo test --release -p blindscan-inference --test random_graphs` runs more of them.

mod common;

use blindscan_graph::random::random_plan;
use blindscan_inference::OtKind;

const GRAPHS_DEFAULT: u64 = 200;

#[test]
fn private_equals_fixed_at_the_declared_cost_on_random_graphs() {
    let graphs = std::env::var("BLINDSCAN_GRAPHS").ok().and_then(|text| text.parse().ok());
    for seed in 0..graphs.unwrap_or(GRAPHS_DEFAULT) {
        let (made, inputs) = random_plan(seed);
        common::check(&format!("seed {seed}"), &made, &inputs[0], OtKind::SoftSpoken, seed);
    }
}
