//! What travels must look uniform. A detector of masks that are missing, and proof that it detects.
//!
//! All elements are the same value in the same shares, so that every message would be constant, plane by
//! plane, without masks.

use std::collections::HashMap;

use blindscan_arith::bits::Bits;
use blindscan_arith::erase::Erased;

use super::*;
use crate::ProtocolError;
use crate::ot::pads::*;
use crate::two_party::nonlinear::ideal;

/// Elements; a plane takes 512 bytes, and words a multiple of that.
const N: usize = 4096;
const PLANE_BYTES: usize = N / 8;

/// Which pads are zeros.
#[derive(Clone, Copy, PartialEq)]
enum Sabotage {
    None,
    Digits,
    Triples,
    Words,
    Repeated,
}

/// Dealt pads, some of them zeros, or digits of one shape all the same. With digits of 2 bits or more, choices of 1 bit belong
/// to triples.
struct Sabotaged<'a, T: Makes>(&'a mut T, Sabotage, HashMap<(u32, u32), T::Digits>);

/// What an end makes for digits, and another copy of it.
trait Makes {
    type Digits;
    fn copy(digits: &Self::Digits) -> Self::Digits;
}

impl Makes for DealtSender {
    type Digits = DigitPadsSender;
    fn copy(digits: &Self::Digits) -> Self::Digits {
        DigitPadsSender { pads: digits.pads.clone() }
    }
}

impl Makes for DealtReceiver {
    type Digits = DigitPadsReceiver;
    fn copy(digits: &Self::Digits) -> Self::Digits {
        DigitPadsReceiver { choice: digits.choice.clone(), pad: digits.pad.clone() }
    }
}

impl<T: Makes> Sabotaged<'_, T> {
    fn spoils(&self, choice_bits: u32) -> bool {
        self.1 == if choice_bits == 1 { Sabotage::Triples } else { Sabotage::Digits }
    }

    /// Digits as they are made, or, when pads are handed out twice, the first of their shape again.
    fn handed_out(&mut self, shape: (u32, u32), made: T::Digits) -> T::Digits {
        match self.1 {
            Sabotage::Repeated => T::copy(self.2.entry(shape).or_insert(made)),
            _ => made,
        }
    }
}

fn sabotaged<T: Makes>(end: &mut T, sabotage: Sabotage) -> Sabotaged<'_, T> {
    Sabotaged(end, sabotage, HashMap::new())
}

fn zeros(n: usize, planes: u32) -> Vec<Bits> {
    vec![Bits::zeros(n); planes as usize]
}

impl PadSender for Sabotaged<'_, DealtSender> {
    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<DigitPadsSender, ProtocolError> {
        if self.spoils(choice_bits) {
            return Ok(DigitPadsSender { pads: vec![zeros(n, message_bits); 1 << choice_bits] });
        }
        let made = self.0.digits(n, choice_bits, message_bits, channel)?;
        Ok(self.handed_out((choice_bits, message_bits), made))
    }

    fn words(
        &mut self,
        n: usize,
        bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<WordPadsSender, ProtocolError> {
        if self.1 == Sabotage::Words {
            return Ok(WordPadsSender { zero: Erased::zeros(n), one: Erased::zeros(n) });
        }
        self.0.words(n, bits, channel)
    }
}

impl PadReceiver for Sabotaged<'_, DealtReceiver> {
    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<DigitPadsReceiver, ProtocolError> {
        if self.spoils(choice_bits) {
            return Ok(DigitPadsReceiver { choice: zeros(n, choice_bits), pad: zeros(n, message_bits) });
        }
        let made = self.0.digits(n, choice_bits, message_bits, channel)?;
        Ok(self.handed_out((choice_bits, message_bits), made))
    }

    fn words(
        &mut self,
        n: usize,
        bits: u32,
        channel: &mut dyn Channel,
    ) -> Result<WordPadsReceiver, ProtocolError> {
        if self.1 == Sabotage::Words {
            return Ok(WordPadsReceiver { choice: Bits::zeros(n), pad: Erased::zeros(n) });
        }
        self.0.words(n, bits, channel)
    }
}

