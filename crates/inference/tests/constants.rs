//! Shifts and factors per channel: what they cost, and that the private answer is that of the integers.

mod common;

use blindscan_graph::plan::{FixedPlan, OutputPolicy, Spoken, Step};
use blindscan_inference::{AssignedPlan, OtKind};
use blindscan_protocols::two_party::Party;
use common::models;
use common::rooms::TwoParty;

/// Bytes both ways, offline and online.
fn bytes(plan: &FixedPlan) -> u64 {
    let cost = AssignedPlan::new(plan.public.clone()).unwrap().cost(Party::ImageOwner, OtKind::SoftSpoken);
    [cost.offline, cost.online].iter().map(|traffic| traffic.bytes_sent + traffic.bytes_received).sum()
}

fn layers(plan: &FixedPlan) -> usize {
    plan.public.nodes.iter().filter(|node| matches!(node.step, Step::Spoken(Spoken::Linear(_)))).count()
}

#[test]
fn a_dense_block_with_signed_batch_norms_is_exact_in_private_and_has_no_layer_for_them() {
    for signed in [false, true] {
        let graph = models::dense_block(6, signed);
        let plan = models::calibrated(&graph, OutputPolicy::Logits);
        assert_eq!(layers(&plan), 8, "seven convolutions and a dense layer");
        assert!(plan.weights.constants().count() >= 4, "a shift for each batch norm");
        let mut image = models::drawn(&[1, 1, 6, 6]);
        image.data.iter_mut().for_each(|x| *x = (*x + 4.0) / 8.0);
        let input = blindscan_graph::fixed::quantise_input(&plan.public, &image).unwrap();
        common::check::<TwoParty>(&format!("signed: {signed}"), &plan, &input, OtKind::SoftSpoken, 1);
    }
}

#[test]
fn subtracting_a_constant_costs_no_ciphertext() {
    let (with, without) = (bytes(&models::shifted(true)), bytes(&models::shifted(false)));
    // What is left is the second ReLU's comparisons.
    assert!(with < 2_200_000, "{with} bytes, {without} without it");
    assert_eq!(layers(&models::shifted(true)), 2);
}
