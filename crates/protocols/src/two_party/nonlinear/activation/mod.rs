//! ReLU with rescaling, and rescaling without ReLU: exact, floors, from Z_2^l into Z_2^m.
//!
//! With f bits dropped and B = ceil(n / 8) bytes a plane; parts of one line are one message. n words of k
//! bits are n * k bits.
//!
//! | step | who | message |
//! |---|---|---|
//! | 1 | model owner | masked digits (l - 1 planes; f planes without ReLU), correction for w (1 plane if m > l - f) |
//! | 2 | image owner | the digits' answers, message for w (words of m - l + f bits if m > l - f) |
//! | 3.. | both, at once, a level | masked shares; with the last one, from the model owner, the correction for the carry (1 plane if f > 0) |
//! | then | both, at once | corrections for the multiplexer (1 plane); from the image owner the message for the carry (words of m - 1 bits if f > 0) |
//! | last | both, at once | messages of the multiplexer (words of m bits) |
//!
//! Without ReLU the last two lines are: model owner, correction for the carry; image owner, message for the
//! carry (if f > 0). Without ReLU and with f = 0 and m <= l nothing is sent.
//!
//! Ideal: [`super::ideal::activation`]. ReLU wants |x| < 2^(l-1); without it |x| < 2^(l-2), a bit that the
//! plan reserves.
//! - carry_f and carry_(l-1) of x0 + x1 come from one comparison of x0 with not x1; msb = x0\[l-1\] xor
//!   x1\[l-1\] xor carry_(l-1); s = not msb.
//! - For x >= 0 the sum of shares wrapped around 2^l exactly when w = x0\[l-1\] or x1\[l-1\], so that
//!   floor(x / 2^f) = (x0 >> f) + (x1 >> f) + carry_f - 2^(l-f) * w.
//!   For x < 0 the product with s is zero whatever w is.
//! - carry_f = c0 + c1 - 2 c0 c1 and w = w0 + w1 - w0 w1 become sums by one transfer of words each
//!   ([`super::products`]).
//! - Without ReLU the model owner adds 2^(l-2) to its share before, which makes x >= 0, and subtracts
//!   2^(l-2-f) after.
//!
//! COTs per element with ReLU, D digits: l - 1 for the digits, 2 (D - 1) for the tree, carry 1, w 1,
//! multiplexer 2. At f = 8, digits of 3 bits and m = l: 41 / 49 / 55 for l = 24 / 28 / 32.
//!
//! Security: semi-honest; all that is opened is masked by pads used once. The shapes of messages come from l,
//! f, m, w and n alone.
//! Source: Rathee et al., CrypTFlow2, CCS 2020, section 4; the wrap from the known sign: Huang et al.,
//! Cheetah, USENIX Security 2022, section 4. Here the carry of the low bits is kept, so that nothing is
//! rounded.

mod image_owner;
mod model_owner;

use blindscan_arith::bits::{Bits, planes};
use blindscan_arith::ring::Ring32;
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use super::comparison::{Comparison, ComparisonStock};
use super::message::{Lanes, Reader, Writer, packed_bytes};
use super::pads::{Half, Words};
use super::products;
use super::select::{self, SelectStock};
use super::supply::{PadDemand, PadEnds, ShapeError, StockLengthError};
use crate::ProtocolError;
use crate::share::{Share, ShareView};
use crate::two_party::Party;

/// The public numbers of a ReLU or a rescaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Activation {
    /// l: the input is shared modulo 2^l, l from 2 to 32.
    pub ring_bits: u32,
    /// f: low bits dropped, 0 to l - 2.
    pub drop: u32,
    /// m: the output is shared modulo 2^m, m from 2 to 32.
    pub out_bits: u32,
    /// Whether negative values become 0.
    pub relu: bool,
    /// Bits of a digit in the comparison, 1 to 4. 1 is the AND-tree over bits.
    pub radix_bits: u32,
}

/// One party's material for one activation of n elements, used up by it.
///
/// It cannot be copied, and [`Activation::online`] takes it by value:
/// ```compile_fail,E0382
/// use blindscan_protocols::share::ShareView;
/// use blindscan_protocols::two_party::{Party, nonlinear::{Activation, ActivationStock}};
/// use blindscan_wire::Channel;
/// fn twice(step: Activation, x: ShareView<'_>, stock: ActivationStock, channel: &mut dyn Channel) {
///     let _ = step.online(Party::ImageOwner, x, stock, channel);
///     let _ = step.online(Party::ImageOwner, x, stock, channel);
/// }
/// ```
pub struct ActivationStock {
    of: Activation,
    party: Party,
    n: usize,
    comparison: ComparisonStock,
    wrap: Option<Half<Words>>,
    carry: Option<Half<Words>>,
    select: Option<SelectStock>,
}

