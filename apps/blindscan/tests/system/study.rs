//! What is said of a scan: by `look` on this machine alone, and by jobs on the screen and in report.json.

use std::fs;
use std::path::Path;

use blindscan_e2e::files::{DICOM_PATIENT, SIGNED_WORDS, UNSIGNED_BYTES, dicom_slice, findings, nifti};
use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::{Job, run, wait_until};
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier, classifier_plan, ct, segmenter, segmenter_plan, xray};
use blindscan_graph::ir::Tensor;
use blindscan_graph::npy;
use serde_json::Value;

use crate::reports;

/// What a model of CT slices takes.
fn card(grey: &str) -> String {
    format!(
        "name = \"x\"\n[input]\nmodality = \"ct\"\ngrey = \"{grey}\"\nnormalisation = {{ kind = \"clip\", low = -1000.0, high = 400.0 }}\nslice_offsets = [0]\naxis = \"axial\"\nsize = [8, 6]\nresize = false\nrange = [0.0, 1.0]\n"
    )
}

/// A folder with a DICOM series of four slices, 5 mm apart; instance 4 lies nearest to the feet.
fn series(folder: &Path, modality: &str) {
    fs::create_dir(folder).unwrap();
    for instance in 1..=4u16 {
        let place = -300.0 + 5.0 * f64::from(4 - instance);
        let pixels: Vec<u8> = (0..48).map(|index| index as u8 * 5 + instance as u8).collect();
        let file = dicom_slice(modality, instance, place, 8, 6, &pixels);
        fs::write(folder.join(format!("I{instance}")), file).unwrap();
    }
}

fn look(place: &Path, arguments: &[&str]) -> blindscan_e2e::program::Ended {
    run(place, &[&["look"], arguments].concat())
}

#[test]
fn a_study_is_looked_at_without_a_server_and_each_slice_has_its_place_and_instance() {
    let place = tempfile::tempdir().unwrap();
    series(&place.path().join("series"), "MR");
    let ended = look(place.path(), &["series"]).done();
    for part in ["volume of 6 x 8 x 4", "1.0000 x 1.0000 x 5.0000 mm", "modality MR", "not judged"] {
        assert!(ended.stdout.contains(part), "{part} is missing in: {}", ended.stdout);
    }
    assert!(!ended.stdout.contains(DICOM_PATIENT));
    let looked = look(place.path(), &["series", "--json"]).done().json();
    let slices = looked["input"]["slices"].as_array().unwrap();
    let of = |key: &str| -> Vec<f64> { slices.iter().map(|slice| slice[key].as_f64().unwrap()).collect() };
    assert_eq!(of("place_mm"), [-300.0, -295.0, -290.0, -285.0]);
    assert_eq!(of("instance"), [4.0, 3.0, 2.0, 1.0]);
    assert!(looked["fits"].is_null() && looked["takes"].is_null());
}

#[test]
fn looks_exit_code_tells_a_misfit_from_what_cannot_be_read() {
    let place = tempfile::tempdir().unwrap();
    series(&place.path().join("mr"), "MR");
    fs::write(place.path().join("any.toml"), card("any")).unwrap();
    let ended = look(place.path(), &["mr", "--card", "any.toml"]).said_no();
    assert!(ended.stdout.contains("modality MR came, CT was expected"), "{}", ended.stdout);
    let looked = look(place.path(), &["mr", "--card", "any.toml", "--json"]).said_no().json();
    assert_eq!(looked["fits"], false);
    assert!(looked["reason"].as_str().unwrap().contains("MR"));
    assert!(looked["takes"].as_str().unwrap().contains("8 rows and 6 columns"));

    fs::write(place.path().join("words"), "no scan").unwrap();
    look(place.path(), &["words", "--card", "any.toml"]).failed(&["words", "no scan that can be read"]);
    look(place.path(), &["mr", "--card", "none.toml"]).failed(&["none.toml"]);
    fs::write(place.path().join("bad.toml"), "name = \"x\"\n").unwrap();
    look(place.path(), &["mr", "--card", "bad.toml"]).failed(&["bad.toml", "[input]"]);

    let scan = ct("scan.nii.gz");
    let fits = look(place.path(), &[&scan, "--card", &ct("covid_unet_w8_128.toml")]).done();
    assert!(fits.stdout.starts_with("the scan fits the model"), "{}", fits.stdout);
}

