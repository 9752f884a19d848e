//! The larger of two, and the largest of k: b + max(a - b, 0), by an [`Activation`] that drops nothing.
//!
//! | step | who | message |
//! |---|---|---|
//! | per round | both | an activation of the differences, l -> l bits, f = 0 |
//!
//! Ideal: [`super::ideal::maximum`], [`super::ideal::tournament`]. Differences must fit the ring: |a - b| <
//! 2^(l-1). A tournament of k pairs neighbours, all pairs of a round in one activation; an odd one waits for
//! the next round. ceil(log2 k) rounds, k - 1 activations per element. Security: that of [`Activation`];
//! everything else is local.

use blindscan_arith::ring::Ring32;
use blindscan_wire::Channel;
use blindscan_wire::script::Script;

use super::activation::{Activation, ActivationStock};
use super::message::Writer;
use super::supply::{PadDemand, PadEnds, ShapeError, StockLengthError};
use crate::ProtocolError;
use crate::share::{Share, ShareView};
use crate::two_party::Party;

/// The public numbers of a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Maximum {
    relu: Activation,
}

impl Maximum {
    /// Maxima of numbers modulo 2^ring_bits (2 to 32), compared in digits of `radix_bits` (1 to 4).
    pub fn new(ring_bits: u32, radix_bits: u32) -> Result<Self, ShapeError> {
        Ok(Self { relu: Activation::new(ring_bits, 0, ring_bits, true, radix_bits)? })
    }

    /// Correlated transfers for n pairs.
    pub fn demand(&self, n: usize) -> PadDemand {
        self.relu.demand(n)
    }

    /// Makes the stock for n pairs.
    pub fn offline(
        &self,
        n: usize,
        ends: &mut PadEnds,
        channel: &mut dyn Channel,
    ) -> Result<ActivationStock, ProtocolError> {
        self.relu.offline(n, ends, channel)
    }

    /// The party's share of max(a, b), element by element.
    ///
    /// # Panics
    /// When the lengths or the stock do not fit.
    pub fn online(
        &self,
        party: Party,
        a: ShareView<'_>,
        b: ShareView<'_>,
        stock: ActivationStock,
        channel: &mut dyn Channel,
    ) -> Result<Share, ProtocolError> {
        assert_eq!(a.len(), b.len(), "a maximum is of two vectors of one length");
        let ring = Ring32::new(self.relu.ring_bits);
        let mut larger = self.relu.online(party, a.minus(ring, b).view(), stock, channel)?;
        larger.add(ring, b);
        Ok(larger)
    }

    /// The messages of `online` for n pairs.
    pub fn script(&self, n: usize) -> Script {
        self.relu.script(n)
    }

    /// Bytes of a stock for n pairs.
    pub fn stock_bytes(&self, party: Party, n: usize) -> usize {
        self.relu.stock_bytes(party, n)
    }

    /// A stock as [`ActivationStock::to_bytes`] wrote it. The caller sees to it that it is read once.
    pub fn stock_from_bytes(
        &self,
        party: Party,
        n: usize,
        bytes: &[u8],
    ) -> Result<ActivationStock, StockLengthError> {
        self.relu.stock_from_bytes(party, n, bytes)
    }
}

/// The public numbers of a tournament: the largest of k candidates, element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tournament {
    maximum: Maximum,
    candidates: usize,
}

/// One party's material for a tournament of n elements, used up by it.
#[derive(Debug)]
pub struct TournamentStock {
    of: Tournament,
    rounds: Vec<ActivationStock>,
}

impl Tournament {
    /// The largest of `candidates` (1 to 65536) numbers modulo 2^ring_bits (2 to 32), compared in digits of
    /// `radix_bits` (1 to 4).
    pub fn new(ring_bits: u32, radix_bits: u32, candidates: usize) -> Result<Self, ShapeError> {
        ShapeError::check("candidates", u32::try_from(candidates).unwrap_or(u32::MAX), 1, 1 << 16)?;
        Ok(Self { maximum: Maximum::new(ring_bits, radix_bits)?, candidates })
    }

    /// k.
    pub fn candidates(&self) -> usize {
        self.candidates
    }

