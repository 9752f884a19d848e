//! Integers one after another at their own width, least significant bit first.

/// Bytes of `count` integers of `bits` bits.
pub const fn packed_bytes(bits: u32, count: usize) -> usize {
    (count * bits as usize).div_ceil(8)
}

/// Appends integers of `bits` bits (at most 64), padded to a byte.
pub fn pack(bits: u32, values: &[u64], bytes: &mut Vec<u8>) {
    let (mut pending, mut filled) = (0u128, 0u32);
    for &value in values {
        debug_assert!(bits == 64 || value >> bits == 0, "a value has the width it is packed at");
        pending |= u128::from(value) << filled;
        filled += bits;
        if filled >= 64 {
            bytes.extend_from_slice(&(pending as u64).to_le_bytes());
            pending >>= 64;
            filled -= 64;
        }
    }
    bytes.extend_from_slice(&pending.to_le_bytes()[..filled.div_ceil(8) as usize]);
}

/// Fills `values` with integers of `bits` bits (at most 64).
///
/// # Panics
/// When `bytes` is not [`packed_bytes`] long: the caller has cut it.
pub fn unpack(bits: u32, bytes: &[u8], values: &mut [u64]) {
    assert_eq!(bytes.len(), packed_bytes(bits, values.len()), "packed integers have one length");
    let mask = u64::MAX >> (64 - bits);
    let (mut pending, mut filled) = (0u128, 0u32);
    let mut words = bytes.chunks(8);
    for value in values {
        if filled < bits {
            let chunk = words.next().expect("the length was checked");
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            pending |= u128::from(u64::from_le_bytes(word)) << filled;
            filled += 8 * chunk.len() as u32;
        }
        *value = pending as u64 & mask;
        pending >>= bits;
        filled -= bits;
    }
}

/// Appends integers of `width` bytes (at most 16), least significant byte first.
pub fn pack_wide(width: usize, values: impl ExactSizeIterator<Item = u128>, bytes: &mut Vec<u8>) {
    let mut at = bytes.len();
    // Every integer is written at full width, and the next one over its upper, zero bytes.
    bytes.resize(at + values.len() * width + 16, 0);
    for value in values {
        debug_assert!(width == 16 || value >> (8 * width) == 0, "a value has the width it is packed at");
        bytes[at..at + 16].copy_from_slice(&value.to_le_bytes());
        at += width;
    }
    bytes.truncate(at);
}

/// The integers of `width` bytes (at most 16), one after another.
pub fn unpack_wide(width: usize, bytes: &[u8]) -> impl Iterator<Item = u128> {
    bytes.chunks_exact(width).enumerate().map(move |(index, chunk)| {
        match bytes.get(index * width..).and_then(<[u8]>::first_chunk) {
            Some(word) => u128::from_le_bytes(*word) & (u128::MAX >> (128 - 8 * width)),
            None => chunk.iter().rev().fold(0, |value, &byte| value << 8 | u128::from(byte)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacking_returns_what_was_packed() {
        for bits in [1, 7, 8, 49, 50, 63, 64] {
            for count in [0usize, 1, 2, 31, 64, 65] {
                let mask = u64::MAX >> (64 - bits);
                let values: Vec<u64> =
                    (0..count as u64).map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask).collect();
                let mut bytes = Vec::new();
                pack(bits, &values, &mut bytes);
                assert_eq!(bytes.len(), packed_bytes(bits, count));
                let mut unpacked = vec![0; count];
                unpack(bits, &bytes, &mut unpacked);
                assert_eq!(unpacked, values, "{count} of {bits} bits");
            }
        }
    }

    #[test]
    fn wide_integers_survive_a_round_trip_behind_other_bytes() {
        for width in [1, 10, 11, 16] {
            for count in [0usize, 1, 2, 3, 50] {
                let mask = u128::MAX >> (128 - 8 * width);
                let values: Vec<u128> =
                    (0..count as u128).map(|i| (i + 1).wrapping_mul(u128::MAX / 977 * 5) & mask).collect();
                let mut bytes = vec![7];
                pack_wide(width, values.iter().copied(), &mut bytes);
                assert_eq!(bytes.len(), 1 + count * width);
                assert_eq!(bytes[0], 7);
                assert_eq!(unpack_wide(width, &bytes[1..]).collect::<Vec<_>>(), values);
            }
        }
    }
}