impl Activation {
    /// An activation whose numbers are in their ranges.
    pub fn new(
        ring_bits: u32,
        drop: u32,
        out_bits: u32,
        relu: bool,
        radix_bits: u32,
    ) -> Result<Self, ShapeError> {
        let this = Self { ring_bits, drop, out_bits, relu, radix_bits };
        this.check()?;
        Ok(this)
    }

    /// Correlated transfers for n elements.
    pub fn demand(&self, n: usize) -> PadDemand {
        let words = u64::from(self.carry_bits() > 0) + u64::from(self.wrap_bits() > 0);
        let products = PadDemand { forward_cots: words, backward_cots: 0 } * n;
        let select = if self.relu { select::DEMAND * n } else { PadDemand::default() };
        self.comparison().demand(n) + products + select
    }

    /// Makes the stock for n elements, as the party whose ends are given.
    pub fn offline(
        &self,
        n: usize,
        ends: &mut PadEnds,
        channel: &mut dyn Channel,
    ) -> Result<ActivationStock, ProtocolError> {
        let comparison = self.comparison().offline(n, ends, channel)?;
        let mut words = |bits: u32| match bits {
            0 => Ok(None),
            _ => ends.forward(Words { bits }, n, channel).map(Some),
        };
        let (wrap, carry) = (words(self.wrap_bits())?, words(self.carry_bits())?);
        let select = match self.relu {
            true => Some(SelectStock::offline(n, self.out_bits, ends, channel)?),
            false => None,
        };
        Ok(ActivationStock { of: *self, party: ends.party(), n, comparison, wrap, carry, select })
    }

    /// The party's share of the output, from its share of the input. Upper bits of the input are ignored.
    ///
    /// # Panics
    /// When the stock was made for another activation, party or length.
    pub fn online(
        &self,
        party: Party,
        x: ShareView<'_>,
        stock: ActivationStock,
        channel: &mut dyn Channel,
    ) -> Result<Share, ProtocolError> {
        assert_eq!(
            (stock.of, stock.party, stock.n),
            (*self, party, x.len()),
            "a stock is used for what it was made for"
        );
        let input = Input::new(self, party, x);
        let mut value = match party {
            Party::ImageOwner => image_owner::run(self, input, stock, channel)?,
            Party::ModelOwner => model_owner::run(self, input, stock, channel)?,
        };
        value.reduce(Ring32::new(self.out_bits));
        Ok(value)
    }

    /// Bytes of a stock for n elements.
    pub fn stock_bytes(&self, party: Party, n: usize) -> usize {
        let words = |bits| match bits {
            0 => 0,
            _ => Half::bytes(party == Party::ImageOwner, Words { bits }, n),
        };
        let select = if self.relu { SelectStock::stock_bytes(n, self.out_bits) } else { 0 };
        self.comparison().stock_bytes(party, n) + words(self.wrap_bits()) + words(self.carry_bits()) + select
    }

    /// A stock as [`ActivationStock::to_bytes`] wrote it. The caller sees to it that it is read once.
    pub fn stock_from_bytes(
        &self,
        party: Party,
        n: usize,
        bytes: &[u8],
    ) -> Result<ActivationStock, StockLengthError> {
        let mut from = StockLengthError::check(bytes, self.stock_bytes(party, n), n)?;
        Ok(self.read_stock(party, &mut from))
    }

    pub(super) fn read_stock(&self, party: Party, from: &mut Reader) -> ActivationStock {
        let comparison = self.comparison().read_stock(party, from);
        let mut words = |bits| match bits {
            0 => None,
            _ => Some(Half::read(party == Party::ImageOwner, Words { bits }, from)),
        };
        let (wrap, carry) = (words(self.wrap_bits()), words(self.carry_bits()));
        let select = self.relu.then(|| SelectStock::read(self.out_bits, from));
        ActivationStock { of: *self, party, n: from.n(), comparison, wrap, carry, select }
    }

    /// The messages of `online` for n elements.
    pub fn script(&self, n: usize) -> Script {
        let (comparison, plane) = (self.comparison(), Bits::byte_count(n));
        let (dropping, carry) = (self.drop > 0, packed_bytes(self.carry_bits(), n));
        let mut script = Script::default();
        script.message(Party::ModelOwner.sends(self.first_bytes(n)));
        script.message(Party::ImageOwner.sends(self.answer_bytes(n)));
        script.then(comparison.levels_script(n, self.relu && dropping));
        if self.relu {
            script.at_once(Party::exchange(plane + carry, plane));
            let words = packed_bytes(self.out_bits, n);
            script.at_once(Party::exchange(words, words));
        } else if dropping {
            script.message(Party::ModelOwner.sends(plane));
            script.message(Party::ImageOwner.sends(carry));
        }
        script
    }