#[test]
fn a_unit_that_was_guessed_is_said_and_can_be_stated() {
    let place = tempfile::tempdir().unwrap();
    let soft: Vec<u8> = (0..6 * 8 * 3i16).flat_map(|index| (index - 60).to_le_bytes()).collect();
    fs::write(place.path().join("soft.nii"), nifti([6, 8, 3], SIGNED_WORDS, &soft, "")).unwrap();
    fs::write(place.path().join("hu.toml"), card("hounsfield")).unwrap();
    let ended = look(place.path(), &["soft.nii", "--card", "hu.toml"]).said_no();
    assert!(ended.stdout.contains("guess") && ended.stdout.contains("-500"), "{}", ended.stdout);
    let stated = look(place.path(), &["soft.nii", "--card", "hu.toml", "--unit", "hu"]).done();
    assert!(stated.stdout.contains("Hounsfield units (stated by the user)"), "{}", stated.stdout);
    let wrong = look(place.path(), &["soft.nii", "--unit", "kelvin"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("eight-bit"), "{}", wrong.stderr);
}

#[test]
fn a_report_says_what_was_read_what_was_segmented_and_what_each_class_covers() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    let scan = ct("scan.nii.gz");
    let asked = ["segment", &scan, "--out", "out", "--slices", "3,9..11,10"];
    let report = hospital.ask(&asked, &vendor.join()).done().json();
    assert_eq!(report["images"], 3);
    assert!(report["program"].as_str().unwrap().starts_with("blindscan "));
    assert!(report["started"].as_str().unwrap().ends_with('Z'));
    assert_eq!(report["card"]["grey"], "eight-bit");
    let input = &report["input"];
    assert_eq!((&input["form"], &input["axis"]), (&"volume".into(), &"axial".into()));
    assert!(input["kind_known_by"].as_str().unwrap().contains("guess"), "{input}");
    assert_eq!(input["digest"].as_str().unwrap().len(), 64);
    let slices = input["slices"].as_array().unwrap();
    let segmented: Vec<usize> =
        (0..slices.len()).filter(|&index| slices[index]["segmented"] == true).collect();
    assert_eq!((slices.len(), segmented), (92, vec![3, 9, 10]));
    let notes = report["notes"].as_array().unwrap();
    let said = |part: &str| notes.iter().any(|note| note.as_str().unwrap().contains(part));
    assert!(said("does not say its modality") && said("not segmented"), "{notes:?}");

    let (_, _, mask) = reports::nifti(&hospital.at("out/mask.nii.gz"));
    let (_, _, covered) = reports::nifti(&hospital.at("out/covered.nii.gz"));
    for index in 0..92 {
        let expected = u8::from([3, 9, 10].contains(&index));
        assert!(covered[index * 16384..][..16384].iter().all(|&value| value == expected), "slice {index}");
    }
    let voxel_ml: f64 = input["spacing_mm"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).product();
    for (label, name) in [(0u8, "background"), (1, "infection")] {
        let class = &report["classes"][usize::from(label)];
        let counted = mask.iter().zip(&covered).filter(|&(&m, &c)| m == label && c == 1).count() as u64;
        assert_eq!((&class["name"], &class["voxels"]), (&name.into(), &counted.into()));
        let ml = class["ml"].as_f64().unwrap();
        assert!((ml - counted as f64 * voxel_ml / 1000.0).abs() < 1e-3, "{ml}");
    }
}

#[test]
fn a_mask_of_every_slice_needs_no_second_file() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    let voxels: Vec<u8> = (0..128 * 128).map(|index| (index % 251) as u8).collect();
    fs::write(hospital.at("one.nii"), nifti([128, 128, 1], UNSIGNED_BYTES, &voxels, "")).unwrap();
    let report = hospital.ask(&["segment", "one.nii", "--out", "out"], &vendor.join()).done().json();
    assert!(!hospital.at("out/covered.nii.gz").exists());
    let notes = report["notes"].to_string();
    assert!(notes.contains("4 of the network's 5 channels are always empty"), "{notes}");
}

