//! The header of a stock: its name, what it was made for, in which suite, and at which seat.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};

use blindscan_wire::script::Seat;

use super::StockError;

const MAGIC: &[u8; 8] = b"BSSTOCK1";
pub(super) const VERSION: u32 = 3;
/// Bytes of a suite's name; a shorter one is followed by zeros.
pub(crate) const SUITE_BYTES: usize = 16;
pub(super) const HEADER_BYTES: usize = 8 + 4 + 16 + 32 + SUITE_BYTES + 1;

/// Names one stock at all parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StockId(pub [u8; 16]);

/// What a party's part of a stock was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Digest of all that must be the same when it is used: the public plan, and whatever else.
    pub made_for: [u8; 32],
    /// The suite's name, at most 16 bytes.
    pub suite: &'static str,
    /// Whose part it is.
    pub seat: Seat,
}

/// What stands at the head of a stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockHeader {
    /// Its name.
    pub id: StockId,
    /// What it was made for.
    pub purpose: Purpose,
}

impl StockHeader {
    pub(super) fn bytes(self) -> [u8; HEADER_BYTES] {
        let Self { id, purpose: Purpose { made_for, suite, seat } } = self;
        let mut name = [0; SUITE_BYTES];
        name[..suite.len()].copy_from_slice(suite.as_bytes());
        let parts: [&[u8]; 6] = [MAGIC, &VERSION.to_le_bytes(), &id.0, &made_for, &name, &[seat.0]];
        parts.concat().try_into().expect("the parts have the header's length")
    }

    /// The file behind its header, which must be this one.
    pub(super) fn read(self, file: File) -> Result<BufReader<File>, StockError> {
        let mut input = BufReader::with_capacity(1 << 20, file);
        let mut found = [0; HEADER_BYTES];
        let read = input.read_exact(&mut found[..MAGIC.len() + 4]);
        let (magic, version) = (&found[..MAGIC.len()], &found[MAGIC.len()..MAGIC.len() + 4]);
        let version = u32::from_le_bytes(version.try_into().expect("four bytes"));
        if read.is_ok() && magic == MAGIC && version != VERSION {
            return Err(StockError::Version { id: self.id, expected: VERSION, found: version });
        }
        let read = read.and_then(|()| input.read_exact(&mut found[MAGIC.len() + 4..]));
        if read.is_err() || found != self.bytes() {
            return Err(StockError::Foreign(self.id));
        }
        Ok(input)
    }
}

impl fmt::Display for StockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl StockId {
    /// The id that [`Display`](fmt::Display) writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(id))
    }
}
