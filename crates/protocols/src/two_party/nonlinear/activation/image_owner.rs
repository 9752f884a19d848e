//! The image owner's side of an activation. The model owner's has the same functions in the same order.

use blindscan_arith::bits::Bits;
use blindscan_wire::Channel;

use super::super::comparison::{ComparisonStock, ComparisonTree, Piggyback};
use super::super::message::{Reader, Writer};
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
    let message = channel.receive(of.first_bytes(n))?;
    let mut from = Reader::new(&message, n);
    let mut answer = Writer::with_capacity(of.answer_bytes(n));
    let tree = of.comparison().answer(&input.bits, comparison, &mut from, &mut answer);
    if let Some(pads) = wrap {
        let shift = of.ring_bits - of.drop;
        products::offer(pads.sent(), &from.plane(), of.wrap_bits(), &mut answer, |block, share| {
            input.subtract_wrap(shift, block, share);
            products::bit_lanes(&input.top, block)
        });
    }
    channel.send(answer.bytes())?;
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
    let piggyback = if carry.is_some() { Piggyback::Receive } else { Piggyback::None };
    let (carries, correction) = tree.run(piggyback, channel)?;
    let keep = input.top.xor(&carries.all).not();
    let mut message = Writer::default();
    message.plane(&select.correct(&keep));
    if let (Some(pads), Some(correction)) = (carry, correction) {
        offer_carry(of, &mut input, &pads, &carries.low, &correction, &mut message);
    }
    let theirs = channel.exchange(message.bytes(), Bits::byte_count(n))?;
    let corrections = Reader::new(&theirs, n).plane();
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
        let correction = Reader::new(&channel.receive(Bits::byte_count(n))?, n).plane();
        let mut message = Writer::default();
        offer_carry(of, &mut input, &pads, &carries.low, &correction, &mut message);
        channel.send(message.bytes())?;
    }
    Ok(input.value)
}

fn offer_carry(
    of: &Activation,
    input: &mut Input,
    pads: &Half<Words>,
    low: &Bits,
    correction: &Bits,
    out: &mut Writer,
) {
    products::offer(pads.sent(), correction, of.carry_bits(), out, |block, share| {
        let carry = products::bit_lanes(low, block);
        input.add_carry(&carry, block, share);
        carry
    });
}
