//! Real networks, both parties against the clear evaluation: equal bit for bit, at exactly the declared cost.
//!
//! The demonstration's two models always; those of the shared folder where it is there, and its large ones
//! when ignored tests are asked for (minutes, and some GB for both parties).

mod common;

use std::time::Instant;

use blindscan_graph::plan::{Meaning, OutputPolicy};
use blindscan_inference::OtKind;
use common::files::shared;
use common::models::{self, Case};
use common::rooms::TwoParty;

const BOTH: &[OutputPolicy] = &[OutputPolicy::Labels, OutputPolicy::Logits];

/// Plain values are no labels: they are opened, by both kinds of transfers.
const OPENED: &[OutputPolicy] = &[OutputPolicy::Logits, OutputPolicy::Logits];

/// Runs a model with each policy that its answer allows; the kinds of transfers take turns.
fn run(name: &str, mut case: Case, policies: &[OutputPolicy]) {
    let policies = if case.plan.public.answer.meaning == Meaning::Values { OPENED } else { policies };
    for (&policy, ot) in policies.iter().zip([OtKind::SoftSpoken, OtKind::Ferret]) {
        let begun = Instant::now();
        case.plan.public.answer.policy = policy;
        common::check::<TwoParty>(name, &case.plan, &case.input, ot, 1);
        let seconds = begun.elapsed().as_secs_f64();
        println!("{name}: {policy:?} by {ot:?} equal those of the fixed plan, {seconds:.1} s");
    }
}

fn run_all(folder: &str, names: &[&str], policies: &[OutputPolicy]) {
    for name in names {
        let path = shared().join("fixtures").join(folder).join(format!("{name}.onnx"));
        run(name, models::fixture(&path), policies);
    }
}

#[test]
fn the_demonstrations_ct_model_on_its_slice() {
    run("covid-ct", models::covid_ct(), BOTH);
}

#[test]
fn the_demonstrations_xray_model_on_an_image() {
    run("xray", models::xray(), BOTH);
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn every_onnx_fixture() {
    run_all(
        "onnx",
        &[
            "mlp_nslkdd_122",
            "resnet18_w8_64",
            "resnet18_w8_64_dynamo",
            "vgg16_div8_64",
            "dnn1_avg_150x125",
            "dnn2_max_150x125_dynamo",
            "bunet_w8_l3_96x64_3class",
            "bunet_w8_l4_128",
            "bunet_bn_w8_l4_128_unfolded",
        ],
        BOTH,
    );
    run_all("onnx", &["bunet_w8_l4_256_dynamo"], &[OutputPolicy::Labels]);
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn moderate_workloads() {
    run_all(
        "workloads",
        &["argmax2_256", "maxpool_64_56", "conv_64_56", "dnn1_seed", "dnn2_seed", "unet16_64", "conv_16_256"],
        BOTH,
    );
    run_all("workloads", &["relu_2e20"], OPENED);
}

#[test]
#[ignore = "minutes and some GB, and needs ../shared"]
fn large_workloads() {
    run_all("workloads", &["unet16_256", "unet16_512", "bunet_unit_512"], BOTH);
}
