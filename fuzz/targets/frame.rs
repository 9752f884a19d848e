//! Frames and control messages: what a server says to a client that has just connected.
//!
//! The input is the server's side of the conversation, cut into frames by its own length fields.
#![no_main]

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use blindscan_session::handshake::{self, Binding};
use blindscan_wire::fingerprint::Fingerprint;
use blindscan_wire::link::LinkConfig;
use blindscan_wire::stream::StreamChannel;
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

static LISTENER: LazyLock<TcpListener> =
    LazyLock::new(|| TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port"));

fuzz_target!(|bytes: &[u8]| {
    let mut channel = channel_that_hears(bytes);
    let binding =
        Binding::two_party([1; 32], Fingerprint::from_bytes([2; 32]), Fingerprint::from_bytes([3; 32]));
    // The nonces of the seeds: the proof of an honest server is right, and is wrong for any other plan.
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    if let Ok((_, plan)) = handshake::client(&binding, None, &mut rng, &mut channel) {
        assert!(plan.validate().is_ok(), "a client goes on with valid plans alone");
    }
});

/// A channel whose peer says `bytes` and no more.
fn channel_that_hears(bytes: &[u8]) -> StreamChannel {
    let address = LISTENER.local_addr().expect("a bound listener has an address");
    let mut peer = TcpStream::connect(address).expect("loopback connects");
    let (socket, _) = LISTENER.accept().expect("loopback accepts");
    peer.write_all(bytes).expect("loopback holds an input");
    peer.shutdown(Shutdown::Write).expect("an open socket can be half closed");
    let config = LinkConfig { deadline: Duration::from_secs(2), ..LinkConfig::default() };
    StreamChannel::over(socket, &config).expect("a socket becomes a channel")
}
