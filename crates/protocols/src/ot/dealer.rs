//! Pads dealt from a common seed, without messages: a stand-in for the real ones in tests of the layers above.
//!
//! Both ends know everything, so this exists only in tests and under the feature `dealer`, which no normal
//! dependency enables.

use blindscan_arith::bits::Bits;
use blindscan_arith::block::Block;
use blindscan_arith::prg::Prg;
use blindscan_wire::Channel;

use super::ideal;
use super::pads::{
    DigitPadsReceiver, DigitPadsSender, PadReceiver, PadSender, WordPadsReceiver, WordPadsSender,
};
use crate::ProtocolError;

/// The sender's end of dealt pads.
pub struct DealtSender(Dealer);

/// The receiver's end of dealt pads.
pub struct DealtReceiver(Dealer);

/// Both ends of one direction. Requests must be made in step, as with real pads.
pub fn pads(seed: Block) -> (DealtSender, DealtReceiver) {
    (DealtSender(Dealer(Prg::new(seed))), DealtReceiver(Dealer(Prg::new(seed))))
}

/// What each party holds when pads are dealt for both directions.
pub struct Dealt {
    /// Sender of the forward direction, receiver of the backward one.
    pub image_owner: (DealtSender, DealtReceiver),
    /// Sender of the backward direction, receiver of the forward one.
    pub model_owner: (DealtSender, DealtReceiver),
}

/// Two independent directions.
pub fn pair(seed: Block) -> Dealt {
    let (forward_sender, forward_receiver) = pads(seed ^ 1 << 127);
    let (backward_sender, backward_receiver) = pads(seed);
    Dealt {
        image_owner: (forward_sender, backward_receiver),
        model_owner: (backward_sender, forward_receiver),
    }
}

/// The common stream. Each request draws both halves; an end keeps its own.
struct Dealer(Prg);

impl Dealer {
    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
    ) -> (DigitPadsSender, DigitPadsReceiver) {
        assert!((1..=4).contains(&choice_bits) && (1..=2).contains(&message_bits), "digits of pads.rs");
        let pads = (0..1 << choice_bits).map(|_| self.planes(n, message_bits)).collect();
        let sender = DigitPadsSender { pads };
        let receiver = ideal::digits(&sender, self.planes(n, choice_bits));
        (sender, receiver)
    }

    fn words(&mut self, n: usize, bits: u32) -> (WordPadsSender, WordPadsReceiver) {
        assert!((1..=32).contains(&bits), "words have 1 to 32 bits");
        let [zero, one] = [(); 2]
            .map(|()| self.0.words32(n).iter().map(|word| word >> (32 - bits)).collect::<Vec<_>>().into());
        let sender = WordPadsSender { zero, one };
        let choice = self.planes(n, 1).remove(0);
        let receiver = ideal::words(&sender, choice);
        (sender, receiver)
    }

    fn planes(&mut self, n: usize, count: u32) -> Vec<Bits> {
        (0..count).map(|_| Bits::from_words(self.0.words64(n.div_ceil(64)), n)).collect()
    }
}

impl PadSender for DealtSender {
    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        _channel: &mut dyn Channel,
    ) -> Result<DigitPadsSender, ProtocolError> {
        Ok(self.0.digits(n, choice_bits, message_bits).0)
    }

    fn words(
        &mut self,
        n: usize,
        bits: u32,
        _channel: &mut dyn Channel,
    ) -> Result<WordPadsSender, ProtocolError> {
        Ok(self.0.words(n, bits).0)
    }
}

impl PadReceiver for DealtReceiver {
    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        _channel: &mut dyn Channel,
    ) -> Result<DigitPadsReceiver, ProtocolError> {
        Ok(self.0.digits(n, choice_bits, message_bits).1)
    }

    fn words(
        &mut self,
        n: usize,
        bits: u32,
        _channel: &mut dyn Channel,
    ) -> Result<WordPadsReceiver, ProtocolError> {
        Ok(self.0.words(n, bits).1)
    }
}

#[cfg(test)]
mod tests {
    use blindscan_wire::memory::play;

    use super::*;

    #[test]
    fn both_ends_are_dealt_halves_of_the_same_pads() {
        let (mut sender, mut receiver) = pads(1);
        let played = play(
            |channel| (sender.digits(100, 3, 2, channel).unwrap(), sender.words(70, 9, channel).unwrap()),
            |channel| (receiver.digits(100, 3, 2, channel).unwrap(), receiver.words(70, 9, channel).unwrap()),
        );
        let ((pads, words), (digit, word)) = (played.left, played.right);
        assert_eq!(ideal::digits(&pads, digit.choice).pad, digit.pad);
        assert!(words.zero.iter().chain(words.one.iter()).all(|word| word >> 9 == 0));
        assert_eq!(*ideal::words(&words, word.choice).pad, *word.pad);
        assert_eq!(played.left_traffic, Default::default());
    }

    #[test]
    fn the_two_directions_are_unrelated() {
        let mut dealt = pair(5);
        let played = play(
            |channel| dealt.image_owner.0.words(64, 32, channel).unwrap().zero.to_vec(),
            |channel| dealt.model_owner.0.words(64, 32, channel).unwrap().zero.to_vec(),
        );
        assert_ne!(played.left, played.right);
    }
}
