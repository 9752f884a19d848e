//! Vectors over Z_2^k, k from 1 to 32: words are `u32` whose upper bits are zero after [`Ring::reduce`].

/// The ring of integers modulo 2^bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ring {
    bits: u32,
}

impl Ring {
    /// The ring modulo 2^bits.
    ///
    /// # Panics
    /// When `bits` is not in 1..=32: plans are checked before rings are made of them.
    pub const fn new(bits: u32) -> Self {
        assert!(bits >= 1 && bits <= 32, "a ring has 1 to 32 bits");
        Self { bits }
    }

    /// k of 2^k.
    pub const fn bits(self) -> u32 {
        self.bits
    }

    /// 2^k - 1.
    pub const fn mask(self) -> u32 {
        u32::MAX >> (32 - self.bits)
    }

    /// The representative in 0..2^k of any integer given modulo 2^32.
    pub const fn reduce(self, word: u32) -> u32 {
        word & self.mask()
    }

    /// The representative in 0..2^k of a signed integer.
    pub const fn from_signed(self, value: i64) -> u32 {
        value as u32 & self.mask()
    }

    /// The representative in -2^(k-1)..2^(k-1).
    pub const fn to_signed(self, word: u32) -> i64 {
        let shift = 32 - self.bits;
        ((word << shift) as i32 >> shift) as i64
    }

    /// Bytes that [`Ring::pack`] makes of `count` words.
    pub const fn packed_bytes(self, count: usize) -> usize {
        (count * self.bits as usize).div_ceil(8)
    }

    /// The words at the ring's own width, one after another, least significant bit first.
    pub fn pack(self, words: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.packed_bytes(words.len()) + 8);
        let (mut pending, mut filled) = (0u64, 0u32);
        for &word in words {
            pending |= u64::from(self.reduce(word)) << filled;
            filled += self.bits;
            if filled >= 32 {
                bytes.extend_from_slice(&(pending as u32).to_le_bytes());
                pending >>= 32;
                filled -= 32;
            }
        }
        bytes.extend_from_slice(&pending.to_le_bytes()[..filled.div_ceil(8) as usize]);
        bytes
    }

    /// The words of their packed form.
    ///
    /// # Panics
    /// When `bytes` is not [`Ring::packed_bytes`] long: the channel has already fixed it.
    pub fn unpack(self, bytes: &[u8], count: usize) -> Vec<u32> {
        assert_eq!(bytes.len(), self.packed_bytes(count), "packed words have one length");
        let (mut pending, mut filled) = (0u64, 0u32);
        let mut next = bytes.chunks(4);
        (0..count)
            .map(|_| {
                if filled < self.bits {
                    let chunk = next.next().expect("the length was checked");
                    let mut word = [0u8; 4];
                    word[..chunk.len()].copy_from_slice(chunk);
                    pending |= u64::from(u32::from_le_bytes(word)) << filled;
                    filled += 8 * chunk.len() as u32;
                }
                let word = self.reduce(pending as u32);
                pending >>= self.bits;
                filled -= self.bits;
                word
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_and_unpacking_return_the_same_words() {
        for bits in 1..=32 {
            let ring = Ring::new(bits);
            for count in [0usize, 1, 2, 7, 31, 32, 33, 100] {
                let words: Vec<u32> = (0..count as u32)
                    .map(|i| ring.reduce(i.wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995))
                    .collect();
                let packed = ring.pack(&words);
                assert_eq!(packed.len(), ring.packed_bytes(count));
                assert_eq!(ring.unpack(&packed, count), words, "{bits} bits, {count} words");
            }
        }
    }

    #[test]
    fn signed_values_survive_a_round_trip() {
        let ring = Ring::new(5);
        for value in -16..16 {
            assert_eq!(ring.to_signed(ring.from_signed(value)), value);
        }
    }
}
