//! A bit of the receiver times a word of the sender, in shares, by one random 1-of-2 transfer of words.
//!
//! | step | who | message | bits |
//! |---|---|---|---|
//! | 1 | receiver | d = bit xor choice | 1 |
//! | 2 | sender | pad_d + word - pad_(not d) | the words' |
//!
//! Ideal: `(bit, word) -> [bit * word mod 2^k]`. The sender's share is -pad_d; the receiver's is the pad of
//! its choice, plus the message when its bit is one. The upper bits of the shares mean nothing; who stores
//! them reduces them. Products come 32 at a time, and the caller adds them to what it has: no vectors in
//! between.
//!
//! Security: the bit is masked by the choice, the word by the pad that the receiver does not have.
//! Source: correlated transfer: Asharov et al., CCS 2013; derandomised as in Beaver, CRYPTO '95.

use blindscan_arith::bits::Bits;

use super::message::{LANES, Lanes, Reader, Writer};
use crate::ot::pads::{WordPadsReceiver, WordPadsSender};
use crate::share::Share;

/// The sender's message. `step` gets the sender's share of 32 products, and gives the 32 words.
pub(super) fn offer(
    pads: &WordPadsSender,
    corrections: &Bits,
    word_bits: u32,
    out: &mut Writer,
    mut step: impl FnMut(usize, &Lanes) -> Lanes,
) {
    let n = corrections.len();
    assert!(pads.zero.len() == n && pads.one.len() == n, "pads fit the vector");
    for block in 0..n.div_ceil(LANES) {
        let (zero, one) = (load(&pads.zero, block), load(&pads.one, block));
        let swaps = masks(corrections, block);
        let (mut share, mut message) = ([0; LANES], [0; LANES]);
        for i in 0..LANES {
            let swap = (zero[i] ^ one[i]) & swaps[i];
            share[i] = (zero[i] ^ swap).wrapping_neg();
            message[i] = (zero[i] ^ swap).wrapping_sub(one[i] ^ swap);
        }
        let words = step(block, &share);
        for i in 0..LANES {
            message[i] = message[i].wrapping_add(words[i]);
        }
        out.lanes(word_bits, &message, LANES.min(n - block * LANES));
    }
}

/// The receiver's side: `step` gets its share of 32 products of `bit` and the sender's words.
pub(super) fn accept(
    pads: &WordPadsReceiver,
    bit: &Bits,
    word_bits: u32,
    from: &mut Reader,
    mut step: impl FnMut(usize, &Lanes),
) {
    let n = bit.len();
    assert!(pads.pad.len() == n && from.n() == n, "pads fit the vector");
    for block in 0..n.div_ceil(LANES) {
        let mut share = load(&pads.pad, block);
        let message = from.lanes(word_bits, LANES.min(n - block * LANES));
        let chosen = masks(bit, block);
        for i in 0..LANES {
            share[i] = share[i].wrapping_add(message[i] & chosen[i]);
        }
        step(block, &share);
    }
}

/// 32 words of a vector, zeros past its end.
pub(super) fn load(words: &[u32], block: usize) -> Lanes {
    let words = &words[block * LANES..];
    if let Some(full) = words.first_chunk() {
        return *full;
    }
    let mut lanes = [0; LANES];
    lanes[..words.len()].copy_from_slice(words);
    lanes
}

/// Changes 32 words of a vector, or those that there are.
pub(super) fn update(words: &mut [u32], block: usize, change: impl Fn(usize, u32) -> u32) {
    let words = &mut words[block * LANES..];
    if let Some(full) = words.first_chunk_mut::<LANES>() {
        for i in 0..LANES {
            full[i] = change(i, full[i]);
        }
    } else {
        words.iter_mut().enumerate().for_each(|(i, word)| *word = change(i, *word));
    }
}

/// 32 bits of a plane as masks, all ones or zero. A comparison made into a number: that vectorises, without a variable
/// shift and without a branch.
pub(super) fn masks(bits: &Bits, block: usize) -> Lanes {
    let half = (bits.words()[block / 2] >> (32 * (block % 2))) as u32;
    std::array::from_fn(|i| u32::from(half & 1 << i != 0).wrapping_neg())
}

/// 32 bits of a plane as words.
pub(super) fn bit_lanes(bits: &Bits, block: usize) -> Lanes {
    masks(bits, block).map(|mask| mask & 1)
}

/// The bits as words.
pub(super) fn bit_words(bits: &Bits) -> Share {
    let mut share = Share::zeros(bits.len());
    for block in 0..share.len().div_ceil(LANES) {
        let bits = bit_lanes(bits, block);
        update(share.words_mut(), block, |i, _| bits[i]);
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_the_word_where_the_bit_is_one() {
        for n in [1usize, 31, 32, 33, 64, 100] {
            let word = |seed: u32| {
                (0..n as u32).map(|i| (i ^ seed).wrapping_mul(0x9e37_79b9) >> 3).collect::<Vec<_>>()
            };
            let bits =
                |seed: u32| Bits::from_bools(&word(seed).iter().map(|w| w >> 28 == 1).collect::<Vec<_>>());
            let (zero, one, words) = (word(1), word(2), word(3));
            let (choice, bit) = (bits(4), bits(5));
            let pad = (0..n).map(|i| if choice.get(i) { one[i] } else { zero[i] });
            let pad = pad.collect::<Vec<_>>().into();
            let (zero, one) = (zero.into(), one.into());
            let (mut sum, mut message) = (vec![0u32; n], Writer::default());
            offer(&WordPadsSender { zero, one }, &bit.xor(&choice), 29, &mut message, |block, share| {
                update(&mut sum, block, |i, sum| sum.wrapping_add(share[i]));
                load(&words, block)
            });
            let mut from = Reader::new(message.bytes(), n);
            accept(&WordPadsReceiver { choice, pad }, &bit, 29, &mut from, |block, share| {
                update(&mut sum, block, |i, sum| sum.wrapping_add(share[i]));
            });
            let product = |i: usize| if bit.get(i) { words[i] } else { 0 };
            assert!((0..n).all(|i| sum[i] & ((1 << 29) - 1) == product(i)));
        }
    }

    #[test]
    fn bits_become_words() {
        let bools: Vec<bool> = (0..70).map(|i| i % 3 == 0).collect();
        let expected: Vec<u32> = bools.iter().map(|&bit| u32::from(bit)).collect();
        assert_eq!(bit_words(&Bits::from_bools(&bools)).words(), expected);
    }
}
