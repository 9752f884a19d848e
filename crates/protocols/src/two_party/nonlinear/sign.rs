//! Whether x >= 0, as a bit shared between the parties (DReLU).
//!
//! | step | who | message |
//! |---|---|---|
//! | 1 | model owner | masked digits, l - 1 planes |
//! | 2 | image owner | the digits' answers |
//! | 3.. | both, at once, a level | masked shares |
//!
//! Ideal: [`super::ideal::sign`] for |x| < 2^(l-1), the share of the sign bit being x\[l-1\] xor the carry of
//! the lower bits. Security and source: as [`super::activation`].

use blindscan_arith::bits::{Bits, planes};
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use super::comparison::{Comparison, ComparisonStock, ComparisonTree, Piggyback};
use super::message::{Reader, Writer};
use super::supply::{PadDemand, PadEnds, ShapeError, StockLengthError};
use crate::ProtocolError;
use crate::share::ShareView;
use crate::two_party::Party;

/// The public numbers of a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sign {
    ring_bits: u32,
    radix_bits: u32,
}

/// One party's material for the signs of n elements, used up by them.
pub struct SignStock {
    of: Sign,
    party: Party,
    n: usize,
    comparison: ComparisonStock,
}

impl Sign {
    /// Signs of numbers modulo 2^ring_bits (2 to 32), compared in digits of `radix_bits` (1 to 4).
    pub fn new(ring_bits: u32, radix_bits: u32) -> Result<Self, ShapeError> {
        ShapeError::check("ring bits", ring_bits, 2, 32)?;
        ShapeError::check("bits of a digit", radix_bits, 1, 4)?;
        Ok(Self { ring_bits, radix_bits })
    }

    /// Correlated transfers for n elements.
    pub fn demand(&self, n: usize) -> PadDemand {
        self.comparison().demand(n)
    }

    /// Makes the stock for n elements, as the party whose ends are given.
    pub fn offline(
        &self,
        n: usize,
        ends: &mut PadEnds,
        channel: &mut dyn Channel,
    ) -> Result<SignStock, ProtocolError> {
        let comparison = self.comparison().offline(n, ends, channel)?;
        Ok(SignStock { of: *self, party: ends.party(), n, comparison })
    }

    /// The party's share of the bits x >= 0. Upper bits of the input are ignored.
    ///
    /// # Panics
    /// When the stock was made for another sign, party or length.
    pub fn online(
        &self,
        party: Party,
        x: ShareView<'_>,
        stock: SignStock,
        channel: &mut dyn Channel,
    ) -> Result<Bits, ProtocolError> {
        assert_eq!(
            (stock.of, stock.party, stock.n),
            (*self, party, x.len()),
            "a stock is used for what it was made for"
        );
        if x.is_empty() {
            return Ok(Bits::zeros(0));
        }
        let mut bits = planes(x.words(), 0, self.ring_bits);
        let top = bits.pop().expect("a ring has bits");
        match party {
            Party::ImageOwner => {
                let tree = self.answer(&bits, stock, channel)?;
                Ok(top.xor(&tree.run(Piggyback::None, channel)?.0.all).not())
            }
            Party::ModelOwner => {
                bits.iter_mut().for_each(|plane| *plane = plane.not());
                let tree = self.ask(&bits, stock, channel)?;
                Ok(top.xor(&tree.run(Piggyback::None, channel)?.0.all))
            }
        }
    }

    /// Bytes of a stock for n elements.
    pub fn stock_bytes(&self, party: Party, n: usize) -> usize {
        self.comparison().stock_bytes(party, n)
    }

    /// A stock as [`SignStock::to_bytes`] wrote it. The caller sees to it that it is read once.
    pub fn stock_from_bytes(
        &self,
        party: Party,
        n: usize,
        bytes: &[u8],
    ) -> Result<SignStock, StockLengthError> {
        let mut from = StockLengthError::check(bytes, self.stock_bytes(party, n), n)?;
        Ok(self.read_stock(party, &mut from))
    }

    pub(super) fn read_stock(&self, party: Party, from: &mut Reader) -> SignStock {
        SignStock { of: *self, party, n: from.n(), comparison: self.comparison().read_stock(party, from) }
    }

    /// The messages of `online` for n elements.
    pub fn script(&self, n: usize) -> Script {
        let comparison = self.comparison();
        let mut script = Script::default();
        script.message(Party::ModelOwner.sends(comparison.correction_bytes(n)));
        script.message(Party::ImageOwner.sends(comparison.answer_bytes(n)));
        script.then(comparison.levels_script(n, false));
        script
    }

    /// Image owner, steps 1 and 2.
    fn answer(
        &self,
        bits: &[Bits],
        stock: SignStock,
        channel: &mut dyn Channel,
    ) -> Result<ComparisonTree, ProtocolError> {
        let comparison = self.comparison();
        let message = channel.receive(comparison.correction_bytes(stock.n))?;
        let mut out = Writer::with_capacity(comparison.answer_bytes(stock.n));
        let mut from = Reader::new(&message, stock.n);
        let tree = comparison.answer(bits, stock.comparison, &mut from, &mut out);
        channel.send(out.bytes())?;
        Ok(tree)
    }

    /// Model owner, steps 1 and 2.
    fn ask(
        &self,
        bits: &[Bits],
        stock: SignStock,
        channel: &mut dyn Channel,
    ) -> Result<ComparisonTree, ProtocolError> {
        let comparison = self.comparison();
        let mut out = Writer::with_capacity(comparison.correction_bytes(stock.n));
        comparison.correct(bits, &stock.comparison, &mut out);
        channel.send(out.bytes())?;
        let message = channel.receive(comparison.answer_bytes(stock.n))?;
        Ok(comparison.accept(stock.comparison, &mut Reader::new(&message, stock.n)))
    }

    fn comparison(&self) -> Comparison {
        Comparison::new(0, self.ring_bits - 1, self.radix_bits)
    }
}

impl SignStock {
    /// The stock as bytes, for a file. Uses it up.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.of.stock_bytes(self.party, self.n));
        self.write(&mut out);
        out.into_bytes()
    }

    pub(super) fn write(&self, out: &mut Writer) {
        self.comparison.write(out);
    }
}

impl std::fmt::Debug for SignStock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignStock({:?}, {:?}, {} elements)", self.of, self.party, self.n)
    }
}
