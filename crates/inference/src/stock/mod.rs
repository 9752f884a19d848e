//! The stock: one-time material of one inference, made offline, consumed online, never used twice.
//!
//! A stock is a file of sections in the order in which the online phase reads them. While it is being made it has no
//! name (or ends in `.part`); when all parties are done it is called `<id>.stock`; taking it renames it to `<id>.spent`,
//! and the file is removed when the job ends. Sections are sealed under a key of the stock's own, which lies in another
//! folder and is erased once all parties have agreed on the job, **before** the first section is read. A crash at any
//! point therefore leaves a stock that is either whole and unused, or unusable, and a copy of a used stock cannot be
//! read. [`Stock`] is not `Clone` and is read once, forwards.
//!
//! | what happens | in the folder of stock | in the folder of keys |
//! |---|---|---|
//! | it is made | `<id>.part` | - |
//! | it is whole ([`StockWriter::store`]) | `<id>.part`, then `<id>.stock` | first `<id>.key` |
//! | it is taken ([`StockFolder::take`]) | `<id>.spent` | `<id>.key`, read |
//! | it is used ([`Taken::begin`]) | `<id>.spent` | erased |
//! | the job has ended, well or not | - | - |
//!
//! ```compile_fail,E0382
//! fn twice(stock: blindscan_inference::stock::Stock) -> (blindscan_inference::stock::Stock, blindscan_inference::stock::Stock) {
//!     (stock, stock)
//! }
//! ```
//!
//! | part | bytes |
//! |---|---|
//! | header: magic, version, id, what it was made for, suite, seat | 8 + 4 + 16 + 32 + 16 + 1 |
//! | section: sealed payload, tag | length + 16 |
//!
//! A section that was damaged, moved, taken from another stock or put under another header is refused: `seal`. A suite and a
//! seat are names in the header; nothing here knows what they mean.

mod folder;
mod header;
mod reader;
mod seal;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use folder::StockFolder;
pub(crate) use header::SUITE_BYTES;
pub use header::{Purpose, StockHeader, StockId};
pub use reader::{Stock, Taken};
pub use writer::StockWriter;

/// Why a stock could not be made or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StockError {
    /// The file system's own error: no room, no permission.
    #[error("stock {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such stock, or it has been used.
    #[error("stock {0} does not exist or has been used; each stock serves one image: prepare new ones")]
    Absent(StockId),
    /// There is no unused stock for this purpose in the folder.
    #[error("{0} holds no unused stock for this model and this server; run `blindscan prepare` first")]
    Empty(PathBuf),
    /// The file is a stock of another version of the program.
    #[error(
        "stock {id} has format {found}, and this program reads format {expected}: another version made it; prepare new ones"
    )]
    Version {
        /// The stock.
        id: StockId,
        /// The format that is read.
        expected: u32,
        /// The file's.
        found: u32,
    },
    /// The file is not a stock, or was made for another plan, suite or party.
    #[error("stock {0} was made for another model, peer, suite or party; prepare new ones")]
    Foreign(StockId),
    /// The stock has no key: it was used before and put back, or made with another folder of keys.
    #[error(
        "stock {id} has no key in {folder}, so it cannot be read: it has been used before, or it was made with other --keys; prepare new ones"
    )]
    NoKey {
        /// The stock.
        id: StockId,
        /// Where its key should be.
        folder: PathBuf,
    },
    /// The file is damaged.
    #[error("stock {id}: section {section} is damaged or cut short; this stock is lost, use another")]
    Damaged {
        /// The stock.
        id: StockId,
        /// Index of the section.
        section: u64,
    },
}
