//! Who may come: fingerprints both ways, enrolment once, several clients at a time and no more than the limit.

use std::path::Path;

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::run;
use blindscan_e2e::vendor::{Vendor, Way};
use blindscan_e2e::{classifier, classifier_plan, xray};
use blindscan_session::failed_checks::{FailedChecks, MOST, Peers};
use blindscan_session::join::JoinLine;
use blindscan_wire::fingerprint::Fingerprint;
use blindscan_wire::relay::Fault;
use serde_json::json;

use crate::reports;

#[test]
fn a_server_with_another_fingerprint_than_the_join_line_says_gets_nothing() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let line = JoinLine { server: Fingerprint::from_bytes([7; 32]), ..vendor.join_line() };
    let image = xray("pneumonia.jpeg");
    let shown = vendor.join_line().server.to_string();
    hospital.ask(&["classify", &image], &line.to_string()).failed(&[&shown, "was agreed"]);
    vendor.event("refused");
}

#[test]
fn an_unknown_client_is_refused_before_anything_is_made_for_it() {
    let (known, stranger) = (Hospital::new(), Hospital::new());
    let vendor = Vendor::serve(&classifier_plan(), &[&known], &[]);
    let image = xray("pneumonia.jpeg");
    let ended = stranger.ask(&["classify", &image, "--out", "out"], &vendor.join());
    ended.failed(&["does not know this client", stranger.fingerprint()]);
    assert!(vendor.event("refused")["reason"].as_str().unwrap().contains(stranger.fingerprint()));
    assert!(!vendor.folder().join("stock").join(stranger.fingerprint()).exists());
    known.ask(&["classify", &image], &vendor.join()).done();
    assert!(vendor.folder().join("stock").join(known.fingerprint()).exists());
}

#[test]
fn a_client_taken_from_the_list_is_refused_from_then_on() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let image = xray("pneumonia.jpeg");
    hospital.ask(&["classify", &image], &vendor.join()).done();
    std::fs::write(vendor.folder().join("allowed.toml"), "").unwrap();
    hospital.ask(&["classify", &image], &vendor.join()).failed(&["does not know this client"]);
}

#[test]
fn the_secret_of_a_join_line_enrols_one_client_for_good_and_no_second() {
    let (first, second) = (Hospital::new(), Hospital::new());
    let mut vendor = Vendor::serve(&classifier_plan(), &[], &["--enrol"]);
    let line = vendor.join();
    assert!(line.contains("?secret="));
    let without = JoinLine { secret: None, ..vendor.join_line() }.to_string();
    let image = xray("pneumonia.jpeg");
    let ask = |client: &Hospital, join: &str| client.ask(&["classify", &image], join);
    ask(&first, &without).failed(&["ask its operator for a join line with a secret"]);
    assert_eq!(ask(&first, &line).done().json()["class"], "pneumonia");
    ask(&second, &line).failed(&["does not know this client"]);
    ask(&first, &without).done();

    vendor.restart();
    assert_ne!(vendor.join(), line, "each invitation has a secret of its own");
    ask(&first, &JoinLine { secret: None, ..vendor.join_line() }.to_string()).done();
    let spent = JoinLine { port: vendor.join_line().port, ..line.parse().unwrap() }.with_secret().to_string();
    ask(&second, &spent).failed(&["refused the secret"]);
    ask(&second, &vendor.join()).done();
}

#[test]
fn two_clients_at_once_both_get_their_own_answers() {
    let (one, two) = (Hospital::new(), Hospital::new());
    let vendor = Vendor::serve(&classifier_plan(), &[&one, &two], &[]);
    let (join, reference) = (vendor.join(), classifier());
    let (sick, well) = (xray("pneumonia.jpeg"), xray("normal.jpeg"));
    let jobs = [(&one, &sick), (&two, &well), (&one, &well), (&two, &sick)]
        .map(|(client, image)| client.start(&["classify", image, "--reference", &reference], &join));
    let answers = jobs.map(|job| job.finish().done().json());
    answers.iter().for_each(|report| reports::assert_equal(report, 1));
    let classes = answers.map(|report| report["class"].as_str().unwrap().to_string());
    assert_eq!(classes, ["pneumonia", "normal", "normal", "pneumonia"]);
}

#[test]
fn a_client_beyond_the_limit_is_told_so_and_served_later() {
    let (one, two) = (Hospital::new(), Hospital::new());
    let vendor = Vendor::serve(&classifier_plan(), &[&one, &two], &["--clients-max", "1"]);
    let (relay, stalled) = vendor.behind_fault(Way::TowardServer, Fault::StallAfter(1 << 20));
    let image = xray("pneumonia.jpeg");
    let mut waiting = one.start(&["prepare", "--stock", "stock"], &stalled);
    blindscan_e2e::program::wait_until("the first client is in", || one.stocks("part").len() == 1);
    two.ask(&["classify", &image], &vendor.join())
        .failed(&["at its limit of connections", "try again later"]);
    waiting.kill();
    drop(relay);
    vendor.event("failed");
    blindscan_e2e::program::wait_until("the place is free", || {
        two.ask(&["classify", &image], &vendor.join()).code == Some(0)
    });
}

