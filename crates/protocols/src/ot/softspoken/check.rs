//! The checks of both messages of an extension: what the receiver adds to them, and what the sender compares.
//!
//! *Trees.* A leaf of a seed tree is hashed once more, to a seed, which makes the stream, and to a tag of 256 bits. For each
//! group the receiver tells the sum of all tags, and for all groups together a digest of all tags. The sender knows every tag but
//! one, completes that one by the sum, and compares the digest: leaves that are not what the digest was made of are seen,
//! whichever leaf is missing. Source: Roy (see [`super`]), the check of punctured functions; the form is that of Boyle and
//! others, "Efficient two-round OT extension and silent non-interactive secure computation", CCS 2019.
//!
//! *Differences.* With c_g the choices that group g implies, the sender's row j is `Q_j = V_j + Delta_j * c_g`. Both ends
//! take the same universal hash R of all rows, sums of products in [`blindscan_arith::gf128`] with random coefficients; the receiver tells
//! `R(c)` and the 128 `R(V_j)`, and the sender compares `R(Q_j) = R(V_j) + Delta_j * R(c)`. Groups with c_g other than c
//! pass only if their bits of Delta were guessed. The first 128 transfers are sacrificed: their coefficient is one, so that
//! they mask `R(c)`, from which, with what the sender knows, all the rest follows.
//!
//! The coefficients of a chunk are a hash of all messages up to and with that chunk (Fiat and Shamir), so that nobody waits
//! and neither end chooses them; the sacrificed transfers are in the first message. To have two different c_g with one
//! hash takes some 2^119 calls of the hash function.

use blindscan_arith::block::Block;
use blindscan_arith::gf128::Sum;
use blindscan_arith::prg::Prg;
use blindscan_arith::transpose::BitRows;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::CHUNK;
use super::tree::Seeds;
use crate::ot::Instance;

/// Bytes of the receiver's claim: `R(c)` and all `R(V_j)`.
pub(in crate::ot) const CLAIM_BYTES: usize = (1 + 128) * 16;

/// Bytes that the check of the trees adds to their message.
pub(super) const fn tree_check_bytes(groups: usize) -> usize {
    (groups + 1) * 32
}

/// Two blocks that stand for a leaf.
type Tag = [Block; 2];

/// Seeds and tags of the leaves of a group.
pub(super) fn seeds_and_tags(
    instance: &Instance,
    group: usize,
    leaves: &[Block],
) -> (Seeds, Zeroizing<Vec<Tag>>) {
    let mut hasher = instance.hasher("blindscan v1 leaves of seed trees, seed and tag");
    hasher.update(&(group as u32).to_le_bytes());
    let (mut seeds, mut tags) = (Zeroizing::new(Vec::new()), Zeroizing::new(Vec::new()));
    for leaf in leaves {
        let mut made = Zeroizing::new([0; 48]);
        hasher.clone().update(&leaf.to_le_bytes()).finalize_xof().fill(&mut *made);
        let block = |at: usize| Block::from_le_bytes(made[at..at + 16].try_into().expect("sixteen bytes"));
        seeds.push(block(0));
        tags.push([block(16), block(32)]);
    }
    (seeds, tags)
}

/// The sum of a group's tags.
pub(super) fn sum_of(tags: &[Tag]) -> Tag {
    tags.iter().fold([0; 2], |sum, tag| [sum[0] ^ tag[0], sum[1] ^ tag[1]])
}

/// The digest of the tags of all groups, in the order of leaves.
pub(super) struct TagDigest(blake3::Hasher);

impl TagDigest {
    pub(super) fn new(instance: &Instance) -> Self {
        Self(instance.hasher("blindscan v1 leaves of seed trees, digest of tags"))
    }

    /// Enters the next group.
    pub(super) fn group(&mut self, tags: &[Tag]) {
        for block in tags.iter().flatten() {
            self.0.update(&block.to_le_bytes());
        }
    }

