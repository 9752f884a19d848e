//! Messages and stocks as bytes: planes and packed words one after another.
//!
//! A plane of n bits takes ceil(n / 8) bytes, n words of k bits take ceil(n * k / 8), in the form of
//! [`Module::pack`]. There are no headers: both ends know the shape.
//!
//! Words are written and read 32 at a time ([`Lanes`]), for 32 words of any width are whole bytes: steps need
//! no vectors in between.
//!
//! [`Module::pack`]: blindscan_arith::ring::Module::pack

use blindscan_arith::bits::Bits;
use blindscan_arith::erase::Erased;

/// Bytes of n words of `bits` bits each; none when there are no bits.
pub(super) fn packed_bytes(bits: u32, n: usize) -> usize {
    (n * bits as usize).div_ceil(8)
}

/// Words that are worked on at a time.
pub(super) const LANES: usize = 32;

/// Up to 32 words, zeros behind the last.
pub(super) type Lanes = [u32; LANES];

/// A message that grows.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty message with room for `bytes`.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// Appends a plane.
    pub(super) fn plane(&mut self, plane: &Bits) {
        let bytes: &[u8] = bytemuck::cast_slice(plane.words());
        self.bytes.extend_from_slice(&bytes[..Bits::byte_count(plane.len())]);
    }

    /// Appends words at `bits` bits each.
    pub(super) fn words(&mut self, bits: u32, words: &[u32]) {
        for chunk in words.chunks(LANES) {
            let mut lanes = [0; LANES];
            lanes[..chunk.len()].copy_from_slice(chunk);
            self.lanes(bits, &lanes, chunk.len());
        }
    }

    /// Appends the first `count` of 32 words. Only the last piece of a vector may have less than 32.
    pub(super) fn lanes(&mut self, bits: u32, lanes: &Lanes, count: usize) {
        self.bytes.extend_from_slice(&packed(bits, lanes)[..packed_bytes(bits, count)]);
    }

    /// Appends zeros and lends them to be filled.
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let start = self.bytes.len();
        self.bytes.resize(start + bytes, 0);
        &mut self.bytes[start..]
    }

    /// What was written.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A message of known length, read from its start.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    n: usize,
}

impl<'a> Reader<'a> {
    /// Reads vectors of `n` elements from `bytes`, whose length has been checked.
    pub(super) fn new(bytes: &'a [u8], n: usize) -> Self {
        Self { rest: bytes, n }
    }

    /// Elements of each vector.
    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// The next plane.
    pub(super) fn plane(&mut self) -> Bits {
        Bits::from_bytes(self.take(Bits::byte_count(self.n)), self.n)
    }

    /// The next `count` planes.
    pub(super) fn planes(&mut self, count: usize) -> Vec<Bits> {
        (0..count).map(|_| self.plane()).collect()
    }

    /// The next words of `bits` bits each.
    pub(super) fn words(&mut self, bits: u32) -> Erased<u32> {
        let mut words = Erased::zeros(self.n);
        for chunk in words.chunks_mut(LANES) {
            chunk.copy_from_slice(&self.lanes(bits, chunk.len())[..chunk.len()]);
        }
        words
    }

    /// The next `count` words, as [`Writer::lanes`] wrote them.
    pub(super) fn lanes(&mut self, bits: u32, count: usize) -> Lanes {
        unpacked(bits, self.take(packed_bytes(bits, count)))
    }

    /// The next bytes as they are.
    pub(super) fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (now, later) = self.rest.split_at(bytes);
        self.rest = later;
        now
    }
}

/// 32 words at `bits` bits each, one after another, least significant bit first.
fn packed(bits: u32, lanes: &Lanes) -> [u8; 4 * LANES] {
    let mask = u32::MAX >> (32 - bits);
    let mut bytes = [0; 4 * LANES];
    let (mut pending, mut filled, mut at) = (0u128, 0, 0);
    for pair in lanes.chunks_exact(2) {
        let both = u64::from(pair[0] & mask) | u64::from(pair[1] & mask) << bits;
        pending |= u128::from(both) << filled;
        filled += 2 * bits;
        if filled >= 64 {
            bytes[at..at + 8].copy_from_slice(&(pending as u64).to_le_bytes());
            pending >>= 64;
            filled -= 64;
            at += 8;
        }
    }
    // 32 words are an even number of half words of 32 bits: what is left is nothing, or 32 bits.
    if filled > 0 {
        bytes[at..at + 4].copy_from_slice(&(pending as u32).to_le_bytes());
    }
    bytes
}

/// The inverse of [`packed`]; what is behind the last byte is taken as zeros.
fn unpacked(bits: u32, bytes: &[u8]) -> Lanes {
    let mask = u32::MAX >> (32 - bits);
    let mut padded = [0; 4 * LANES + 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    std::array::from_fn(|i| {
        let at = i * bits as usize;
        let around = padded[at / 8..at / 8 + 8].try_into().expect("eight bytes");
        (u64::from_le_bytes(around) >> (at % 8)) as u32 & mask
    })
}

#[cfg(test)]
mod tests {
    use blindscan_arith::ring::{Module, Ring32};

    use super::*;

    #[test]
    fn words_have_the_packed_form_of_their_ring_and_come_back() {
        for bits in 1..=32 {
            let ring = Ring32::new(bits);
            for n in [0usize, 1, 2, 31, 32, 33, 64, 100] {
                let dirty: Vec<u32> =
                    (0..n as u32).map(|i| i.wrapping_mul(0x9e37_79b9) ^ 0xdead_beef).collect();
                let mut out = Writer::default();
                out.words(bits, &dirty);
                assert_eq!(out.bytes(), ring.pack(&dirty), "{n} words of {bits} bits");
                let clean: Vec<u32> = dirty.iter().map(|&word| ring.reduce(word)).collect();
                assert_eq!(*Reader::new(out.bytes(), n).words(bits), clean);
            }
        }
    }
}
