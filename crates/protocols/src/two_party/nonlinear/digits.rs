//! Comparison of two digits of w bits, one held by each party: shares of (a > b, a = b) by one 1-of-2^w
//! transfer.
//!
//! | step | who | message | bits |
//! |---|---|---|---|
//! | 1 | model owner | d = b xor c, c the choice of its random transfer | w |
//! | 2 | image owner | for k = 1..2^w: pad_k xor order(a, k xor d) xor share | (2^w - 1) * p |
//!
//! p is 2, or 1 where equality is not needed. The image owner's share is pad_0 xor order(a, d): then the
//! masked order of index 0 is zero and need not travel. The model owner's share is message c xor pad_c =
//! order(a, b) xor share.
//!
//! Security: d is masked by the random choice; all messages but that of index c are masked by pads the model
//! owner does not have, and that one is masked by the image owner's share, which is uniform as pad_0 is
//! (c = 0: the model owner's share is pad_0 itself).
//! Source: Rathee et al., CrypTFlow2, CCS 2020, section 3.1; derandomised as in Beaver, CRYPTO '95.

use blindscan_arith::bits::Bits;

use super::message::{Reader, Writer};
use crate::ot::pads::{DigitPadsReceiver, DigitPadsSender};

/// Words of a plane that are worked on at a time: small enough for 2^4 pairs of planes to stay in the first
/// cache.
const BLOCK: usize = 32;

const BLOCK_BYTES: usize = BLOCK * 8;

type Block = [u64; BLOCK];

/// Shares of a digit's comparison, or of a range of digits'.
pub(super) struct Order {
    /// a > b.
    pub(super) greater: Bits,
    /// a = b, where someone asks.
    pub(super) equal: Option<Bits>,
}

/// What the model owner sends: its digit, masked.
pub(super) fn correct(digit: &[Bits], pads: &DigitPadsReceiver, out: &mut Writer) {
    for (bits, choice) in digit.iter().zip(&pads.choice) {
        out.plane(&bits.xor(choice));
    }
}

/// The image owner's answer, and its share.
pub(super) fn answer(
    digit: &[Bits],
    corrections: &[Bits],
    pads: &DigitPadsSender,
    out: &mut Writer,
) -> Order {
    let (messages, planes, n) = (pads.pads.len(), pads.pads[0].len(), digit[0].len());
    assert!(messages == 1 << digit.len() && corrections.len() == digit.len(), "pads fit the digit");
    let plane_bytes = Bits::byte_count(n);
    let room = out.room((messages - 1) * planes * plane_bytes);
    let mut shares = vec![vec![0u64; n.div_ceil(64)]; planes];
    let mut orders = [[[0; BLOCK]; 16]; 2];
    for start in (0..n.div_ceil(64)).step_by(BLOCK) {
        judge(digit, corrections, start, &mut orders);
        for plane in 0..planes {
            let mut share = load(&pads.pads[0][plane], start);
            xor_into(&mut share, &orders[plane][0]);
            for k in 1..messages {
                let mut message = load(&pads.pads[k][plane], start);
                xor_into(&mut message, &orders[plane][k]);
                xor_into(&mut message, &share);
                let at = ((k - 1) * planes + plane) * plane_bytes;
                store(&message, &mut room[at..at + plane_bytes], start);
            }
            store_words(&share, &mut shares[plane], start);
        }
    }
    order_of(shares, n)
}

/// The model owner's share, from the answer.
pub(super) fn accept(pads: &DigitPadsReceiver, from: &mut Reader) -> Order {
    let (messages, planes, n) = (1 << pads.choice.len(), pads.pad.len(), from.n());
    let plane_bytes = Bits::byte_count(n);
    let answer = from.take((messages - 1) * planes * plane_bytes);
    let mut shares = vec![vec![0u64; n.div_ceil(64)]; planes];
    let mut candidates = [[0; BLOCK]; 16];
    for start in (0..n.div_ceil(64)).step_by(BLOCK) {
        for plane in 0..planes {
            candidates[0] = [0; BLOCK];
            for k in 1..messages {
                let at = ((k - 1) * planes + plane) * plane_bytes;
                candidates[k] = load_bytes(&answer[at..at + plane_bytes], start);
            }
            let mut share = chosen(&mut candidates, &pads.choice, start);
            xor_into(&mut share, &load(&pads.pad[plane], start));
            store_words(&share, &mut shares[plane], start);
        }
    }
    order_of(shares, n)
}