    fn check(&self) -> Result<(), ShapeError> {
        ShapeError::check("ring bits", self.ring_bits, 2, 32)?;
        ShapeError::check("bits dropped", self.drop, 0, self.ring_bits - 2)?;
        ShapeError::check("output bits", self.out_bits, 2, 32)?;
        ShapeError::check("bits of a digit", self.radix_bits, 1, 4)
    }

    fn comparison(&self) -> Comparison {
        assert_eq!(self.check(), Ok(()), "an activation has numbers in their ranges");
        let high = if self.relu { self.ring_bits - 1 - self.drop } else { 0 };
        Comparison::new(self.drop, high, self.radix_bits)
    }

    /// Bits of w that reach the output.
    fn wrap_bits(&self) -> u32 {
        self.out_bits.saturating_sub(self.ring_bits - self.drop)
    }

    /// Bits of c0 * c1, which counts twice.
    fn carry_bits(&self) -> u32 {
        if self.drop > 0 { self.out_bits - 1 } else { 0 }
    }

    fn first_bytes(&self, n: usize) -> usize {
        let wrap = if self.wrap_bits() > 0 { Bits::byte_count(n) } else { 0 };
        self.comparison().correction_bytes(n) + wrap
    }

    fn answer_bytes(&self, n: usize) -> usize {
        self.comparison().answer_bytes(n) + packed_bytes(self.wrap_bits(), n)
    }
}

impl ActivationStock {
    /// Bytes of it as a file.
    pub(super) fn bytes(&self) -> usize {
        self.of.stock_bytes(self.party, self.n)
    }

    /// The stock as bytes, for a file. Uses it up.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.bytes());
        self.write(&mut out);
        out.into_bytes()
    }

    pub(super) fn write(&self, out: &mut Writer) {
        self.comparison.write(out);
        for pads in [&self.wrap, &self.carry].into_iter().flatten() {
            pads.write(out);
        }
        if let Some(select) = &self.select {
            select.write(self.of.out_bits, out);
        }
    }
}

impl std::fmt::Debug for ActivationStock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActivationStock({:?}, {:?}, {} elements)", self.of, self.party, self.n)
    }
}

/// A party's share of the input, taken apart.
struct Input {
    /// The bits that are compared; turned at the model owner.
    bits: Vec<Bits>,
    /// Bit l - 1.
    top: Bits,
    /// x >> f, to which the steps add: the share of the rescaled value.
    value: Share,
}

impl Input {
    fn new(of: &Activation, party: Party, x: ShareView<'_>) -> Self {
        let mask = Ring32::new(of.ring_bits).mask();
        let offset = if party == Party::ModelOwner && !of.relu { 1 << (of.ring_bits - 2) } else { 0 };
        let moved = x.words().iter().map(|word| word.wrapping_add(offset) & mask);
        let mut value = Share::of_words(moved.collect());
        let (mut bits, top) = if of.relu {
            let mut bits = planes(value.words(), 0, of.ring_bits);
            let top = bits.pop().expect("a ring has bits");
            (bits, top)
        } else {
            (planes(value.words(), 0, of.drop), planes(value.words(), of.ring_bits - 1, 1).remove(0))
        };
        if party == Party::ModelOwner {
            bits.iter_mut().for_each(|plane| *plane = plane.not());
        }
        let rescale = |word: &mut u32| *word = (*word >> of.drop).wrapping_sub(offset >> of.drop);
        value.words_mut().iter_mut().for_each(rescale);
        Self { bits, top, value }
    }

    /// Subtracts 2^shift times this party's share of w = w0 + w1 - w0 w1, of 32 elements.
    fn subtract_wrap(&mut self, shift: u32, block: usize, product: &Lanes) {
        let top = products::bit_lanes(&self.top, block);
        products::update(self.value.words_mut(), block, |i, value| {
            value.wrapping_sub(top[i].wrapping_sub(product[i]) << shift)
        });
    }

    /// Adds this party's share of the carry, c0 + c1 - 2 c0 c1, of 32 elements.
    fn add_carry(&mut self, carry: &Lanes, block: usize, product: &Lanes) {
        products::update(self.value.words_mut(), block, |i, value| {
            value.wrapping_add(carry[i]).wrapping_sub(product[i] << 1)
        });
    }
}

/// The last step, the same at both ends: the product of the bit and the value.
fn multiply(
    bits: u32,
    select: SelectStock,
    keep: Bits,
    value: Share,
    corrections: &Bits,
    channel: &mut dyn Channel,
) -> Result<Share, ProtocolError> {
    let (n, bytes) = (value.len(), packed_bytes(bits, value.len()));
    let mut out = Writer::with_capacity(bytes);
    let selection = select.offer(keep, value, bits, corrections, &mut out);
    let theirs = channel.exchange(out.bytes(), bytes)?;
    Ok(selection.accept(bits, &mut Reader::new(&theirs, n)))
}
