//! The image owner's public key, sent once before the first linear layer.
//!
//! | step | who | message | bytes |
//! |---|---|---|---|
//! | 1 | image owner | seed of a, and b = e - a*s | 51,216 |
//!
//! Ideal: the model owner gets a fresh encryption of zero. Security: RLWE at 128 bits; the key is fresh with each
//! exchange. A residue out of range is refused. Source: Lyubashevsky, Peikert, Regev, EUROCRYPT 2010, section 3.2.

use blindscan_rlwe::context::Context;
use blindscan_rlwe::keys::{PublicKey, SecretKey};
use blindscan_wire::Channel;
use blindscan_wire::script::Script;
use rand_core::CryptoRng;

use crate::ProtocolError;
use crate::two_party::Party;

/// Makes a key and sends its public half.
pub fn image_owner<R: CryptoRng + ?Sized>(
    rng: &mut R,
    channel: &mut dyn Channel,
) -> Result<SecretKey, ProtocolError> {
    let key = SecretKey::generate(Context::exact(), rng);
    channel.send(&key.public_key_bytes(rng))?;
    Ok(key)
}

/// Receives the public half.
pub fn model_owner(channel: &mut dyn Channel) -> Result<PublicKey, ProtocolError> {
    let bytes = channel.receive(PublicKey::byte_count(Context::exact()))?;
    Ok(PublicKey::from_bytes(Context::exact(), &bytes)?)
}

/// The message of the exchange.
pub fn script() -> Script {
    Party::ImageOwner.sends(PublicKey::byte_count(Context::exact())).into()
}
