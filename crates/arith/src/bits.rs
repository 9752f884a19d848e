//! Vectors of bits in 64-bit words, and words turned into bit planes and back.

use crate::erase::erase;

/// `len` bits, least significant bit of the first word first. Bits past the end are zero. Erased on drop: planes of shares
/// and of choices are bits.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// The first `len` bits of `words`; what lies past the end is cleared.
    ///
    /// # Panics
    /// When there are not exactly as many words as `len` bits need.
    pub fn from_words(words: Vec<u64>, len: usize) -> Self {
        assert_eq!(words.len(), len.div_ceil(64), "bits and words agree");
        let mut bits = Self { words, len };
        bits.clear_tail();
        bits
    }

    /// Bits from booleans.
    pub fn from_bools(bools: &[bool]) -> Self {
        let mut bits = Self::zeros(bools.len());
        for (i, &bit) in bools.iter().enumerate() {
            bits.words[i / 64] |= u64::from(bit) << (i % 64);
        }
        bits
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bit `i`.
    pub fn get(&self, i: usize) -> bool {
        assert!(i < self.len, "bit {i} of {}", self.len);
        self.words[i / 64] >> (i % 64) & 1 == 1
    }

    /// The words, the last one padded with zeros.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Bytes of the wire form of `len` bits.
    pub const fn byte_count(len: usize) -> usize {
        len.div_ceil(8)
    }

    /// The wire form: eight bits a byte, zero padding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = bytemuck::cast_slice(&self.words).to_vec();
        bytes.truncate(Self::byte_count(self.len));
        bytes
    }

    /// `len` bits from their wire form; padding bits are ignored.
    ///
    /// # Panics
    /// When the length is wrong: the channel has already fixed it.
    pub fn from_bytes(bytes: &[u8], len: usize) -> Self {
        assert_eq!(bytes.len(), Self::byte_count(len), "bits have one length in bytes");
        let mut words = vec![0u64; len.div_ceil(64)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self::from_words(words, len)
    }

    /// Bitwise exclusive or, in place.
    pub fn xor_assign(&mut self, other: &Self) {
        assert_eq!(self.len, other.len, "bit vectors of one length");
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a ^= b;
        }
    }

    /// Bitwise exclusive or.
    pub fn xor(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.xor_assign(other);
        sum
    }

    /// Bitwise and.
    pub fn and(&self, other: &Self) -> Self {
        assert_eq!(self.len, other.len, "bit vectors of one length");
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a & b).collect(), len: self.len }
    }

    /// Bitwise or.
    pub fn or(&self, other: &Self) -> Self {
        assert_eq!(self.len, other.len, "bit vectors of one length");
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a | b).collect(), len: self.len }
    }

    /// Every bit turned.
    pub fn not(&self) -> Self {
        Self::from_words(self.words.iter().map(|w| !w).collect(), self.len)
    }

    fn clear_tail(&mut self) {
        if !self.len.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}

impl Drop for Bits {
    #[inline]
    fn drop(&mut self) {
        erase(&mut self.words);
    }
}

impl std::fmt::Debug for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bits({} bits)", self.len)
    }
}

/// Planes `first..first + count` of the words: plane j holds bit `first + j` of every word.
///
/// # Panics
/// When a plane past bit 31 is asked for.
pub fn planes(words: &[u32], first: u32, count: u32) -> Vec<Bits> {
    assert!(first + count <= 32, "words have 32 bits");
    let mut planes = vec![vec![0u64; words.len().div_ceil(64)]; count as usize];
    for (index, chunk) in words.chunks(64).enumerate() {
        let mut squares = [0u64; 32];
        let (left, right) = chunk.split_at(chunk.len().min(32));
        for (row, &word) in squares.iter_mut().zip(left) {
            *row = u64::from(word);
        }
        for (row, &word) in squares.iter_mut().zip(right) {
            *row |= u64::from(word) << 32;
        }
        transpose_pair(&mut squares);
        for (plane, &row) in planes.iter_mut().zip(&squares[first as usize..]) {
            plane[index] = row;
        }
    }
    planes.into_iter().map(|p| Bits::from_words(p, words.len())).collect()
}

/// Words whose bit j is plane j; the inverse of [`planes`] from bit 0.
pub fn words_of_planes(planes: &[Bits], len: usize) -> Vec<u32> {
    assert!(planes.len() <= 32 && planes.iter().all(|p| p.len() == len), "at most 32 planes of one length");
    let mut words = vec![0u32; len];
    for (index, chunk) in words.chunks_mut(64).enumerate() {
        let mut squares = [0u64; 32];
        for (row, plane) in squares.iter_mut().zip(planes) {
            *row = plane.words[index];
        }
        transpose_pair(&mut squares);
        let (left, right) = chunk.split_at_mut(chunk.len().min(32));
        left.iter_mut().zip(&squares).for_each(|(word, row)| *word = *row as u32);
        right.iter_mut().zip(&squares).for_each(|(word, row)| *word = (*row >> 32) as u32);
    }
    words
}

/// Transposes two squares of 32 rows of 32 bits, side by side in the halves of the words: bit j of row i becomes bit i of row j
/// (Hacker's Delight, 7-3, in five passes). Word k of 64 words in the left and right halves thus becomes bit k of the rows.
fn transpose_pair(rows: &mut [u64; 32]) {
    pass::<16>(rows, 0x0000_ffff_0000_ffff);
    pass::<8>(rows, 0x00ff_00ff_00ff_00ff);
    pass::<4>(rows, 0x0f0f_0f0f_0f0f_0f0f);
    pass::<2>(rows, 0x3333_3333_3333_3333);
    pass::<1>(rows, 0x5555_5555_5555_5555);
}

/// Exchanges the off-diagonal blocks of WIDTH bits in every square of twice that.
#[inline(always)]
fn pass<const WIDTH: usize>(rows: &mut [u64; 32], mask: u64) {
    for group in rows.chunks_exact_mut(2 * WIDTH) {
        let (low, high) = group.split_at_mut(WIDTH);
        for (low, high) in low.iter_mut().zip(high) {
            let swap = (*low >> WIDTH ^ *high) & mask;
            *low ^= swap << WIDTH;
            *high ^= swap;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(len: usize) -> Vec<u32> {
        (0..len as u32).map(|i| i.wrapping_mul(0x9e37_79b9).rotate_left(i % 31)).collect()
    }

    #[test]
    fn plane_j_is_bit_j_of_every_word() {
        for len in [1usize, 31, 32, 33, 64, 65, 200] {
            let words = words(len);
            for (j, plane) in planes(&words, 3, 20).iter().enumerate() {
                for (i, &word) in words.iter().enumerate() {
                    assert_eq!(plane.get(i), word >> (3 + j) & 1 == 1);
                }
            }
        }
    }

    #[test]
    fn planes_and_words_are_inverse() {
        for len in [0usize, 1, 63, 64, 65, 129] {
            let words = words(len);
            assert_eq!(words_of_planes(&planes(&words, 0, 32), len), words);
        }
    }

    #[test]
    fn the_wire_form_has_no_room_for_hidden_bits() {
        let bits = Bits::from_bytes(&[0xff, 0xff], 10);
        assert_eq!(bits.to_bytes(), [0xff, 0x03]);
        assert_eq!(bits.not(), Bits::zeros(10));
    }
}