#[test]
fn the_digest_is_of_grey_values_and_of_no_tag() {
    let place = tempfile::tempdir().unwrap();
    let digest = |name: &str, description: &str, first: u8| {
        let voxels: Vec<u8> = (0..48).map(|index| index + first).collect();
        fs::write(place.path().join(name), nifti([6, 8, 1], UNSIGNED_BYTES, &voxels, description)).unwrap();
        look(place.path(), &[name, "--json"]).done().json()["input"]["digest"].clone()
    };
    assert_eq!(digest("a.nii", "DOE^JANE", 0), digest("b.nii", "ROE^RICHARD", 0));
    assert_ne!(digest("a.nii", "DOE^JANE", 0), digest("b.nii", "DOE^JANE", 1));
}

#[test]
fn values_beyond_the_declared_range_are_counted_and_many_are_told_loudly() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let image = xray("normal.jpeg");
    let fine = hospital.ask(&["classify", &image], &vendor.join()).done().json();
    let count = |report: &Value| reports::number(report, "/input/clamped/above");
    assert_eq!(count(&fine), 0);

    // Grey values of 0 to 255 for a network that takes 0 to 1.
    let data: Vec<f32> = (0..150 * 125).map(|index| (index % 256) as f32).collect();
    npy::write(&hospital.at("raw.npy"), &Tensor { shape: vec![1, 1, 150, 125], data }).unwrap();
    let report = hospital.ask(&["classify", "raw.npy"], &vendor.join()).done().json();
    assert!(count(&report) > 18_000, "{}", report["input"]["clamped"]);
    let mut command = hospital.command(&["classify", "raw.npy"], &vendor.join());
    command = without_json(command);
    let ended = Job::start(command).finish().done();
    assert!(ended.stdout.contains("WARNING: ") && ended.stdout.contains("do not rely"), "{}", ended.stdout);

    npy::write(&hospital.at("turned.npy"), &Tensor { shape: vec![1, 125, 150, 1], data: vec![0.5; 18750] })
        .unwrap();
    hospital
        .ask(&["classify", "turned.npy"], &vendor.join())
        .failed(&["[1, 125, 150, 1]", "[1, 1, 150, 125]"]);
}

#[test]
fn compare_says_what_it_read_and_takes_the_users_word_for_the_unit() {
    let place = tempfile::tempdir().unwrap();
    let compare = |more: &[&str]| {
        run(place.path(), &[&["compare", &segmenter(), &ct("scan.nii.gz"), "--slice", "10"], more].concat())
    };
    let report = compare(&["--json"]).done().json();
    assert_eq!(report["input"]["slices"][10]["segmented"], true);
    assert!(report["notes"].to_string().contains("does not say its modality"), "{}", report["notes"]);
    let words = compare(&[]).done().stdout;
    assert!(words.contains("run on 1 of 92 axial slices: 10") && words.contains("note: "), "{words}");
    compare(&["--unit", "hu"]).failed(&["Hounsfield units came, 8-bit"]);
}

#[test]
fn of_several_slices_the_one_to_classify_is_named() {
    let hospital = Hospital::new();
    let place = tempfile::tempdir().unwrap();
    let model = place.path().join("model.onnx");
    fs::copy(classifier(), &model).unwrap();
    let card = fs::read_to_string(xray("dnn1_150x125.toml")).unwrap();
    let card =
        card.replace("\"xray\"", "\"any\"").replace("\"calibration\"", &format!("{:?}", xray("calibration")));
    fs::write(place.path().join("model.toml"), card).unwrap();
    let vendor = Vendor::serve(model.to_str().unwrap(), &[&hospital], &[]);
    let voxels: Vec<u8> = (0..150 * 125 * 3).map(|index| (index % 256) as u8).collect();
    fs::write(hospital.at("three.nii"), nifti([125, 150, 3], UNSIGNED_BYTES, &voxels, "")).unwrap();
    let ask = |more: &[&str]| hospital.ask(&[&["classify", "three.nii"], more].concat(), &vendor.join());
    ask(&[]).failed(&["3 slices", "--slice"]);
    ask(&["--slice", "3"]).failed(&["slice 3", "has 3"]);
    let report = ask(&["--slice", "2"]).done().json();
    assert_eq!(report["input"]["slices"][2]["segmented"], true);
    assert_eq!(report["input"]["slices"][0]["segmented"], false);
}

