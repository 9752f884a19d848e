//! Two ends over loopback: size, order, silence, death and lies, in the clear and under TLS.

use super::*;
use crate::link::LinkSpec;
use crate::listener::{Listener, ListenerConfig};
use crate::relay::{Fault, Relay, RelayConfig};
use crate::tls::tests::{identity, meet, quick};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

const BIG: usize = 150 << 20;

fn plain_pair(config: &LinkConfig) -> (StreamChannel, StreamChannel) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let left = StreamChannel::connect_plain(&address, config).unwrap();
    let right = StreamChannel::over(listener.accept().unwrap().0, config).unwrap();
    (left, right)
}

fn tls_pair(config: &LinkConfig) -> (StreamChannel, StreamChannel) {
    let (hospital, vendor) = (identity(), identity());
    let server = ServerTls::new(&vendor, |_| true).unwrap();
    let client = ClientTls::new(&hospital, vendor.fingerprint()).unwrap();
    let (left, right) = meet(&client, server, config);
    (left.unwrap(), right.unwrap())
}

/// A TLS pair with a relay between.
fn relayed_pair(relay: RelayConfig, config: &LinkConfig) -> (StreamChannel, StreamChannel, Relay) {
    let (hospital, vendor) = (identity(), identity());
    let tls = Some(ServerTls::new(&vendor, |_| true).unwrap());
    let listener =
        Listener::bind("127.0.0.1:0", ListenerConfig { tls, link: config.clone(), connections_max: 1 })
            .unwrap();
    let relay = Relay::start(listener.local_address().unwrap(), relay).unwrap();
    let client = ClientTls::new(&hospital, vendor.fingerprint()).unwrap();
    thread::scope(|scope| {
        let right = scope.spawn(|| listener.accept().unwrap().establish().unwrap());
        let left = StreamChannel::connect(&relay.address().to_string(), &client, config).unwrap();
        (left, right.join().unwrap(), relay)
    })
}

fn pairs(config: &LinkConfig) -> [(StreamChannel, StreamChannel); 2] {
    [plain_pair(config), tls_pair(config)]
}

fn impatient(milliseconds: u64) -> LinkConfig {
    LinkConfig { deadline: Duration::from_millis(milliseconds), ..quick() }
}

/// Bytes that differ from place to place.
fn pattern(length: usize, salt: u8) -> Vec<u8> {
    (0..length).map(|index| (index as u8).wrapping_mul(31).wrapping_add((index >> 8) as u8) ^ salt).collect()
}

#[test]
fn messages_far_beyond_the_queues_pass_each_other() {
    for (mut left, mut right) in pairs(&quick()) {
        let (mine, theirs) = (pattern(BIG, 1), pattern(BIG + 12345, 2));
        thread::scope(|scope| {
            let there = scope.spawn(|| right.exchange(&theirs, mine.len()).unwrap());
            assert!(left.exchange(&mine, theirs.len()).unwrap() == theirs);
            assert!(there.join().unwrap() == mine);
        });
        let (sent, received) = (mine.len() as u64, theirs.len() as u64);
        let carried = |bytes_sent, bytes_received| Traffic { bytes_sent, bytes_received, turns: 1 };
        assert_eq!(left.traffic(), carried(sent, received));
        assert_eq!(right.traffic(), carried(received, sent));
    }
}

#[test]
fn messages_of_every_awkward_size_arrive_whole_and_in_order() {
    let sizes = [0, 1, 7, 8, 9, CHUNK - 9, CHUNK - 8, CHUNK - 7, CHUNK, CHUNK + 1, 3 * CHUNK - 8, 1 << 20, 0];
    for (mut left, mut right) in pairs(&quick()) {
        for (salt, &size) in sizes.iter().enumerate() {
            left.send(&pattern(size, salt as u8)).unwrap();
        }
        left.finish().unwrap();
        for (salt, &size) in sizes.iter().enumerate() {
            assert!(right.receive(size).unwrap() == pattern(size, salt as u8));
        }
        assert!(matches!(right.receive(1), Err(WireError::Closed)));
        // The other half is still open.
        right.send(b"seen").unwrap();
        assert_eq!(left.receive(4).unwrap(), b"seen");
        assert!(matches!(left.send(b"x"), Err(WireError::Closed)));
    }
}