#[test]
fn a_join_line_may_come_from_a_file() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    std::fs::write(hospital.at("join"), vendor.join() + "\n").unwrap();
    let image = xray("pneumonia.jpeg");
    hospital.ask(&["classify", &image], "@join").done();
    hospital.ask(&["classify", &image], "@nothing").failed(&["join line", "nothing"]);
}

#[test]
fn a_server_whose_output_nobody_reads_goes_on_serving() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve_unread(&classifier_plan(), &[&hospital]);
    let image = xray("pneumonia.jpeg");
    for _ in 0..2 {
        hospital.ask(&["classify", &image], &vendor.join()).done();
    }
}

/// A peer's failures as the checks count them.
fn fail(keys: &Path, peers: Peers, fingerprint: &str, failures: u32) {
    let failed = FailedChecks::of(keys, peers);
    (0..failures).for_each(|_| failed.record(&fingerprint.parse().unwrap()).map(drop).unwrap());
}

#[test]
fn a_client_that_failed_too_many_checks_is_refused_until_the_operator_lifts_it() {
    let (cheat, honest) = (Hospital::new(), Hospital::new());
    let mut vendor = Vendor::serve(&classifier_plan(), &[&cheat, &honest], &[]);
    let keys = vendor.folder().join("keys");
    let image = xray("pneumonia.jpeg");
    let ask = |client: &Hospital, vendor: &Vendor| client.ask(&["classify", &image], &vendor.join());
    fail(&keys, Peers::Clients, cheat.fingerprint(), MOST - 1);
    ask(&cheat, &vendor).done();
    fail(&keys, Peers::Clients, cheat.fingerprint(), 1);
    ask(&cheat, &vendor).failed(&["the server refuses this client", "operator"]);
    let logged = vendor.event("refused")["reason"].as_str().unwrap().to_string();
    assert!(logged.contains(&format!("clients lift {}", cheat.fingerprint())), "{logged}");
    ask(&honest, &vendor).done();
    vendor.restart();
    ask(&cheat, &vendor).failed(&["the server refuses this client"]);

    let command = |arguments: &[&str]| run(vendor.folder(), &[arguments, &["--keys", "keys"]].concat());
    let listed = command(&["clients", "list", "--json"]).done().json();
    assert_eq!(listed[0]["fingerprint"], cheat.fingerprint());
    assert_eq!((&listed[0]["failures"], &listed[0]["refused"]), (&json!(MOST), &json!(true)));
    command(&["clients", "lift", cheat.fingerprint()]).done();
    command(&["clients", "lift", cheat.fingerprint()]).said_no();
    ask(&cheat, &vendor).done();
}

#[test]
fn a_server_that_failed_too_many_checks_is_not_called_until_its_client_trusts_it_again() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let server = vendor.join_line().server.to_string();
    fail(&hospital.at("keys"), Peers::Servers, &server, MOST);
    let image = xray("pneumonia.jpeg");
    let ask = || hospital.ask(&["classify", &image], &vendor.join());
    ask().failed(&["failed 3 consistency checks", &format!("blindscan servers lift {server}")]);
    run(hospital.folder(), &["servers", "lift", &server, "--keys", "keys"]).done();
    ask().done();
}

#[test]
fn a_client_that_expects_another_plan_leaves_the_server_and_says_both_digests() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let image = xray("pneumonia.jpeg");
    let ask = |arguments: &[&str]| hospital.ask(arguments, &vendor.join());
    let planned = run(hospital.folder(), &["plan", &classifier(), "--json"]).done().json();
    let digest = planned["digest"].as_str().unwrap();
    let report = ask(&["classify", &image, "--plan-digest", digest]).done().json();
    assert_eq!(report["plan_digest"], digest);

    let other = "5a".repeat(32);
    for asked in [
        vec!["classify", &image],
        vec!["prepare", "--stock", "stock"],
        vec!["segment", &image, "--out", "out"],
    ] {
        ask(&[&asked[..], &["--plan-digest", &other]].concat()).failed(&[digest, &other, "nothing was sent"]);
    }
    assert!(hospital.stocks("stock").is_empty() && vendor.stocks("stock").is_empty());
    assert_eq!(ask(&["classify", &image, "--plan-digest", "12"]).code, Some(2));
}
