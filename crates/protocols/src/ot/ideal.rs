//! What the pads of this folder must equal: the receiver's half as a function of the sender's half and of the choice.

use blindscan_arith::bits::Bits;

use super::pads::{DigitPadsReceiver, DigitPadsSender, WordPadsReceiver, WordPadsSender};

/// The receiver's half of digit pads: of every transfer the pad whose number is the choice.
///
/// # Panics
/// When the planes have different lengths, or the choice has not the bits to number every pad.
pub fn digits(sender: &DigitPadsSender, choice: Vec<Bits>) -> DigitPadsReceiver {
    assert_eq!(sender.pads.len(), 1 << choice.len(), "a choice of w bits is among 2^w pads");
    let planes = sender.pads[0].len();
    let pad = (0..planes)
        .map(|plane| {
            let bits: Vec<bool> =
                (0..choice[0].len()).map(|i| sender.pads[number(&choice, i)][plane].get(i)).collect();
            Bits::from_bools(&bits)
        })
        .collect();
    DigitPadsReceiver { choice, pad }
}

/// The receiver's half of word pads.
pub fn words(sender: &WordPadsSender, choice: Bits) -> WordPadsReceiver {
    let pad = (0..choice.len()).map(|i| if choice.get(i) { sender.one[i] } else { sender.zero[i] });
    let pad = pad.collect::<Vec<_>>().into();
    WordPadsReceiver { choice, pad }
}

/// The number that the planes of a choice spell for transfer `i`, least significant plane first.
pub fn number(choice: &[Bits], i: usize) -> usize {
    choice.iter().enumerate().map(|(bit, plane)| usize::from(plane.get(i)) << bit).sum()
}
