//! The door of a server: known clients pass, one with a one-time secret is enrolled, all others stay outside.
//!
//! | step | who    | message                                                      | bytes |
//! |------|--------|--------------------------------------------------------------|-------|
//! | 1    | server | 1: you are known, 2: show your secret, or 4: you have failed too many checks, and closes | 1 |
//! | 2    | client | after 2 only: the secret of its join line                    | 16    |
//! | 3    | server | after 2 only: 1: you are enrolled, or 3: refused, and closes | 1     |
//!
//! Runs under TLS, right after its handshake. While an invitation is open, TLS lets unknown certificates through, and
//! they get as far as this dialogue: [`Pending`] has no channel to offer, only [`Pending::enrol`]; what comes after takes
//! an [`Admitted`]. The server stores a hash of each secret. A secret is marked spent on the disk before its client
//! is added, so a crash between the two costs an invitation and never admits two clients.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blindscan_wire::fingerprint::Fingerprint;
use blindscan_wire::stream::StreamChannel;
use blindscan_wire::tls::{Identity, ServerTls};
use blindscan_wire::{Channel, WireError};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::allow::{AllowList, Client};
use crate::failed_checks::{FailedChecks, Peers, RefusedPeer};
use crate::files::{self, StoreError};

/// The invitations' name in the state directory.
pub const FILE: &str = "invitations.toml";

/// The longest wait for a client that is not admitted yet.
const PENDING_DEADLINE: Duration = Duration::from_secs(10);

const KNOWN: u8 = 1;
const SHOW_SECRET: u8 = 2;
const REFUSED: u8 = 3;
const FAILED_CHECKS: u8 = 4;

/// Enrols one client, once. 128 random bits.
#[derive(Clone)]
pub struct EnrolmentSecret(Zeroizing<[u8; Self::BYTES]>);

impl EnrolmentSecret {
    /// Its length.
    pub const BYTES: usize = 16;

    /// A fresh secret.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        rng.fill_bytes(&mut *bytes);
        Self(bytes)
    }

    /// Reads 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits: Zeroizing<Vec<u8>> =
            Zeroizing::new(text.chars().map_while(|c| c.to_digit(16)).map(|v| v as u8).collect());
        let whole = digits.len() == 2 * Self::BYTES && text.len() == 2 * Self::BYTES;
        whole.then(|| Self(Zeroizing::new(std::array::from_fn(|i| digits[2 * i] << 4 | digits[2 * i + 1]))))
    }

    /// Its 32 hexadecimal digits, for the join line.
    pub fn to_hex(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(2 * Self::BYTES));
        for byte in *self.0 {
            text.extend([byte >> 4, byte & 15].map(|v| char::from_digit(v.into(), 16).expect("a digit")));
        }
        text
    }

    /// What the server keeps: enough to know the secret, not to show it.
    fn digest(&self) -> [u8; 32] {
        blake3::derive_key("blindscan 2026 enrolment secret", &*self.0)
    }
}

impl ConstantTimeEq for EnrolmentSecret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0[..].ct_eq(&other.0[..])
    }
}

impl PartialEq for EnrolmentSecret {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for EnrolmentSecret {}

impl fmt::Debug for EnrolmentSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentSecret(128 bits)")
    }
}

/// Why a client did not get through the door.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The connection failed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server's files failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The channel has no authenticated peer.
    #[error("a channel in the clear has no client to admit; use TLS")]
    NoPeer,
    /// The server does not know this client, and the client has no secret.
    #[error("the server does not know this client; ask its operator for a join line with a secret")]
    SecretNeeded,
    /// The server refused the secret.
    #[error(
        "the server refused the secret: used before, expired or mistyped; ask its operator for a new join line"
    )]
    SecretRefused,
    /// This client has failed too many consistency checks, or the list of those who have cannot be read.
    #[error(transparent)]
    FailedChecks(#[from] RefusedPeer),
    /// The server counts too many failed checks of this client.
    #[error(
        "the server refuses this client, whose transfers have failed its consistency checks too often; if neither program was changed, check this machine's memory, and ask the server's operator, who can lift it"
    )]
    RefusedForChecks,
    /// This server refused a client's secret.
    #[error("refused client {0}: its secret is not one of the open invitations")]
    NotInvited(Fingerprint),
    /// The peer said something that has no place here.
    #[error("the server sent {0} where it says whether it knows this client; is it of the same version?")]
    Unexpected(u8),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitations {
    #[serde(default)]
    invitation: Vec<Invitation>,
}