/// The same command with words for a person.
fn without_json(command: std::process::Command) -> std::process::Command {
    let mut other = std::process::Command::new(command.get_program());
    other.args(command.get_args().filter(|argument| *argument != "--json"));
    other.current_dir(command.get_current_dir().unwrap());
    other
}

#[test]
fn the_screen_shows_the_result_first_and_layers_when_asked() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let image = xray("pneumonia.jpeg");
    let ask = |more: &[&str]| {
        let asked = [&["classify", &image][..], more].concat();
        Job::start(without_json(hospital.command(&asked, &vendor.join()))).finish().done().stdout
    };
    let plain = ask(&[]);
    assert!(plain.starts_with("class 1: pneumonia\nfor research, not for diagnosis\n"), "{plain}");
    assert!(plain.contains("read: picture of") && plain.contains("grey values: 8-bit"), "{plain}");
    assert!(!plain.contains("  relu ") && ask(&["--layers"]).contains("  relu "), "{plain}");
}

#[test]
fn a_model_of_several_findings_answers_yes_or_no_to_each_by_name() {
    let hospital = Hospital::new();
    let place = tempfile::tempdir().unwrap();
    let model = place.path().join("model.onnx");
    fs::write(&model, findings(&[[1.0, 0.0, 0.0, 0.0], [-1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 2.0, -1.0]]))
        .unwrap();
    let named = |names: &str, policy: &str| {
        let card = format!("class_names = [{names}]\npolicy = \"{policy}\"\n");
        fs::write(place.path().join("model.toml"), card).unwrap();
    };
    npy::write(&hospital.at("x.npy"), &Tensor { shape: vec![1, 4], data: vec![0.5, 0.25, 0.75, 0.0] })
        .unwrap();
    let expected = [("mass", true, 0.5f64), ("edema", false, -0.375), ("nodule", true, 1.5)];
    for policy in ["labels", "logits"] {
        named("\"mass\", \"edema\", \"nodule\"", policy);
        let vendor = Vendor::serve(model.to_str().unwrap(), &[&hospital], &[]);
        let report = hospital.ask(&["classify", "x.npy"], &vendor.join()).done().json();
        let found = report["findings"].as_array().unwrap();
        assert_eq!(found.len(), 3);
        for (finding, (name, present, logit)) in found.iter().zip(expected) {
            assert_eq!((&finding["name"], &finding["present"]), (&name.into(), &present.into()), "{finding}");
            match policy {
                "labels" => assert!(finding["probability"].is_null(), "{finding}"),
                _ => {
                    let probability = finding["probability"].as_f64().unwrap();
                    assert!((probability - 1.0 / (1.0 + (-logit).exp())).abs() < 0.01, "{finding}");
                }
            }
        }
    }
    named("\"no\", \"yes\"", "labels");
    run(place.path(), &["plan", "model.onnx"]).failed(&["2 class names for 3 findings"]);
}

#[test]
fn a_server_says_what_scans_it_takes_and_when_nobody_may_come() {
    let place = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(blindscan_e2e::program::path());
    command.args(["serve", "--model", &segmenter(), "--listen", "127.0.0.1:0"]).current_dir(place.path());
    let job = Job::start(command);
    wait_until("the server says who may come", || job.stderr().contains("no client is allowed"));
    wait_until("the server says what it takes", || {
        job.stdout().contains("takes: CT volumes in 8-bit grey values")
    });

    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    assert!(!vendor.words().contains("no client is allowed"));
}