/// Bytes of an answer for digits of `width` bits.
pub(super) fn answer_bytes(n: usize, width: u32, message_bits: u32) -> usize {
    ((1 << width) - 1) * message_bits as usize * Bits::byte_count(n)
}

/// Sets `[0][k]` to a > k xor d and `[1][k]` to a = k xor d. Bits past the end are zero.
///
/// Digit by digit from the least significant bit: where bit i of a and of k xor d differ, that is where a xor
/// d and k differ, bit i of a decides; else the bits below do.
fn judge(digit: &[Bits], corrections: &[Bits], start: usize, [greater, equal]: &mut [[Block; 16]; 2]) {
    greater[0] = [0; BLOCK];
    equal[0] = valid(digit[0].len(), start);
    for (i, (bits, correction)) in digit.iter().zip(corrections).enumerate() {
        let a = load(bits, start);
        let mut u = load(correction, start);
        xor_into(&mut u, &a);
        for k in 0..1usize << i {
            let with_one = k | 1 << i;
            for lane in 0..BLOCK {
                let (below, same) = (greater[k][lane], equal[k][lane]);
                let change = u[lane] & (a[lane] ^ below);
                greater[k][lane] = below ^ change;
                greater[with_one][lane] = a[lane] ^ change;
                equal[k][lane] = same & !u[lane];
                equal[with_one][lane] = same & u[lane];
            }
        }
    }
}

/// The candidate whose number the choice spells, by halving.
fn chosen(candidates: &mut [Block; 16], choice: &[Bits], start: usize) -> Block {
    for (i, bits) in choice.iter().enumerate() {
        let bit = load(bits, start);
        for k in 0..1usize << (choice.len() - 1 - i) {
            for lane in 0..BLOCK {
                let (zero, one) = (candidates[2 * k][lane], candidates[2 * k + 1][lane]);
                candidates[k][lane] = zero ^ bit[lane] & (zero ^ one);
            }
        }
    }
    candidates[0]
}

fn order_of(shares: Vec<Vec<u64>>, n: usize) -> Order {
    let mut planes = shares.into_iter().map(|words| Bits::from_words(words, n));
    let greater = planes.next().expect("a order has a first plane");
    Order { greater, equal: planes.next() }
}

/// Ones where there are elements.
fn valid(n: usize, start: usize) -> Block {
    std::array::from_fn(|lane| match n.saturating_sub((start + lane) * 64) {
        0 => 0,
        rest if rest < 64 => (1 << rest) - 1,
        _ => u64::MAX,
    })
}

/// Words of a plane from `start`, zeros past its end. Whole blocks are copied by a length that the compiler
/// knows.
fn load(plane: &Bits, start: usize) -> Block {
    let words = &plane.words()[start..];
    if let Some(full) = words.first_chunk() {
        return *full;
    }
    let mut block = [0; BLOCK];
    block[..words.len()].copy_from_slice(words);
    block
}

/// The same from a plane on the wire.
fn load_bytes(plane: &[u8], start: usize) -> Block {
    let bytes = &plane[start * 8..];
    let mut block = [0u64; BLOCK];
    let room: &mut [u8] = bytemuck::cast_slice_mut(&mut block);
    match bytes.first_chunk::<BLOCK_BYTES>() {
        Some(full) => room.copy_from_slice(full),
        None => room[..bytes.len()].copy_from_slice(bytes),
    }
    block
}

/// Puts words into a plane on the wire, as many as it has from `start`.
fn store(block: &Block, plane: &mut [u8], start: usize) {
    let bytes = &mut plane[start * 8..];
    let block: &[u8; BLOCK_BYTES] = bytemuck::cast_ref(block);
    match bytes.first_chunk_mut::<BLOCK_BYTES>() {
        Some(full) => *full = *block,
        None => bytes.copy_from_slice(&block[..bytes.len()]),
    }
}

/// Puts words into a plane, as many as it has from `start`.
fn store_words(block: &Block, plane: &mut [u64], start: usize) {
    let words = &mut plane[start..];
    match words.first_chunk_mut::<BLOCK>() {
        Some(full) => *full = *block,
        None => words.copy_from_slice(&block[..words.len()]),
    }
}

fn xor_into(block: &mut Block, other: &Block) {
    for (a, b) in block.iter_mut().zip(other) {
        *a ^= b;
    }
}