/// One invitation on the disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation {
    /// Hash of the secret.
    digest: String,
    /// Seconds since 1970.
    expires: u64,
    /// The fingerprint that has used it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent_by: Option<String>,
}

impl Invitation {
    fn is_open(&self, now: SystemTime) -> bool {
        self.spent_by.is_none() && seconds(now) < self.expires
    }

    /// Whether it is for the secret with this digest, in a time that does not tell how much of it matches.
    fn is_for(&self, digest: &str) -> bool {
        self.digest.as_bytes().ct_eq(digest.as_bytes()).into()
    }
}

/// A server's state directory, seen from the door: the clients it knows and the invitations it has given.
#[derive(Clone, Debug)]
pub struct Door {
    allowed: AllowList,
    failed: FailedChecks,
    invitations: PathBuf,
}

impl Door {
    /// The door of a state directory, which is created if need be; both files must be readable.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::guarding(AllowList::of(directory), directory)
    }

    /// The door with the list in a file of its own; invitations are kept in the state directory.
    pub fn with_list(list: &Path, directory: &Path) -> Result<Self, StoreError> {
        Self::guarding(AllowList::at(list), directory)
    }

    fn guarding(allowed: AllowList, directory: &Path) -> Result<Self, StoreError> {
        files::make_private_directory(directory)?;
        let failed = FailedChecks::of(directory, Peers::Clients);
        let door = Self { allowed, failed, invitations: directory.join(FILE) };
        door.allowed.clients()?;
        door.failed.entries()?;
        door.is_inviting(SystemTime::UNIX_EPOCH)?;
        Ok(door)
    }

    /// The clients that have failed consistency checks.
    pub fn failed(&self) -> &FailedChecks {
        &self.failed
    }

    /// The clients that are known.
    pub fn allowed(&self) -> &AllowList {
        &self.allowed
    }

    /// Invites one client; the secret belongs in its join line and is not kept here.
    pub fn invite(
        &self,
        valid_for: Duration,
        now: SystemTime,
        rng: &mut dyn CryptoRng,
    ) -> Result<EnrolmentSecret, StoreError> {
        let secret = EnrolmentSecret::random(rng);
        files::update_toml(&self.invitations, |list: &mut Invitations| {
            list.invitation.push(Invitation {
                digest: hex(&secret.digest()),
                expires: seconds(now).saturating_add(valid_for.as_secs()).min(i64::MAX as u64),
                spent_by: None,
            });
            Ok::<_, StoreError>(())
        })?;
        Ok(secret)
    }

    /// Whether any invitation is open.
    pub fn is_inviting(&self, now: SystemTime) -> Result<bool, StoreError> {
        let list: Invitations = files::load_toml(&self.invitations)?;
        Ok(list.invitation.iter().any(|invitation| invitation.is_open(now)))
    }

    /// Whether a certificate may finish the TLS handshake: it is known, or somebody is expected.
    /// Nobody may when the files cannot be read.
    pub fn lets_through(&self, fingerprint: &Fingerprint, now: SystemTime) -> bool {
        matches!(self.allowed.find(fingerprint), Ok(Some(_))) || matches!(self.is_inviting(now), Ok(true))
    }

    /// The TLS side of this door, for a listener.
    pub fn tls(
        &self,
        identity: &Identity,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Result<ServerTls, rustls::Error> {
        let door = self.clone();
        ServerTls::new(identity, move |fingerprint| door.lets_through(fingerprint, clock()))
    }

    /// Receives a client whose TLS handshake is over, and tells a known one that it is known.
    pub fn receive(&self, mut channel: StreamChannel) -> Result<Arrival, EnrolError> {
        let fingerprint = channel.peer_fingerprint().ok_or(EnrolError::NoPeer)?;
        if let Err(refused) = self.failed.admit(&fingerprint) {
            channel.send(&[FAILED_CHECKS])?;
            return Err(refused.into());
        }
        match self.allowed.find(&fingerprint)? {
            Some(client) => {
                channel.send(&[KNOWN])?;
                Ok(Arrival::Admitted(Admitted { channel, client }))
            }
            None => Ok(Arrival::Pending(Pending { channel, fingerprint })),
        }
    }

    /// [`Door::receive`], and [`Pending::enrol`] if need be: what a server does with each connection.
    pub fn admit(&self, channel: StreamChannel, now: SystemTime) -> Result<Admitted, EnrolError> {
        match self.receive(channel)? {
            Arrival::Admitted(admitted) => Ok(admitted),
            Arrival::Pending(pending) => pending.enrol(self, now),
        }
    }

    /// Uses up the invitation of a secret; whether it was open.
    fn spend(&self, secret: &EnrolmentSecret, by: &Fingerprint, now: SystemTime) -> Result<bool, StoreError> {
        let digest = hex(&secret.digest());
        files::update_toml(&self.invitations, |list: &mut Invitations| {
            let mut open = list.invitation.iter_mut().filter(|invitation| invitation.is_open(now));
            let found = open.find(|invitation| invitation.is_for(&digest));
            Ok(found.map(|invitation| invitation.spent_by = Some(by.to_string())).is_some())
        })
    }
}

