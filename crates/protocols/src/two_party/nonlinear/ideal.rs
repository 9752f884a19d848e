//! The non-linear steps in the clear, on 64-bit integers: what the protocols must equal.

/// floor(max(x, 0) / 2^drop), or floor(x / 2^drop).
pub fn activation(x: i64, drop: u32, relu: bool) -> i64 {
    (if relu { x.max(0) } else { x }) >> drop
}

/// The larger.
pub fn maximum(a: i64, b: i64) -> i64 {
    a.max(b)
}

/// The largest.
///
/// # Panics
/// When there are no candidates.
pub fn tournament(candidates: &[i64]) -> i64 {
    *candidates.iter().max().expect("a tournament has candidates")
}

/// x >= 0.
pub fn sign(x: i64) -> bool {
    x >= 0
}

/// The index of the largest, of equals the lowest; for a single logit 1 when it is not negative.
pub fn label(logits: &[i64]) -> u8 {
    if let &[logit] = logits {
        return u8::from(logit >= 0);
    }
    let mut best = 0;
    for (index, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = index;
        }
    }
    best as u8
}

/// The carry of a + b into bit `bits`, that is: the low bits of a are greater than the low bits of not b.
pub fn carry(a: u32, b: u32, bits: u32) -> bool {
    let low = |word: u32| u64::from(word) & ((1 << bits) - 1);
    (low(a) + low(b)) >> bits == 1
}
