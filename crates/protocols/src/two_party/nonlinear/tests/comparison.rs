//! Both carries of a comparison, for all pairs of six bits and every way to cut them.

use blindscan_arith::bits::{Bits, planes};

use super::*;
use crate::two_party::nonlinear::comparison::{Comparison, Piggyback};
use crate::two_party::nonlinear::ideal;
use crate::two_party::nonlinear::message::{Reader, Writer};

/// The shares of (low, all) and the piggyback that was received.
type Outcome = (Bits, Bits, Option<Bits>);

fn image_owner(
    of: Comparison,
    a: &[Bits],
    ends: &mut PadEnds,
    with_piggyback: bool,
    channel: &mut dyn Channel,
) -> Outcome {
    let n = a[0].len();
    let stock = of.offline(n, ends, channel).unwrap();
    let message = channel.receive(of.correction_bytes(n)).unwrap();
    let mut out = Writer::default();
    let tree = of.answer(a, stock, &mut Reader::new(&message, n), &mut out);
    channel.send(out.bytes()).unwrap();
    let (carries, piggyback) =
        tree.run(if with_piggyback { Piggyback::Receive } else { Piggyback::None }, channel).unwrap();
    (carries.low, carries.all, piggyback)
}

fn model_owner(
    of: Comparison,
    b: &[Bits],
    ends: &mut PadEnds,
    with_piggyback: bool,
    channel: &mut dyn Channel,
) -> Outcome {
    let n = b[0].len();
    let stock = of.offline(n, ends, channel).unwrap();
    let mut out = Writer::default();
    of.correct(b, &stock, &mut out);
    channel.send(out.bytes()).unwrap();
    let message = channel.receive(of.answer_bytes(n)).unwrap();
    let tree = of.accept(stock, &mut Reader::new(&message, n));
    let choice = Bits::zeros(n).not();
    let (carries, _) =
        tree.run(if with_piggyback { Piggyback::Send(&choice) } else { Piggyback::None }, channel).unwrap();
    (carries.low, carries.all, None)
}

#[test]
fn both_carries_are_right_for_all_pairs_and_all_cuts() {
    let (x0, x1): (Vec<u32>, Vec<u32>) = (0..64).flat_map(|a| (0..64).map(move |b| (a, b))).unzip();
    let a = planes(&x0, 0, 6);
    let b: Vec<Bits> = planes(&x1, 0, 6).iter().map(Bits::not).collect();
    for low_bits in 0..=6 {
        for radix_bits in 1..=4 {
            let of = Comparison::new(low_bits, 6 - low_bits, radix_bits);
            let with_piggyback = low_bits > 0 && low_bits < 6;
            let played = dialogue(
                |ends, channel| image_owner(of, &a, ends, with_piggyback, channel),
                |ends, channel| model_owner(of, &b, ends, with_piggyback, channel),
            );
            let (low, all) = (played.left.0.xor(&played.right.0), played.left.1.xor(&played.right.1));
            for i in 0..x0.len() {
                assert_eq!(low.get(i), ideal::carry(x0[i], x1[i], low_bits), "{of:?} {} {}", x0[i], x1[i]);
                assert_eq!(all.get(i), ideal::carry(x0[i], x1[i], 6), "{of:?} {} {}", x0[i], x1[i]);
            }
            // The piggyback is the model owner's share of the low carry, masked: here by ones.
            assert_eq!(played.left.2, with_piggyback.then(|| played.right.0.not()));
        }
    }
}
