//! How fast a channel over loopback carries one big message each way and one at a time, in the clear and under TLS.
//!
//! Both ends run in this process, so encryption and decryption share its cores.

use std::thread;
use std::time::{Duration, Instant};

use blindscan_wire::Channel;
use blindscan_wire::link::LinkConfig;
use blindscan_wire::listener::{Listener, ListenerConfig};
use blindscan_wire::stream::StreamChannel;
use blindscan_wire::tls::{ClientTls, Identity, ServerTls};
use rustls::pki_types::PrivatePkcs8KeyDer;

const MESSAGE: usize = 256 << 20;
const PINGS: usize = 5_000;

fn main() {
    for (name, secure) in [("TCP", false), ("TLS", true)] {
        let (mut left, mut right) = pair(secure);
        let message = vec![7; MESSAGE];
        let one_way = timed(
            || left.send(&message).unwrap(),
            || assert_eq!(right.receive(MESSAGE).unwrap().len(), MESSAGE),
        );
        let both_ways = timed(
            || assert_eq!(left.exchange(&message, MESSAGE).unwrap().len(), MESSAGE),
            || assert_eq!(right.exchange(&message, MESSAGE).unwrap().len(), MESSAGE),
        );
        let pings = timed(
            || (0..PINGS).for_each(|_| drop(left.exchange(&[1; 32], 32).unwrap())),
            || (0..PINGS).for_each(|_| drop(right.exchange(&[1; 32], 32).unwrap())),
        );
        println!(
            "{name}: one way {:.0} MB/s, both ways at once {:.0} MB/s each, a turn {:.0} us",
            MESSAGE as f64 / 1e6 / one_way.as_secs_f64(),
            MESSAGE as f64 / 1e6 / both_ways.as_secs_f64(),
            pings.as_secs_f64() * 1e6 / PINGS as f64,
        );
        let (raw, payload) = (left.raw_traffic(), left.traffic());
        let overhead = raw.bytes_sent as f64 / payload.bytes_sent as f64 - 1.0;
        println!("{name}: framing, TLS and handshake add {:.2} %", 100.0 * overhead);
    }
}

fn timed(left: impl FnOnce() + Send, right: impl FnOnce() + Send) -> Duration {
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(right);
        left();
    });
    start.elapsed()
}

fn identity() -> Identity {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    Identity::new(certificate.der().to_vec(), PrivatePkcs8KeyDer::from(key.serialize_der())).unwrap()
}

fn pair(secure: bool) -> (StreamChannel, StreamChannel) {
    let (client, server) = (identity(), identity());
    let link = LinkConfig::default();
    let tls = secure.then(|| ServerTls::new(&server, |_| true).unwrap());
    let config = ListenerConfig { tls, link: link.clone(), connections_max: 1 };
    let listener = Listener::bind("127.0.0.1:0", config).unwrap();
    let address = listener.local_address().unwrap().to_string();
    thread::scope(|scope| {
        let accepted = scope.spawn(|| listener.accept().unwrap().establish().unwrap());
        let connected = if secure {
            let tls = ClientTls::new(&client, server.fingerprint()).unwrap();
            StreamChannel::connect(&address, &tls, &link).unwrap()
        } else {
            StreamChannel::connect_plain(&address, &link).unwrap()
        };
        (connected, accepted.join().unwrap())
    })
}
