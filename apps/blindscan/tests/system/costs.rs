//! `estimate`: what is promised before anything runs is what the channel counts, byte for byte and turn for turn.
//!
//! The public plan and under 1 kB of control messages come on top, as `estimate` says. The kind of transfers is told to both,
//! for `auto` would choose it by the link.

use std::fs;

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::run;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier, classifier_plan, ct, segmenter, segmenter_plan, xray};
use serde_json::Value;

use crate::reports::{bytes, number};

fn estimate(hospital: &Hospital, model: &str, ot: &str) -> Value {
    run(hospital.folder(), &["estimate", model, "--ot", ot, "--json"]).done().json()
}

/// Bytes of keys, which are sent once per connection.
fn setup(estimate: &Value) -> (u64, u64) {
    (number(estimate, "/setup/bytes/sent"), number(estimate, "/setup/bytes/received"))
}

#[test]
fn one_image_costs_what_the_estimate_says() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    run(hospital.folder(), &["plan", &classifier(), "--out", "saved"]).done();
    let plan = fs::metadata(hospital.at("saved/plan.public")).unwrap().len();
    let image = xray("pneumonia.jpeg");
    for ot in ["softspoken", "ferret"] {
        let expected = estimate(&hospital, &classifier(), ot);
        let report = hospital.ask(&["classify", &image, "--ot", ot], &vendor.join()).done().json();
        assert_eq!((&report["ot"], &expected["ot"]), (&ot.into(), &ot.into()));
        for phase in ["offline", "online"] {
            assert_eq!(bytes(&report, phase), bytes(&expected, phase), "{ot} {phase}");
        }
        let turns = number(&expected, "/turns/offline") + number(&expected, "/turns/online");
        assert_eq!(number(&report, "/turns"), turns, "{ot}");

        // The server counts the whole connection from its end.
        let served = vendor.event("served");
        let total = |way: &str| -> u64 {
            ["offline", "online"].iter().map(|phase| number(&report, &format!("/bytes/{phase}/{way}"))).sum()
        };
        let control = number(&served, "/bytes_received") - total("sent");
        let control_and_plan = number(&served, "/bytes_sent") - total("received");
        assert!(control < 1000 && control_and_plan < 1000 + plan, "{ot}: {control} and {control_and_plan}");
    }
}

#[test]
fn several_slices_cost_their_multiple_and_one_set_of_keys() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    let expected = estimate(&hospital, &segmenter(), "softspoken");
    let scan = ct("scan.nii.gz");
    let asked = ["segment", &scan, "--out", "out", "--slices", "10..12", "--ot", "softspoken"];
    let report = hospital.ask(&asked, &vendor.join()).done().json();

    let (keys, once) = (setup(&expected), bytes(&expected, "offline"));
    assert_eq!(bytes(&report, "offline"), (2 * once.0 - keys.0, 2 * once.1 - keys.1));
    let once = bytes(&expected, "online");
    assert_eq!(bytes(&report, "online"), (2 * once.0, 2 * once.1));
    let turns = number(&expected, "/turns/offline") + number(&expected, "/turns/online");
    assert_eq!(number(&report, "/turns"), 2 * turns - number(&expected, "/setup/turns"));
}

#[test]
fn a_stock_takes_the_offline_phase_along_and_is_as_long_as_was_said() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let expected = estimate(&hospital, &classifier(), "softspoken");
    let prepared =
        hospital.ask(&["prepare", "--stock", "stock", "--ot", "softspoken"], &vendor.join()).done().json();
    assert_eq!(bytes(&prepared, "offline"), bytes(&expected, "offline"));
    assert_eq!(number(&prepared, "/turns"), number(&expected, "/turns/offline"));
    let length = fs::metadata(&hospital.stocks("stock")[0]).unwrap().len();
    let said = number(&expected, "/stock_bytes");
    assert!(length.abs_diff(said) < 4096, "{length} bytes on the disk, {said} were said");

    let image = xray("pneumonia.jpeg");
    let report = hospital.ask(&["classify", &image, "--stock", "stock"], &vendor.join()).done().json();
    assert_eq!(bytes(&report, "offline"), (0, 0));
    assert_eq!(bytes(&report, "online"), bytes(&expected, "online"));
    assert_eq!(number(&report, "/turns"), number(&expected, "/turns/online"));
}

#[test]
fn a_client_estimates_from_the_public_plan_alone() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let of = |arguments: &[&str]| {
        let fixed = ["estimate", "--link", "100mbit:20ms", "--json"];
        run(hospital.folder(), &[&fixed, arguments].concat()).done().json()
    };
    assert_eq!(of(&["--server", &vendor.join(), "--keys", "keys"]), of(&[&classifier()]));
    vendor.event("ended");
}

#[test]
fn an_estimate_knows_the_link() {
    let hospital = Hospital::new();
    let model = classifier();
    let of = |link: &str| {
        run(hospital.folder(), &["estimate", &model, "--link", link, "--ot", "softspoken", "--json"])
            .done()
            .json()
    };
    let (fast, slow) = (of("10gbit:0.1ms"), of("10mbit:100ms"));
    assert_eq!(fast["bytes"], slow["bytes"]);
    let seconds = |estimate: &Value, phase: &str| estimate["seconds"][phase].as_f64().unwrap();
    for phase in ["offline", "online"] {
        let (sent, received) = bytes(&slow, phase);
        // On the slow link the larger way alone takes so long, and each turn a round trip.
        let floor =
            sent.max(received) as f64 * 8.0 / 10e6 + 0.1 * number(&slow, &format!("/turns/{phase}")) as f64;
        assert!(seconds(&slow, phase) > 0.9 * floor, "{phase}: {} against {floor}", seconds(&slow, phase));
        assert!(seconds(&fast, phase) < seconds(&slow, phase));
    }
    let auto =
        run(hospital.folder(), &["estimate", &model, "--link", "10mbit:100ms", "--json"]).done().json();
    assert_eq!(auto["ot"], "ferret", "a slow link takes the transfers with the fewest bytes");
    assert!(bytes(&auto, "offline").1 < bytes(&slow, "offline").1);
}
