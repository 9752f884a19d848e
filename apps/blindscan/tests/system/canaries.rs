//! Known answers mixed into a batch: a changed model shows, a sound one passes, and the server sees no difference.

use std::fs;
use std::path::{Path, PathBuf};

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::run;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier, text, xray};
use blindscan_graph::plan::FixedPlan;

use crate::reports;

/// A vendor's saved plans, one with the largest weight of its first layer turned round: the public half is the same.
struct Plans(tempfile::TempDir);

impl Plans {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        run(place.path(), &["plan", &classifier(), "--out", "sound"]).done();
        let mut plan = FixedPlan::load(&place.path().join("sound")).unwrap();
        let weights = &mut plan.weights.layers_mut().next().unwrap().1.weight;
        let largest = weights.iter_mut().max_by_key(|weight| weight.unsigned_abs()).unwrap();
        *largest = -*largest;
        fs::create_dir(place.path().join("changed")).unwrap();
        plan.save(&place.path().join("changed")).unwrap();
        Self(place)
    }

    fn at(&self, name: &str) -> String {
        text(&self.0.path().join(name))
    }

    /// A server of one of them that opens logits, in which any change shows.
    fn served(&self, name: &str, client: &Hospital) -> Vendor {
        Vendor::serve(&self.at(name), &[client], &["--policy", "logits"])
    }
}

/// A folder `set` with two X-rays in a hospital's folder.
fn set(hospital: &Hospital) -> PathBuf {
    let folder = hospital.at("set");
    fs::create_dir(&folder).unwrap();
    for name in ["pneumonia.jpeg", "normal.jpeg"] {
        fs::copy(xray(name), folder.join(name)).unwrap();
    }
    folder
}

/// The plan's owner notes the answers of a set.
fn note(plans: &Plans, folder: &Path) {
    let asked = ["canaries", &text(folder), "--model", &plans.at("sound"), "--policy", "logits"];
    run(plans.0.path(), &asked).done();
}

const MIXED: [&str; 6] = ["--canaries", "2", "--canary-set", "set", "--out", "out"];

#[test]
fn a_sound_model_passes_and_each_canary_is_a_job() {
    let (hospital, plans) = (Hospital::new(), Plans::new());
    note(&plans, &set(&hospital));
    let vendor = plans.served("sound", &hospital);
    let image = xray("pneumonia.jpeg");
    let reference = plans.at("sound");
    let asked = [&["classify", &image, "--reference", &reference], &MIXED[..]].concat();
    let report = hospital.ask(&asked, &vendor.join()).done().json();
    assert_eq!(report["canaries"]["asked"], 2);
    assert_eq!(report["canaries"]["right"], 2);
    assert!(report.get("untrusted").is_none());
    assert_eq!(reports::number(&report, "/images"), 1);
    assert_eq!(report["equals_reference"], true, "the image that was asked for has its own answer");
    assert_eq!(served(&vendor), 3);
    assert!(hospital.at("out/report.json").exists());
}

/// How many images a server has run when its client has left.
fn served(vendor: &Vendor) -> usize {
    vendor.event("ended");
    vendor.words().matches("\"served\"").count()
}

#[test]
fn a_changed_model_is_found_and_its_answers_are_marked() {
    let (hospital, plans) = (Hospital::new(), Plans::new());
    note(&plans, &set(&hospital));
    let vendor = plans.served("changed", &hospital);
    let image = xray("pneumonia.jpeg");
    let ended = hospital.ask(&[&["classify", &image], &MIXED[..]].concat(), &vendor.join());
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    for part in ["WRONG", "2 of 2", "UNTRUSTED", "pneumonia.jpeg"] {
        assert!(ended.stderr.contains(part), "`{part}` is missing in: {}", ended.stderr);
    }
    let report = reports::read(&hospital.at("out/UNTRUSTED/report.json"));
    assert_eq!(report["canaries"]["right"], 0);
    assert!(report["untrusted"].as_str().unwrap().contains("2 of 2"));
    assert!(!hospital.at("out/report.json").exists(), "no answer stands where a trusted one would");
}

