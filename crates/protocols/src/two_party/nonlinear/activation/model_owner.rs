//! The model owner's side of an activation. The image owner's has the same functions in the same order.

use blindscan_arith::bits::Bits;
use blindscan_wire::Channel;

use super::super::comparison::{ComparisonStock, ComparisonTree, Piggyback};
use super::super::message::{Reader, Writer, packed_bytes};
use super::super::pads::{Half, Words};
use super::super::products;
use super::super::select::SelectStock;
use super::{Activation, ActivationStock, Input, multiply};
use crate::ProtocolError;
use crate::share::Share;

/// The share of the output; upper bits are not reduced.
pub(super) fn run(
    of: &Activation,
    mut input: Input,
    stock: ActivationStock,
    channel: &mut dyn Channel,
) -> Result<Share, ProtocolError> {
    if of.first_bytes(stock.n) == 0 {
        return Ok(input.value);
    }
    let tree = compare(of, &mut input, stock.comparison, stock.wrap, channel)?;
    match stock.select {
        Some(select) => relu(of, input, tree, stock.carry, select, channel),
        None => rescale(of, input, tree, stock.carry, channel),
    }
}

/// Steps 1 and 2.
fn compare(
    of: &Activation,
    input: &mut Input,
    comparison: ComparisonStock,
    wrap: Option<Half<Words>>,
    channel: &mut dyn Channel,
) -> Result<ComparisonTree, ProtocolError> {
    let n = input.value.len();
    let mut message = Writer::with_capacity(of.first_bytes(n));
    of.comparison().correct(&input.bits, &comparison, &mut message);
    if let Some(pads) = &wrap {
        message.plane(&input.top.xor(&pads.received().choice));
    }
    channel.send(message.bytes())?;
    let answer = channel.receive(of.answer_bytes(n))?;
    let mut from = Reader::new(&answer, n);
    let tree = of.comparison().accept(comparison, &mut from);
    if let Some(pads) = wrap {
        let (shift, top) = (of.ring_bits - of.drop, input.top.clone());
        products::accept(pads.received(), &top, of.wrap_bits(), &mut from, |block, share| {
            input.subtract_wrap(shift, block, share);
        });
    }
    Ok(tree)
}

/// The levels and the multiplexer.
fn relu(
    of: &Activation,
    mut input: Input,
    tree: ComparisonTree,
    carry: Option<Half<Words>>,
    select: SelectStock,
    channel: &mut dyn Channel,
) -> Result<Share, ProtocolError> {
    let n = input.value.len();
    let piggyback = carry.as_ref().map_or(Piggyback::None, |pads| Piggyback::Send(&pads.received().choice));
    let (carries, _) = tree.run(piggyback, channel)?;
    let keep = input.top.xor(&carries.all);
    let mut message = Writer::default();
    message.plane(&select.correct(&keep));
    let length = Bits::byte_count(n) + packed_bytes(of.carry_bits(), n);
    let theirs = channel.exchange(message.bytes(), length)?;
    let mut from = Reader::new(&theirs, n);
    let corrections = from.plane();
    if let Some(pads) = carry {
        accept_carry(of, &mut input, &pads, &carries.low, &mut from);
    }
    multiply(of.out_bits, select, keep, input.value, &corrections, channel)
}

/// The levels and the carry.
fn rescale(
    of: &Activation,
    mut input: Input,
    tree: ComparisonTree,
    carry: Option<Half<Words>>,
    channel: &mut dyn Channel,
) -> Result<Share, ProtocolError> {
    let n = input.value.len();
    let (carries, _) = tree.run(Piggyback::None, channel)?;
    if let Some(pads) = carry {
        let mut message = Writer::default();
        message.plane(&carries.low.xor(&pads.received().choice));
        channel.send(message.bytes())?;
        let theirs = channel.receive(packed_bytes(of.carry_bits(), n))?;
        accept_carry(of, &mut input, &pads, &carries.low, &mut Reader::new(&theirs, n));
    }
    Ok(input.value)
}

fn accept_carry(of: &Activation, input: &mut Input, pads: &Half<Words>, low: &Bits, from: &mut Reader) {
    products::accept(pads.received(), low, of.carry_bits(), from, |block, share| {
        input.add_carry(&products::bit_lanes(low, block), block, share);
    });
}
