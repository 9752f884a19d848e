//! Who may speak: TLS 1.3 with both ends authenticated by the fingerprints of self-signed certificates.
//!
//! There is no certificate authority. The client pins the server's certificate; the server asks a function whether
//! it knows the client's. Both verify, by the handshake's signature, that the peer holds the certificate's key.
//! Validity dates are not read: an identity ends when it is taken from the list. The key exchange is
//! X25519MLKEM768 and nothing else, so that recorded traffic stays closed to a later quantum computer; there is no
//! resumption, no ticket and no early data.
//! Sources: RFC 8446 (TLS 1.3); RFC 9266 (the exporter as channel binding); draft-ietf-tls-ecdhe-mlkem (the group).

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    ServerConfig, SignatureScheme,
};

use crate::fingerprint::Fingerprint;

/// The application protocol in the handshake: a server of something else, or of another wire version, refuses.
pub(crate) const PROTOCOL: &[u8] = b"blindscan/1";

/// The name in the handshake; the fingerprint decides, so it is never looked at.
pub(crate) const NAME: &str = "blindscan";

/// A certificate and its private key. The key stays inside.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// The identity of a certificate in DER and its private key in PKCS #8; an error when they do not belong together.
    pub fn new(certificate: Vec<u8>, key: PrivatePkcs8KeyDer<'static>) -> Result<Self, Error> {
        let fingerprint = Fingerprint::of(&certificate);
        let chain = vec![CertificateDer::from(certificate)];
        let certified = CertifiedKey::from_der(chain, PrivateKeyDer::Pkcs8(key), &provider())?;
        Ok(Self { certified: Arc::new(certified), fingerprint })
    }

    /// What the others know this identity by.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(self.certified.clone()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

/// How a client connects: who it is, and which server it will speak to.
#[derive(Clone, Debug)]
pub struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) own: Fingerprint,
}

impl ClientTls {
    /// A client `identity` that speaks to the server with this fingerprint alone.
    pub fn new(identity: &Identity, server: Fingerprint) -> Result<Self, Error> {
        Self::with_verifier(identity, Arc::new(PinnedServer { expected: server }))
    }

    fn with_verifier(identity: &Identity, verifier: Arc<dyn ServerCertVerifier>) -> Result<Self, Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(identity.resolver());
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(Self { config: Arc::new(config), own: identity.fingerprint })
    }
}

/// How a server accepts: who it is, and which clients may finish the handshake.
#[derive(Clone, Debug)]
pub struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
}

impl ServerTls {
    /// A server `identity` that finishes the handshake with the clients for which `admits` says yes.
    /// `admits` is asked once for each connection, from that connection's thread.
    pub fn new(
        identity: &Identity,
        admits: impl Fn(&Fingerprint) -> bool + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::with_verifier(identity, Arc::new(KnownClients { admits: Box::new(admits) }))
    }

    fn with_verifier(identity: &Identity, verifier: Arc<dyn ClientCertVerifier>) -> Result<Self, Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(identity.resolver());
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Self { config: Arc::new(config) })
    }
}

/// The cryptography of the handshake: hybrid post-quantum key exchange and 256-bit ciphers only.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
        cipher_suites: vec![
            aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
            aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        ..aws_lc_rs::default_provider()
    })
}

/// Why a verifier said no; travels inside the TLS error, so that the caller can name the fingerprints.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the server's certificate is {found}, not {expected}")]
    Server { expected: Fingerprint, found: Fingerprint },
    #[error("the client's certificate {found} is unknown")]
    Client { found: Fingerprint },
}

impl Refusal {
    fn into_tls(self) -> Error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(self))))
    }

    /// The refusal inside a TLS error, if that is what it is.
    pub(crate) fn inside(error: &Error) -> Option<&Self> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(other)) => other.0.downcast_ref(),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct PinnedServer {
    expected: Fingerprint,
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = Fingerprint::of(end_entity);
        if found != self.expected {
            return Err(Refusal::Server { expected: self.expected, found }.into_tls());
        }
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

struct KnownClients {
    admits: Box<dyn Fn(&Fingerprint) -> bool + Send + Sync>,
}

impl fmt::Debug for KnownClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownClients")
    }
}

impl ClientCertVerifier for KnownClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let found = Fingerprint::of(end_entity);
        if !(self.admits)(&found) {
            return Err(Refusal::Client { found }.into_tls());
        }
        Ok(ClientCertVerified::assertion())
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

fn signed_by(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    verify_tls13_signature(message, certificate, signature, &algorithms)
}

fn schemes() -> Vec<SignatureScheme> {
    aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
}

fn only_tls13() -> Error {
    Error::General("only TLS 1.3 is spoken here".into())
}

#[cfg(test)]
pub(crate) mod tests;
