//! ReLU with rescaling and rescaling alone.

use blindscan_arith::ring::{Module, Ring, Ring32};

use super::*;
use crate::two_party::nonlinear::{PadDemand, ShapeError, StockLengthError, ideal};

/// All pairs of shares of all values of `least..=most` modulo 2^8.
fn all_pairs(least: i64, most: i64) -> (Share, Share, Vec<i64>) {
    let ring = Ring32::new(8);
    let pairs = (least..=most).flat_map(|x| (0..256u32).map(move |x0| (x, x0)));
    let values: Vec<i64> = pairs.clone().map(|(x, _)| x).collect();
    let x0 = pairs.clone().map(|(_, x0)| x0).collect();
    let x1 = pairs.map(|(x, x0)| ring.sub(ring.of_signed(x), x0)).collect();
    (Share::of_words(x0), Share::of_words(x1), values)
}

fn assert_ideal(of: Activation, x0: &Share, x1: &Share, values: &[i64]) {
    let ring = Ring32::new(of.out_bits);
    let played = activate(of, x0, x1);
    let mut words = played.left.words().iter().chain(played.right.words());
    assert!(words.all(|word| ring.reduce(*word) == *word));
    for (i, y) in joined(ring, &played.left, &played.right).into_iter().enumerate() {
        let ideal = ideal::activation(values[i], of.drop, of.relu);
        assert_eq!(
            y,
            ring.to_signed(ring.of_signed(ideal)),
            "{of:?} of {} as {} + {}",
            values[i],
            x0.words()[i],
            x1.words()[i]
        );
    }
    assert_eq!(played.left_traffic, of.script(x0.len()).traffic(Party::ImageOwner), "{of:?}");
    assert_eq!(played.right_traffic, of.script(x0.len()).traffic(Party::ModelOwner), "{of:?}");
    assert_eq!(played.left_traffic.bytes_sent, played.right_traffic.bytes_received);
}

#[test]
fn every_pair_of_shares_in_a_ring_of_eight_bits_gives_the_ideal() {
    // With ReLU all of -128..=127; without, the quarter on each side of zero that the plan promises.
    for (relu, least, most) in [(true, -128, 127), (false, -64, 63)] {
        let (x0, x1, values) = all_pairs(least, most);
        for drop in 0..=6 {
            for out_bits in [2, 8 - drop, 9 - drop, 8, 21] {
                for radix_bits in 1..=4 {
                    let of = Activation::new(8, drop, out_bits, relu, radix_bits).unwrap();
                    assert_ideal(of, &x0, &x1, &values);
                }
            }
        }
    }
}

#[test]
fn large_rings_give_the_ideal_at_their_edges_and_at_random() {
    let mut rng = rng(1);
    for ring_bits in [24, 28, 32] {
        for relu in [true, false] {
            let magnitude = if relu { ring_bits - 1 } else { ring_bits - 2 };
            for n in [1, 63, 64, 65, 5000] {
                for (drop, out_bits) in
                    [(0, ring_bits), (1, 32), (9, ring_bits), (13, 12), (ring_bits - 2, 17)]
                {
                    let values = values(magnitude, n, &mut rng);
                    let (x0, x1) = shares(Ring32::new(ring_bits), &values, &mut rng);
                    let of =
                        Activation::new(ring_bits, drop, out_bits, relu, 1 + rng.random_range(0..4)).unwrap();
                    assert_ideal(of, &x0, &x1, &values);
                }
            }
        }
    }
}

#[test]
fn shares_at_the_ends_of_the_ring_give_the_ideal() {
    let ring = Ring32::new(26);
    let ends = [0, 1, (1 << 25) - 1, 1 << 25, (1 << 25) + 1, (1 << 26) - 1, (1 << 9) - 1, 1 << 9];
    let (x0, x1): (Vec<u32>, Vec<u32>) = ends.iter().flat_map(|&a| ends.map(|b| (a, b))).unzip();
    let (x0, x1) = (Share::of_words(x0), Share::of_words(x1));
    let values = joined(ring, &x0, &x1);
    assert_ideal(Activation::new(26, 9, 26, true, 3).unwrap(), &x0, &x1, &values);
}

