//! What a plan says of how it came about, what a saved one refuses, and what an estimate counts.

use std::fs;
use std::path::Path;

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::{run, wait_until};
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier, files, text, xray};
use blindscan_graph::ir::Tensor;
use blindscan_graph::npy;
use blindscan_graph::onnx::proto::{DimensionProto, ModelProto};
use prost::Message;
use serde_json::Value;

use crate::reports::number;

/// The classifier without its card, as `bare.onnx`, and prepared inputs for it: `input0.npy` and so on.
fn bare(folder: &Path, inputs: usize) {
    fs::copy(classifier(), folder.join("bare.onnx")).unwrap();
    for index in 0..inputs {
        let value = |at: usize| ((at * (index + 3)) % 251) as f32 / 250.0;
        let input = Tensor { shape: vec![1, 1, 150, 125], data: (0..150 * 125).map(value).collect() };
        npy::write(&folder.join(format!("input{index}.npy")), &input).unwrap();
    }
}

fn notes(report: &Value) -> String {
    let notes = report["notes"].as_array().unwrap_or_else(|| panic!("no notes: {report}"));
    notes.iter().map(|note| note.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_plan_says_what_its_ranges_were_fitted_to() {
    let place = tempfile::tempdir().unwrap();
    bare(place.path(), 8);
    let said = |arguments: &[&str]| {
        let ended = run(place.path(), arguments).done();
        let json = notes(&run(place.path(), &[arguments, &["--json"]].concat()).done().json());
        json.lines()
            .for_each(|note| assert!(ended.stdout.contains(note), "{note} is not in: {}", ended.stdout));
        json
    };
    for command in ["plan", "estimate"] {
        assert!(said(&[command, "bare.onnx"]).contains("fitted to synthetic inputs"));
        assert!(said(&[command, "bare.onnx", "--calibrate", "input0.npy"]).contains("fitted to 1 sample(s)"));
    }
    assert!(said(&["compare", "bare.onnx", "input0.npy"]).contains("fitted to the input itself"));
    let other = said(&["compare", "bare.onnx", "input0.npy", "--calibrate", "input1.npy"]);
    assert!(other.contains("fitted to 1 sample(s)"));

    let eight: Vec<String> = (0..8).map(|index| format!("--calibrate=input{index}.npy")).collect();
    let eight: Vec<&str> =
        ["plan", "bare.onnx", "--out", "saved"].into_iter().chain(eight.iter().map(String::as_str)).collect();
    assert_eq!(said(&eight), "", "eight samples are enough");
    let record: Value =
        serde_json::from_slice(&fs::read(place.path().join("saved/plan.record.json")).unwrap()).unwrap();
    assert_eq!((number(&record, "/samples"), number(&record, "/weight_bits")), (8, 12));
    assert_eq!(record["samples_digest"].as_str().unwrap().len(), 64);
    assert_eq!(record["fitted_to"], "samples");
}

#[test]
fn a_server_says_what_its_ranges_were_fitted_to_also_for_a_saved_plan() {
    let place = tempfile::tempdir().unwrap();
    bare(place.path(), 0);
    run(place.path(), &["plan", "bare.onnx", "--out", "saved"]).done();
    for model in ["bare.onnx", "saved"] {
        let vendor = Vendor::serve(place.path().join(model).to_str().unwrap(), &[&Hospital::new()], &[]);
        // What is said and what is printed come by two pipes.
        wait_until("the note", || vendor.words().contains("fitted to synthetic inputs"));
        if model == "bare.onnx" {
            wait_until("how long it took", || vendor.words().contains("reading and calibrating took"));
        } else {
            assert!(!vendor.words().contains("calibrating took"), "a saved plan is made already");
        }
    }
}

#[test]
fn a_plan_is_named_after_its_file_unless_the_card_names_it() {
    let place = tempfile::tempdir().unwrap();
    bare(place.path(), 0);
    let name =
        |model: &str| run(place.path(), &["plan", model, "--json"]).done().json()["plan"]["name"].clone();
    assert_eq!(name("bare.onnx"), "bare");
    assert_eq!(name(&classifier()), "dnn1-150x125");
}

#[test]
fn a_saved_plan_is_held_against_the_options_that_promise_something_of_it() {
    let place = tempfile::tempdir().unwrap();
    run(place.path(), &["plan", &classifier(), "--out", "saved"]).done();
    run(place.path(), &["estimate", "saved", "--input-bits", "9"]).done();
    run(place.path(), &["estimate", "saved", "--input-bits", "10"]).failed(&["9 bits", "asks for 10"]);
    run(place.path(), &["estimate", "saved", "--proven-only"])
        .failed(&["fitted to samples", "--proven-only"]);
    for option in [
        "--accuracy=best",
        "--calibrate=scan.nii.gz",
        "--activation-bits=9",
        "--weight-bits=12",
        "--shape=1x1x150x125",
        "--dim=h=150",
        "--output=y",
        "--class-axis=1",
    ] {
        let name = option.split('=').next().unwrap();
        run(place.path(), &["estimate", "saved", option]).failed(&["saved plan", name]);
    }
    // Whether labels or logits are opened is no part of how a plan is made.
    let policy = |name: &str| run(place.path(), &["plan", "saved", "--policy", name, "--json"]).done().json();
    assert_eq!(policy("logits")["plan"]["answer"]["policy"], "logits");
    assert_eq!(policy("labels")["plan"]["answer"]["policy"], "labels");
}

/// The classifier with its rows left open under a name.
fn open_classifier(folder: &Path) {
    let mut model = ModelProto::decode(fs::read(classifier()).unwrap().as_slice()).unwrap();
    let input = &mut model.graph.as_mut().unwrap().input[0];
    let shape = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape.as_mut().unwrap();
    let rows = shape.dim.iter_mut().find(|dim| dim.dim_value == Some(150)).unwrap();
    *rows = DimensionProto { dim_value: None, dim_param: Some("height".into()) };
    fs::write(folder.join("open.onnx"), model.encode_to_vec()).unwrap();
}

#[test]
fn what_a_file_leaves_open_is_said_to_any_command_or_in_the_card() {
    let place = tempfile::tempdir().unwrap();
    open_classifier(place.path());
    let input = place.path().join("input0.npy");
    bare(place.path(), 1);
    let input = text(&input);
    let commands: [&[&str]; 5] = [
        &["check", "open.onnx"],
        &["plan", "open.onnx"],
        &["estimate", "open.onnx"],
        &["compare", "open.onnx", &input],
        &["bench", "open.onnx"],
    ];
    for command in commands {
        let refused = run(place.path(), command);
        assert!(matches!(refused.code, Some(1 | 3)), "{command:?}: {}", refused.stderr);
        for option in ["--dim=height=150", "--shape=1x1x150x125"] {
            run(place.path(), &[command, &[option]].concat()).done();
        }
    }
    drop(Vendor::serve(&text(&place.path().join("open.onnx")), &[], &["--dim", "height=150"]));
    fs::write(place.path().join("open.toml"), "[dims]\nheight = 150\n").unwrap();
    run(place.path(), &["check", "open.onnx"]).done();
    fs::write(place.path().join("open.toml"), "shape = [1, 1, 150, 125]\n").unwrap();
    run(place.path(), &["check", "open.onnx"]).done();
}

#[test]
fn wide_weights_are_taken_by_every_command_or_by_none() {
    let place = tempfile::tempdir().unwrap();
    let (model, image) = (classifier(), xray("pneumonia.jpeg"));
    for bits in ["15", "16"] {
        run(place.path(), &["plan", &model, "--weight-bits", bits]).done();
        run(place.path(), &["estimate", &model, "--weight-bits", bits]).done();
        let compare = ["compare", &model, &image, "--private", "--weight-bits", bits, "--json"];
        assert_eq!(run(place.path(), &compare).done().json()["equals_reference"], true);
        drop(Vendor::serve(&model, &[&Hospital::new()], &["--weight-bits", bits]));
    }
    run(place.path(), &["plan", &model, "--weight-bits", "17"]).failed(&["weight_bits is 17", "4..=16"]);
}

#[test]
fn an_estimate_begins_with_what_was_asked_and_lists_layers_only_when_told() {
    let place = tempfile::tempdir().unwrap();
    let model = classifier();
    let of = |arguments: &[&str]| {
        let fixed = ["estimate", &model, "--ot", "softspoken"];
        run(place.path(), &[&fixed, arguments].concat()).done()
    };
    let (short, long) = (of(&[]).stdout, of(&["--layers"]).stdout);
    assert!(short.lines().next().unwrap().contains("one image in about"), "{short}");
    assert!(!short.contains("convolution") && !short.contains("relu") && long.contains("relu"), "{long}");

    let (one, ten) = (of(&["--json"]).json(), of(&["--images", "10", "--json"]).json());
    let keys = number(&one, "/setup/bytes/sent") + number(&one, "/setup/bytes/received");
    assert_eq!(number(&ten, "/images/bytes"), 10 * number(&one, "/images/bytes") - 9 * keys);
    assert_eq!(number(&ten, "/images/stock_bytes"), 10 * number(&one, "/stock_bytes"));
    assert!(ten["images"]["seconds"].as_f64().unwrap() > 5.0 * one["images"]["seconds"].as_f64().unwrap());
    assert_eq!(one["bytes"], ten["bytes"], "bytes by phase are those of one image");
}

#[test]
fn memory_that_is_said_counts_the_weights() {
    let place = tempfile::tempdir().unwrap();
    // 4096 x 1024 weights and more, of four bytes each, in the model owner's memory.
    let memory = |features: &[usize]| {
        fs::write(place.path().join("dense.onnx"), files::dense(features)).unwrap();
        number(&run(place.path(), &["estimate", "dense.onnx", "--json"]).done().json(), "/peak_memory_bytes")
    };
    let (few, many) = (memory(&[16, 10]), memory(&[1024, 4096, 10]));
    assert!(many - few > 4 * 4096 * 1024, "{few} and {many}");
}
