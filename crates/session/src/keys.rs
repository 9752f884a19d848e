//! A party's identity on disk: one file with the private key and the self-signed certificate.
//!
//! One file and not two, so that it is there whole or not at all, and key and certificate cannot be mixed up.
//! The key is ECDSA on P-256, drawn from the operating system by the TLS library. Nothing in the certificate names
//! a person or a machine; the others know it by its fingerprint.

use std::path::{Path, PathBuf};

use blindscan_wire::tls::Identity;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::files::{self, StoreError};

/// The identity's name in its directory.
pub const FILE: &str = "identity.pem";

/// Makes a new identity in a directory, which is created if need be. An identity that is there is never overwritten.
pub fn create(directory: &Path) -> Result<Identity, StoreError> {
    let path = path_in(directory);
    let pem = generated().map_err(|error| StoreError::unreadable(&path, error))?;
    files::make_private_directory(directory)?;
    files::create(&path, pem.as_bytes())?;
    load(directory)
}

/// Loads the identity of a directory. A key that others can read is refused.
pub fn load(directory: &Path) -> Result<Identity, StoreError> {
    let path = path_in(directory);
    let pem = files::read(&path)?.ok_or_else(|| StoreError::NoIdentity { path: path.clone() })?;
    let pem = Zeroizing::new(pem);
    files::require_private(&path)?;

    let part = |what: &str| StoreError::unreadable(&path, format!("it holds no {what} in PEM"));
    let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| part("PRIVATE KEY"))?;
    let certificate = CertificateDer::from_pem_slice(&pem).map_err(|_| part("CERTIFICATE"))?;
    Identity::new(certificate.to_vec(), key).map_err(|error| {
        StoreError::unreadable(&path, format!("key and certificate are no identity: {error}"))
    })
}

/// Where a directory's identity is.
pub fn path_in(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// A fresh key and its certificate, in PEM.
fn generated() -> Result<Zeroizing<String>, rcgen::Error> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = rcgen::CertificateParams::new([])?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "blindscan");
    let certificate = parameters.self_signed(&key)?;
    let key = Zeroizing::new(key.serialize_pem());
    Ok(Zeroizing::new(format!("{}{}", key.as_str(), certificate.pem())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_identity_comes_back_with_its_fingerprint_and_each_is_another() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let made = create(&one.path().join("new")).unwrap();
        assert_eq!(load(&one.path().join("new")).unwrap().fingerprint(), made.fingerprint());
        assert_ne!(create(two.path()).unwrap().fingerprint(), made.fingerprint());
    }

    #[test]
    fn the_key_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        create(directory.path()).unwrap();
        let path = path_in(directory.path());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load(directory.path()).unwrap_err();
            assert!(matches!(error, StoreError::NotPrivate { mode: found, .. } if found == mode), "{error}");
        }
    }

    #[test]
    fn an_identity_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let made = create(directory.path()).unwrap();
        assert!(matches!(create(directory.path()), Err(StoreError::Exists { .. })));
        assert_eq!(load(directory.path()).unwrap().fingerprint(), made.fingerprint());
    }

    #[test]
    fn what_is_missing_or_broken_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = path_in(directory.path());
        assert!(matches!(load(directory.path()), Err(StoreError::NoIdentity { .. })));
        create(directory.path()).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        let certificate = whole.find("-----BEGIN CERTIFICATE").unwrap();

        files::replace(&path, &whole.as_bytes()[..certificate]).unwrap();
        assert!(load(directory.path()).unwrap_err().to_string().contains("CERTIFICATE"));
        files::replace(&path, &whole.as_bytes()[certificate..]).unwrap();
        assert!(load(directory.path()).unwrap_err().to_string().contains("PRIVATE KEY"));

        let other = tempfile::tempdir().unwrap();
        create(other.path()).unwrap();
        let other = fs::read_to_string(path_in(other.path())).unwrap();
        let mixed = format!("{}{}", &whole[..certificate], &other[other.find("-----BEGIN CERT").unwrap()..]);
        files::replace(&path, mixed.as_bytes()).unwrap();
        assert!(load(directory.path()).unwrap_err().to_string().contains("no identity"));
    }

    #[test]
    fn the_identity_prints_its_fingerprint_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let made = create(directory.path()).unwrap();
        assert_eq!(format!("{made:?}"), format!("Identity({})", made.fingerprint()));
    }
}
