//! A bad network between the two: cut, silent or corrupt, in every phase and each way. Both sides say what happened within
//! their deadlines, nothing half-done stays behind, and the server goes on.

use std::time::Instant;

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::run;
use blindscan_e2e::vendor::{Vendor, Way};
use blindscan_e2e::{classifier, classifier_plan, xray};
use blindscan_wire::relay::Fault;
use serde_json::Value;

use crate::reports;

/// Where in the dialogue a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Offline,
    Online,
}

const PHASES: [Phase; 3] = [Phase::Handshake, Phase::Offline, Phase::Online];
const WAYS: [Way; 2] = [Way::TowardServer, Way::TowardClient];

/// A position on the wire in the middle of a phase, from the costs that the plan declares.
fn middle(estimate: &Value, phase: Phase, way: Way) -> u64 {
    let of = |phase: &str| {
        let (sent, received) = reports::bytes(estimate, phase);
        if way == Way::TowardServer { sent } else { received }
    };
    match phase {
        Phase::Handshake => 300,
        Phase::Offline => of("offline") / 2,
        Phase::Online => of("offline") + of("online") / 2,
    }
}

/// A vendor with short deadlines, a hospital, and what the job costs.
struct Stage {
    hospital: Hospital,
    vendor: Vendor,
    estimate: Value,
}

impl Stage {
    fn new() -> Self {
        let hospital = Hospital::new();
        let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &["--deadline", "3"]);
        let estimate = run(hospital.folder(), &["estimate", &classifier(), "--ot", "softspoken", "--json"])
            .done()
            .json();
        Self { hospital, vendor, estimate }
    }

    /// Runs the job over a faulty relay; the client's last words and the server's.
    fn suffer(&self, phase: Phase, way: Way, fault: fn(u64) -> Fault) -> (String, String) {
        let (relay, join) = self.vendor.behind_fault(way, fault(middle(&self.estimate, phase, way)));
        let image = xray("pneumonia.jpeg");
        let begun = Instant::now();
        // The kind of transfers is said, so that no probe of the link moves the position.
        let asked = ["classify", &image, "--out", "out", "--deadline", "3", "--ot", "softspoken"];
        let ended = self.hospital.ask(&asked, &join);
        // The handshake has ten seconds of its own, and one wait comes after another at most.
        assert!(begun.elapsed().as_secs() < 20, "{phase:?} {way:?}: {} s", begun.elapsed().as_secs());
        let client = ended.failed(&[]).stderr;
        assert!(!self.hospital.at("out/report.json").exists());
        let event = if phase == Phase::Handshake { "refused" } else { "failed" };
        let server = self.vendor.event(event)["reason"].as_str().unwrap().to_string();
        drop(relay);
        self.assert_serves();
        (client, server)
    }

    fn assert_serves(&self) {
        let image = xray("normal.jpeg");
        let report = self.hospital.ask(&["classify", &image], &self.vendor.join()).done().json();
        assert_eq!(report["class"], "normal");
    }
}

fn assert_one_of(text: &str, words: &[&str]) {
    assert!(words.iter().any(|word| text.contains(word)), "none of {words:?} in: {text}");
}

#[test]
fn a_connection_cut_in_any_phase_is_named_on_both_sides_and_the_next_client_is_served() {
    let stage = Stage::new();
    for phase in PHASES {
        for way in WAYS {
            let (client, server) = stage.suffer(phase, way, Fault::CutAfter);
            for words in [client, server] {
                assert_one_of(&words, &["closed", "onnection reset", "roken pipe"]);
            }
        }
    }
}

/// Who gives up first names the silence; the other may see that it was given up.
fn assert_silence_named(client: &str, server: &str, words: &[&str]) {
    assert!(words.iter().any(|word| client.contains(word) || server.contains(word)), "{client} {server}");
    for side in [client, server] {
        assert_one_of(side, &[words, &["closed", "onnection reset", "roken pipe"]].concat());
    }
}

#[test]
fn a_peer_that_falls_silent_is_given_up_at_the_deadline() {
    let stage = Stage::new();
    for phase in [Phase::Offline, Phase::Online] {
        for way in WAYS {
            let (client, server) = stage.suffer(phase, way, Fault::StallAfter);
            assert_silence_named(&client, &server, &["was silent for 3s"]);
        }
    }
}

#[test]
fn a_peer_that_falls_silent_in_the_handshake_is_given_up_too() {
    let stage = Stage::new();
    for way in WAYS {
        let (client, server) = stage.suffer(Phase::Handshake, way, Fault::StallAfter);
        assert_silence_named(&client, &server, &["handshake was not finished", "was silent for 3s"]);
    }
}

#[test]
fn a_flipped_bit_breaks_the_protected_connection_and_never_an_answer() {
    let stage = Stage::new();
    for phase in [Phase::Offline, Phase::Online] {
        for way in WAYS {
            let (client, server) = stage.suffer(phase, way, Fault::CorruptAt);
            let (reader, other) = if way == Way::TowardServer { (server, client) } else { (client, server) };
            assert_one_of(&reader, &["the protected connection broke"]);
            assert_one_of(
                &other,
                &["the protected connection broke", "closed", "onnection reset", "roken pipe"],
            );
        }
    }
    for way in WAYS {
        stage.suffer(Phase::Handshake, way, Fault::CorruptAt);
    }
}
