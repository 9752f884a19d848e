//! Who gets through the door, over real connections.

use super::*;
use crate::keys;
use blindscan_wire::link::{LinkConfig, LinkError};
use blindscan_wire::listener::{Listener, ListenerConfig};
use blindscan_wire::tls::ClientTls;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::thread;

const HOUR: Duration = Duration::from_secs(3600);

/// A server with a state directory, and clients that knock.
struct Scene {
    directory: tempfile::TempDir,
    identity: Identity,
    now: SystemTime,
}

type Served = Result<String, EnrolError>;

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let identity = keys::create(directory.path()).unwrap();
        Self { directory, identity, now: UNIX_EPOCH + Duration::from_secs(1_800_000_000) }
    }

    /// The door as a program sees it that has just started.
    fn door(&self) -> Door {
        Door::open(self.directory.path()).unwrap()
    }

    /// An invitation, and another for each `seed`.
    fn invite(&self, seed: u64) -> EnrolmentSecret {
        let mut rng = StdRng::seed_from_u64(seed);
        self.door().invite(HOUR, self.now, &mut rng).unwrap()
    }

    /// One connection with `act` as the client; TLS's refusals are the inner error of both.
    fn visit<R>(
        &self,
        client: &Identity,
        act: impl FnOnce(StreamChannel) -> R,
    ) -> (Result<R, LinkError>, Result<Served, LinkError>) {
        let (door, now) = (self.door(), self.now);
        let link = LinkConfig { deadline: Duration::from_secs(5), ..LinkConfig::default() };
        let tls = Some(door.tls(&self.identity, move || now).unwrap());
        let config = ListenerConfig { tls, link: link.clone(), connections_max: 1 };
        let listener = Listener::bind("127.0.0.1:0", config).unwrap();
        let address = listener.local_address().unwrap().to_string();
        thread::scope(|scope| {
            let served = scope.spawn(move || {
                let channel = listener.accept()?.establish()?;
                Ok(door.admit(channel, now).map(|mut admitted| {
                    admitted.channel().send(b"in").unwrap();
                    admitted.client().name.clone()
                }))
            });
            let tls = ClientTls::new(client, self.identity.fingerprint()).unwrap();
            let visited = StreamChannel::connect(&address, &tls, &link).map(act);
            (visited, served.join().unwrap())
        })
    }

    /// A visit by a client that does what it should.
    fn knock(
        &self,
        client: &Identity,
        secret: Option<&EnrolmentSecret>,
    ) -> (Result<Result<(), EnrolError>, LinkError>, Result<Served, LinkError>) {
        self.visit(client, |mut channel| {
            knock(&mut channel, secret)?;
            assert_eq!(channel.receive(2)?, b"in");
            Ok(())
        })
    }
}

fn somebody() -> Identity {
    keys::create(tempfile::tempdir().unwrap().path()).unwrap()
}

#[test]
fn a_secret_enrols_one_client_once_and_the_client_stays_known() {
    let scene = Scene::new();
    let secret = scene.invite(1);
    let _other_invitation_keeps_the_door_ajar = scene.invite(2);
    let (first, second) = (somebody(), somebody());

    let (client, served) = scene.knock(&first, Some(&secret));
    client.unwrap().unwrap();
    assert_eq!(served.unwrap().unwrap(), first.fingerprint().to_string()[..12]);

    let (client, served) = scene.knock(&second, Some(&secret));
    assert!(matches!(client.unwrap(), Err(EnrolError::SecretRefused)));
    assert!(matches!(served.unwrap(), Err(EnrolError::NotInvited(who)) if who == second.fingerprint()));

    // Known now, with the used secret still in its join line or without.
    for again in [Some(&secret), None] {
        let (client, served) = scene.knock(&first, again);
        client.unwrap().unwrap();
        assert_eq!(served.unwrap().unwrap(), first.fingerprint().to_string()[..12]);
    }
    assert_eq!(scene.door().allowed().clients().unwrap().len(), 1);
}

#[test]
fn when_nobody_is_expected_an_unknown_client_does_not_get_through_tls() {
    let scene = Scene::new();
    let stranger = somebody();
    let (client, served) = scene.knock(&stranger, None);
    assert!(
        matches!(client, Err(LinkError::UnknownHere { fingerprint }) if fingerprint == stranger.fingerprint())
    );
    assert!(matches!(served, Err(LinkError::ClientRefused { .. })));

    let secret = scene.invite(1);
    scene.knock(&somebody(), Some(&secret)).0.unwrap().unwrap();
    let (client, _) = scene.knock(&stranger, Some(&secret));
    assert!(matches!(client, Err(LinkError::UnknownHere { .. })), "the last invitation is spent");
}

#[test]
fn an_unknown_client_without_the_secret_gets_nothing_else() {
    let scene = Scene::new();
    scene.invite(1);
    let (client, served) = scene.knock(&somebody(), None);
    assert!(matches!(client.unwrap(), Err(EnrolError::SecretNeeded)));
    assert!(matches!(served.unwrap(), Err(EnrolError::Wire(WireError::Closed))));

    let guess = EnrolmentSecret(Zeroizing::new([0; EnrolmentSecret::BYTES]));
    let (client, _) = scene.knock(&somebody(), Some(&guess));
    assert!(matches!(client.unwrap(), Err(EnrolError::SecretRefused)));

    // One that goes on as if it were known: its message is not a secret, and the server hangs up.
    let (_, served) = scene.visit(&somebody(), |mut channel| channel.send(b"job please").unwrap());
    assert!(matches!(
        served.unwrap(),
        Err(EnrolError::Wire(WireError::UnexpectedLength { expected: 16, found: 10 }))
    ));
    assert!(scene.door().allowed().clients().unwrap().is_empty());
}

