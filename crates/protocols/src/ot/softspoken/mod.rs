//! SoftSpoken: correlated transfers from 128 base transfers.
//!
//! | step | who      | message                                               | bytes              |
//! |------|----------|-------------------------------------------------------|--------------------|
//! | 1    | receiver | per tree and level: both node sums, under base keys   | 4096               |
//! |      |          | per tree: the sum of its tags; a digest of all tags   | (128/k + 1) * 32   |
//! |      |          | differences of 128 transfers that are sacrificed      | (128/k - 1) * 16   |
//! | 2    | receiver | per batch of n: differences of the groups' bits       | (128/k - 1) * n/8  |
//! | 3    | receiver | a hash of the choices and of every row of keys        | 2064               |
//!
//! Steps 1 and 3 are done once, step 2 for every batch of at most [`BATCH`] transfers, chunk by chunk within it. The
//! receiver here was the *sender* of the base transfers, and the sender here chose among their keys. Steps 1 and 3 end
//! with checks (`check.rs`); no key may be used before the second has passed.
//!
//! The receiver grows 128/k trees of depth k (`tree.rs`); the sender learns every leaf but number a of each, where a is
//! k bits of Delta. Leaves are seeds of streams `r_x`. With `u = sum of r_x` and `v = sum of x * r_x` over the field of
//! 2^k elements at the receiver, the sender's `w = sum of (x - a) * r_x` is `v - a * u`: a correlation of all bits with a.
//! All groups must use the same bits, so the receiver takes those of group 0 for its choices and sends `u_g - u_0` for
//! the others (the repetition code). The 128 rows of bits that result are transposed: column i is the key of transfer i.
//!
//! Ideal: as in [`super`]. Cost: [`script`]; no turn of waiting. Work: 2^k / k AES blocks a
//! transfer, so k trades work for bytes. Security: against a sender that does anything, and, with the checks, against a
//! receiver that does anything: it may guess bits of Delta, k of them for a group, and a wrong guess ends the dialogue. It
//! assumes a pseudorandom generator and a random oracle. With the type `SemiHonest` of tests nothing is compared.
//! Source: Roy, "SoftSpokenOT: quieter OT extension from small-field silent VOLE in the Minicrypt model", CRYPTO 2022
//! (ePrint 2022/192), section 3: small-field VOLE (3.1) and subspace VOLE with the repetition code (3.2); section 4: the
//! consistency check. Ours differs in taking its challenge from a hash of the messages.

mod check;
mod receiver;
mod sender;
mod tree;

#[cfg(test)]
pub(in crate::ot) mod tests;

pub(in crate::ot) use check::CLAIM_BYTES;
pub use receiver::SoftSpokenReceiver;
pub use sender::SoftSpokenSender;

use blindscan_wire::script::Script;

use super::{COT_MULTIPLE, Ends};

/// Most transfers that one message serves.
pub const BATCH: usize = 1 << 16;

/// Bytes of the node sums of step 1.
const TREE_BYTES: usize = 128 * 2 * 16;

/// Transfers that mask the claim of step 3.
const SACRIFICED: usize = COT_MULTIPLE;

/// Transfers that are worked on at once, so that all stays in the caches.
const CHUNK: usize = blindscan_arith::transpose::COLUMNS_MAX;

/// The field whose elements number the leaves of a tree: 2^k elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmallField {
    /// k = 1: 127 bits per transfer, least work.
    Bits1 = 1,
    /// k = 2: 63 bits per transfer.
    Bits2 = 2,
    /// k = 4: 31 bits per transfer.
    #[default]
    Bits4 = 4,
    /// k = 8: 15 bits per transfer, most work.
    Bits8 = 8,
}

impl SmallField {
    /// k.
    pub const fn bits(self) -> usize {
        self as usize
    }

    /// Groups of k bits that Delta has.
    pub const fn groups(self) -> usize {
        128 / self.bits()
    }

    /// Bytes of the message of step 1.
    pub const fn first_bytes(self) -> usize {
        TREE_BYTES + check::tree_check_bytes(self.groups()) + self.batch_bytes(SACRIFICED)
    }

    /// Bytes of the message for a batch of `count` transfers.
    const fn batch_bytes(self, count: usize) -> usize {
        (self.groups() - 1) * (count / 8)
    }
}

/// Step 2 for `count` transfers made in one request.
pub fn script(ends: Ends, count: usize, field: SmallField) -> Script {
    let made = count.next_multiple_of(COT_MULTIPLE);
    let mut script = Script::default();
    script.repeat(made / BATCH, ends.receiver_sends(field.batch_bytes(BATCH)));
    script.message(ends.receiver_sends(field.batch_bytes(made % BATCH)));
    script
}
