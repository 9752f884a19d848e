//! The SHA-256 of a certificate: how one party knows the other.
//!
//! It equals what `openssl x509 -fingerprint -sha256` prints, so an operator can check it with other tools.

use std::fmt;
use std::str::FromStr;

use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use thiserror::Error;

/// SHA-256 of a certificate's DER bytes. Public; printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("the suite's name says TLS 1.3");
        let digest = suite.common.hash_provider.hash(certificate);
        Self(digest.as_ref().try_into().expect("SHA-256 gives 32 bytes"))
    }

    /// A fingerprint read from elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 120 bits as six groups of four letters and digits, to be compared over the telephone.
    /// The alphabet has neither I, L, O nor U, which are misheard or misread.
    pub fn groups(&self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let symbol = |index: usize| {
            let bits = (0..5).fold(0, |value, bit| {
                let at = index * 5 + bit;
                value << 1 | (self.0[at / 8] >> (7 - at % 8) & 1) as usize
            });
            ALPHABET[bits] as char
        };
        let group = |index: usize| (4 * index..4 * index + 4).map(symbol).collect::<String>();
        (0..6).map(group).collect::<Vec<_>>().join("-")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A text that is no fingerprint.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a fingerprint has 64 hexadecimal digits, colons and spaces aside; {found} such digits came")]
pub struct NotAFingerprint {
    /// Hexadecimal digits found before the first other character.
    pub found: usize,
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let digits: Vec<char> = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        let values: Vec<u8> = digits.iter().map_while(|c| c.to_digit(16)).map(|v| v as u8).collect();
        if values.len() != 64 || digits.len() != 64 {
            return Err(NotAFingerprint { found: values.len() });
        }
        Ok(Self(std::array::from_fn(|i| values[2 * i] << 4 | values[2 * i + 1])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sha_256_of_the_bytes() {
        // FIPS 180-2, appendix B.1: SHA-256 of "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Fingerprint::of(b"abc").to_string(), expected);
    }

    #[test]
    fn it_is_read_back_from_what_it_prints_and_from_the_form_with_colons() {
        let fingerprint = Fingerprint::of(b"x");
        let text = fingerprint.to_string();
        let colons: Vec<&str> = (0..32).map(|i| &text[2 * i..2 * i + 2]).collect();
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(colons.join(":").to_uppercase().parse(), Ok(fingerprint));
    }

    #[test]
    fn other_texts_are_refused_with_a_count() {
        for (text, found) in [("", 0), ("12ab", 4), ("12xy", 2), (&"a".repeat(65), 65), ("ä", 0)] {
            assert_eq!(text.parse::<Fingerprint>(), Err(NotAFingerprint { found }));
        }
    }

    #[test]
    fn the_groups_hold_the_first_120_bits() {
        assert_eq!(Fingerprint::from_bytes([0; 32]).groups(), "0000-0000-0000-0000-0000-0000");
        let mut bytes = [0; 32];
        bytes[0] = 0b0000_1000;
        bytes[14] = 0b0001_1111;
        assert_eq!(Fingerprint::from_bytes(bytes).groups(), "1000-0000-0000-0000-0000-000Z");
    }
}
