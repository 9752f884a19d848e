//! The LPN sets that may be used: data, behind the gate of this folder's tests.
//!
//! | t | k | h | n = t * 2^h | estimated bits, attacks to 2024 | of 2025 |
//! |---|---|---|---|---|---|
//! | 1170 | 2^17 | 11 | 2,396,160 | 132.5 | 128.2 |
//! | 1520 | 2^18 | 12 | 6,225,920 | 136.6 | 128.1 |
//! | 1900 | 2^19 | 13 | 15,564,800 | 140.7 | 128.2 |
//!
//! Primal LPN over two elements, regular noise: one position in each of t blocks. The estimates are those of the attacks in
//! Liu, Wang, Yang and Yu, "The hardness of LPN over any integer ring and field for PCG applications", EUROCRYPT 2024
//! (ePrint 2022/712), of the algebraic attack of Briaud and Oygarden, EUROCRYPT 2023 (ePrint 2023/176), of the information
//! set decoding for regular noise of Esser and Santini, CRYPTO 2024 (ePrint 2023/1568), and, in the last column, of the
//! hybrid attack of ePrint 2025/1284. The sets are the larger regular ones of emp-ot 1.0. Its smallest, (850, 2^16, 10), had
//! the least to spare, 128.6 bits by the older attacks, and is not here: what it would serve takes a few megabytes more by
//! SoftSpoken or by the first set. The sets of older programs, such as (1280, 452000, 10485760) with 125.3 bits, stay below
//! the floor; nor is any code here whose distance is only hoped for.

/// A primal LPN set with regular noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LpnSet {
    noise_blocks: usize,
    log_table: u32,
    depth: usize,
}

/// The sets, smallest first.
pub const SETS: [LpnSet; 3] =
    [LpnSet::new(1170, 17, 11), LpnSet::new(1520, 18, 12), LpnSet::new(1900, 19, 13)];

impl LpnSet {
    /// `noise_blocks` blocks of 2^depth samples over a secret of 2^log_table bits.
    pub(super) const fn new(noise_blocks: usize, log_table: u32, depth: usize) -> Self {
        Self { noise_blocks, log_table, depth }
    }

    /// t: noisy positions, one per tree.
    pub const fn t(self) -> usize {
        self.noise_blocks
    }

    /// k: bits of the secret.
    pub const fn k(self) -> usize {
        1 << self.log_table
    }

    /// n: samples of one iteration.
    pub const fn n(self) -> usize {
        self.noise_blocks << self.depth
    }

    /// h: levels of a tree.
    pub const fn depth(self) -> usize {
        self.depth
    }

    /// Leaves of a tree.
    pub const fn leaves(self) -> usize {
        1 << self.depth
    }

    /// Transfers that an iteration uses up: those of the secret, and one per level of each tree.
    pub const fn kept(self) -> usize {
        self.k() + self.noise_blocks * self.depth
    }

    /// Trees at the end of an iteration that make the next one's transfers.
    pub const fn kept_trees(self) -> usize {
        self.kept().div_ceil(self.leaves())
    }

    /// Trees of an iteration whose transfers are handed out.
    pub const fn free_trees(self) -> usize {
        self.noise_blocks - self.kept_trees()
    }

    /// Bytes that the sender sends for a tree.
    pub const fn tree_bytes(self) -> usize {
        (2 * self.depth + 1) * 16
    }
}