#[test]
fn a_secret_is_spent_before_its_client_is_accepted_even_if_the_server_dies_between() {
    let scene = Scene::new();
    let secret = scene.invite(1);
    let victim = somebody();
    // The server's disk as a crash between the two writes leaves it.
    assert!(scene.door().spend(&secret, &victim.fingerprint(), scene.now).unwrap());

    let restarted = scene.door();
    assert!(restarted.allowed().clients().unwrap().is_empty());
    assert!(!restarted.is_inviting(scene.now).unwrap());
    assert!(!restarted.spend(&secret, &victim.fingerprint(), scene.now).unwrap());
}

#[test]
fn two_clients_that_show_one_secret_at_once_do_not_both_get_in() {
    let scene = Scene::new();
    for round in 0..10 {
        let secret = scene.invite(round);
        let who = [1, 2, 3, 4].map(|byte| Fingerprint::from_bytes([byte; 32]));
        let spent = thread::scope(|scope| {
            let tries = who.map(|who| {
                let (scene, secret) = (&scene, &secret);
                scope.spawn(move || scene.door().spend(secret, &who, scene.now).unwrap())
            });
            tries.map(|one| one.join().unwrap()).iter().filter(|&&got| got).count()
        });
        assert_eq!(spent, 1);
    }
}

#[test]
fn an_invitation_ends_at_its_time() {
    let mut scene = Scene::new();
    let secret = scene.invite(1);
    scene.now += HOUR - Duration::from_secs(1);
    assert!(scene.door().is_inviting(scene.now).unwrap());
    scene.now += Duration::from_secs(1);
    assert!(!scene.door().is_inviting(scene.now).unwrap());
    assert!(!scene.door().spend(&secret, &somebody().fingerprint(), scene.now).unwrap());
}

#[test]
fn the_disk_does_not_hold_the_secret() {
    let scene = Scene::new();
    let secret = scene.invite(1);
    let kept = std::fs::read(scene.directory.path().join(FILE)).unwrap();
    let kept_text = String::from_utf8(kept.clone()).unwrap();
    assert!(!kept_text.contains(secret.to_hex().as_str()));
    assert!(kept.windows(EnrolmentSecret::BYTES).all(|window| window != &secret.0[..]));
    assert!(kept_text.contains(&hex(&secret.digest())));
    assert_eq!(format!("{secret:?}"), "EnrolmentSecret(128 bits)");
}

#[test]
fn a_client_taken_from_the_list_is_refused_at_its_next_connection() {
    let scene = Scene::new();
    let client = somebody();
    let known = Client { name: "st-mary".into(), fingerprint: client.fingerprint() };
    scene.door().allowed().add(&known).unwrap();
    scene.knock(&client, None).0.unwrap().unwrap();
    assert!(scene.door().allowed().remove(&client.fingerprint()).unwrap());
    assert!(matches!(scene.knock(&client, None).0, Err(LinkError::UnknownHere { .. })));
}

#[test]
fn a_client_that_has_failed_too_many_checks_is_told_so_also_after_a_restart_until_it_is_lifted() {
    let scene = Scene::new();
    let (cheat, honest) = (somebody(), somebody());
    for client in [&cheat, &honest] {
        scene.door().allowed().add(&Client::unnamed(client.fingerprint())).unwrap();
    }
    let failed = FailedChecks::of(scene.directory.path(), Peers::Clients);
    for _ in 1..crate::failed_checks::MOST {
        failed.record(&cheat.fingerprint()).unwrap();
    }
    scene.knock(&cheat, None).0.unwrap().unwrap();
    failed.record(&cheat.fingerprint()).unwrap();
    let (client, served) = scene.knock(&cheat, None);
    assert!(matches!(client.unwrap(), Err(EnrolError::RefusedForChecks)));
    let logged = served.unwrap().unwrap_err().to_string();
    assert!(logged.contains(&format!("clients lift {}", cheat.fingerprint())), "{logged}");
    scene.knock(&honest, None).0.unwrap().unwrap();

    assert!(failed.lift(&cheat.fingerprint()).unwrap());
    scene.knock(&cheat, None).0.unwrap().unwrap();
}

#[test]
fn files_that_cannot_be_read_close_the_door() {
    let scene = Scene::new();
    let client = somebody();
    let door = scene.door();
    door.allowed().add(&Client { name: "st-mary".into(), fingerprint: client.fingerprint() }).unwrap();
    assert!(door.lets_through(&client.fingerprint(), scene.now));
    std::fs::write(scene.directory.path().join(crate::allow::FILE), "broken").unwrap();
    std::fs::write(scene.directory.path().join(FILE), "broken").unwrap();
    assert!(!door.lets_through(&client.fingerprint(), scene.now));
    assert!(Door::open(scene.directory.path()).is_err());
}

#[test]
fn a_server_that_says_something_else_is_refused_by_the_client() {
    let scene = Scene::new();
    let client = somebody();
    let link = LinkConfig::default();
    let tls = Some(ServerTls::new(&scene.identity, |_| true).unwrap());
    let config = ListenerConfig { tls, link: link.clone(), connections_max: 1 };
    let listener = Listener::bind("127.0.0.1:0", config).unwrap();
    let address = listener.local_address().unwrap().to_string();
    thread::scope(|scope| {
        scope.spawn(|| listener.accept().unwrap().establish().unwrap().send(&[9]).unwrap());
        let tls = ClientTls::new(&client, scene.identity.fingerprint()).unwrap();
        let mut channel = StreamChannel::connect(&address, &tls, &link).unwrap();
        assert!(matches!(knock(&mut channel, None), Err(EnrolError::Unexpected(9))));
    });
}
