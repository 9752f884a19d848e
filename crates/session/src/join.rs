//! The join line: everything a client needs to find a server and to know it, in one line to paste.
//!
//! `blindscan:HOST:PORT#FINGERPRINT` or `blindscan:HOST:PORT#FINGERPRINT?secret=SECRET`. The fingerprint is the server's; the
//! secret, if there is one, enrols one client once ([`crate::enrol`]). An IPv6 host stands in brackets.

use std::fmt;
use std::str::FromStr;

use blindscan_wire::fingerprint::{Fingerprint, NotAFingerprint};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::enrol::EnrolmentSecret;

const SCHEME: &str = "blindscan:";
const SECRET: &str = "secret=";

/// A server's address and fingerprint, and perhaps a secret. Prints without the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinLine {
    /// Name or address, an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The server's fingerprint.
    pub server: Fingerprint,
    /// Enrols the client that shows it first.
    pub secret: Option<EnrolmentSecret>,
}

impl JoinLine {
    /// `HOST:PORT`, as connections take it.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The whole line with its secret, for the one who is to join.
    pub fn with_secret(&self) -> Zeroizing<String> {
        let secret = self.secret.as_ref().map(|secret| secret.to_hex());
        let mut line = Zeroizing::new(String::with_capacity(1024));
        line.push_str(&self.to_string());
        if let Some(secret) = secret {
            line.push('?');
            line.push_str(SECRET);
            line.push_str(&secret);
        }
        line
    }
}

impl fmt::Display for JoinLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}#{}", self.address(), self.server)
    }
}

impl fmt::Debug for JoinLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = if self.secret.is_some() { " with a secret" } else { "" };
        write!(f, "JoinLine({self}{secret})")
    }
}

/// What is wrong with a join line. Never repeats what may hold the secret.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinLineError {
    /// It begins otherwise.
    #[error("a join line begins with `blindscan:`, for example blindscan:HOST:PORT#FINGERPRINT")]
    Scheme,
    /// There is no `#`.
    #[error("a join line has a # between the address and the server's fingerprint; was it pasted whole?")]
    NoFingerprint,
    /// The fingerprint is not one.
    #[error("the part after # is not the server's fingerprint: {0}; was the line pasted whole?")]
    Fingerprint(#[from] NotAFingerprint),
    /// Host and port cannot be told apart, or there is no host.
    #[error("the address `{0}` is not HOST:PORT; an IPv6 address stands in brackets")]
    Address(String),
    /// The port is no number from 1 to 65535.
    #[error("`{0}` is not a port from 1 to 65535")]
    Port(String),
    /// After the `?` comes something else than a secret.
    #[error("after the ? comes `secret=` and 32 hexadecimal digits; was the line pasted whole?")]
    Secret,
}

impl FromStr for JoinLine {
    type Err = JoinLineError;

    fn from_str(line: &str) -> Result<Self, JoinLineError> {
        let rest = line.trim().strip_prefix(SCHEME).ok_or(JoinLineError::Scheme)?;
        let (address, rest) = rest.split_once('#').ok_or(JoinLineError::NoFingerprint)?;
        let (fingerprint, secret) = match rest.split_once('?') {
            None => (rest, None),
            Some((fingerprint, parameter)) => (fingerprint, Some(secret_of(parameter)?)),
        };
        let (host, port) = address_of(address)?;
        Ok(Self { host, port, server: fingerprint.parse()?, secret })
    }
}

fn secret_of(parameter: &str) -> Result<EnrolmentSecret, JoinLineError> {
    parameter.strip_prefix(SECRET).and_then(EnrolmentSecret::from_hex).ok_or(JoinLineError::Secret)
}

fn address_of(address: &str) -> Result<(String, u16), JoinLineError> {
    let wrong = || JoinLineError::Address(address.into());
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bracketed {
        Some(host) if host.parse::<std::net::Ipv6Addr>().is_ok() => host,
        None if is_name(host) => host,
        _ => return Err(wrong()),
    };
    match port.parse() {
        Ok(port) if port > 0 => Ok((host.into(), port)),
        _ => Err(JoinLineError::Port(port.into())),
    }
}

/// A host name or an IPv4 address: the characters of DNS names and the underscore of container names.
fn is_name(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 253
        && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(host: &str, secret: Option<&str>) -> JoinLine {
        JoinLine {
            host: host.into(),
            port: 7443,
            server: Fingerprint::from_bytes([0xc5; 32]),
            secret: secret.map(|text| EnrolmentSecret::from_hex(text).unwrap()),
        }
    }

    #[test]
    fn lines_are_read_back_from_what_they_print() {
        for host in ["scans.example.org", "10.0.0.7", "::1", "model_owner"] {
            let plain = line(host, None);
            assert_eq!(plain.to_string().parse(), Ok(plain.clone()));
            let secret = line(host, Some("00112233445566778899aabbccddeeff"));
            assert_eq!(format!("  {}\n", *secret.with_secret()).parse(), Ok(secret));
        }
        assert_eq!(line("::1", None).address(), "[::1]:7443");
    }

    #[test]
    fn the_secret_is_printed_only_on_request() {
        let line = line("host", Some("00112233445566778899aabbccddeeff"));
        assert!(line.with_secret().contains("00112233"));
        assert!(!format!("{line} {line:?}").contains("00112233"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fingerprint = "c5".repeat(32);
        let read = |line: &str| line.replace('F', &fingerprint).parse::<JoinLine>().unwrap_err();
        assert_eq!(read("http://host"), JoinLineError::Scheme);
        assert_eq!(read("blindscan:host:1"), JoinLineError::NoFingerprint);
        assert_eq!(read("blindscan:host:1#c5c5"), JoinLineError::Fingerprint(NotAFingerprint { found: 4 }));
        for address in ["host", ":1", "[host]:1", "::1:1", "a b:1", ""] {
            let expected = JoinLineError::Address(address.into());
            assert_eq!(read(&format!("blindscan:{address}#F")), expected);
        }
        for port in ["0", "65536", "x", "-1", ""] {
            assert_eq!(read(&format!("blindscan:host:{port}#F")), JoinLineError::Port(port.into()));
        }
        for parameter in ["", "secret=", "secret=12", "other=1", "secret=00112233445566778899aabbccddeefg"] {
            assert_eq!(read(&format!("blindscan:host:1#F?{parameter}")), JoinLineError::Secret);
        }
    }
}
