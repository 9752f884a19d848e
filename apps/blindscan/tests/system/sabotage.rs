//! One weight changed on the vendor's side: the comparison must turn red, or it proves nothing.

use std::path::{Path, PathBuf};

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::run;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier, ct, segmenter, xray};
use blindscan_graph::plan::FixedPlan;

use crate::reports;

/// A saved plan of a model in which the largest weight of one layer has the other sign.
fn sabotaged(place: &Path, model: &str, layer: impl Fn(usize) -> usize) -> PathBuf {
    run(place, &["plan", model, "--out", "saved"]).done();
    let folder = place.join("saved");
    let mut plan = FixedPlan::load(&folder).unwrap();
    let layer = layer(plan.weights.layers().count());
    let weights = &mut plan.weights.layers_mut().nth(layer).unwrap().1.weight;
    let largest = weights.iter_mut().max_by_key(|weight| weight.unsigned_abs()).unwrap();
    *largest = -*largest;
    plan.save(&folder).unwrap();
    folder
}

#[test]
fn one_changed_weight_shows_in_the_logits() {
    let (hospital, place) = (Hospital::new(), tempfile::tempdir().unwrap());
    let folder = sabotaged(place.path(), &classifier(), |_| 0);
    let vendor = Vendor::serve(folder.to_str().unwrap(), &[&hospital], &["--policy", "logits"]);
    let (image, reference) = (xray("pneumonia.jpeg"), classifier());
    let asked = ["classify", &image, "--reference", &reference, "--out", "out"];
    let report = hospital.ask(&asked, &vendor.join()).said_no().json();
    assert_eq!(report["equals_reference"], false);
    assert!(reports::number(&report, "/values_equal") < 2);
    assert_eq!(reports::read(&hospital.at("out/report.json"))["equals_reference"], false);
}

#[test]
fn one_changed_weight_shows_in_the_mask() {
    let (hospital, place) = (Hospital::new(), tempfile::tempdir().unwrap());
    let folder = sabotaged(place.path(), &segmenter(), |count| count - 1);
    let vendor = Vendor::serve(folder.to_str().unwrap(), &[&hospital], &[]);
    let (scan, reference) = (ct("scan.nii.gz"), segmenter());
    let asked = ["segment", &scan, "--out", "out", "--slices", "10", "--reference", &reference];
    let report = hospital.ask(&asked, &vendor.join()).said_no().json();
    assert_eq!(report["equals_reference"], false);
    let (total, equal) =
        (reports::number(&report, "/values_total"), reports::number(&report, "/values_equal"));
    assert!(total == 16384 && equal < total, "{equal} of {total}");
    assert!(reports::real(&report, "/dice/reference") < 1.0);
}
