//! Comparison of a (the image owner's) with b (the model owner's), bit by bit given: shares of (a > b), and
//! of (a > b) on the low bits alone.
//!
//! | step | who | message | bits |
//! |---|---|---|---|
//! | 1 | model owner | masked digits | k, the bits compared |
//! | 2 | image owner | answers, a digit of w bits | (2^w - 1) * 2; lowest digit (2^w - 1) |
//! | 3.. | both, at once, a level | masked shares, a node | 3; 2 when it holds the lowest digit |
//!
//! **The one interface to comparisons.** Everything above asks [`Comparison`] for five things: demand,
//! offline, the model owner's first message (`correct`), the image owner's answer (`answer`, to which
//! `accept` belongs), and the joint rest ([`ComparisonTree::run`]). The digit comparison with 1-of-2^w
//! transfer is claimed by a patent (US 12346830 B2); where that matters, `radix_bits: 1` is an AND-tree over
//! bits with plain 1-of-2 transfers, and another comparison (a garbled one, say) takes the place of this file
//! with nothing above it changed.
//!
//! Ideal: [`super::ideal::carry`]. With a = x0 and b = not x1 bitwise, (a > b) on the low f bits is the carry
//! of x0 + x1 into bit f.
//!
//! The low bits and the high bits are cut into digits apart, least significant first. Neighbours are joined
//! level by level in both parts; once the low part is one range, its result is kept and joins the high part
//! as its lowest neighbour, so that (a > b) = greater_high xor equal_high and greater_low falls out of the
//! same tree, mostly without a level of its own. Ranges that hold the lowest digit need no equality: one
//! product instead of two. D digits take D - 1 nodes.
//!
//! Security: see [`super::digits`] and [`super::ands`].
//! Source: Rathee et al., CrypTFlow2, CCS 2020, section 3.1.

use blindscan_arith::bits::Bits;
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use super::ands::{Joining, Triple};
use super::digits::{self, Order};
use super::message::{Reader, Writer};
use super::pads::{Digits, Half};
use super::supply::{PadDemand, PadEnds};
use crate::ProtocolError;
use crate::two_party::Party;

/// What is compared: `low_bits + high_bits` bits, in digits of `radix_bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    low_bits: u32,
    high_bits: u32,
    radix_bits: u32,
}

/// One party's pads and triples for one comparison of n pairs.
pub(super) struct ComparisonStock {
    digits: Vec<Half<Digits>>,
    triples: Vec<Triple>,
}

/// Shares of what was compared. Zeros where there were no bits.
pub(super) struct Carries {
    /// a > b on the low bits.
    pub(super) low: Bits,
    /// a > b on all bits.
    pub(super) all: Bits,
}

/// One plane that travels with the last level: the correction of a transfer whose choice is the low carry.
#[derive(Clone, Copy)]
pub(super) enum Piggyback<'a> {
    /// No plane.
    None,
    /// The model owner sends its share of the low carry, masked by this random choice.
    Send(&'a Bits),
    /// The image owner receives it.
    Receive,
}

impl Comparison {
    /// A comparison of the low and of all bits.
    ///
    /// # Panics
    /// When there are more than 32 bits or the digits have not 1 to 4: the protocols above have
    /// checked their numbers.
    pub(super) fn new(low_bits: u32, high_bits: u32, radix_bits: u32) -> Self {
        assert!(low_bits + high_bits <= 32 && (1..=4).contains(&radix_bits), "a comparison fits a word");
        Self { low_bits, high_bits, radix_bits }
    }

    /// Correlated transfers for n pairs: one per bit forward, and one each way per node.
    pub(super) fn demand(&self, n: usize) -> PadDemand {
        let digits = PadDemand { forward_cots: u64::from(self.bits()), backward_cots: 0 };
        let nodes = self.tree().nodes().count();
        digits * n + Triple::DEMAND * (nodes * n)
    }

