//! Scans that do not fit, and what the server learns of it: nothing before it must be asked, and then no more than that somebody came
//! for its plan.

use std::fs;

use blindscan_e2e::files::{UNSIGNED_BYTES, nifti};
use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier_plan, ct, segmenter_plan, xray};
use serde_json::Value;

/// A volume of 64 x 64, where the segmenter takes 128 x 128.
fn small(hospital: &Hospital) {
    let voxels: Vec<u8> = (0..64 * 64 * 3).map(|index| (index % 256) as u8).collect();
    fs::write(hospital.at("small.nii"), nifti([64, 64, 3], UNSIGNED_BYTES, &voxels, "")).unwrap();
}

/// What the server has told of its clients, without the line in which it begins to listen.
fn told(vendor: &Vendor) -> Vec<Value> {
    let words = vendor.words();
    words.lines().skip(1).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_server_cannot_tell_a_misfit_from_a_client_that_only_wanted_its_plan() {
    let (curious, unlucky) = (Hospital::new(), Hospital::new());
    let of_plan = Vendor::serve(&segmenter_plan(), &[&curious], &[]);
    curious.ask(&["estimate"], &of_plan.join()).done();
    of_plan.event("ended");

    let of_misfit = Vendor::serve(&segmenter_plan(), &[&unlucky], &[]);
    small(&unlucky);
    let asked = ["segment", "small.nii", "--out", "out"];
    unlucky.ask(&asked, &of_misfit.join()).failed(&["does not fit the network", "64 rows and 64 columns"]);
    of_misfit.event("ended");
    assert_eq!(told(&of_misfit), told(&of_plan));
    assert!(!unlucky.at("out").exists(), "an empty folder is not left behind");

    // What can only be refused once the plan is there is not told either: slices, masks, an expert's grid.
    let scan = ct("scan.nii.gz");
    let vendor = Vendor::serve(&segmenter_plan(), &[&unlucky], &[]);
    let expert = unlucky.at("small.nii");
    for more in [&["--slices", "92"][..], &["--expert", expert.to_str().unwrap()]] {
        let asked = [&["segment", &scan, "--out", "out"][..], more].concat();
        unlucky.ask(&asked, &vendor.join()).failed(&[]);
        vendor.event("ended");
    }
    assert!(told(&vendor).iter().all(|event| event["event"] == "ended"), "{:?}", told(&vendor));
}

#[test]
fn a_scan_that_cannot_be_read_or_does_not_fit_a_known_card_is_refused_before_any_connection() {
    let hospital = Hospital::new();
    let mut vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    small(&hospital);
    fs::write(hospital.at("words.txt"), "no scan").unwrap();
    let join = vendor.join();
    hospital.ask(&["estimate"], &join).done();
    vendor.event("ended");
    let before = told(&vendor);
    let ask = |scan: &str, more: &[&str]| {
        let asked = [&["segment", scan, "--out", "out"][..], more].concat();
        hospital.ask(&asked, &join)
    };
    ask("small.nii", &[]).failed(&["64 rows and 64 columns", "at the last connection", "estimate --server"]);
    ask("words.txt", &[]).failed(&["words.txt", "no scan that can be read"]);
    assert_eq!(told(&vendor), before);
    // The proof that nothing was sent: with nobody there, the reasons are the same.
    vendor.kill();
    ask("small.nii", &[]).failed(&["64 rows and 64 columns"]);
    ask(&ct("scan.nii.gz"), &[]).failed(&["cannot be reached"]);

    let stranger = Hospital::new();
    small(&stranger);
    fs::write(stranger.at("words.txt"), "no scan").unwrap();
    let card = ct("covid_unet_w8_128.toml");
    let asked = ["segment", "small.nii", "--out", "out", "--card", &card];
    stranger.ask(&asked, &join).failed(&["64 rows and 64 columns", "judged by", "covid_unet_w8_128.toml"]);
    stranger.ask(&["segment", "words.txt", "--out", "out"], &join).failed(&["no scan that can be read"]);
    let unreached =
        stranger.ask(&["segment", "small.nii", "--out", "out"], &join).failed(&["cannot be reached"]);
    assert_eq!(
        unreached.stderr.matches("refused").count(),
        1,
        "the system's words once: {}",
        unreached.stderr
    );
}

#[test]
fn look_judges_by_the_card_that_a_server_sent_before() {
    let hospital = Hospital::new();
    let mut vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let (image, join) = (xray("normal.jpeg"), vendor.join());
    let look = |file: &str| {
        blindscan_e2e::program::run(hospital.folder(), &["look", file, "--server", &join, "--keys", "keys"])
    };
    look(&image).failed(&["no card of this server yet", "estimate --server"]);
    hospital.ask(&["classify", &image], &join).done();
    vendor.kill();
    look(&image).done();
    let ended = look(&ct("scan.nii.gz")).said_no();
    assert!(ended.stdout.contains("single picture"), "{}", ended.stdout);
}

#[test]
fn a_server_whose_model_has_changed_is_asked_again() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let image = xray("normal.jpeg");
    hospital.ask(&["classify", &image], &vendor.join()).done();
    // The same server, and a card on the client's disk that refuses everything.
    let kept = fs::read_dir(hospital.at("keys/servers")).unwrap().next().unwrap().unwrap().path();
    let refusing = fs::read_to_string(&kept).unwrap().replace("\"xray\"", "\"ct\"");
    fs::write(&kept, refusing).unwrap();
    hospital.ask(&["classify", &image], &vendor.join()).failed(&["a volume was expected"]);
    hospital.ask(&["estimate"], &vendor.join()).done();
    hospital.ask(&["classify", &image], &vendor.join()).done();
    // A card of another version of the program is passed over.
    fs::write(&kept, "other = 1\n").unwrap();
    hospital.ask(&["classify", &image], &vendor.join()).done();
}
