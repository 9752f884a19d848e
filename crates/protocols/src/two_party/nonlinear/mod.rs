//! Exact non-linear steps on additive shares modulo 2^l, by oblivious transfer.
//!
//! The image owner holds x0, the model owner x1, and x = x0 + x1 mod 2^l, read as a signed number.
//!
//! | file | ideal | turns online |
//! |---|---|---|
//! | [`Activation`] | floor(max(x, 0) / 2^f), or floor(x / 2^f), into Z_2^m | depth + 3, or depth + 2 |
//! | [`Sign`] | the bit x >= 0, as shares of bits | depth + 1 |
//! | [`Maximum`], [`Tournament`] | the larger of two, the largest of k | depth + 3 per round |
//! | [`Label`] | the index of the largest of k, to the image owner alone | depth + 1, + 2 per round of more than two classes |
//! | `comparison` | a > b for a and b known to one party each: what all of the above are made of | depth + 1 |
//! | [`ideal`] | all of these in the clear, on 64-bit integers | |
//!
//! Depth is that of the tree of ANDs: 4 for l = 26, f = 9 and digits of 3 bits. Every step works on a vector;
//! the caller cuts long ones. An element takes some 24 bytes in the longest message; 2^14 to 2^16 elements a
//! call stay within what an allocator keeps mapped, larger calls pay for fresh pages and save turns. What
//! travels is fixed by the public numbers (widths and n) alone.
//!
//! Each protocol is a small `Copy` struct of public numbers with the same five questions: `demand(n)` (what
//! the pads cost), `offline` (pads into a stock), `stock_bytes` and `stock_from_bytes` (the stock as a file),
//! `script(n)` (the messages of `online`), `online` (uses the stock up). Pads are asked for in one fixed order, so that both ends stay
//! in step.
//!
//! Security: semi-honest, given random transfers ([`crate::ot`]). Everything that is opened is masked by a
//! pad or a choice that is used once.
//!
//! Sources: comparison by digits with 1-of-2^w transfer and AND-trees: Rathee et al., CrypTFlow2, CCS 2020,
//! section 3; ReLU and truncation by the wrap bit: the same, section 4, and Huang et al., Cheetah, USENIX
//! Security 2022, section 4; derandomised transfer: Beaver, CRYPTO '95; triples from two random transfers:
//! Asharov et al., CCS 2013.

mod activation;
mod ands;
mod comparison;
mod digits;
pub mod ideal;
mod label;
mod maximum;
mod message;
mod pads;
mod products;
mod select;
mod sign;
mod supply;
#[cfg(test)]
mod tests;

pub use activation::{Activation, ActivationStock};
pub use label::{Label, LabelStock};
pub use maximum::{Maximum, Tournament, TournamentStock};
pub use sign::{Sign, SignStock};
pub use supply::{PadDemand, PadEnds, STEP, ShapeError, StockLengthError};