    /// Makes the stock for n pairs.
    pub(super) fn offline(
        &self,
        n: usize,
        ends: &mut PadEnds,
        channel: &mut dyn Channel,
    ) -> Result<ComparisonStock, ProtocolError> {
        let shape = self.tree();
        let digits = shape
            .leaves
            .iter()
            .map(|leaf| ends.forward(leaf.pads(), n, channel))
            .collect::<Result<_, _>>()?;
        let triples = shape
            .nodes()
            .map(|node| Triple::offline(n, node.products(), ends, channel))
            .collect::<Result<_, _>>()?;
        Ok(ComparisonStock { digits, triples })
    }

    /// Model owner: masks the bits of b, plane by plane, least significant first.
    pub(super) fn correct(&self, b: &[Bits], stock: &ComparisonStock, out: &mut Writer) {
        for (leaf, pads) in self.tree().leaves.iter().zip(&stock.digits) {
            digits::correct(leaf.of(b), pads.received(), out);
        }
    }

    /// Image owner: answers the masked bits of b with the bits of a.
    pub(super) fn answer(
        &self,
        a: &[Bits],
        stock: ComparisonStock,
        from: &mut Reader,
        out: &mut Writer,
    ) -> ComparisonTree {
        let shape = self.tree();
        let corrections = from.planes(self.bits() as usize);
        let orders = shape
            .leaves
            .iter()
            .zip(&stock.digits)
            .map(|(leaf, pads)| digits::answer(leaf.of(a), leaf.of(&corrections), pads.sent(), out))
            .collect();
        ComparisonTree::new(Party::ImageOwner, from.n(), shape, orders, stock.triples)
    }

    /// Model owner: takes its shares from the answer.
    pub(super) fn accept(&self, stock: ComparisonStock, from: &mut Reader) -> ComparisonTree {
        let orders = stock.digits.iter().map(|pads| digits::accept(pads.received(), from)).collect();
        ComparisonTree::new(Party::ModelOwner, from.n(), self.tree(), orders, stock.triples)
    }

    /// Bytes of the model owner's first message.
    pub(super) fn correction_bytes(&self, n: usize) -> usize {
        self.bits() as usize * Bits::byte_count(n)
    }

    /// Bytes of the image owner's answer.
    pub(super) fn answer_bytes(&self, n: usize) -> usize {
        self.tree().leaves.iter().map(|leaf| digits::answer_bytes(n, leaf.width, leaf.message_bits())).sum()
    }

    /// The levels of the tree as messages; `piggyback` when a plane travels with the last one.
    pub(super) fn levels_script(&self, n: usize, piggyback: bool) -> Script {
        let mut script = Script::default();
        let levels = self.tree().levels;
        for (index, level) in levels.iter().enumerate() {
            let bytes = level_bytes(level, n);
            let more = if piggyback && index + 1 == levels.len() { Bits::byte_count(n) } else { 0 };
            script.at_once(Party::exchange(bytes, bytes + more));
        }
        script
    }

    /// Bytes of a stock as [`ComparisonStock::write`] writes it.
    pub(super) fn stock_bytes(&self, party: Party, n: usize) -> usize {
        let (shape, sends) = (self.tree(), party == Party::ImageOwner);
        let digits = shape.leaves.iter().map(|leaf| Half::bytes(sends, leaf.pads(), n));
        digits.sum::<usize>()
            + shape.nodes().map(|node| Triple::stock_bytes(n, node.products())).sum::<usize>()
    }

    /// The stock, from bytes whose length has been checked.
    pub(super) fn read_stock(&self, party: Party, from: &mut Reader) -> ComparisonStock {
        let (shape, sends) = (self.tree(), party == Party::ImageOwner);
        let digits = shape.leaves.iter().map(|leaf| Half::read(sends, leaf.pads(), from)).collect();
        let triples = shape.nodes().map(|node| Triple::read(node.products(), from)).collect();
        ComparisonStock { digits, triples }
    }

