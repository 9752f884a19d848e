//! What is dropped is erased: nothing of a share, of pads or of bits is in memory that was given back.

use blindscan_arith::bits::Bits;
use blindscan_arith::erase::Erased;
use blindscan_arith::freed::Freed;
use blindscan_arith::prg::Prg;
use blindscan_arith::ring::Ring32;
use blindscan_protocols::share::Share;

#[global_allocator]
static FREED: Freed = Freed::idle();

const COUNT: usize = 1000;

/// Words that occur nowhere else.
fn words(seed: u128) -> Vec<u32> {
    Prg::new(seed).words32(COUNT)
}

#[test]
fn the_detector_sees_words_that_are_freed_as_they_are() {
    let plain = words(1);
    let secret = FREED.watch(&plain[10..]);
    assert!(!FREED.has_seen(secret));
    drop(plain);
    assert!(FREED.has_seen(secret));
}

#[test]
fn the_detector_sees_a_vector_that_had_to_move() {
    let mut plain = words(2);
    let secret = FREED.watch(&plain);
    plain.extend(0..2 * COUNT as u32);
    assert!(FREED.has_seen(secret));
}

#[test]
fn a_share_that_is_dropped_leaves_nothing() {
    let share = Share::of_words(words(3));
    let secrets = [0, 500, COUNT - 4].map(|at| FREED.watch(&share.words()[at..]));
    drop(share);
    assert!(secrets.iter().all(|&secret| !FREED.has_seen(secret)));
}

#[test]
fn copies_parts_and_sums_leave_nothing_either() {
    let ring = Ring32::new(32);
    let (a, b) = (Share::of_words(words(4)), Share::of_words(words(5)));
    let sum = a.view().plus(ring, b.view());
    let mut whole = Share::with_room(2 * COUNT);
    whole.append(sum.part(0..COUNT / 2));
    whole.append(a.view().copied().view());
    let joined = Share::concat([a.view(), whole.view()].into_iter());
    let secrets = [&a, &b, &sum, &whole, &joined].map(|share| FREED.watch(share.words()));
    drop((a, b, sum, whole, joined));
    assert!(secrets.iter().all(|&secret| !FREED.has_seen(secret)));
}

#[test]
fn a_share_is_erased_when_a_panic_drops_it() {
    let share = Share::of_words(words(6));
    let secret = FREED.watch(share.words());
    let caught = std::panic::catch_unwind(move || {
        let mut share = share;
        share.append(Share::zeros(1).view());
    });
    assert!(caught.is_err() && !FREED.has_seen(secret));
}

#[test]
fn bits_and_pads_leave_nothing() {
    let pads = Erased::from(words(7));
    let bits = Bits::from_words(Prg::new(8).words64(COUNT), 64 * COUNT);
    let low_and_high = |word: &u64| [*word as u32, (*word >> 32) as u32];
    let halves = Erased::from(bits.words()[..2].iter().flat_map(low_and_high).collect::<Vec<_>>());
    let secrets = [FREED.watch(&pads), FREED.watch(&halves)];
    drop((bits.xor(&Bits::zeros(64 * COUNT)), bits, pads));
    assert!(secrets.iter().all(|&secret| !FREED.has_seen(secret)));
}