#[test]
fn a_role_that_drops_its_channel_has_sent_what_it_queued() {
    for (mut left, mut right) in pairs(&quick()) {
        let sent = pattern(20 << 20, 3);
        left.send(&sent).unwrap();
        drop(left);
        assert!(right.receive(sent.len()).unwrap() == sent);
        assert!(matches!(right.receive(1), Err(WireError::Closed)));
    }
}

#[test]
fn sending_returns_before_the_peer_has_read() {
    for (mut left, mut right) in pairs(&quick()) {
        let sent = pattern(24 << 20, 4);
        left.send(&sent).unwrap();
        left.send(b"more").unwrap();
        assert!(right.receive(sent.len()).unwrap() == sent);
        assert_eq!(right.receive(4).unwrap(), b"more");
    }
}

#[test]
fn a_silent_peer_ends_a_wait_at_the_deadline() {
    for (mut left, _right) in pairs(&impatient(200)) {
        let start = Instant::now();
        assert!(matches!(left.receive(1), Err(WireError::Deadline(_))));
        assert!(matches!(left.exchange(b"question", 1), Err(WireError::Deadline(_))));
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[test]
fn a_peer_that_does_not_read_ends_a_send_at_the_deadline() {
    let config = LinkConfig { queue_bytes: 1 << 20, ..impatient(300) };
    for (mut left, _right) in pairs(&config) {
        let start = Instant::now();
        assert!(matches!(left.send(&vec![0; BIG]), Err(WireError::Deadline(_))));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        // Half a message is on the wire: the half cannot be used any more.
        assert!(matches!(left.send(b"x"), Err(WireError::Closed)));
    }
}

#[test]
fn a_peer_that_dribbles_cannot_hold_a_wait_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = LinkConfig { bytes_per_second_min: 1000, ..impatient(300) };
    let mut left =
        StreamChannel::connect_plain(&listener.local_addr().unwrap().to_string(), &config).unwrap();
    let mut raw = listener.accept().unwrap().0;
    thread::spawn(move || {
        raw.write_all(&100u64.to_le_bytes()).unwrap();
        while raw.write_all(b".").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let start = Instant::now();
    assert!(matches!(left.receive(100), Err(WireError::Deadline(_))));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn an_announced_length_is_refused_before_memory_is_reserved() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for announced in [9, 11, u64::MAX] {
        let mut left = StreamChannel::connect_plain(&address, &quick()).unwrap();
        let mut raw = listener.accept().unwrap().0;
        raw.write_all(&announced.to_le_bytes()).unwrap();
        match left.exchange(b"0123456789", 10) {
            Err(WireError::UnexpectedLength { expected: 10, found }) => assert_eq!(found, announced),
            other => panic!("{other:?}"),
        }
        assert!(matches!(left.receive(1), Err(WireError::Invalid(_))));

        let mut left = StreamChannel::connect_plain(&address, &quick()).unwrap();
        let mut raw = listener.accept().unwrap().0;
        raw.write_all(&announced.to_le_bytes()).unwrap();
        assert!(matches!(left.receive_at_most(8), Err(WireError::Invalid(_))));
    }
}

#[test]
fn a_length_up_to_a_limit_is_taken() {
    for (mut left, mut right) in pairs(&quick()) {
        left.send(b"").unwrap();
        left.send(b"hello").unwrap();
        assert_eq!(right.receive_at_most(5).unwrap(), b"");
        assert_eq!(right.receive_at_most(5).unwrap(), b"hello");
    }
}

#[test]
fn a_wrong_length_during_an_exchange_is_named_at_once() {
    for (mut left, mut right) in pairs(&quick()) {
        thread::scope(|scope| {
            scope.spawn(move || right.send(b"short").unwrap());
            match left.exchange(&vec![1; BIG], 6) {
                Err(WireError::UnexpectedLength { expected: 6, found: 5 }) => (),
                other => panic!("{:?}", other.err()),
            }
        });
    }
}

#[test]
fn a_killed_peer_is_noticed_while_receiving_and_while_sending() {
    let config = quick();
    for (mut left, right) in pairs(&config) {
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(100));
                drop(right);
            });
            assert!(matches!(left.receive(1), Err(WireError::Closed)));
        });
        let start = Instant::now();
        let failed = (0..200).find_map(|_| left.send(&vec![0; 1 << 20]).err());
        assert!(matches!(failed, Some(WireError::Closed)), "{failed:?}");
        assert!(start.elapsed() < config.deadline);
    }
}

