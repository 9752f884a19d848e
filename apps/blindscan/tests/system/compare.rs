//! `compare`: float, fixed and private side by side, in memory and as two processes.

use std::fs;
use std::path::{Path, PathBuf};

use blindscan_e2e::program::run;
use blindscan_e2e::{classifier, ct, files, root, segmenter, text, xray};
use blindscan_graph::ir::Tensor;
use blindscan_graph::npy;
use serde_json::Value;

use crate::reports::{self, number};

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
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn our_floats_are_another_frameworks_floats() {
    let folder = root().join("../shared/fixtures/onnx");
    for name in ["dnn1_avg_150x125", "mlp_nslkdd_122", "bunet_bn_w8_l4_128_unfolded"] {
        let file = |ending: &str| -> PathBuf { folder.join(format!("{name}.{ending}")) };
        let (model, input, output) = (file("onnx"), file("in.npy"), file("out.npy"));
        let report = compare(&[&text(&model), &text(&input), "--expected", &text(&output)]);
        let error = reports::real(&report, "/float_max_abs_error");
        assert!(error < 1e-3, "{name}: {error}");
    }
}

/// A prepared input of the classifier whose values are these, again and again.
fn prepared(folder: &Path, name: &str, values: &[f32]) {
    let data = values.iter().copied().cycle().take(150 * 125).collect();
    npy::write(&folder.join(name), &Tensor { shape: vec![1, 1, 150, 125], data }).unwrap();
}

#[test]
fn the_table_holds_each_layer_against_its_floats_and_says_where_the_error_is_made() {
    // Exports of PyTorch name nodes and values apart.
    for (model, input) in [(classifier(), xray("pneumonia.jpeg")), (segmenter(), ct("scan.nii.gz"))] {
        let report = compare(&[&model, &input]);
        let rows = report["tensors"].as_array().unwrap();
        let held = rows.iter().filter(|row| row["fixed_max_abs_error"].is_f64()).count();
        assert!(held * 10 >= rows.len() * 8, "{held} of {} tensors", rows.len());
        let made = &report["error_made"];
        let layer = made["layer"].as_str().unwrap();
        assert!(rows.iter().any(|row| row["name"] == layer), "{layer}");
        assert!(made["after"].as_f64().unwrap() > made["before"].as_f64().unwrap());
        assert!(reports::real(&report, "/dice/float") > 0.98, "Dice without a private run");
        assert!(report["dice"]["reference"].is_null());
    }
}

#[test]
fn clamped_input_is_counted_and_much_of_it_is_loud() {
    let place = tempfile::tempdir().unwrap();
    prepared(place.path(), "dim.npy", &[0.0, 0.01, 0.05, 0.14]);
    prepared(place.path(), "full.npy", &[0.0, 0.1, 0.5, 1.0, -0.5]);
    fs::copy(classifier(), place.path().join("bare.onnx")).unwrap();
    let asked = ["compare", "bare.onnx", "full.npy", "--calibrate", "dim.npy"];
    let ended = run(place.path(), &[&asked[..], &["--json"]].concat()).done();
    let report = ended.json();
    assert_eq!((number(&report, "/clamped/below"), number(&report, "/clamped/above")), (3750, 7500));
    assert_eq!(number(&report, "/clamped/total"), 18750);
    assert!(ended.stderr.contains("WARNING: 11250 of 18750 input values (60.0 %)"), "{}", ended.stderr);
    let ended = run(place.path(), &asked).done();
    assert!(ended.stdout.contains("clamped: 11250 of 18750") && ended.stderr.contains("WARNING"));

    let ended = run(place.path(), &["compare", "bare.onnx", "dim.npy", "--calibrate", "full.npy"]).done();
    assert!(!ended.stderr.contains("WARNING") && !ended.stdout.contains("clamped:"));
}

#[test]
fn a_folder_of_images_is_compared_a_line_each_with_a_summary_that_can_be_signed() {
    let place = tempfile::tempdir().unwrap();
    let images = place.path().join("images");
    fs::create_dir(&images).unwrap();
    for name in ["pneumonia.jpeg", "normal.jpeg"] {
        fs::copy(xray(name), images.join(name)).unwrap();
    }
    prepared(&images, "bright.npy", &[0.5, 3.0]);
    fs::write(images.join("remarks.txt"), "no image").unwrap();
    let model = classifier();
    let asked = ["compare", &model, "images", "--private", "--out", "report.json", "--json"];
    let report = run(place.path(), &asked).done().json();
    assert_eq!(reports::read(&place.path().join("report.json")), report);
    assert_eq!(number(&report, "/summary/images"), 3);
    assert_eq!(number(&report, "/summary/private_equal"), 3);
    assert_eq!(number(&report, "/summary/images_clamped_much"), 1);
    assert_eq!(number(&report, "/summary/clamped/above"), 9375);
    assert!(report["notes"].to_string().contains("remarks.txt"), "what is left aside is said");
    let names: Vec<&str> =
        report["images"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bright.npy", "normal.jpeg", "pneumonia.jpeg"]);
    for row in &report["images"].as_array().unwrap()[1..] {
        assert_eq!((&row["label_agreement"], &row["dice_float"]), (&1.0.into(), &1.0.into()), "{row}");
        assert!(row["fixed_max_abs_error"].as_f64().unwrap() > 0.0 && row["private_equals_fixed"] == true);
    }
    assert_eq!(report["record"]["samples"], 8);

    let ended = run(place.path(), &["compare", &model, "images"]).done();
    for part in ["pneumonia.jpeg", "3 image(s)", "Dice of fixed against float", "WARNING: in 1 image(s)"] {
        assert!(ended.stdout.contains(part), "{part} is not in: {}", ended.stdout);
    }
}

#[test]
fn the_float_answer_is_the_models_own_also_where_an_input_leaves_the_range() {
    // A feature that never fires within the range is folded away when the plan is made; beyond the range it fires.
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("sleeper.onnx"), files::sleeper()).unwrap();
    let write = |name: &str, shape: &[usize], data: &[f32]| {
        npy::write(&place.path().join(name), &Tensor { shape: shape.to_vec(), data: data.to_vec() }).unwrap();
    };
    write("sample.npy", &[1, 2], &[1.0, 0.5]);
    write("input.npy", &[1, 2], &[3.0, 3.0]);
    write("answer.npy", &[1, 1], &[9.0]);
    let asked =
        ["compare", "sleeper.onnx", "input.npy", "--calibrate", "sample.npy", "--expected", "answer.npy"];
    let ended = run(place.path(), &[&asked[..], &["--json"]].concat()).done();
    let report = ended.json();
    assert!(reports::real(&report, "/float_max_abs_error") < 1e-5, "{report}");
    assert!(reports::real(&report, "/fixed_max_abs_error") > 7.0, "the plan clamps the input");
    assert!(report["notes"].to_string().contains("constant channels") && ended.stderr.contains("WARNING"));
}

#[test]
fn slices_of_a_scan_are_compared_a_line_each() {
    let report = compare(&[&segmenter(), &ct("scan.nii.gz"), "--slices", "9..12"]);
    assert_eq!(number(&report, "/summary/images"), 3);
    assert!(reports::real(&report, "/summary/dice_float_least") >= 0.99);
    assert!(reports::real(&report, "/summary/label_agreement_least") >= 0.999);
    let slices: Vec<u64> =
        report["images"].as_array().unwrap().iter().map(|row| row["slice"].as_u64().unwrap()).collect();
    assert_eq!(slices, [9, 10, 11]);
}