/// A client at the door.
pub enum Arrival {
    /// Known.
    Admitted(Admitted),
    /// Unknown; it has to show a secret.
    Pending(Pending),
}

/// An unknown client. Its channel is for the secret and for nothing else.
pub struct Pending {
    channel: StreamChannel,
    fingerprint: Fingerprint,
}

impl Pending {
    /// The fingerprint of the client's certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Asks for the secret, spends it, adds the client to the list, and lets it in.
    pub fn enrol(mut self, door: &Door, now: SystemTime) -> Result<Admitted, EnrolError> {
        let usual = self.channel.deadline();
        self.channel.set_deadline(PENDING_DEADLINE.min(usual))?;
        self.channel.send(&[SHOW_SECRET])?;
        let shown = Zeroizing::new(self.channel.receive(EnrolmentSecret::BYTES)?);
        let shown: [u8; EnrolmentSecret::BYTES] = shown.as_slice().try_into().expect("the stated length");
        let secret = EnrolmentSecret(Zeroizing::new(shown));

        if !door.spend(&secret, &self.fingerprint, now)? {
            self.channel.send(&[REFUSED])?;
            return Err(EnrolError::NotInvited(self.fingerprint));
        }
        let client = Client::unnamed(self.fingerprint);
        door.allowed.add(&client)?;
        self.channel.send(&[KNOWN])?;
        self.channel.set_deadline(usual)?;
        Ok(Admitted { channel: self.channel, client })
    }
}

/// A client that is on the list, and its channel: the only way from the door to everything else.
pub struct Admitted {
    channel: StreamChannel,
    client: Client,
}

impl Admitted {
    /// Who it is.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The channel, for the session that follows.
    pub fn channel(&mut self) -> &mut StreamChannel {
        &mut self.channel
    }

    /// The channel binding of RFC 9266, equal at both ends.
    pub fn exporter(&self) -> [u8; 32] {
        self.channel.exporter().expect("a channel without TLS is never admitted")
    }
}

/// The client's side of the door: waits to be known, and shows the secret when it is asked for.
pub fn knock(channel: &mut StreamChannel, secret: Option<&EnrolmentSecret>) -> Result<(), EnrolError> {
    match channel.receive(1)?[0] {
        KNOWN => return Ok(()),
        SHOW_SECRET => (),
        FAILED_CHECKS => return Err(EnrolError::RefusedForChecks),
        other => return Err(EnrolError::Unexpected(other)),
    }
    channel.send(&secret.ok_or(EnrolError::SecretNeeded)?.0[..])?;
    match channel.receive(1)?[0] {
        KNOWN => Ok(()),
        REFUSED => Err(EnrolError::SecretRefused),
        other => Err(EnrolError::Unexpected(other)),
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn hex(bytes: &[u8; 32]) -> String {
    Fingerprint::from_bytes(*bytes).to_string()
}

#[cfg(test)]
mod tests;
