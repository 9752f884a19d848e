//! `compare`: float, fixed and private side by side, in memory and as two processes.

use std::path::PathBuf;

use blindscan_e2e::program::run;
use blindscan_e2e::{classifier, ct, root, segmenter, text, xray};
use serde_json::Value;

use crate::reports;

fn compare(arguments: &[&str]) -> Value {
    let place = tempfile::tempdir().unwrap();
    run(place.path(), &[&["compare"], arguments, &["--json"]].concat()).done().json()
}

/// What every private comparison must show.
fn assert_private(report: &Value, values: u64) {
    reports::assert_keys(report);
    reports::assert_equal(report, values);
    assert!(reports::real(report, "/fixed_max_abs_error") > 0.0);
    assert!(reports::real(report, "/label_agreement") >= 0.999);
    assert!(report.get("float_max_abs_error").is_some());
}

/// Every tensor that the parties shared has a row, and its private value is the fixed one.
fn assert_every_tensor(report: &Value) {
    let rows = report["tensors"].as_array().unwrap();
    let verdicts: Vec<&Value> =
        rows.iter().map(|row| &row["private_equals_fixed"]).filter(|verdict| !verdict.is_null()).collect();
    assert!(verdicts.iter().all(|&verdict| verdict == &Value::Bool(true)), "{rows:?}");
    assert!(verdicts.len() + 1 >= rows.len(), "{} verdicts for {} tensors", verdicts.len(), rows.len());
    for row in rows {
        assert!(row["margin_bits"].as_f64().unwrap() > 0.0 && row["beyond_bound"] == false, "{row}");
    }
}

#[test]
fn every_tensor_of_the_classifier_is_the_same_in_private() {
    let report = compare(&[&classifier(), &xray("pneumonia.jpeg"), "--private"]);
    assert_private(&report, 1);
    assert_every_tensor(&report);
}

#[test]
fn every_tensor_of_the_segmenter_is_the_same_in_private() {
    let report = compare(&[&segmenter(), &ct("scan.nii.gz"), "--slice", "10", "--private"]);
    assert_private(&report, 16384);
    assert_every_tensor(&report);
    assert!(reports::real(&report, "/dice/float") >= 0.99);
}

#[test]
fn two_processes_compare_as_two_threads_do() {
    let report = compare(&[&classifier(), &xray("pneumonia.jpeg"), "--private", "--processes"]);
    assert_private(&report, 1);
    let report = compare(&[&segmenter(), &ct("scan.nii.gz"), "--slice", "10", "--private", "--processes"]);
    assert_private(&report, 16384);
    let logits =
        compare(&[&classifier(), &xray("normal.jpeg"), "--private", "--processes", "--policy", "logits"]);
    reports::assert_equal(&logits, 2);
}

#[test]
fn without_the_private_run_nothing_is_claimed_of_it() {
    let report = compare(&[&classifier(), &xray("pneumonia.jpeg")]);
    reports::assert_keys(&report);
    assert!(report["equals_reference"].is_null() && report["values_total"].is_null());
}

#[test]
fn our_floats_are_another_frameworks_floats() {
    let folder = root().join("../shared/fixtures/onnx");
    if !folder.exists() {
        println!("skipped: ../shared is absent");
        return;
    }
    for name in ["dnn1_avg_150x125", "mlp_nslkdd_122", "bunet_bn_w8_l4_128_unfolded"] {
        let file = |ending: &str| -> PathBuf { folder.join(format!("{name}.{ending}")) };
        let (model, input, output) = (file("onnx"), file("in.npy"), file("out.npy"));
        let report = compare(&[&text(&model), &text(&input), "--expected", &text(&output)]);
        let error = reports::real(&report, "/float_max_abs_error");
        assert!(error < 1e-3, "{name}: {error}");
    }
}
