//! The index of the largest of k logits, told to the image owner alone: argmax inside the protocol.
//!
//! | step | who | message |
//! |---|---|---|
//! | per round | both | the sign of the differences ([`super::sign`]) |
//! | per round, k > 2 | both, at once | corrections for the multiplexers: of the indices, and but in the last round of the values (1 plane each) |
//! | per round, k > 2 | both, at once | the multiplexers' messages: indices of ceil(log2 k) bits, values of l bits |
//! | last | model owner | its share of the label, ceil(log2 k) bits per position; 1 bit for k = 1 |
//!
//! Ideal: [`super::ideal::label`], ties to the lower index; |logit| < 2^(l-2), so that differences fit. Two
//! classes: the label is the sign bit of l0 - l1. One logit: 1 when it is not negative. More: neighbours are
//! compared round by round, the winner's value is second + s * (first - second) and its index likewise modulo
//! 2^ceil(log2 k); an odd one waits. Winners stay in the order of their indices.
//!
//! Security: that of [`super::sign`] and [`super::select`]. The image owner sends nothing in the last step,
//! so the model owner learns nothing; the image owner gets a share that is uniform but for the label, so it
//! learns the label and not by how much it won.

use blindscan_arith::bits::Bits;
use blindscan_arith::ring::{Module, Ring32};
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use super::maximum::{neighbours, next_round, rounds};
use super::message::{Reader, Writer, packed_bytes};
use super::products;
use super::select::{self, SelectStock};
use super::sign::{Sign, SignStock};
use super::supply::{PadDemand, PadEnds, ShapeError, StockLengthError};
use crate::ProtocolError;
use crate::share::{Share, ShareView};
use crate::two_party::Party;

/// The public numbers of an argmax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    sign: Sign,
    ring_bits: u32,
    classes: usize,
}

/// One party's material for the labels of n positions, used up by them.
pub struct LabelStock {
    of: Label,
    party: Party,
    n: usize,
    rounds: Vec<Round>,
}

/// The material of a round.
struct Round {
    sign: SignStock,
    index: Option<SelectStock>,
    value: Option<SelectStock>,
}

/// What a round needs.
#[derive(Clone, Copy)]
struct RoundShape {
    pairs: usize,
    index: bool,
    value: bool,
}

/// Shares of what is left of the candidates.
struct Candidates {
    values: Vec<Share>,
    indices: Vec<Share>,
}

impl Label {
    /// Labels from `classes` (1 to 256) logits modulo 2^ring_bits (2 to 32), compared in digits of
    /// `radix_bits` (1 to 4).
    pub fn new(ring_bits: u32, radix_bits: u32, classes: usize) -> Result<Self, ShapeError> {
        ShapeError::check("classes", u32::try_from(classes).unwrap_or(u32::MAX), 1, 256)?;
        Ok(Self { sign: Sign::new(ring_bits, radix_bits)?, ring_bits, classes })
    }

    /// Correlated transfers for n positions.
    pub fn demand(&self, n: usize) -> PadDemand {
        self.rounds()
            .map(|round| {
                let selections = usize::from(round.index) + usize::from(round.value);
                self.sign.demand(round.pairs * n) + select::DEMAND * (selections * round.pairs * n)
            })
            .sum()
    }

    /// Makes the stock for n positions, as the party whose ends are given.
    pub fn offline(
        &self,
        n: usize,
        ends: &mut PadEnds,
        channel: &mut dyn Channel,
    ) -> Result<LabelStock, ProtocolError> {
        let mut made = Vec::new();
        for round in self.rounds() {
            let matches = round.pairs * n;
            let sign = self.sign.offline(matches, ends, channel)?;
            let mut select = |wanted: bool, bits: u32| match wanted {
                true => SelectStock::offline(matches, bits, ends, channel).map(Some),
                false => Ok(None),
            };
            let index = select(round.index, self.label_bits())?;
            let value = select(round.value, self.ring_bits)?;
            made.push(Round { sign, index, value });
        }
        Ok(LabelStock { of: *self, party: ends.party(), n, rounds: made })
    }

