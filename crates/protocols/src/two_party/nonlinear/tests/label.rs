//! Labels: their values, their ties, and what their last message is.

use blindscan_arith::ring::{Module, Ring32};
use blindscan_wire::Traffic;

use super::*;
use crate::two_party::nonlinear::{Label, StockLengthError, ideal};

enum Told {
    Labels(Vec<u8>),
    Nothing,
}

/// Labels as the image owner gets them, and the messages that each party sent.
fn labels(of: Label, logits: &[Vec<i64>], seed: u64) -> (Vec<u8>, [Vec<Vec<u8>>; 2], [Traffic; 2]) {
    let mut rng = rng(seed);
    let n = logits[0].len();
    let (l0, l1): (Vec<_>, Vec<_>) = logits.iter().map(|l| shares(Ring32::new(24), l, &mut rng)).unzip();
    let stock = |party, ends: &mut PadEnds, channel: &mut dyn Channel| {
        let bytes = of.offline(n, ends, channel).unwrap().to_bytes();
        assert_eq!(bytes.len(), of.stock_bytes(party, n));
        of.stock_from_bytes(party, n, &bytes).unwrap()
    };
    let played = dialogue(
        |ends, channel| {
            let stock = stock(Party::ImageOwner, ends, channel);
            let mut channel = Watched::recording(channel);
            (Told::Labels(of.image_owner(l0, stock, &mut channel).unwrap()), channel.sent())
        },
        |ends, channel| {
            let stock = stock(Party::ModelOwner, ends, channel);
            let mut channel = Watched::recording(channel);
            of.model_owner(l1, stock, &mut channel).unwrap();
            (Told::Nothing, channel.sent())
        },
    );
    let Told::Labels(labels) = played.left.0 else { panic!("the image owner gets the labels") };
    assert_eq!(played.left_traffic, of.script(n).traffic(Party::ImageOwner));
    assert_eq!(played.right_traffic, of.script(n).traffic(Party::ModelOwner));
    (labels, [played.left.1, played.right.1], [played.left_traffic, played.right_traffic])
}

fn ideals(logits: &[Vec<i64>]) -> Vec<u8> {
    (0..logits[0].len()).map(|i| ideal::label(&logits.iter().map(|l| l[i]).collect::<Vec<_>>())).collect()
}

#[test]
fn labels_are_the_index_of_the_largest_for_every_number_of_classes() {
    let mut rng = rng(6);
    for (classes, n) in
        [(1, 65), (2, 1), (2, 300), (3, 64), (4, 63), (5, 65), (7, 40), (11, 33), (256, 3), (2, 0), (5, 0)]
    {
        let logits: Vec<Vec<i64>> = (0..classes)
            .map(|_| {
                let mut logits = values(22, n, &mut rng);
                logits.rotate_left(rng.random_range(0..n.max(1)));
                logits
            })
            .collect();
        let of = Label::new(24, 3, classes).unwrap();
        assert_eq!(labels(of, &logits, 7).0, ideals(&logits), "{classes} classes");
    }
}

#[test]
fn ties_go_to_the_lower_index() {
    // All triples and quintuples over two values, so that every pattern of ties occurs.
    for classes in [2usize, 3, 5] {
        let logits: Vec<Vec<i64>> = (0..classes)
            .map(|class| (0..1 << classes).map(|pattern| (pattern >> class) & 1).collect())
            .collect();
        let of = Label::new(24, 2, classes).unwrap();
        assert_eq!(labels(of, &logits, 8).0, ideals(&logits));
    }
    assert_eq!(labels(Label::new(24, 3, 3).unwrap(), &[vec![5], vec![5], vec![5]], 9).0, [0]);
    assert_eq!(labels(Label::new(24, 3, 2).unwrap(), &[vec![-5, 4], vec![-5, 5]], 9).0, [0, 1]);
    assert_eq!(labels(Label::new(24, 3, 1).unwrap(), &[vec![0, -1, 1]], 9).0, [1, 0, 1]);
}

#[test]
fn the_last_message_is_the_model_owners_share_of_the_label_and_nothing_else() {
    for (classes, bits) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)] {
        let n = 1000;
        let mut rng = rng(10);
        let logits: Vec<Vec<i64>> = (0..classes).map(|_| values(22, n, &mut rng)).collect();
        let of = Label::new(24, 3, classes).unwrap();
        let (labels, [image_owner, model_owner], _) = labels(of, &logits, 11);
        let last = model_owner.last().unwrap();
        assert_eq!(last.len(), (n * bits as usize).div_ceil(8));
        // The image owner's last message comes before: its count is that of the dialogue without the reveal.
        let silent = of.script(n).traffic(Party::ImageOwner).bytes_sent;
        assert_eq!(image_owner.iter().map(|message| message.len() as u64).sum::<u64>(), silent);
        // Content: uniform shares, and label minus share is the image owner's part, uniform too.
        let ring = Ring32::new(bits);
        let share = ring.unpack(last, n);
        for residue in 0..1 << bits {
            let expected = n as f64 / f64::from(1 << bits);
            let seen = |of: &dyn Fn(usize) -> u32| (0..n).filter(|&i| of(i) == residue).count() as f64;
            let limit = 6.0 * expected.sqrt();
            assert!((seen(&|i| share[i]) - expected).abs() < limit);
            let mine = |i: usize| ring.reduce(u32::from(labels[i]).wrapping_sub(share[i]));
            assert!((seen(&mine) - expected).abs() < limit);
        }
    }
}

#[test]
fn the_label_does_not_turn_on_how_much_it_won_by() {
    // The same label with other margins puts messages of the same lengths on the wire, in the same order.
    let of = Label::new(24, 3, 3).unwrap();
    let lengths = |winner: i64| {
        let logits = vec![vec![0; 50], vec![winner; 50], vec![-3; 50]];
        let (labels, sent, _) = labels(of, &logits, 12);
        assert_eq!(labels, [1; 50]);
        sent.map(|messages| messages.iter().map(Vec::len).collect::<Vec<_>>())
    };
    assert_eq!(lengths(1), lengths((1 << 22) - 1));
}

#[test]
fn a_model_owner_that_lies_about_its_share_cannot_name_a_class_that_is_not_there() {
    let of = Label::new(24, 3, 3).unwrap();
    let logits = || (0..3).map(|_| Share::of_words(vec![7; 4])).collect();
    let played =
        dialogue(
            |ends, channel| {
                let stock = of.offline(4, ends, channel).unwrap();
                of.image_owner(logits(), stock, channel)
            },
            |ends, channel| {
                let stock = of.offline(4, ends, channel).unwrap();
                let mut lying = Watched::new(channel, |_, message| {
                    if message.len() == 1 { vec![0b1110_0100] } else { message.to_vec() }
                });
                of.model_owner(logits(), stock, &mut lying).unwrap();
                Ok(Vec::new())
            },
        );
    assert!(played.left.unwrap().iter().all(|&label| label < 3));
}

#[test]
fn a_cut_label_stock_is_an_error() {
    let of = Label::new(24, 3, 5).unwrap();
    let expected = of.stock_bytes(Party::ImageOwner, 10);
    let error = of.stock_from_bytes(Party::ImageOwner, 10, &vec![0; expected + 1]).unwrap_err();
    assert_eq!(error, StockLengthError { expected, found: expected + 1 });
    assert!(Label::new(24, 3, 0).is_err() && Label::new(24, 3, 257).is_err());
}
