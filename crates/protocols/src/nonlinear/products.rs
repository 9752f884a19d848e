//! A bit of the receiver times a word of the sender, in shares, by one random 1-of-2 transfer of words.
//!
//! | step | who | message | bits |
//! |---|---|---|---|
//! | 1 | receiver | d = bit xor choice | 1 |
//! | 2 | sender | pad_d + word - pad_(not d) | the words' |
//!
//! Ideal: `(bit, word) -> [bit * word mod 2^k]`. The sender's share is -pad_d; the receiver's is the pad of its choice, plus the message when
//! its bit is one. The upper bits of the shares mean nothing; who stores them reduces them.
//! Security: the bit is masked by the choice, the word by the pad that the receiver does not have.
//! Source: correlated transfer, Asharov et al., CCS 2013, section 5.1, derandomised as in Beaver, CRYPTO '95.

use blindscan_arith::bits::Bits;

use crate::ot::pads::{WordPadsReceiver, WordPadsSender};

/// Elements that share one half of a plane's word.
const LANES: usize = 32;

/// The sender's message, and its share.
pub(super) fn offer(pads: &WordPadsSender, corrections: &Bits, words: &[u32]) -> (Vec<u32>, Vec<u32>) {
    assert!(pads.zero.len() == words.len() && corrections.len() == words.len(), "pads fit the vector");
    let (mut message, mut share) = (vec![0u32; words.len()], vec![0u32; words.len()]);
    let pieces = message
        .chunks_mut(LANES)
        .zip(share.chunks_mut(LANES))
        .zip(pads.zero.chunks(LANES).zip(pads.one.chunks(LANES)))
        .zip(words.chunks(LANES).zip(masks(corrections)));
    for (((message, share), (zero, one)), (words, masks)) in pieces {
        for i in 0..message.len() {
            let swap = (zero[i] ^ one[i]) & masks[i];
            message[i] = (zero[i] ^ swap).wrapping_add(words[i]).wrapping_sub(one[i] ^ swap);
            share[i] = (zero[i] ^ swap).wrapping_neg();
        }
    }
    (message, share)
}

/// The receiver's share: `bit` is what the sender's words are multiplied with.
pub(super) fn accept(pads: &WordPadsReceiver, bit: &Bits, message: &[u32]) -> Vec<u32> {
    assert!(pads.pad.len() == message.len() && bit.len() == message.len(), "pads fit the vector");
    let mut share = pads.pad.clone();
    let pieces = share.chunks_mut(LANES).zip(message.chunks(LANES)).zip(masks(bit));
    for ((share, message), masks) in pieces {
        for i in 0..share.len() {
            share[i] = share[i].wrapping_add(message[i] & masks[i]);
        }
    }
    share
}

/// The words where the bit is one, zero elsewhere.
pub(super) fn masked(words: &[u32], bits: &Bits) -> Vec<u32> {
    map(words, bits, |word, mask| word & mask)
}

/// The words where the bit is zero, their negatives where it is one.
pub(super) fn negated(words: &[u32], bits: &Bits) -> Vec<u32> {
    map(words, bits, |word, mask| (word ^ mask).wrapping_sub(mask))
}

/// Adds the bit times 2^shift to the words.
pub(super) fn add_bit(words: &mut [u32], bits: &Bits, shift: u32) {
    assert_eq!(words.len(), bits.len(), "one bit a word");
    for (words, masks) in words.chunks_mut(LANES).zip(masks(bits)) {
        for i in 0..words.len() {
            words[i] = words[i].wrapping_add(masks[i] & 1 << shift);
        }
    }
}

/// Subtracts the bit times 2^shift from the words.
pub(super) fn subtract_bit(words: &mut [u32], bits: &Bits, shift: u32) {
    assert_eq!(words.len(), bits.len(), "one bit a word");
    for (words, masks) in words.chunks_mut(LANES).zip(masks(bits)) {
        for i in 0..words.len() {
            words[i] = words[i].wrapping_sub(masks[i] & 1 << shift);
        }
    }
}

/// The bits as words.
pub(super) fn bit_words(bits: &Bits) -> Vec<u32> {
    let mut words = vec![0; bits.len()];
    add_bit(&mut words, bits, 0);
    words
}

fn map(words: &[u32], bits: &Bits, f: impl Fn(u32, u32) -> u32) -> Vec<u32> {
    assert_eq!(words.len(), bits.len(), "one bit a word");
    let mut out = words.to_vec();
    for (words, masks) in out.chunks_mut(LANES).zip(masks(bits)) {
        for i in 0..words.len() {
            words[i] = f(words[i], masks[i]);
        }
    }
    out
}

/// The plane as masks, all ones or zero, 32 at a time. Test and compare: that vectorises without variable shifts.
fn masks(bits: &Bits) -> impl Iterator<Item = [u32; LANES]> {
    let halves = bits.words().iter().flat_map(|&word| [word as u32, (word >> 32) as u32]);
    halves.map(|half| std::array::from_fn(|i| if half & 1 << i == 0 { 0 } else { u32::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_the_word_where_the_bit_is_one() {
        for n in [1usize, 31, 32, 33, 64, 100] {
            let word =
                |seed: u32| (0..n as u32).map(|i| (i ^ seed).wrapping_mul(0x9e37_79b9)).collect::<Vec<_>>();
            let bits =
                |seed: u32| Bits::from_bools(&word(seed).iter().map(|w| w >> 31 == 1).collect::<Vec<_>>());
            let (zero, one, words) = (word(1), word(2), word(3));
            let (choice, bit) = (bits(4), bits(5));
            let pad = (0..n).map(|i| if choice.get(i) { one[i] } else { zero[i] }).collect();
            let (message, share) = offer(&WordPadsSender { zero, one }, &bit.xor(&choice), &words);
            let other = accept(&WordPadsReceiver { choice, pad }, &bit, &message);
            for i in 0..n {
                assert_eq!(share[i].wrapping_add(other[i]), if bit.get(i) { words[i] } else { 0 });
            }
        }
    }

    #[test]
    fn bits_act_on_words_as_the_names_say() {
        let bits = Bits::from_bools(&[true, false, true]);
        assert_eq!(masked(&[7, 8, 9], &bits), [7, 0, 9]);
        assert_eq!(negated(&[7, 8, 0], &bits), [7u32.wrapping_neg(), 8, 0]);
        assert_eq!(bit_words(&bits), [1, 0, 1]);
        let mut words = [1, 2, 3];
        add_bit(&mut words, &bits, 4);
        assert_eq!(words, [17, 2, 19]);
        subtract_bit(&mut words, &bits, 4);
        assert_eq!(words, [1, 2, 3]);
    }
}