#[test]
fn a_cut_on_the_way_is_an_error_within_the_deadline_at_both_ends() {
    let cut = RelayConfig { toward_target: Some(Fault::CutAfter(1 << 20)), ..RelayConfig::default() };
    let (mut left, mut right, _relay) = relayed_pair(cut, &quick());
    thread::scope(|scope| {
        let there = scope.spawn(|| right.receive(8 << 20));
        assert!(matches!(left.exchange(&vec![0; 8 << 20], 1), Err(WireError::Closed)));
        assert!(matches!(there.join().unwrap(), Err(WireError::Closed)));
    });
}

#[test]
fn a_stall_on_the_way_is_an_error_within_the_deadline_at_both_ends() {
    let stall = RelayConfig { toward_target: Some(Fault::StallAfter(1 << 20)), ..RelayConfig::default() };
    let (mut left, mut right, _relay) = relayed_pair(stall, &impatient(500));
    thread::scope(|scope| {
        let there = scope.spawn(|| right.receive(8 << 20));
        assert!(matches!(left.exchange(&vec![0; 8 << 20], 1), Err(WireError::Deadline(_))));
        assert!(matches!(there.join().unwrap(), Err(WireError::Deadline(_))));
    });
}

#[test]
fn a_changed_byte_is_noticed_by_both_ends_and_never_delivered() {
    let change = RelayConfig { toward_target: Some(Fault::CorruptAt(1 << 20)), ..RelayConfig::default() };
    let (mut left, mut right, _relay) = relayed_pair(change, &quick());
    thread::scope(|scope| {
        let there = scope.spawn(move || right.receive(8 << 20));
        let here = left.exchange(&vec![0; 8 << 20], 1);
        assert!(matches!(there.join().unwrap(), Err(WireError::Tls(rustls::Error::DecryptError))));
        assert!(
            matches!(here, Err(WireError::Tls(rustls::Error::AlertReceived(_)) | WireError::Closed)),
            "{here:?}"
        );
    });
}

#[test]
fn without_tls_the_changed_byte_would_have_been_delivered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let change = RelayConfig { toward_target: Some(Fault::CorruptAt(20)), ..RelayConfig::default() };
    let relay = Relay::start(listener.local_addr().unwrap(), change).unwrap();
    let mut left = StreamChannel::connect_plain(&relay.address().to_string(), &quick()).unwrap();
    let mut right = StreamChannel::over(listener.accept().unwrap().0, &quick()).unwrap();
    left.send(&[0; 100]).unwrap();
    let mut expected = [0; 100];
    expected[20 - HEADER] = 1;
    assert_eq!(right.receive(100).unwrap(), expected);
}

#[test]
fn a_relay_takes_the_time_of_its_link() {
    // 30 ms there and back; 400 kB take 80 ms at 40 Mbit/s.
    let link = Some(LinkSpec::new(40_000_000, Duration::from_millis(30)));
    let (mut left, mut right, _relay) =
        relayed_pair(RelayConfig { link, ..RelayConfig::default() }, &quick());
    thread::scope(|scope| {
        scope.spawn(move || {
            right.receive(1).unwrap();
            right.send(&vec![0; 400_000]).unwrap();
        });
        let start = Instant::now();
        left.send(b"x").unwrap();
        left.receive(400_000).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(105), "{:?}", start.elapsed());
    });
}

