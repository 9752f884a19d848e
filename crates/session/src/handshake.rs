//! What both programs agree on before any cryptography of ours: version, public plan, session id.
//!
//! | step | who | message |
//! |---|---|---|
//! | 1 | client | magic, version, nonce: 8 + 4 + 32 bytes |
//! | 2 | server | magic, version, nonce: 8 + 4 + 32 bytes |
//! | 3 | server | the public plan, a control message of at most [`PLAN_BYTES_MAX`] |
//! | 4 | both, at once | a digest of the session id and the own seat: 32 bytes |
//!
//! Ideal: both ends hold the same [`SessionId`] and the same valid plan, or both stop. The id binds the certificates of
//! both with their seats, TLS's exporter, both nonces, the version, the plan's digest (which covers the suite) and the
//! cryptographic parameters; the transfers that follow derive every hash and tweak from it. Source: the
//! exporter as in RFC 9266.

use blindscan_graph::plan::PublicPlan;
use blindscan_protocols::two_party::Party;
use blindscan_wire::Channel;
use blindscan_wire::fingerprint::Fingerprint;
use blindscan_wire::script::Seat;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;

use crate::limits::Limits;
use crate::{PlanDigest, SessionError, control};

/// Version of everything that is said after TLS. Both ends must speak the same.
pub const PROTOCOL_VERSION: u32 = 3;

/// The largest public plan that is read from a peer.
pub const PLAN_BYTES_MAX: usize = 4 << 20;

const MAGIC: &[u8; 8] = b"BLINDSCN";

const HELLO_BYTES: usize = 8 + 4 + 32;

/// The seat of the end that connects.
const CLIENT: Seat = Party::ImageOwner.seat();
/// The seat of the end that listens.
const SERVER: Seat = Party::ModelOwner.seat();

/// What is known of this connection before anything is said; the same at all ends.
#[derive(Clone, PartialEq, Eq)]
pub struct Binding {
    /// Keying material exported from the TLS session.
    pub exporter: [u8; 32],
    /// Who takes part, by seat: the fingerprint of each one's certificate.
    pub seats: Vec<(Seat, Fingerprint)>,
}

impl Binding {
    /// Two owners: the image owner is the client, the model owner the server.
    pub fn two_party(exporter: [u8; 32], client: Fingerprint, server: Fingerprint) -> Self {
        let seats = vec![(Party::ImageOwner.seat(), client), (Party::ModelOwner.seat(), server)];
        Self { exporter, seats }
    }
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Binding(secret)")
    }
}

/// Names the session in every key, hash and tweak.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId(pub [u8; 32]);

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionId(secret)")
    }
}

/// The client's side. Returns the session id and the plan, which is valid, within the default limits and, when one was
/// agreed on before, the expected one: else the client leaves with nothing said but its hello.
pub fn client(
    binding: &Binding,
    expected: Option<PlanDigest>,
    rng: &mut impl CryptoRng,
    channel: &mut dyn Channel,
) -> Result<(SessionId, PublicPlan), SessionError> {
    let nonce = nonce(rng);
    channel.send(&hello(&nonce))?;
    let answer = channel.receive(HELLO_BYTES)?;
    check_version(&answer)?;
    let theirs = answer[12..].try_into().expect("32 bytes");
    let plan: PublicPlan = control::receive(PLAN_BYTES_MAX, channel)?;
    plan.validate().map_err(|error| SessionError::Plan(error.to_string()))?;
    Limits::default().check(&plan)?;
    check_digest(expected, &plan)?;
    let id = session_id(binding, &nonce, &theirs, &plan);
    confirm(id, [CLIENT, SERVER], channel)?;
    Ok((id, plan))
}

/// The server's side.
pub fn server(
    binding: &Binding,
    plan: &PublicPlan,
    rng: &mut impl CryptoRng,
    channel: &mut dyn Channel,
) -> Result<SessionId, SessionError> {
    let first = channel.receive(HELLO_BYTES)?;
    let theirs = first[12..].try_into().expect("32 bytes");
    let nonce = nonce(rng);
    channel.send(&hello(&nonce))?;
    check_version(&first)?;
    control::send(plan, channel)?;
    let id = session_id(binding, &theirs, &nonce, plan);
    confirm(id, [SERVER, CLIENT], channel)?;
    Ok(id)
}