    /// Image owner: the labels, from its shares of the logits, one vector per class.
    ///
    /// A lying model owner can make them anything below k. They are brought below k and not refused: a
    /// refusal would tell it about the label.
    ///
    /// # Panics
    /// When the number of classes, their lengths or the stock do not fit.
    pub fn image_owner(
        &self,
        logits: Vec<Share>,
        stock: LabelStock,
        channel: &mut dyn Channel,
    ) -> Result<Vec<u8>, ProtocolError> {
        let n = stock.n;
        let mine = self.shares(Party::ImageOwner, logits, stock, channel)?;
        if n == 0 {
            return Ok(Vec::new());
        }
        let bits = self.label_bits();
        let theirs = channel.receive(packed_bytes(bits, n))?;
        let (ring, last) = (Ring32::new(bits), self.classes.max(2) as u32 - 1);
        let label = |(mine, theirs): (&u32, &u32)| ring.add(*mine, *theirs).min(last) as u8;
        Ok(mine.words().iter().zip(Reader::new(&theirs, n).words(bits).iter()).map(label).collect())
    }

    /// Model owner: sends its share of the labels and learns nothing.
    ///
    /// # Panics
    /// When the number of classes, their lengths or the stock do not fit.
    pub fn model_owner(
        &self,
        logits: Vec<Share>,
        stock: LabelStock,
        channel: &mut dyn Channel,
    ) -> Result<(), ProtocolError> {
        let mine = self.shares(Party::ModelOwner, logits, stock, channel)?;
        if mine.is_empty() {
            return Ok(());
        }
        let mut message = Writer::default();
        message.words(self.label_bits(), mine.words());
        Ok(channel.send(message.bytes())?)
    }

    /// The messages of the dialogue for n positions.
    pub fn script(&self, n: usize) -> Script {
        let mut script = Script::default();
        for round in self.rounds() {
            let matches = round.pairs * n;
            script.then(self.sign.script(matches));
            if round.index {
                let (corrections, words) = self.select_bytes(round, matches);
                script.at_once(Party::exchange(corrections, corrections));
                script.at_once(Party::exchange(words, words));
            }
        }
        script.message(Party::ModelOwner.sends(packed_bytes(self.label_bits(), n)));
        script
    }

    /// Bytes of a stock for n positions.
    pub fn stock_bytes(&self, party: Party, n: usize) -> usize {
        self.rounds().map(|round| self.round_bytes(party, round, n)).sum()
    }

    /// A stock as [`LabelStock::to_bytes`] wrote it. The caller sees to it that it is read once.
    pub fn stock_from_bytes(
        &self,
        party: Party,
        n: usize,
        bytes: &[u8],
    ) -> Result<LabelStock, StockLengthError> {
        StockLengthError::check(bytes, self.stock_bytes(party, n), n)?;
        let mut rest = bytes;
        let mut read = Vec::new();
        for round in self.rounds() {
            let (now, later) = rest.split_at(self.round_bytes(party, round, n));
            let mut from = Reader::new(now, round.pairs * n);
            let sign = self.sign.read_stock(party, &mut from);
            let index = round.index.then(|| SelectStock::read(self.label_bits(), &mut from));
            let value = round.value.then(|| SelectStock::read(self.ring_bits, &mut from));
            read.push(Round { sign, index, value });
            rest = later;
        }
        Ok(LabelStock { of: *self, party, n, rounds: read })
    }

    /// Shares of the labels modulo 2^label_bits.
    fn shares(
        &self,
        party: Party,
        logits: Vec<Share>,
        stock: LabelStock,
        channel: &mut dyn Channel,
    ) -> Result<Share, ProtocolError> {
        assert_eq!((stock.of, stock.party), (*self, party), "a stock is used for what it was made for");
        let fits = logits.len() == self.classes && logits.iter().all(|vector| vector.len() == stock.n);
        assert!(fits, "there is one vector of logits per class");
        match &logits[..] {
            [logit] => self.binary(party, logit.view(), false, stock, channel),
            [first, second] => {
                let difference = first.view().minus(self.ring(), second.view());
                self.binary(party, difference.view(), true, stock, channel)
            }
            _ => self.tournament(party, logits, stock, channel),
        }
    }

    /// Shares of x >= 0, or of its contrary.
    fn binary(
        &self,
        party: Party,
        x: ShareView<'_>,
        contrary: bool,
        stock: LabelStock,
        channel: &mut dyn Channel,
    ) -> Result<Share, ProtocolError> {
        let round = stock.rounds.into_iter().next().expect("two classes take one round");
        let bits = self.sign.online(party, x, round.sign, channel)?;
        let turned = contrary && party == Party::ImageOwner;
        Ok(products::bit_words(&if turned { bits.not() } else { bits }))
    }