#[test]
fn the_server_sees_the_same_whatever_comes_of_the_canaries() {
    let (hospital, plans) = (Hospital::new(), Plans::new());
    note(&plans, &set(&hospital));
    let image = xray("pneumonia.jpeg");
    let seen = ["sound", "changed"].map(|name| {
        let vendor = plans.served(name, &hospital);
        // Not settled by the link, which a busy machine can make look slow.
        let asked = [&["classify", &image, "--ot", "softspoken"], &MIXED[..]].concat();
        let ended = hospital.ask(&asked, &vendor.join());
        vendor.event("ended");
        let events: Vec<serde_json::Value> =
            vendor.words().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        // Of each job its kind and its bytes; seconds and memory are the machine's.
        let traffic: Vec<_> = events
            .iter()
            .skip(1)
            .map(|event| {
                [&event["event"], &event["bytes_sent"], &event["bytes_received"]].map(ToString::to_string)
            })
            .collect();
        let _ = fs::remove_dir_all(hospital.at("out"));
        (ended.code, traffic)
    });
    assert_eq!((seen[0].0, seen[1].0), (Some(0), Some(4)));
    assert_eq!(seen[0].1.len(), 4, "three jobs and the end");
    assert_eq!(seen[0].1, seen[1].1);
}

#[test]
fn answers_can_be_noted_at_a_first_run_and_are_not_written_over() {
    let (hospital, plans) = (Hospital::new(), Plans::new());
    set(&hospital);
    let vendor = plans.served("sound", &hospital);
    let first = ["canaries", "set"];
    hospital.ask(&first, &vendor.join()).done();
    hospital.ask(&first, &vendor.join()).failed(&["never overwritten"]);
    let image = xray("pneumonia.jpeg");
    let asked = [&["classify", &image], &MIXED[..]].concat();
    hospital.ask(&asked, &vendor.join()).done();
    drop(vendor);
    let changed = plans.served("changed", &hospital);
    assert_eq!(hospital.ask(&asked, &changed.join()).code, Some(4));
}

#[test]
fn canaries_of_another_plan_or_a_changed_image_are_refused_before_anything_is_asked() {
    let (hospital, plans) = (Hospital::new(), Plans::new());
    let folder = set(&hospital);
    note(&plans, &folder);
    let labels = Vendor::serve(&plans.at("sound"), &[&hospital], &["--policy", "labels"]);
    let image = xray("pneumonia.jpeg");
    let asked = [&["classify", &image], &MIXED[..]].concat();
    hospital.ask(&asked, &labels.join()).failed(&["those of plan", "nothing was asked"]);
    drop(labels);

    let vendor = plans.served("sound", &hospital);
    fs::copy(folder.join("normal.jpeg"), folder.join("pneumonia.jpeg")).unwrap();
    hospital.ask(&asked, &vendor.join()).failed(&["is not the image whose answer was noted"]);
    assert!(!vendor.words().contains("\"served\""));
    let missing = ["classify", &image, "--canaries", "2"];
    assert_eq!(hospital.ask(&missing, &vendor.join()).code, Some(2));
}

#[test]
fn canaries_use_prepared_stock_like_any_image_and_too_little_is_said_before_any_is_spent() {
    let (hospital, plans) = (Hospital::new(), Plans::new());
    note(&plans, &set(&hospital));
    let vendor = plans.served("sound", &hospital);
    let image = xray("pneumonia.jpeg");
    let asked = [&["classify", &image, "--stock", "stock"], &MIXED[..]].concat();
    hospital.ask(&["prepare", "--stock", "stock", "--count", "2"], &vendor.join()).done();
    hospital.ask(&asked, &vendor.join()).failed(&["3 images", "2 unused stocks"]);
    assert_eq!(hospital.stocks("stock").len(), 2);
    hospital.ask(&["prepare", "--stock", "stock"], &vendor.join()).done();
    hospital.ask(&asked, &vendor.join()).done();
    assert!(hospital.stocks("stock").is_empty());
}