fn hello(nonce: &[u8; 32]) -> Vec<u8> {
    [MAGIC.as_slice(), &PROTOCOL_VERSION.to_le_bytes(), nonce].concat()
}

fn nonce(rng: &mut impl CryptoRng) -> [u8; 32] {
    let mut nonce = [0; 32];
    rng.fill_bytes(&mut nonce);
    nonce
}

/// Refuses a peer of another version, or one that is no Blindscan at all.
fn check_version(hello: &[u8]) -> Result<(), SessionError> {
    if &hello[..8] != MAGIC {
        return Err(SessionError::Stranger);
    }
    let theirs = u32::from_le_bytes(hello[8..12].try_into().expect("four bytes"));
    if theirs != PROTOCOL_VERSION {
        return Err(SessionError::Version { ours: PROTOCOL_VERSION, theirs });
    }
    Ok(())
}

/// Refuses another plan than the expected one.
fn check_digest(expected: Option<PlanDigest>, plan: &PublicPlan) -> Result<(), SessionError> {
    let found = PlanDigest(plan.digest());
    match expected {
        Some(expected) if expected != found => Err(SessionError::OtherPlan { expected, found }),
        _ => Ok(()),
    }
}

fn session_id(binding: &Binding, client: &[u8; 32], server: &[u8; 32], plan: &PublicPlan) -> SessionId {
    let mut hash = blake3::Hasher::new_derive_key("blindscan 3 session id");
    hash.update(&binding.exporter);
    hash.update(&(binding.seats.len() as u64).to_le_bytes());
    for (seat, fingerprint) in &binding.seats {
        hash.update(&[seat.0]).update(fingerprint.as_bytes());
    }
    // The plan's digest covers the suite and its numbers.
    hash.update(client).update(server).update(&plan.digest());
    hash.update(&PROTOCOL_VERSION.to_le_bytes());
    hash.update(&blindscan_inference::parameters_digest());
    SessionId(*hash.finalize().as_bytes())
}

/// Both show that they hold the same id without showing it. Each seat has a proof of its own: an echo proves nothing.
fn confirm(id: SessionId, [own, peer]: [Seat; 2], channel: &mut dyn Channel) -> Result<(), SessionError> {
    let theirs = channel.exchange(&proof(id, own), 32)?;
    if !bool::from(theirs[..].ct_eq(&proof(id, peer))) {
        return Err(SessionError::Disagreement);
    }
    Ok(())
}