#[test]
fn the_upper_bits_of_the_input_do_not_matter() {
    let of = Activation::new(8, 3, 8, true, 3).unwrap();
    let (x0, x1, values) = all_pairs(-128, 127);
    let dirty = |x: &Share| Share::of_words(x.words().iter().map(|word| word | 0xabcd_ef00).collect());
    assert_ideal(of, &dirty(&x0), &dirty(&x1), &values);
}

#[test]
fn transfers_are_as_many_as_the_design_counts() {
    // l - 1 for the digits, 2 for each of D - 1 nodes (one each way), carry 1, wrap 1, multiplexer 2 (one each way).
    for (ring_bits, total) in [(24, 41), (28, 49), (32, 55)] {
        let of = Activation::new(ring_bits, 8, ring_bits, true, 3).unwrap();
        let nodes = u64::from(8u32.div_ceil(3) + (ring_bits - 9).div_ceil(3) - 1);
        let backward_cots = nodes + 1;
        let forward_cots = u64::from(ring_bits - 1) + nodes + 3;
        assert_eq!(of.demand(1), PadDemand { forward_cots, backward_cots });
        assert_eq!(forward_cots + backward_cots, total);
        assert_eq!(of.demand(1000), of.demand(1) * 1000);
    }
    let rescaling = Activation::new(26, 9, 26, false, 3).unwrap();
    assert_eq!(rescaling.demand(1), PadDemand { forward_cots: 9 + 2 + 2, backward_cots: 2 });
    let nothing = Activation::new(26, 0, 20, false, 3).unwrap();
    assert_eq!(nothing.demand(1), PadDemand::default());
}

#[test]
fn turns_are_depth_and_three_with_relu_and_depth_and_two_without() {
    let with = Activation::new(26, 9, 26, true, 3).unwrap();
    assert_eq!(with.script(1000).traffic(Party::ModelOwner).turns, 4 + 3);
    assert_eq!(with.script(1000).traffic(Party::ImageOwner).turns, 4 + 2);
    let without = Activation::new(26, 9, 26, false, 3).unwrap();
    assert_eq!(without.script(1000).traffic(Party::ModelOwner).turns, 2 + 2);
    assert_eq!(
        Activation::new(26, 0, 26, false, 3).unwrap().script(1000).traffic(Party::ModelOwner),
        Default::default()
    );
}

#[test]
fn demand_is_what_the_pads_are_asked_for() {
    for (drop, out_bits, relu, radix_bits) in
        [(9, 26, true, 3), (0, 26, true, 4), (5, 32, false, 1), (0, 26, false, 3)]
    {
        let of = Activation::new(26, drop, out_bits, relu, radix_bits).unwrap();
        let (mut forward, mut backward) = (Counted::default(), Counted::default());
        let (mut channel, _peer) = blindscan_wire::memory::pair(std::time::Duration::from_secs(1));
        let mut ends = PadEnds::ImageOwner { forward: &mut forward, backward: &mut backward };
        let stock = of.offline(100, &mut ends, &mut channel).unwrap();
        assert_eq!(of.demand(100), PadDemand { forward_cots: forward.0, backward_cots: backward.0 });
        assert_eq!(stock.to_bytes().len(), of.stock_bytes(Party::ImageOwner, 100));
    }
}

#[test]
fn a_stock_survives_a_file() {
    let mut rng = rng(2);
    for (relu, out_bits, n) in [(true, 26, 65), (false, 26, 64), (true, 10, 1), (false, 12, 63)] {
        let of = Activation::new(24, 8, out_bits, relu, 3).unwrap();
        let values = values(22, n, &mut rng);
        let (x0, x1) = shares(Ring32::new(24), &values, &mut rng);
        let run = |party: Party, x: &Share, ends: &mut PadEnds, channel: &mut dyn Channel| {
            let bytes = of.offline(n, ends, channel).unwrap().to_bytes();
            assert_eq!(bytes.len(), of.stock_bytes(party, n));
            let stock = of.stock_from_bytes(party, n, &bytes).unwrap();
            of.online(party, x.view(), stock, channel).unwrap()
        };
        let played = dialogue(
            |ends, channel| run(Party::ImageOwner, &x0, ends, channel),
            |ends, channel| run(Party::ModelOwner, &x1, ends, channel),
        );
        let direct = activate(of, &x0, &x1);
        assert_eq!(played.left.words(), direct.left.words());
        assert_eq!(played.right.words(), direct.right.words());
    }
}