    fn bits(&self) -> u32 {
        self.low_bits + self.high_bits
    }

    fn tree(&self) -> Shape {
        Shape::new(self.low_bits, self.high_bits, self.radix_bits)
    }
}

impl ComparisonStock {
    /// Digits' pads, then triples.
    pub(super) fn write(&self, out: &mut Writer) {
        self.digits.iter().for_each(|pads| pads.write(out));
        self.triples.iter().for_each(|triple| triple.write(out));
    }
}

/// The comparisons of single digits, about to be joined.
pub(super) struct ComparisonTree {
    party: Party,
    n: usize,
    shape: Shape,
    /// One per leaf, then one per node.
    orders: Vec<Order>,
    triples: std::vec::IntoIter<Triple>,
}

impl ComparisonTree {
    fn new(party: Party, n: usize, shape: Shape, orders: Vec<Order>, triples: Vec<Triple>) -> Self {
        assert_eq!(triples.len(), shape.nodes().count(), "a stock has one triple per node");
        Self { party, n, shape, orders, triples: triples.into_iter() }
    }

    /// Joins all levels, one exchange each. The second result is the piggyback that was received.
    pub(super) fn run(
        mut self,
        piggyback: Piggyback,
        channel: &mut dyn Channel,
    ) -> Result<(Carries, Option<Bits>), ProtocolError> {
        let levels = std::mem::take(&mut self.shape.levels);
        assert!(matches!(piggyback, Piggyback::None) || !levels.is_empty(), "a piggyback needs a level");
        let mut received = None;
        for (index, level) in levels.iter().enumerate() {
            let piggyback = if index + 1 == levels.len() { piggyback } else { Piggyback::None };
            received = self.join(level, piggyback, channel)?;
        }
        Ok((self.carries(), received))
    }

    fn join(
        &mut self,
        level: &[Node],
        piggyback: Piggyback,
        channel: &mut dyn Channel,
    ) -> Result<Option<Bits>, ProtocolError> {
        let mut message = Writer::with_capacity(level_bytes(level, self.n) + Bits::byte_count(self.n));
        let mut joinings = Vec::with_capacity(level.len());
        for node in level {
            let triple = self.triples.next().expect("a stock has one triple per node");
            let (high, low) = (&self.orders[node.high], &self.orders[node.low]);
            joinings.push(Joining::open(triple, high, low, &mut message));
        }
        if let Piggyback::Send(choice) = piggyback {
            message.plane(&self.low_carry().xor(choice));
        }
        let more = if let Piggyback::Receive = piggyback { Bits::byte_count(self.n) } else { 0 };
        let theirs = channel.exchange(message.bytes(), level_bytes(level, self.n) + more)?;
        let mut theirs = Reader::new(&theirs, self.n);
        for joining in joinings {
            self.orders.push(joining.close(self.party, &mut theirs));
        }
        Ok((more > 0).then(|| theirs.plane()))
    }

    fn carries(&self) -> Carries {
        let all = self.orders.last().map_or_else(|| Bits::zeros(self.n), |root| root.greater.clone());
        Carries { low: self.low_carry(), all }
    }

    /// The low carry is known before the last level whenever there are high bits.
    fn low_carry(&self) -> Bits {
        self.shape.low_root.map_or_else(|| Bits::zeros(self.n), |root| self.orders[root].greater.clone())
    }
}

fn level_bytes(level: &[Node], n: usize) -> usize {
    level.iter().map(|node| 1 + node.products() as usize).sum::<usize>() * Bits::byte_count(n)
}

/// Which digits there are and which are joined when. They are numbered: leaves first, then nodes in the
/// order of the levels.
struct Shape {
    leaves: Vec<Leaf>,
    levels: Vec<Vec<Node>>,
    low_root: Option<usize>,
}

/// A digit.
struct Leaf {
    first: u32,
    width: u32,
    equality: bool,
}

/// Two ranges that become one.
struct Node {
    high: usize,
    low: usize,
    equality: bool,
}

