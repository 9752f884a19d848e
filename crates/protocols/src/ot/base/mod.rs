//! 128 base transfers of random keys over ristretto255.
//!
//! | step | who      | message                                          | bytes |
//! |------|----------|--------------------------------------------------|-------|
//! | 1    | receiver | points `r_0`, `r_1` of each transfer             | 8192  |
//! | 2    | sender   | point `A = a * G` of each transfer, a fresh      | 4096  |
//!
//! The receiver with choice b draws `r_(1-b)` as a random point of unknown logarithm and sets
//! `r_b = t * G - H_b(r_(1-b))`. The key of message j is a hash of `a * (r_j + H_j(r_(1-j)))`, which for j = b the
//! receiver knows as `t * A`.
//!
//! Ideal: the sender gets keys (k_0, k_1), the receiver k_b, for each transfer; keys are random, as extension needs
//! ("endemic": a cheating party could fix its own keys, which extension allows).
//! Security: proved against cheating parties in the random-oracle model. The receiver speaks first, so that A is fresh
//! when both masks are already fixed. Every hash takes the session, the direction and the number of the transfer, and
//! every transfer has its own a: sharing one among a batch needs the care that McQuoid, Rosulek and Roy describe
//! ("Batching base oblivious transfers", ASIACRYPT 2021, ePrint 2021/682), and saves nothing that counts here.
//! Source: Masny and Rindal, "Endemic oblivious transfer", CCS 2019 (ePrint 2019/706), the two-round protocol from
//! Diffie-Hellman, for 1 of 2.

mod receiver;
mod sender;
#[cfg(test)]
mod tests;

pub use receiver::Receiver;
pub use sender::{Sender, SenderKeys};

use blindscan_arith::block::Block;
use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::traits::IsIdentity;

use super::Instance;
use crate::ProtocolError;

/// Transfers of one run: the bits of a block.
pub const TRANSFERS: usize = 128;

/// Bytes of the receiver's message.
pub const RECEIVER_BYTES: usize = TRANSFERS * 2 * POINT_BYTES;

/// Bytes of the sender's message.
pub const SENDER_BYTES: usize = TRANSFERS * POINT_BYTES;

const POINT_BYTES: usize = 32;

/// H_j of the front page, for one transfer of one instance.
fn mask(instance: &Instance, transfer: usize, message: u8, other: &CompressedRistretto) -> RistrettoPoint {
    let mut hash = instance.hasher("blindscan v1 base transfer, mask of a point");
    hash.update(&[transfer as u8, message]).update(other.as_bytes());
    let mut uniform = [0; 64];
    hash.finalize_xof().fill(&mut uniform);
    RistrettoPoint::from_uniform_bytes(&uniform)
}

/// The key of one message: a hash of the agreed point and of everything that was said about this transfer.
fn key(instance: &Instance, transfer: usize, message: u8, said: &Said, agreed: &RistrettoPoint) -> Block {
    let mut hash = instance.hasher("blindscan v1 base transfer, key");
    hash.update(&[transfer as u8, message]);
    for point in [&said.points[0], &said.points[1], &said.answer, &agreed.compress()] {
        hash.update(point.as_bytes());
    }
    let mut bytes = [0; 16];
    hash.finalize_xof().fill(&mut bytes);
    Block::from_le_bytes(bytes)
}

/// Both messages of one transfer, as they went over the wire.
struct Said {
    points: [CompressedRistretto; 2],
    answer: CompressedRistretto,
}

/// The points of a message: each must be the encoding of a group element other than the neutral one.
fn points_from(message: &[u8]) -> Result<Vec<(CompressedRistretto, RistrettoPoint)>, ProtocolError> {
    message.chunks_exact(POINT_BYTES).map(point_from).collect()
}

fn point_from(bytes: &[u8]) -> Result<(CompressedRistretto, RistrettoPoint), ProtocolError> {
    let encoded = CompressedRistretto::from_slice(bytes).expect("a point has 32 bytes");
    let point = encoded.decompress().filter(|point| !point.is_identity());
    Ok((encoded, point.ok_or(ProtocolError::Peer("32 bytes that are no point of a base transfer"))?))
}