    /// Correlated transfers for n elements.
    pub fn demand(&self, n: usize) -> PadDemand {
        self.pairs().map(|pairs| self.maximum.demand(pairs * n)).sum()
    }

    /// Makes the stock for n elements.
    pub fn offline(
        &self,
        n: usize,
        ends: &mut PadEnds,
        channel: &mut dyn Channel,
    ) -> Result<TournamentStock, ProtocolError> {
        let rounds = self
            .pairs()
            .map(|pairs| self.maximum.offline(pairs * n, ends, channel))
            .collect::<Result<_, _>>()?;
        Ok(TournamentStock { of: *self, rounds })
    }

    /// The party's share of the largest, from its shares of the candidates: one vector each.
    ///
    /// # Panics
    /// When the number of candidates, their lengths or the stock do not fit.
    pub fn online(
        &self,
        party: Party,
        mut candidates: Vec<Share>,
        stock: TournamentStock,
        channel: &mut dyn Channel,
    ) -> Result<Share, ProtocolError> {
        assert_eq!(
            (stock.of, candidates.len()),
            (*self, self.candidates),
            "a stock is used for what it was made for"
        );
        let n = candidates[0].len();
        assert!(candidates.iter().all(|vector| vector.len() == n), "candidates are of one length");
        for stock in stock.rounds {
            let (first, second) = neighbours(&candidates);
            let larger = self.maximum.online(party, first.view(), second.view(), stock, channel)?;
            candidates = next_round(larger.view(), candidates);
        }
        let mut largest = candidates.remove(0);
        largest.reduce(Ring32::new(self.maximum.relu.ring_bits));
        Ok(largest)
    }

    /// The messages of `online` for n elements.
    pub fn script(&self, n: usize) -> Script {
        self.pairs().map(|pairs| self.maximum.script(pairs * n)).collect()
    }

    /// Bytes of a stock for n elements.
    pub fn stock_bytes(&self, party: Party, n: usize) -> usize {
        self.pairs().map(|pairs| self.maximum.stock_bytes(party, pairs * n)).sum()
    }

    /// A stock as [`TournamentStock::to_bytes`] wrote it. The caller sees to it that it is read once.
    pub fn stock_from_bytes(
        &self,
        party: Party,
        n: usize,
        bytes: &[u8],
    ) -> Result<TournamentStock, StockLengthError> {
        StockLengthError::check(bytes, self.stock_bytes(party, n), n)?;
        let mut rest = bytes;
        let mut rounds = Vec::new();
        for pairs in self.pairs() {
            let (now, later) = rest.split_at(self.maximum.stock_bytes(party, pairs * n));
            rounds.push(self.maximum.stock_from_bytes(party, pairs * n, now)?);
            rest = later;
        }
        Ok(TournamentStock { of: *self, rounds })
    }

    /// Pairs of each round.
    fn pairs(&self) -> impl Iterator<Item = usize> + use<> {
        rounds(self.candidates).map(|left| left / 2)
    }
}

impl TournamentStock {
    /// The stock as bytes, for a file. Uses it up.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.rounds.iter().map(ActivationStock::bytes).sum());
        self.rounds.iter().for_each(|round| round.write(&mut out));
        out.into_bytes()
    }
}

/// How many are left at the beginning of each round.
pub(super) fn rounds(candidates: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(candidates), |left| Some(left.div_ceil(2))).take_while(|&left| left > 1)
}

/// The firsts of all pairs, and the seconds, each joined to one vector. An odd one at the end is in neither.
pub(super) fn neighbours(shares: &[Share]) -> (Share, Share) {
    let pairs = shares.chunks_exact(2);
    (Share::concat(pairs.clone().map(|pair| pair[0].view())), Share::concat(pairs.map(|pair| pair[1].view())))
}

/// Who plays the next round: the winners of all pairs, cut apart again, and the odd one that had no match.
pub(super) fn next_round(winners: ShareView<'_>, mut before: Vec<Share>) -> Vec<Share> {
    let (n, pairs) = (before[0].len(), before.len() / 2);
    let odd = (before.len() % 2 == 1).then(|| before.pop()).flatten();
    (0..pairs).map(|pair| winners.part(pair * n..(pair + 1) * n).copied()).chain(odd).collect()
}