/// What shows that a seat holds this id.
fn proof(id: SessionId, seat: Seat) -> [u8; 32] {
    let mut hash = blake3::Hasher::new_derive_key("blindscan 3 session confirmation");
    hash.update(&id.0).update(&[seat.0]);
    *hash.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use blindscan_wire::memory::play;
    use blindscan_wire::{Traffic, WireError};
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    const ID: SessionId = SessionId([7; 32]);

    #[test]
    fn equal_ids_are_confirmed_and_other_ids_are_not() {
        let confirmed = |theirs: SessionId| {
            let played = play(
                |channel| confirm(ID, [CLIENT, SERVER], channel),
                |channel| confirm(theirs, [SERVER, CLIENT], channel),
            );
            (played.left.is_ok(), played.right.is_ok())
        };
        assert_eq!(confirmed(ID), (true, true));
        assert_eq!(confirmed(SessionId([8; 32])), (false, false));
    }

    #[test]
    fn a_peer_that_sends_our_own_proof_back_is_refused() {
        let played = play(
            |channel| confirm(ID, [CLIENT, SERVER], channel),
            |channel| {
                let proof = channel.receive(32).unwrap();
                channel.send(&proof).unwrap();
            },
        );
        assert!(matches!(played.left, Err(SessionError::Disagreement)));
    }

    #[test]
    fn a_client_leaves_a_server_whose_plan_asks_for_too_much() {
        let binding = binding(1, 2, 3);
        let mut rngs = [1, 2].map(ChaCha20Rng::seed_from_u64);
        let [client_rng, server_rng] = &mut rngs;
        let played = play(
            |channel| client(&binding, None, client_rng, channel).map(drop),
            |channel| server(&binding, &crate::limits::tests::endless(), server_rng, channel).map(drop),
        );
        assert!(matches!(played.left, Err(SessionError::TooLarge { .. })));
        assert!(played.right.is_err());
    }

    #[test]
    fn every_part_of_the_binding_changes_the_session_id() {
        let base = binding(1, 2, 3);
        let plan = blindscan_graph::random::random_plan(2).0.public;
        let id = |binding: &Binding, plan| session_id(binding, &[4; 32], &[5; 32], plan).0;
        let first = id(&base, &plan);
        let mut renamed = plan.clone();
        renamed.name.push('x');
        let others = [
            id(&binding(9, 2, 3), &plan),
            id(&binding(1, 9, 3), &plan),
            id(&binding(1, 2, 9), &plan),
            id(&binding(1, 3, 2), &plan),
            id(&Binding { seats: base.seats[..1].to_vec(), ..base.clone() }, &plan),
            id(&Binding { seats: base.seats.iter().rev().copied().collect(), ..base.clone() }, &plan),
            id(&Binding { seats: vec![(Seat(2), print(2)), base.seats[1]], ..base.clone() }, &plan),
            session_id(&base, &[9; 32], &[5; 32], &plan).0,
            session_id(&base, &[4; 32], &[9; 32], &plan).0,
            id(&base, &renamed),
        ];
        assert!(others.iter().all(|other| *other != first));
        assert_eq!(format!("{base:?} {ID:?}"), "Binding(secret) SessionId(secret)");
    }

    fn print(byte: u8) -> Fingerprint {
        Fingerprint::from_bytes([byte; 32])
    }

    /// A binding of these bytes.
    fn binding(exporter: u8, client: u8, server: u8) -> Binding {
        Binding::two_party([exporter; 32], print(client), print(server))
    }

    /// The server's.
    fn honest() -> Binding {
        binding(1, 2, 3)
    }

    fn rng(seed: u64) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(seed)
    }

    fn plan() -> PublicPlan {
        blindscan_graph::random::random_plan(2).0.public
    }

    type Ends = (Result<(SessionId, PublicPlan), SessionError>, Result<SessionId, SessionError>);

    /// Both ends, with what stands between the server and the client: `change` gets each message of the server and its
    /// number.
    fn meet(client_binding: &Binding, change: impl FnMut(usize, &mut Vec<u8>) + Send) -> Ends {
        let played = play(
            |channel| client(client_binding, None, &mut rng(1), channel),
            |channel| server(&honest(), &plan(), &mut rng(2), &mut Between { channel, change, sent: 0 }),
        );
        (played.left, played.right)
    }

    /// Changes what one end sends.
    struct Between<'a, F> {
        channel: &'a mut dyn Channel,
        change: F,
        sent: usize,
    }

    impl<F: FnMut(usize, &mut Vec<u8>)> Between<'_, F> {
        fn changed(&mut self, message: &[u8]) -> Vec<u8> {
            let mut message = message.to_vec();
            (self.change)(self.sent, &mut message);
            self.sent += 1;
            message
        }
    }

    impl<F: FnMut(usize, &mut Vec<u8>)> Channel for Between<'_, F> {
        fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
            let message = self.changed(message);
            self.channel.send(&message)
        }

        fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
            self.channel.receive(length)
        }

        fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
            let message = self.changed(message);
            self.channel.exchange(&message, length)
        }

        fn finish(&mut self) -> Result<(), WireError> {
            self.channel.finish()
        }

        fn traffic(&self) -> Traffic {
            self.channel.traffic()
        }
    }

    #[test]
    fn both_ends_come_to_hold_the_same_id_and_plan() {
        let (at_client, at_server) = meet(&honest(), |_, _| ());
        let (id, received) = at_client.unwrap();
        assert_eq!(id, at_server.unwrap());
        assert_eq!(received, plan());
    }

    #[test]
    fn a_client_that_expects_another_plan_leaves_before_it_has_sent_more_than_its_hello() {
        let meet = |expected: PlanDigest| {
            play(
                |channel| {
                    let met = client(&honest(), Some(expected), &mut rng(1), channel).map(drop);
                    (met, channel.traffic().bytes_sent)
                },
                |channel| server(&honest(), &plan(), &mut rng(2), channel).map(drop),
            )
        };
        let served = PlanDigest(plan().digest());
        assert!(meet(served).left.0.is_ok());
        let other = PlanDigest([7; 32]);
        let played = meet(other);
        let (Err(error), sent) = played.left else { panic!("another plan was accepted") };
        assert!(
            matches!(error, SessionError::OtherPlan { expected, found } if expected == other && found == served)
        );
        let words = error.to_string();
        assert!(words.contains(&other.to_string()) && words.contains(&served.to_string()), "{words}");
        assert_eq!(sent, HELLO_BYTES as u64);
        assert!(played.right.is_err());
    }

    #[test]
    fn a_digest_is_read_as_it_is_printed() {
        let digest = PlanDigest(plan().digest());
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
        for wrong in ["", "12", &"g".repeat(64), &"1".repeat(65), &"1".repeat(128)] {
            assert!(wrong.parse::<PlanDigest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ends_of_other_connections_disagree() {
        let others = [binding(9, 2, 3), binding(1, 9, 3), binding(1, 2, 9)];
        for other in others {
            let (at_client, at_server) = meet(&other, |_, _| ());
            assert!(matches!(at_client, Err(SessionError::Disagreement)));
            assert!(matches!(at_server, Err(SessionError::Disagreement)));
        }
    }

    #[test]
    fn a_server_of_another_version_is_named_with_both_versions() {
        let (at_client, at_server) = meet(&honest(), |message, bytes| {
            if message == 0 {
                bytes[8..12].copy_from_slice(&7u32.to_le_bytes());
            }
        });
        assert!(matches!(at_client, Err(SessionError::Version { ours: PROTOCOL_VERSION, theirs: 7 })));
        assert!(at_server.is_err());
    }

    #[test]
    fn a_client_of_another_version_is_named_and_learns_the_servers() {
        let played = play(
            |channel| {
                let mut hello = hello(&[0; 32]);
                hello[8..12].copy_from_slice(&7u32.to_le_bytes());
                channel.send(&hello).unwrap();
                let answer = channel.receive(HELLO_BYTES).unwrap();
                u32::from_le_bytes(answer[8..12].try_into().unwrap())
            },
            |channel| server(&honest(), &plan(), &mut rng(2), channel),
        );
        assert_eq!(played.left, PROTOCOL_VERSION);
        assert!(matches!(played.right, Err(SessionError::Version { ours: PROTOCOL_VERSION, theirs: 7 })));
    }

    #[test]
    fn whoever_is_no_blindscan_is_a_stranger_on_either_side() {
        let words = b"GET / HTTP/1.1\r\nHost: example.org:44300\r\n\r\n!";
        assert_eq!(words.len(), HELLO_BYTES);
        let played = play(
            |channel| channel.send(words).unwrap(),
            |channel| server(&honest(), &plan(), &mut rng(2), channel),
        );
        assert!(matches!(played.right, Err(SessionError::Stranger)));
        let played = play(
            |channel| client(&honest(), None, &mut rng(1), channel),
            |channel| {
                channel.receive(HELLO_BYTES).unwrap();
                channel.send(words).unwrap();
            },
        );
        assert!(matches!(played.left, Err(SessionError::Stranger)));
    }

    #[test]
    fn a_bit_changed_anywhere_in_the_plan_or_the_nonce_ends_the_session_at_both_ends() {
        let plan_bytes = postcard::to_stdvec(&plan()).unwrap().len();
        // The server's messages: hello, the plan's length, the plan.
        let places = (12..HELLO_BYTES).map(|at| (0, at)).chain((0..plan_bytes).map(|at| (2, at)));
        for (number, at) in places {
            let (at_client, at_server) = meet(&honest(), |message, bytes| {
                if message == number {
                    bytes[at] ^= 1 << (at % 8);
                }
            });
            use SessionError::{Disagreement, Plan, TooLarge, Unreadable};
            let named = matches!(at_client, Err(Disagreement | TooLarge { .. } | Plan(_) | Unreadable));
            assert!(named, "message {number}, byte {at}: {:?}", at_client.map(drop));
            assert!(at_server.is_err(), "message {number}, byte {at}");
        }
    }

    #[test]
    fn a_plan_above_the_cap_is_refused_before_it_is_read() {
        let (at_client, _) = meet(&honest(), |message, bytes| {
            if message == 1 {
                bytes.copy_from_slice(&(PLAN_BYTES_MAX as u32 + 1).to_le_bytes());
            }
        });
        assert!(matches!(at_client, Err(SessionError::TooLong { cap: PLAN_BYTES_MAX, .. })));
    }
}
