//! A peer in a process of its own, killed or frozen in the middle of a message.
#![cfg(unix)]

use std::net::TcpListener;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use blindscan_wire::link::LinkConfig;
use blindscan_wire::stream::StreamChannel;
use blindscan_wire::{Channel, WireError};

/// Holds the address to connect to, in the process that plays the peer.
const PEER_OF: &str = "BLINDSCAN_TEST_PEER_OF";
const BIG: usize = 64 << 20;

fn config(deadline: Duration) -> LinkConfig {
    LinkConfig { deadline, ..LinkConfig::default() }
}

/// Starts this very program as the peer, which says hello and then sends a message too big for the queues.
fn peer(deadline: Duration) -> (StreamChannel, Child) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_role_of_the_peer_process"])
        .env(PEER_OF, listener.local_addr().unwrap().to_string())
        .spawn()
        .unwrap();
    let mut channel = StreamChannel::over(listener.accept().unwrap().0, &config(deadline)).unwrap();
    assert_eq!(channel.receive(5).unwrap(), b"hello");
    (channel, child)
}

/// Does nothing in the tests' own process.
#[test]
fn the_role_of_the_peer_process() {
    let Ok(address) = std::env::var(PEER_OF) else { return };
    let mut channel = StreamChannel::connect_plain(&address, &config(Duration::from_secs(60))).unwrap();
    channel.send(b"hello").unwrap();
    let _ = channel.exchange(&vec![0; BIG], 1);
}

#[test]
fn a_killed_process_is_noticed_at_once() {
    let (mut channel, mut child) = peer(Duration::from_secs(30));
    let start = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    // The queues hold less than its message, so the rest of it never comes.
    assert!(matches!(channel.exchange(&[0], BIG), Err(WireError::Closed)));
    let failed = (0..200).find_map(|_| channel.send(&vec![0; 1 << 20]).err());
    assert!(matches!(failed, Some(WireError::Closed)), "{failed:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_frozen_process_is_noticed_at_the_deadline() {
    let (mut channel, mut child) = peer(Duration::from_millis(500));
    let stopped = Command::new("kill").args(["-STOP", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let start = Instant::now();
    let error = (0..4).find_map(|_| channel.send(&vec![0; BIG]).err()).unwrap();
    assert!(matches!(error, WireError::Deadline(_)), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    child.kill().unwrap();
    child.wait().unwrap();
}