/// The messages of both parties in an activation of N times the same shares.
fn transcripts(of: Activation, x: (u32, u32), sabotage: Sabotage) -> [Vec<Sent>; 2] {
    let mut dealt = dealer::pair(0xfeed);
    let run = |party: Party, x: u32, ends: &mut PadEnds, channel: &mut MemoryChannel| {
        let stock = of.offline(N, ends, channel).unwrap();
        let mut channel = Watched::recording(channel);
        let y = of.online(party, Share::of_words(vec![x; N]).view(), stock, &mut channel).unwrap();
        (y, channel.log)
    };
    let played = play(
        |channel| {
            let (forward, backward) = &mut dealt.image_owner;
            let (mut forward, mut backward) = (sabotaged(forward, sabotage), sabotaged(backward, sabotage));
            let mut ends = PadEnds::ImageOwner { forward: &mut forward, backward: &mut backward };
            run(Party::ImageOwner, x.0, &mut ends, channel)
        },
        |channel| {
            let (backward, forward) = &mut dealt.model_owner;
            let (mut forward, mut backward) = (sabotaged(forward, sabotage), sabotaged(backward, sabotage));
            let mut ends = PadEnds::ModelOwner { forward: &mut forward, backward: &mut backward };
            run(Party::ModelOwner, x.1, &mut ends, channel)
        },
    );
    let ideal = {
        let ring = Ring32::new(of.ring_bits);
        ideal::activation(ring.to_signed(ring.reduce(x.0.wrapping_add(x.1))), of.drop, of.relu)
    };
    // Pads of zeros are valid transfers: the answer is right, so that only this detector can tell.
    assert_eq!(joined(Ring32::new(of.out_bits), &played.left.0, &played.right.0), vec![ideal; N]);
    [played.left.1, played.right.1]
}

/// Planes that are not balanced between zeros and ones: of each message, of the sum of messages that were exchanged, which
/// is what both parties learn by opening, and of the sums of every two planes of one party's messages or of what was opened, for masks
/// that are used twice show in no plane alone. Seven standard deviations: an honest plane fails once in 10^11.
fn uneven(transcripts: &[Vec<Sent>; 2]) -> usize {
    let mut seen: Vec<Vec<u8>> = transcripts.iter().flatten().map(|sent| sent.message.clone()).collect();
    let exchanged =
        |at: usize| transcripts[at].iter().filter(|sent| sent.exchanged).map(|sent| &sent.message);
    for (mine, theirs) in exchanged(0).zip(exchanged(1)) {
        seen.push(mine.iter().zip(theirs).map(|(a, b)| a ^ b).collect());
    }
    let planes: Vec<&[u8]> = seen.iter().flat_map(|message| message.chunks_exact(PLANE_BYTES)).collect();
    let limit = 7.0 * (N as f64 / 4.0).sqrt();
    let uneven = |ones: u32| (f64::from(ones) - N as f64 / 2.0).abs() > limit;
    let ones = |plane: &[u8]| plane.iter().map(|byte| byte.count_ones()).sum();
    let ones_of_sum =
        |(i, j): &(usize, usize)| planes[*i].iter().zip(planes[*j]).map(|(a, b)| (a ^ b).count_ones()).sum();
    let pairs = (0..planes.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let alone = planes.iter().filter(|plane| uneven(ones(plane))).count();
    alone + pairs.filter(|pair| uneven(ones_of_sum(pair))).count()
}

fn cases() -> Vec<(Activation, (u32, u32))> {
    let ring = Ring32::new(26);
    let pair = |x: i64| (0x155_5555, ring.reduce(ring.of_signed(x).wrapping_sub(0x155_5555)));
    [true, false]
        .into_iter()
        .flat_map(|relu| {
            let of = Activation::new(26, 9, 26, relu, 3).unwrap();
            [0, 1, -1, 1 << 20, -12_345_678].map(|x| (of, pair(x)))
        })
        .collect()
}

#[test]
fn everything_that_travels_is_balanced() {
    for (of, x) in cases() {
        assert_eq!(uneven(&transcripts(of, x, Sabotage::None)), 0, "{of:?} of {x:?}");
    }
}

#[test]
fn pads_of_zeros_are_detected_wherever_they_are() {
    for (of, x) in cases() {
        for sabotage in [Sabotage::Digits, Sabotage::Triples, Sabotage::Words] {
            assert!(uneven(&transcripts(of, x, sabotage)) > 0, "{of:?} of {x:?}");
        }
    }
}

#[test]
fn pads_that_are_handed_out_twice_are_detected() {
    for (of, x) in cases() {
        assert!(uneven(&transcripts(of, x, Sabotage::Repeated)) > 0, "{of:?} of {x:?}");
    }
}