#[test]
fn a_cut_stock_is_an_error() {
    let of = Activation::new(24, 8, 24, true, 3).unwrap();
    for party in [Party::ImageOwner, Party::ModelOwner] {
        let expected = of.stock_bytes(party, 100);
        for found in [0, 1, expected - 1, expected + 1] {
            let error = of.stock_from_bytes(party, 100, &vec![0; found]).unwrap_err();
            assert_eq!(error, StockLengthError { expected, found });
        }
    }
}

#[test]
fn numbers_outside_their_ranges_are_refused() {
    for (ring_bits, drop, out_bits, radix_bits) in [
        (33, 8, 8, 3),
        (1, 0, 8, 3),
        (24, 23, 8, 3),
        (24, 8, 33, 3),
        (24, 8, 1, 3),
        (24, 8, 8, 5),
        (24, 8, 8, 0),
    ] {
        let refused = Activation::new(ring_bits, drop, out_bits, true, radix_bits);
        assert!(
            matches!(refused, Err(ShapeError::Range { .. })),
            "{ring_bits} {drop} {out_bits} {radix_bits}"
        );
    }
}

#[test]
#[should_panic(expected = "a stock is used for what it was made for")]
fn a_stock_of_another_length_is_our_own_fault() {
    let of = Activation::new(24, 8, 24, true, 3).unwrap();
    let stock =
        of.stock_from_bytes(Party::ImageOwner, 3, &vec![0; of.stock_bytes(Party::ImageOwner, 3)]).unwrap();
    let (mut channel, _peer) = blindscan_wire::memory::pair(std::time::Duration::from_secs(1));
    let _ = of.online(Party::ImageOwner, Share::zeros(4).view(), stock, &mut channel);
}

/// Pads of zeros that count what they would have cost.
#[derive(Default)]
struct Counted(u64);

mod counted {
    use blindscan_arith::bits::Bits;
    use blindscan_arith::erase::Erased;

    use super::*;
    use crate::ProtocolError;
    use crate::ot::pads::*;

    impl PadSender for Counted {
        fn digits(
            &mut self,
            n: usize,
            choice_bits: u32,
            message_bits: u32,
            _channel: &mut dyn Channel,
        ) -> Result<DigitPadsSender, ProtocolError> {
            self.0 += n as u64 * u64::from(choice_bits);
            let zeros = vec![Bits::zeros(n); message_bits as usize];
            Ok(DigitPadsSender { pads: vec![zeros; 1 << choice_bits] })
        }

        fn words(
            &mut self,
            n: usize,
            _bits: u32,
            _channel: &mut dyn Channel,
        ) -> Result<WordPadsSender, ProtocolError> {
            self.0 += n as u64;
            Ok(WordPadsSender { zero: Erased::zeros(n), one: Erased::zeros(n) })
        }
    }

    impl PadReceiver for Counted {
        fn digits(
            &mut self,
            n: usize,
            choice_bits: u32,
            message_bits: u32,
            _channel: &mut dyn Channel,
        ) -> Result<DigitPadsReceiver, ProtocolError> {
            self.0 += n as u64 * u64::from(choice_bits);
            let zeros = |planes: u32| vec![Bits::zeros(n); planes as usize];
            Ok(DigitPadsReceiver { choice: zeros(choice_bits), pad: zeros(message_bits) })
        }

        fn words(
            &mut self,
            n: usize,
            _bits: u32,
            _channel: &mut dyn Channel,
        ) -> Result<WordPadsReceiver, ProtocolError> {
            self.0 += n as u64;
            Ok(WordPadsReceiver { choice: Bits::zeros(n), pad: Erased::zeros(n) })
        }
    }
}
