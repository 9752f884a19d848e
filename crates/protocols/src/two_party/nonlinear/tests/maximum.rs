//! Maximum, tournament and sign.

use blindscan_arith::ring::Ring32;

use super::*;
use crate::two_party::nonlinear::{Maximum, Sign, StockLengthError, Tournament, ideal};

#[test]
fn the_larger_of_two_is_found_for_all_pairs_of_small_values() {
    let ring = Ring32::new(8);
    let of = Maximum::new(8, 3).unwrap();
    let (a, b): (Vec<i64>, Vec<i64>) = (-64..64).flat_map(|a| (-64..64).map(move |b| (a, b))).unzip();
    let mut rng = rng(3);
    let ((a0, a1), (b0, b1)) = (shares(ring, &a, &mut rng), shares(ring, &b, &mut rng));
    let run = |party, a: &Share, b: &Share, ends: &mut PadEnds, channel: &mut dyn Channel| {
        let bytes = of.offline(a.len(), ends, channel).unwrap().to_bytes();
        let stock = of.stock_from_bytes(party, a.len(), &bytes).unwrap();
        of.online(party, a.view(), b.view(), stock, channel).unwrap()
    };
    let played = dialogue(
        |ends, channel| run(Party::ImageOwner, &a0, &b0, ends, channel),
        |ends, channel| run(Party::ModelOwner, &a1, &b1, ends, channel),
    );
    let ideal: Vec<i64> = a.iter().zip(&b).map(|(&a, &b)| ideal::maximum(a, b)).collect();
    assert_eq!(joined(ring, &played.left, &played.right), ideal);
    assert_eq!(played.left_traffic, of.script(a.len()).traffic(Party::ImageOwner));
    assert_eq!(played.right_traffic, of.script(a.len()).traffic(Party::ModelOwner));
}

#[test]
fn the_largest_of_k_is_found_for_every_k() {
    let ring = Ring32::new(24);
    let mut rng = rng(4);
    for (k, n) in [(1, 5), (2, 64), (3, 65), (4, 1), (5, 63), (9, 100), (4, 0)] {
        let of = Tournament::new(24, 3, k).unwrap();
        let candidates: Vec<Vec<i64>> = (0..k).map(|_| values(22, n, &mut rng)).collect();
        let (c0, c1): (Vec<_>, Vec<_>) = candidates.iter().map(|c| shares(ring, c, &mut rng)).unzip();
        let run = |party, candidates, ends: &mut PadEnds, channel: &mut dyn Channel| {
            let bytes = of.offline(n, ends, channel).unwrap().to_bytes();
            assert_eq!(bytes.len(), of.stock_bytes(party, n));
            let stock = of.stock_from_bytes(party, n, &bytes).unwrap();
            of.online(party, candidates, stock, channel).unwrap()
        };
        let played = dialogue(
            |ends, channel| run(Party::ImageOwner, c0, ends, channel),
            |ends, channel| run(Party::ModelOwner, c1, ends, channel),
        );
        let column = |i| candidates.iter().map(|c| c[i]).collect::<Vec<_>>();
        let ideal: Vec<i64> = (0..n).map(|i| ideal::tournament(&column(i))).collect();
        assert_eq!(joined(ring, &played.left, &played.right), ideal, "{k} candidates");
        assert_eq!(played.left_traffic, of.script(n).traffic(Party::ImageOwner));
        assert_eq!(played.right_traffic, of.script(n).traffic(Party::ModelOwner));
        assert_eq!(of.demand(n), Maximum::new(24, 3).unwrap().demand(n) * (k - 1));
    }
}

#[test]
fn a_cut_tournament_stock_is_an_error() {
    let of = Tournament::new(24, 3, 5).unwrap();
    let expected = of.stock_bytes(Party::ModelOwner, 10);
    let error = of.stock_from_bytes(Party::ModelOwner, 10, &vec![0; expected - 1]).unwrap_err();
    assert_eq!(error, StockLengthError { expected, found: expected - 1 });
}

#[test]
fn the_sign_is_right_for_every_value_of_a_small_ring_and_for_edges_of_large_ones() {
    let mut rng = rng(5);
    let mut cases = vec![(8, (-128..128).flat_map(|x| [x; 40]).collect::<Vec<i64>>())];
    for ring_bits in [2, 24, 32] {
        cases.push((ring_bits, values(ring_bits - 1, 200, &mut rng)));
    }
    for (ring_bits, values) in cases {
        for radix_bits in 1..=4 {
            let of = Sign::new(ring_bits, radix_bits).unwrap();
            let (x0, x1) = shares(Ring32::new(ring_bits), &values, &mut rng);
            let run = |party, x: &Share, ends: &mut PadEnds, channel: &mut dyn Channel| {
                let bytes = of.offline(x.len(), ends, channel).unwrap().to_bytes();
                let stock = of.stock_from_bytes(party, x.len(), &bytes).unwrap();
                of.online(party, x.view(), stock, channel).unwrap()
            };
            let played = dialogue(
                |ends, channel| run(Party::ImageOwner, &x0, ends, channel),
                |ends, channel| run(Party::ModelOwner, &x1, ends, channel),
            );
            let signs = played.left.xor(&played.right);
            assert!((0..values.len()).all(|i| signs.get(i) == ideal::sign(values[i])), "{of:?}");
            assert_eq!(played.left_traffic, of.script(values.len()).traffic(Party::ImageOwner));
            assert_eq!(played.right_traffic, of.script(values.len()).traffic(Party::ModelOwner));
        }
    }
}