    fn tournament(
        &self,
        party: Party,
        logits: Vec<Share>,
        stock: LabelStock,
        channel: &mut dyn Channel,
    ) -> Result<Share, ProtocolError> {
        let index = |class: usize| if party == Party::ModelOwner { class as u32 } else { 0 };
        let indices = (0..self.classes).map(|class| Share::of_words(vec![index(class); stock.n])).collect();
        let mut left = Candidates { values: logits, indices };
        for (round, shape) in stock.rounds.into_iter().zip(self.rounds()) {
            left = self.round(party, left, round, shape, channel)?;
        }
        Ok(left.indices.remove(0))
    }

    /// All pairs of a round at once: signs, then winners.
    fn round(
        &self,
        party: Party,
        left: Candidates,
        stock: Round,
        shape: RoundShape,
        channel: &mut dyn Channel,
    ) -> Result<Candidates, ProtocolError> {
        let (first, second) = neighbours(&left.values);
        let (first_index, second_index) = neighbours(&left.indices);
        if first.is_empty() {
            return Ok(Candidates {
                indices: next_round(first.view(), left.indices),
                values: next_round(first.view(), left.values),
            });
        }
        let indices = Ring32::new(self.label_bits());
        let differences = first.view().minus(self.ring(), second.view());
        let index_differences = first_index.view().minus(indices, second_index.view());
        let ahead = self.sign.online(party, differences.view(), stock.sign, channel)?;

        let matches = ahead.len();
        let (correction_bytes, word_bytes) = self.select_bytes(shape, matches);
        let wanted = [
            stock.index.map(|stock| (stock, indices, index_differences, &second_index)),
            stock.value.map(|stock| (stock, self.ring(), differences, &second)),
        ];
        let mut corrections = Writer::default();
        for (stock, ..) in wanted.iter().flatten() {
            corrections.plane(&stock.correct(&ahead));
        }
        let theirs = channel.exchange(corrections.bytes(), correction_bytes)?;

        let mut from = Reader::new(&theirs, matches);
        let mut words = Writer::default();
        let mut selections = Vec::new();
        for (stock, ring, differences, base) in wanted.into_iter().flatten() {
            let selection = stock.offer(ahead.clone(), differences, ring.bits(), &from.plane(), &mut words);
            selections.push((selection, ring, base));
        }
        let theirs = channel.exchange(words.bytes(), word_bytes)?;

        let mut from = Reader::new(&theirs, matches);
        let mut winners = selections
            .into_iter()
            .map(|(selection, ring, base)| {
                let mut winner = selection.accept(ring.bits(), &mut from);
                winner.add(ring, base.view());
                winner
            })
            .collect::<Vec<_>>()
            .into_iter();
        let mut next = |before| winners.next().map_or_else(Vec::new, |won| next_round(won.view(), before));
        Ok(Candidates { indices: next(left.indices), values: next(left.values) })
    }

    fn select_bytes(&self, round: RoundShape, matches: usize) -> (usize, usize) {
        let planes = usize::from(round.index) + usize::from(round.value);
        let values = if round.value { packed_bytes(self.ring_bits, matches) } else { 0 };
        (planes * Bits::byte_count(matches), packed_bytes(self.label_bits(), matches) + values)
    }

    fn round_bytes(&self, party: Party, round: RoundShape, n: usize) -> usize {
        let select = |wanted, bits| if wanted { SelectStock::stock_bytes(round.pairs * n, bits) } else { 0 };
        self.sign.stock_bytes(party, round.pairs * n)
            + select(round.index, self.label_bits())
            + select(round.value, self.ring_bits)
    }

    /// The shapes of the rounds: for one or two classes a single sign.
    fn rounds(&self) -> impl Iterator<Item = RoundShape> + use<> {
        let many = self.classes > 2;
        rounds(self.classes.max(2)).map(move |left| RoundShape {
            pairs: left / 2,
            index: many,
            value: many && left > 2,
        })
    }

    /// The ring of the logits.
    fn ring(&self) -> Ring32 {
        Ring32::new(self.ring_bits)
    }

    /// Bits of a label.
    fn label_bits(&self) -> u32 {
        self.classes.max(2).next_power_of_two().trailing_zeros()
    }
}

impl LabelStock {
    /// The stock as bytes, for a file. Uses it up.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.of.stock_bytes(self.party, self.n));
        for round in &self.rounds {
            round.sign.write(&mut out);
            if let Some(index) = &round.index {
                index.write(self.of.label_bits(), &mut out);
            }
            if let Some(value) = &round.value {
                value.write(self.of.ring_bits, &mut out);
            }
        }
        out.into_bytes()
    }
}

impl std::fmt::Debug for LabelStock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LabelStock({:?}, {:?}, {} positions)", self.of, self.party, self.n)
    }
}
