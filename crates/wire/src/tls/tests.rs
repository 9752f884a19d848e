//! Who is let in: pinned servers, known clients, and proof that the tests could fail.

use super::*;
use crate::Channel;
use crate::link::{LinkConfig, LinkError};
use crate::listener::{Listener, ListenerConfig};
use crate::stream::StreamChannel;
use std::thread;
use std::time::Duration;

/// A fresh identity.
pub(crate) fn identity() -> Identity {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    Identity::new(certificate.der().to_vec(), PrivatePkcs8KeyDer::from(key.serialize_der())).unwrap()
}

/// Waits that are long for a loaded test machine and short for a person.
pub(crate) fn quick() -> LinkConfig {
    LinkConfig {
        deadline: Duration::from_secs(10),
        handshake_deadline: Duration::from_secs(5),
        ..LinkConfig::default()
    }
}

/// One connection: what the client got, and what the server got.
pub(crate) fn meet(
    client: &ClientTls,
    server: ServerTls,
    config: &LinkConfig,
) -> (Result<StreamChannel, LinkError>, Result<StreamChannel, LinkError>) {
    let config = config.clone();
    let listener = ListenerConfig { tls: Some(server), link: config.clone(), connections_max: 4 };
    let listener = Listener::bind("127.0.0.1:0", listener).unwrap();
    let address = listener.local_address().unwrap().to_string();
    thread::scope(|scope| {
        let server = scope.spawn(|| listener.accept()?.establish());
        let client = StreamChannel::connect(&address, client, &config);
        (client, server.join().unwrap())
    })
}

/// Says yes to every certificate: what the pins are measured against.
#[derive(Debug)]
struct AcceptAll;

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed_by(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

#[test]
fn both_ends_know_each_other_and_share_an_exporter_under_the_hybrid_group() {
    let (hospital, vendor) = (identity(), identity());
    let known = hospital.fingerprint();
    let server = ServerTls::new(&vendor, move |found| *found == known).unwrap();
    let client = ClientTls::new(&hospital, vendor.fingerprint()).unwrap();

    let (at_client, at_server) = meet(&client, server.clone(), &quick());
    let (at_client, at_server) = (at_client.unwrap(), at_server.unwrap());
    assert_eq!(at_client.peer_fingerprint(), Some(vendor.fingerprint()));
    assert_eq!(at_server.peer_fingerprint(), Some(hospital.fingerprint()));
    assert_eq!(at_client.peer().unwrap().key_exchange, rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(at_server.peer().unwrap().key_exchange, rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(at_client.exporter().unwrap(), at_server.exporter().unwrap());

    let (again, _also) = meet(&client, server, &quick());
    assert_ne!(again.unwrap().exporter(), at_client.exporter());
}

#[test]
fn a_server_with_another_certificate_is_refused_by_the_client() {
    let (hospital, vendor, impostor) = (identity(), identity(), identity());
    let server = ServerTls::new(&impostor, |_| true).unwrap();
    let client = ClientTls::new(&hospital, vendor.fingerprint()).unwrap();
    let (at_client, at_server) = meet(&client, server, &quick());
    match at_client.err().unwrap() {
        LinkError::WrongServer { expected, found } => {
            assert_eq!((expected, found), (vendor.fingerprint(), impostor.fingerprint()));
        }
        other => panic!("another error: {other}"),
    }
    assert!(matches!(at_server, Err(LinkError::Tls(Error::AlertReceived(_)))));
}

#[test]
fn without_the_pin_the_impostor_would_have_been_accepted() {
    let (hospital, impostor) = (identity(), identity());
    let server = ServerTls::new(&impostor, |_| true).unwrap();
    let careless = ClientTls::with_verifier(&hospital, Arc::new(AcceptAll)).unwrap();
    let (at_client, at_server) = meet(&careless, server, &quick());
    assert_eq!(at_client.unwrap().peer_fingerprint(), Some(impostor.fingerprint()));
    assert!(at_server.is_ok());
}

#[test]
fn an_unknown_client_is_refused_and_told_its_fingerprint() {
    let (stranger, vendor) = (identity(), identity());
    let server = ServerTls::new(&vendor, |_| false).unwrap();
    let client = ClientTls::new(&stranger, vendor.fingerprint()).unwrap();
    let (at_client, at_server) = meet(&client, server, &quick());
    let error = at_client.err().unwrap();
    assert!(
        matches!(error, LinkError::UnknownHere { fingerprint } if fingerprint == stranger.fingerprint()),
        "{error}"
    );
    assert!(error.to_string().contains("ask the operator to add it"));
    assert!(
        matches!(at_server, Err(LinkError::ClientRefused { fingerprint }) if fingerprint == stranger.fingerprint())
    );
}

#[test]
fn a_copied_certificate_without_its_key_is_no_identity() {
    let (victim, thief) = (identity(), identity());
    let stolen = CertifiedKey::new(victim.certified.cert.clone(), thief.certified.key.clone());
    let forged = Identity { certified: Arc::new(stolen), fingerprint: victim.fingerprint };
    let vendor = identity();
    let known = victim.fingerprint();

    let server = ServerTls::new(&vendor, move |found| *found == known).unwrap();
    let client = ClientTls::new(&forged, vendor.fingerprint()).unwrap();
    let (at_client, at_server) = meet(&client, server, &quick());
    assert!(at_client.is_err());
    assert!(matches!(
        at_server,
        Err(LinkError::Tls(Error::InvalidCertificate(CertificateError::BadSignature)))
    ));

    let server = ServerTls::new(&forged, |_| true).unwrap();
    let client = ClientTls::new(&vendor, victim.fingerprint()).unwrap();
    let (at_client, _) = meet(&client, server, &quick());
    assert!(matches!(
        at_client,
        Err(LinkError::Tls(Error::InvalidCertificate(CertificateError::BadSignature)))
    ));
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_noticed_when_it_is_loaded() {
    let key = rcgen::KeyPair::generate().unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    let mixed = Identity::new(certificate.der().to_vec(), PrivatePkcs8KeyDer::from(other.serialize_der()));
    assert!(matches!(mixed, Err(Error::InconsistentKeys(_))));
}

#[test]
fn a_server_that_knows_the_client_carries_messages() {
    let (hospital, vendor) = (identity(), identity());
    let server = ServerTls::new(&vendor, |_| true).unwrap();
    let client = ClientTls::new(&hospital, vendor.fingerprint()).unwrap();
    let (at_client, at_server) = meet(&client, server, &quick());
    let (mut left, mut right) = (at_client.unwrap(), at_server.unwrap());
    left.send(b"scan").unwrap();
    assert_eq!(right.receive(4).unwrap(), b"scan");
    right.send(b"mask").unwrap();
    assert_eq!(left.receive(4).unwrap(), b"mask");
}
