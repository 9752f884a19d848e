//! Models that cannot be served: all problems at once, with what to do instead.

use std::fs;

use blindscan_e2e::program::run;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier, files, segmenter, xray};

#[test]
fn check_lists_every_problem_at_once_and_says_no() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("model.onnx"), files::chain(&["Relu", "LeakyRelu", "Relu", "Sin"])).unwrap();
    let ended = run(place.path(), &["check", "model.onnx"]).said_no();
    let line = |node: &str| {
        ended
            .stdout
            .lines()
            .find(|line| line.contains(node))
            .unwrap_or_else(|| panic!("{node}: {}", ended.stdout))
    };
    for (node, operator) in [("node1", "LeakyRelu"), ("node3", "Sin")] {
        assert!(line(node).contains("refused") && line(node).contains(operator), "{}", line(node));
        assert!(line(node).contains(": "), "what to do instead: {}", line(node));
    }

    let report = run(place.path(), &["check", "model.onnx", "--json"]).said_no().json();
    let refused: Vec<&str> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["status"] == "refused")
        .map(|row| row["op"].as_str().unwrap())
        .collect();
    assert_eq!(refused, ["LeakyRelu", "Sin"]);
    assert_eq!((&report["accepted"], &report["kinds"][1]["op"]), (&false.into(), &"Sin".into()));
    let verdict = ended.stdout.lines().last().unwrap();
    assert!(verdict.starts_with("refused: 2 of 4 nodes refused"), "{verdict}");
}

#[test]
fn check_names_every_node_of_a_good_model() {
    let place = tempfile::tempdir().unwrap();
    let model = classifier();
    let ended = run(place.path(), &["check", &model, "--all"]).done();
    let verdict = ended.stdout.lines().last().unwrap();
    assert!(verdict.starts_with("accepted: ") && verdict.contains("classes along axis 1"), "{verdict}");
    let report = run(place.path(), &["check", &model, "--json"]).done().json();
    let rows = report["rows"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let node = row["node"].as_str().unwrap();
        let status = row["status"].as_str().unwrap();
        let said = ended.stdout.lines().any(|line| line.contains(node) && line.contains(status));
        assert!(said, "{node} {status} is missing in: {}", ended.stdout);
    }
}

#[test]
fn no_command_takes_a_model_with_an_unsupported_node() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("model.onnx"), files::chain(&["LeakyRelu", "Sin"])).unwrap();
    let parts = ["LeakyRelu node0", "Sin node1"];
    for arguments in [&["plan", "model.onnx", "--out", "saved"][..], &["estimate", "model.onnx"]] {
        run(place.path(), arguments).failed(&parts);
    }
    Vendor::try_serve(place.path(), "model.onnx", &[]).failed(&parts);
    assert!(!place.path().join("saved").exists());
}

#[test]
fn files_that_are_no_models_are_named() {
    let place = tempfile::tempdir().unwrap();
    let whole = fs::read(classifier()).unwrap();
    fs::write(place.path().join("short.onnx"), &whole[..whole.len() / 2]).unwrap();
    fs::write(place.path().join("noise.onnx"), [0x5a; 4096]).unwrap();
    fs::write(place.path().join("empty.onnx"), []).unwrap();
    let cases = [
        ("short.onnx", "readable ONNX file"),
        ("noise.onnx", "readable ONNX file"),
        ("empty.onnx", "no graph"),
        ("missing.onnx", "cannot be read"),
    ];
    for (file, reason) in cases {
        for command in ["check", "plan", "estimate"] {
            run(place.path(), &[command, file]).failed(&[file, reason]);
        }
        Vendor::try_serve(place.path(), file, &[]).failed(&[file, reason]);
    }
}

#[test]
fn a_card_that_is_none_is_named() {
    let place = tempfile::tempdir().unwrap();
    fs::copy(classifier(), place.path().join("model.onnx")).unwrap();
    let good = fs::read_to_string(xray("dnn1_150x125.toml")).unwrap();
    let cases = [
        ("name = ".to_string(), "not a model card"),
        (good.replace("calibration =", "kalibration ="), "kalibration"),
        (good.replace("\"labels\"", "\"everything\""), "everything"),
        (good.replace("\"calibration\"", "\"nowhere\""), "nowhere"),
    ];
    for (card, reason) in cases {
        fs::write(place.path().join("model.toml"), card).unwrap();
        run(place.path(), &["plan", "model.onnx"]).failed(&[reason]);
    }
}

#[test]
fn a_damaged_saved_plan_is_named() {
    let place = tempfile::tempdir().unwrap();
    run(place.path(), &["plan", &classifier(), "--out", "saved"]).done();
    for file in ["plan.public", "plan.weights"] {
        let path = place.path().join("saved").join(file);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 4;
        for broken in [&whole[..whole.len() / 2], &whole[..10], &flipped] {
            fs::write(&path, broken).unwrap();
            Vendor::try_serve(place.path(), "saved", &[]).failed(&[file]);
        }
        fs::write(&path, &whole).unwrap();
    }
    fs::remove_file(place.path().join("saved/plan.weights")).unwrap();
    Vendor::try_serve(place.path(), "saved", &[]).failed(&["plan.weights"]);
}

#[test]
fn where_only_proven_ranges_are_wanted_all_are_proven_or_the_layer_is_named() {
    let place = tempfile::tempdir().unwrap();
    let ended = run(place.path(), &["plan", &classifier(), "--proven-only"]).done();
    assert!(ended.stdout.contains("proven") && !ended.stdout.contains("calibrated"), "{}", ended.stdout);
    run(place.path(), &["plan", &segmenter(), "--proven-only", "--out", "saved"]).failed(&[
        "/enc.",
        "proven",
        "allow calibrated ranges",
    ]);
    assert!(!place.path().join("saved").exists());
}