/// A range on its way up.
#[derive(Clone, Copy)]
struct Range {
    order: usize,
    equality: bool,
}

impl Shape {
    fn new(low_bits: u32, high_bits: u32, radix_bits: u32) -> Self {
        let mut leaves = Vec::new();
        for (from, to) in [(0, low_bits), (low_bits, low_bits + high_bits)] {
            for first in (from..to).step_by(radix_bits as usize) {
                leaves.push(Leaf { first, width: radix_bits.min(to - first), equality: first > 0 });
            }
        }
        let mut low = Vec::new();
        let mut high = Vec::new();
        for (order, leaf) in leaves.iter().enumerate() {
            let part = if leaf.first < low_bits { &mut low } else { &mut high };
            part.push(Range { order, equality: leaf.equality });
        }
        let mut shape = Self { leaves, levels: Vec::new(), low_root: None };
        loop {
            if low.len() == 1 {
                shape.low_root = Some(low[0].order);
                high.insert(0, low.remove(0));
            }
            if low.is_empty() && high.len() <= 1 {
                return shape;
            }
            shape.levels.push(Vec::new());
            low = shape.pair(low);
            high = shape.pair(high);
        }
    }

    /// Joins neighbours on the newest level, lowest first; an odd one is left for the next.
    fn pair(&mut self, ranges: Vec<Range>) -> Vec<Range> {
        ranges
            .chunks(2)
            .map(|pair| match *pair {
                [low, high] => self.join(low, high),
                _ => pair[0],
            })
            .collect()
    }

    fn join(&mut self, low: Range, high: Range) -> Range {
        let order = self.leaves.len() + self.nodes().count();
        let equality = low.equality;
        let level = self.levels.last_mut().expect("a level was begun");
        level.push(Node { high: high.order, low: low.order, equality });
        Range { order, equality }
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.levels.iter().flatten()
    }
}

impl Leaf {
    fn message_bits(&self) -> u32 {
        1 + u32::from(self.equality)
    }

    fn pads(&self) -> Digits {
        Digits { choice_bits: self.width, message_bits: self.message_bits() }
    }

    /// This digit's planes.
    fn of<'a>(&self, planes: &'a [Bits]) -> &'a [Bits] {
        &planes[self.first as usize..(self.first + self.width) as usize]
    }
}

impl Node {
    fn products(&self) -> u32 {
        1 + u32::from(self.equality)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tree_has_one_node_less_than_digits_and_least_depth() {
        for low in 0..20 {
            for high in 0..=(31 - low) {
                for radix in 1..=4 {
                    let shape = Shape::new(low, high, radix);
                    let digits = |bits: u32| bits.div_ceil(radix) as usize;
                    assert_eq!(shape.leaves.len(), digits(low) + digits(high));
                    assert_eq!(shape.nodes().count(), shape.leaves.len().saturating_sub(1));
                    // The low part is one range after `deep` levels, and the high part was halved as often.
                    let deep = depth_of(digits(low));
                    let least = match (digits(low), digits(high)) {
                        (0, high) => depth_of(high),
                        (_, high) => deep + depth_of(1 + high.div_ceil(1 << deep)),
                    };
                    assert_eq!(shape.levels.len(), least, "{low} {high} {radix}");
                }
            }
        }
    }

    #[test]
    fn only_ranges_with_the_lowest_digit_do_without_equality() {
        let shape = Shape::new(9, 16, 3);
        assert_eq!(shape.leaves.iter().filter(|leaf| !leaf.equality).count(), 1);
        assert_eq!(shape.levels.len(), 4);
        assert!(shape.levels.iter().all(|level| level.iter().filter(|node| !node.equality).count() <= 1));
        assert_eq!(shape.nodes().last().map(Node::products), Some(1));
    }

    fn depth_of(ranges: usize) -> usize {
        ranges.next_power_of_two().trailing_zeros() as usize
    }
}