#[test]
fn raw_traffic_states_what_framing_and_tls_add() {
    for (tls, (mut left, mut right)) in pairs(&quick()).into_iter().enumerate() {
        let (before, before_right) = (left.raw_traffic(), right.raw_traffic());
        left.send(&vec![0; 1 << 20]).unwrap();
        right.receive(1 << 20).unwrap();
        let got = right.raw_traffic().bytes_received - before_right.bytes_received;
        let records = (HEADER + (1 << 20)).div_ceil(16384) as u64;
        assert_eq!(got, (1 << 20) + HEADER as u64 + tls as u64 * records * 22);
        if tls == 0 {
            assert_eq!(before, RawTraffic { bytes_sent: 0, bytes_received: 0 });
        } else {
            assert!(before.bytes_sent > 1000 && before.bytes_received > 1000, "the handshake is counted");
        }
    }
}

#[test]
fn a_handshake_with_a_mute_or_babbling_end_is_over_in_time() {
    let config = LinkConfig { handshake_deadline: Duration::from_millis(300), ..quick() };
    let (hospital, vendor) = (identity(), identity());
    let client = ClientTls::new(&hospital, vendor.fingerprint()).unwrap();

    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap().to_string();
    let start = Instant::now();
    assert!(matches!(StreamChannel::connect(&address, &client, &config), Err(LinkError::Deadline(_))));
    assert!(start.elapsed() < Duration::from_secs(3));

    let tls = Some(ServerTls::new(&vendor, |_| true).unwrap());
    let listener =
        Listener::bind("127.0.0.1:0", ListenerConfig { tls, link: config, connections_max: 2 }).unwrap();
    let address = listener.local_address().unwrap();
    let _mute = TcpStream::connect(address).unwrap();
    assert!(matches!(listener.accept().unwrap().establish(), Err(LinkError::Deadline(_))));
    let mut babbler = TcpStream::connect(address).unwrap();
    babbler.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(matches!(listener.accept().unwrap().establish(), Err(LinkError::Protocol(_))));
    assert_eq!(listener.open_connections(), 0);
}

#[test]
fn beyond_the_cap_a_client_is_told_and_room_comes_back() {
    let (hospital, vendor) = (identity(), identity());
    let tls = Some(ServerTls::new(&vendor, |_| true).unwrap());
    let config = ListenerConfig { tls, link: quick(), connections_max: 1 };
    let listener = Listener::bind("127.0.0.1:0", config).unwrap();
    let address = listener.local_address().unwrap().to_string();
    let client = ClientTls::new(&hospital, vendor.fingerprint()).unwrap();
    let stopper = listener.stopper().unwrap();
    let (channels, established) = crossbeam_channel::unbounded();
    thread::scope(|scope| {
        let server = scope.spawn(move || {
            loop {
                match listener.accept() {
                    Ok(incoming) => channels.send(incoming.establish().unwrap()).unwrap(),
                    Err(error) => return error,
                }
            }
        });
        let first = StreamChannel::connect(&address, &client, &quick()).unwrap();
        let held = established.recv().unwrap();
        assert!(matches!(StreamChannel::connect(&address, &client, &quick()), Err(LinkError::Busy)));
        drop((first, held));
        let again = (0..50).find_map(|_| {
            thread::sleep(Duration::from_millis(100));
            StreamChannel::connect(&address, &client, &quick()).ok()
        });
        assert!(again.is_some(), "a closed connection gives its place back");
        drop((again, established.recv().unwrap()));
        stopper.stop();
        assert!(matches!(server.join().unwrap(), LinkError::Stopped));
    });
}

#[test]
fn a_port_where_nobody_listens_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    match StreamChannel::connect_plain(&free, &quick()).err().unwrap() {
        LinkError::Unreachable { address, .. } => assert_eq!(address, free),
        other => panic!("{other}"),
    }
}

#[test]
fn a_dropped_channel_closes_its_socket_even_if_the_peer_goes_on_talking() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let left = StreamChannel::connect_plain(&listener.local_addr().unwrap().to_string(), &quick()).unwrap();
    let mut raw = listener.accept().unwrap().0;
    drop(left);
    assert_eq!(raw.read(&mut [0; 8]).unwrap(), 0);
    let start = Instant::now();
    while raw.write_all(b"hello?").is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10), "the socket stays open");
        thread::sleep(Duration::from_millis(20));
    }
}