    pub(super) fn finish(self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// Moves item y of a power of two of items to place `y xor shift`, touching all items alike, for `shift` is secret.
pub(super) fn shift_places(tags: &mut [Tag], shift: u32) {
    for bit in 0..tags.len().ilog2() {
        let (turn, apart) = (Block::from(shift >> bit & 1).wrapping_neg(), 1 << bit);
        for low in (0..tags.len()).filter(|place| place & apart == 0) {
            for half in 0..2 {
                let swap = (tags[low][half] ^ tags[low | apart][half]) & turn;
                tags[low][half] ^= swap;
                tags[low | apart][half] ^= swap;
            }
        }
    }
}

/// One end's hash of all rows so far, and of all messages.
pub(super) struct RowHash {
    binding: [u8; 32],
    transcript: [u8; 32],
    hasher: blake3::Hasher,
    /// What is hashed for a chunk: the state, and its differences, filled up to what the hash function takes at once.
    room: Vec<u8>,
    coefficients: Vec<Block>,
    choices: Sum,
    rows: Vec<Sum>,
}

impl RowHash {
    /// Before the first message.
    pub(super) fn new(instance: &Instance) -> Self {
        Self {
            binding: [0; 32],
            transcript: [0; 32],
            hasher: instance.hasher("blindscan v1 extension, coefficients of the check"),
            room: Vec::new(),
            coefficients: vec![1],
            choices: Sum::new(),
            rows: vec![Sum::new(); 128],
        }
    }

    /// Enters the first message, which ends with the differences of the sacrificed transfers.
    pub(super) fn begin(&mut self, first_message: &[u8]) {
        let mut hasher = self.hasher.clone();
        self.binding = *hasher.update(b"first").update(first_message).finalize().as_bytes();
        self.transcript = self.binding;
    }

    /// The hash of the first message, and with it of everything that the receiver's keys are made of.
    pub(super) fn binding(&self) -> [u8; 32] {
        self.binding
    }

    /// Enters a chunk's differences: its coefficients are now fixed.
    pub(super) fn enter(&mut self, differences: &[u8]) {
        // A power of two of kilobytes keeps all lanes of the hash function at work.
        const FULL: usize = CHUNK / 8 * 32;
        let whole = 32 + differences.len();
        self.room.clear();
        self.room.extend(self.transcript);
        self.room.extend(differences);
        self.room.resize(if whole > FULL / 2 { FULL.max(whole) } else { whole }, 0);
        let mut out = [0; 48];
        self.hasher.clone().update(&self.room).finalize_xof().fill(&mut out);
        let (transcript, seed) = out.split_at(32);
        self.transcript.copy_from_slice(transcript);
        let mut stream = Prg::new(Block::from_le_bytes(seed.try_into().expect("sixteen bytes")));
        self.coefficients.resize(CHUNK / 128, 0);
        stream.fill(bytemuck::cast_slice_mut(&mut self.coefficients));
    }

    /// Adds the receiver's choices of a chunk.
    pub(super) fn add_choices(&mut self, words: &[u64]) {
        self.choices.add(&self.coefficients[..words.len() / 2], words);
    }

    /// Adds the first `words` words of all rows of a chunk.
    pub(super) fn add_rows(&mut self, rows: &BitRows, words: usize) {
        let coefficients = &self.coefficients[..words / 2];
        for (row, sum) in self.rows.iter_mut().enumerate() {
            sum.add(coefficients, &rows.row(row)[..words]);
        }
    }

    /// What the receiver tells.
    pub(super) fn claim(&self) -> Vec<u8> {
        std::iter::once(&self.choices).chain(&self.rows).flat_map(|sum| sum.value().to_le_bytes()).collect()
    }

    /// Whether the receiver's claim fits the sender's rows. Compares everything, whatever it finds.
    pub(super) fn fits(&self, delta: Block, claim: &[u8]) -> bool {
        assert_eq!(claim.len(), CLAIM_BYTES, "the channel has fixed the claim's length");
        let mut blocks =
            claim.chunks_exact(16).map(|bytes| Block::from_le_bytes(bytes.try_into().expect("sixteen")));
        let choices = blocks.next().expect("a claim begins with the choices");
        let unlike = self.rows.iter().zip(blocks).enumerate().fold(0, |unlike, (row, (mine, theirs))| {
            unlike | mine.value() ^ theirs ^ choices & (delta >> row & 1).wrapping_neg()
        });
        unlike.ct_eq(&0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifting_moves_every_item_to_its_place() {
        let items: Vec<Tag> = (0..16).map(|i| [i, 100 + i]).collect();
        for shift in 0..16 {
            let mut moved = items.clone();
            shift_places(&mut moved, shift);
            for (place, item) in items.iter().enumerate() {
                assert_eq!(moved[place ^ shift as usize], *item);
            }
        }
    }
}
