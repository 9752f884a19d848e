//! Words of 1 to 64 bits one after another, least significant bit first, zero bits behind the last.

/// Bytes of `count` words of `bits` bits.
pub(super) const fn packed_bytes(bits: u32, count: usize) -> usize {
    (count * bits as usize).div_ceil(8)
}

/// The packed form of words below 2^bits.
#[inline]
pub(super) fn pack(bits: u32, words: impl ExactSizeIterator<Item = u64>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packed_bytes(bits, words.len()));
    let (mut pending, mut filled) = (0u128, 0u32);
    for word in words {
        pending |= u128::from(word) << filled;
        filled += bits;
        if filled >= 64 {
            bytes.extend_from_slice(&(pending as u64).to_le_bytes());
            pending >>= 64;
            filled -= 64;
        }
    }
    bytes.extend_from_slice(&pending.to_le_bytes()[..filled.div_ceil(8) as usize]);
    bytes
}

/// The words of their packed form.
///
/// # Panics
/// When the length is wrong.
#[inline]
pub(super) fn unpack(bits: u32, bytes: &[u8], count: usize) -> impl ExactSizeIterator<Item = u64> {
    assert_eq!(bytes.len(), packed_bytes(bits, count), "packed words have one length");
    let mask = u64::MAX >> (64 - bits);
    let (mut pending, mut filled) = (0u128, 0u32);
    let mut chunks = bytes.chunks(8);
    (0..count).map(move |_| {
        if filled < bits {
            let chunk = chunks.next().expect("the length was checked");
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // Behind the last byte there are zeros, and no word reaches them.
            pending |= u128::from(u64::from_le_bytes(word)) << filled;
            filled += 64;
        }
        let word = pending as u64 & mask;
        pending >>= bits;
        filled -= bits;
        word
    })
}
