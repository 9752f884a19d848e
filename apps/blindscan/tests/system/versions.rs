//! Programs of other versions, and of none: played by hand over the real connection.

use std::thread;
use std::time::SystemTime;

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier_plan, xray};
use blindscan_session::enrol::{self, Door};
use blindscan_session::handshake::PROTOCOL_VERSION;
use blindscan_session::join::JoinLine;
use blindscan_session::keys;
use blindscan_wire::Channel;
use blindscan_wire::link::LinkConfig;
use blindscan_wire::listener::{Listener, ListenerConfig};
use blindscan_wire::stream::StreamChannel;
use blindscan_wire::tls::ClientTls;

const HELLO_BYTES: usize = 44;

fn hello(magic: &[u8; 8], version: u32) -> Vec<u8> {
    [&magic[..], &version.to_le_bytes(), &[5; 32]].concat()
}

/// Connects as a known client, and says this in place of the first message.
fn say_to(vendor: &Vendor, hospital: &Hospital, first: &[u8]) -> Vec<u8> {
    let identity = keys::load(&hospital.at("keys")).unwrap();
    let line = vendor.join_line();
    let tls = ClientTls::new(&identity, line.server).unwrap();
    let mut channel = StreamChannel::connect(&line.address(), &tls, &LinkConfig::default()).unwrap();
    enrol::knock(&mut channel, None).unwrap();
    channel.send(first).unwrap();
    channel.receive(HELLO_BYTES).unwrap()
}

#[test]
fn a_client_of_another_version_learns_the_servers_and_is_let_go() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let answer = say_to(&vendor, &hospital, &hello(b"BLINDSCN", PROTOCOL_VERSION + 1));
    assert_eq!(answer[8..12], PROTOCOL_VERSION.to_le_bytes());
    let reason = vendor.event("failed")["reason"].to_string();
    assert!(reason.contains(&format!("speaks protocol version {}", PROTOCOL_VERSION + 1)), "{reason}");

    say_to(&vendor, &hospital, &hello(b"GET / HT", PROTOCOL_VERSION));
    assert!(vendor.event("failed")["reason"].to_string().contains("not a Blindscan program"));
    let image = xray("pneumonia.jpeg");
    hospital.ask(&["classify", &image], &vendor.join()).done();
}

#[test]
fn a_server_of_another_version_is_named_by_the_client() {
    let hospital = Hospital::new();
    let place = tempfile::tempdir().unwrap();
    let identity = keys::create(&place.path().join("keys")).unwrap();
    let door = Door::open(&place.path().join("door")).unwrap();
    let client = blindscan_session::allow::Client {
        name: "x".into(),
        fingerprint: hospital.fingerprint().parse().unwrap(),
    };
    door.allowed().add(&client).unwrap();
    let tls = Some(door.tls(&identity, SystemTime::now).unwrap());
    let config = ListenerConfig { tls, link: LinkConfig::default(), connections_max: 1 };
    let listener = Listener::bind("127.0.0.1:0", config).unwrap();
    let port = listener.local_address().unwrap().port();
    let line = JoinLine { host: "127.0.0.1".into(), port, server: identity.fingerprint(), secret: None };

    let server = thread::spawn(move || {
        let channel = listener.accept().unwrap().establish().unwrap();
        let mut admitted = door.admit(channel, SystemTime::now()).unwrap();
        let channel = admitted.channel();
        channel.receive(HELLO_BYTES).unwrap();
        channel.send(&hello(b"BLINDSCN", 99)).unwrap();
        channel.finish().unwrap();
        let _ = channel.receive(1); // until the client has left
    });
    let image = xray("pneumonia.jpeg");
    let ours = format!("this program speaks {PROTOCOL_VERSION}");
    hospital.ask(&["classify", &image], &line.to_string()).failed(&["protocol version 99", &ours]);
    server.join().unwrap();
}
