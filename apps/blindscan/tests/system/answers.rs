//! `segment` and `classify` against a served model: right answers, on the scan's own grid, for what was asked.

use std::fs;

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier, classifier_plan, ct, segmenter, segmenter_plan, xray};

use crate::reports;

#[test]
fn one_slice_is_segmented_and_held_against_the_model_and_the_expert() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter(), &[&hospital], &[]);
    let (scan, reference, expert) = (ct("scan.nii.gz"), segmenter(), ct("expert.nii.gz"));
    let asked =
        ["segment", &scan, "--out", "out", "--slices", "10", "--reference", &reference, "--expert", &expert];
    let report = hospital.ask(&asked, &vendor.join()).done().json();
    reports::assert_keys(&report);
    reports::assert_equal(&report, 16384);
    assert!(reports::real(&report, "/dice/float") >= 0.99);
    assert!(reports::real(&report, "/dice/expert") >= 0.8);
    assert_eq!(reports::read(&hospital.at("out/report.json")), report);
}

#[test]
fn a_range_is_segmented_on_the_grid_of_the_scan_and_without_a_reference_nothing_is_claimed() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    let scan = ct("scan.nii.gz");
    let ask = |slices: &str, out: &str| {
        hospital.ask(&["segment", &scan, "--out", out, "--slices", slices], &vendor.join()).done().json()
    };
    let report = ask("9..12", "range");
    reports::assert_keys(&report);
    for key in ["/equals_reference", "/values_total", "/dice/reference", "/dice/float", "/dice/expert"] {
        assert!(report.pointer(key).unwrap().is_null(), "{key}");
    }
    assert_eq!(report["images"], 3);

    let (size, affine, voxels) = reports::nifti(&hospital.at("range/mask.nii.gz"));
    let (scan_size, scan_affine, _) = reports::nifti(ct("scan.nii.gz").as_ref());
    assert_eq!((size, affine), (scan_size, scan_affine));
    let slice = |voxels: &[u8], index: usize| voxels[index * 16384..][..16384].to_vec();
    for index in 0..size[2] {
        let marked = slice(&voxels, index).iter().any(|&label| label != 0);
        assert_eq!(marked, (9..12).contains(&index), "slice {index}");
    }

    ask("10", "one");
    let (_, _, alone) = reports::nifti(&hospital.at("one/mask.nii.gz"));
    assert_eq!(slice(&alone, 10), slice(&voxels, 10), "a slice has one answer");
}

#[test]
fn an_x_ray_is_classified_by_name_and_its_logits_stay_with_the_vendor() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let reference = classifier();
    for (file, label, class) in [("pneumonia.jpeg", 1, "pneumonia"), ("normal.jpeg", 0, "normal")] {
        let image = xray(file);
        let asked = ["classify", &image, "--reference", &reference, "--out", "out"];
        let report = hospital.ask(&asked, &vendor.join()).done().json();
        reports::assert_keys(&report);
        reports::assert_equal(&report, 1);
        assert_eq!((&report["label"], &report["class"]), (&label.into(), &class.into()));
        assert!(report.get("logits").is_none(), "the policy is labels: {report}");
        assert_eq!(reports::read(&hospital.at("out/report.json"))["class"], class);
        fs::remove_dir_all(hospital.at("out")).unwrap();
    }
}

#[test]
fn logits_are_given_where_the_vendor_allows_them_and_are_those_of_the_float_network() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &["--policy", "logits"]);
    let (image, reference) = (xray("pneumonia.jpeg"), classifier());
    let asked = ["classify", &image, "--reference", &reference];
    let report = hospital.ask(&asked, &vendor.join()).done().json();
    reports::assert_equal(&report, 2);
    assert_eq!(report["class"], "pneumonia");
    // What ONNX Runtime gives on this image, see the README beside it.
    for (index, float) in [-3.60, 4.01].into_iter().enumerate() {
        let found = reports::real(&report, &format!("/logits/{index}"));
        assert!((found - float).abs() < 0.05, "{found} against {float}");
    }
}

#[test]
fn a_saved_plan_is_served_as_its_model_would_be() {
    let hospital = Hospital::new();
    let place = tempfile::tempdir().unwrap();
    let model = classifier();
    blindscan_e2e::program::run(place.path(), &["plan", &model, "--out", "saved"]).done();
    let vendor = Vendor::serve(place.path().join("saved").to_str().unwrap(), &[&hospital], &[]);
    let image = xray("pneumonia.jpeg");
    let report = hospital.ask(&["classify", &image, "--reference", &model], &vendor.join()).done().json();
    reports::assert_equal(&report, 1);
    assert_eq!(report["class"], "pneumonia");
}
