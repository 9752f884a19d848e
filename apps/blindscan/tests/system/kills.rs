//! Processes killed in the middle of a job: the other side says what happened, and no stock is used twice.

use std::fs;
use std::time::{Duration, Instant};

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::wait_until;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier_plan, xray};
use blindscan_wire::relay::{Relay, RelayConfig};

/// On this link the classifier's online phase takes two seconds and more, so that a kill comes in its middle.
const SLOW: &str = "16mbit:1ms";

/// After a kill the other side must know within this time, for the operating system closes the connection.
const SOON: Duration = Duration::from_secs(10);

fn slow(vendor: &Vendor) -> (Relay, String) {
    vendor.behind(RelayConfig { link: Some(SLOW.parse().unwrap()), ..RelayConfig::default() })
}

/// A new client of the same hospital is served in full.
fn assert_serves(vendor: &Vendor, hospital: &Hospital) {
    let image = xray("pneumonia.jpeg");
    let report = hospital.ask(&["classify", &image], &vendor.join()).done().json();
    assert_eq!(report["class"], "pneumonia");
}

#[test]
fn a_client_killed_while_a_stock_is_made_leaves_none_behind() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let (_relay, join) = slow(&vendor);
    let mut job = hospital.start(&["prepare", "--stock", "stock"], &join);
    wait_until("both make a stock", || hospital.stocks("part").len() + vendor.stocks("part").len() == 2);
    job.kill();
    let begun = Instant::now();
    assert!(vendor.event("failed")["reason"].as_str().unwrap().contains("connection"));
    assert!(begun.elapsed() < SOON);
    assert_eq!(
        (hospital.stocks("stock").len(), vendor.stocks("stock").len(), vendor.stocks("part").len()),
        (0, 0, 0)
    );

    hospital.ask(&["prepare", "--stock", "stock"], &vendor.join()).done();
    assert_eq!((hospital.stocks("stock").len(), vendor.stocks("stock").len()), (1, 1));
    assert!(hospital.stocks("part").is_empty(), "the next job clears what the crash left");
}

#[test]
fn a_server_killed_while_a_stock_is_made_leaves_none_behind() {
    let hospital = Hospital::new();
    let mut vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let (_relay, join) = slow(&vendor);
    let job = hospital.start(&["prepare", "--stock", "stock"], &join);
    wait_until("both make a stock", || hospital.stocks("part").len() + vendor.stocks("part").len() == 2);
    vendor.kill();
    let begun = Instant::now();
    job.finish().failed(&["connection"]);
    assert!(begun.elapsed() < SOON);
    assert!(hospital.stocks("stock").is_empty() && hospital.stocks("part").is_empty());

    vendor.restart();
    assert!(vendor.stocks("part").is_empty() && vendor.stocks("stock").is_empty());
    assert_serves(&vendor, &hospital);
}

#[test]
fn a_client_killed_in_the_online_phase_has_spent_its_stock_on_both_sides() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    hospital.ask(&["prepare", "--stock", "stock"], &vendor.join()).done();
    let names = [hospital.stocks("stock").remove(0), hospital.stock_keys().remove(0)];
    let kept = names.clone().map(|name| fs::read(name).unwrap());

    let (_relay, join) = slow(&vendor);
    let image = xray("pneumonia.jpeg");
    let mut job = hospital.start(&["classify", &image, "--stock", "stock"], &join);
    wait_until("both have taken the stock", || {
        hospital.stocks("spent").len() + vendor.stocks("spent").len() == 2
    });
    job.kill();
    let begun = Instant::now();
    assert!(vendor.event("failed")["reason"].as_str().unwrap().contains("connection"));
    assert!(begun.elapsed() < SOON);
    assert!(hospital.stocks("stock").is_empty() && vendor.stocks("stock").is_empty());
    assert!(vendor.stock_keys().is_empty(), "no copy of the half can be read any more");

    let again = || hospital.ask(&["classify", &image, "--stock", "stock"], &vendor.join());
    again().failed(&["holds no unused stock"]);
    assert!(hospital.stock_keys().is_empty());
    names.iter().zip(kept).for_each(|(name, kept)| fs::write(name, kept).unwrap());
    again().failed(&["the server refused", "has been used"]);
    assert_serves(&vendor, &hospital);
}

#[test]
fn a_server_killed_in_the_online_phase_has_spent_the_stock_on_both_sides() {
    let hospital = Hospital::new();
    let mut vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    hospital.ask(&["prepare", "--stock", "stock"], &vendor.join()).done();
    let (_relay, join) = slow(&vendor);
    let image = xray("pneumonia.jpeg");
    let job = hospital.start(&["classify", &image, "--stock", "stock", "--out", "out"], &join);
    wait_until("both have taken the stock", || {
        hospital.stocks("spent").len() + vendor.stocks("spent").len() == 2
    });
    vendor.kill();
    let begun = Instant::now();
    job.finish().failed(&["connection"]);
    assert!(begun.elapsed() < SOON);
    assert!(!hospital.at("out/report.json").exists());

    vendor.restart();
    for ending in ["stock", "spent"] {
        assert_eq!((hospital.stocks(ending).len(), vendor.stocks(ending).len()), (0, 0), "{ending}");
    }
    assert_serves(&vendor, &hospital);
}

#[test]
fn a_server_that_is_not_there_is_named_with_its_address() {
    let hospital = Hospital::new();
    let mut vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    vendor.kill();
    let image = xray("pneumonia.jpeg");
    let port = vendor.join_line().port.to_string();
    hospital.ask(&["classify", &image], &vendor.join()).failed(&["cannot be reached", &port]);
}
