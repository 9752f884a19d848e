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
}
