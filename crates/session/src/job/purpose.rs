//! What a half of a stock is good for: it is made for one plan, one peer and one version, and is refused for any other.

use blindscan_inference::parameters_digest;

use crate::handshake::PROTOCOL_VERSION;

/// Digest of what a half of a stock is good for: these parts, this program and its parameters.
pub(super) fn purpose(parts: &[&[u8; 32]]) -> [u8; 32] {
    purpose_of(env!("CARGO_PKG_VERSION"), PROTOCOL_VERSION, &parameters_digest(), parts)
}

pub(super) fn purpose_of(
    program: &str,
    protocol: u32,
    parameters: &[u8; 32],
    parts: &[&[u8; 32]],
) -> [u8; 32] {
    let mut hash = blake3::Hasher::new_derive_key("blindscan 2 what a stock is made for");
    for part in parts {
        hash.update(*part);
    }
    hash.update(parameters).update(&protocol.to_le_bytes()).update(program.as_bytes());
    *hash.finalize().as_bytes()
}
