//! Where the correlated transfers of one direction of one phase come from: decided by the kind that the owners agreed on
//! and by the number of transfers, which is public. So both ends decide alike, and the cost is known beforehand.
//!
//! | kind | source |
//! |---|---|
//! | SoftSpoken | [`super::softspoken`] |
//! | Ferret | [`super::ferret`] by the set that sends least, or SoftSpoken where even that sends less |

use blindscan_arith::block::Block;
use blindscan_wire::script::{Message, Script, Seat};
use serde::{Deserialize, Serialize};

use super::buffered::BATCH;
use super::ferret::sets::SETS;
use super::ferret::{self, FerretReceiver, FerretSender, Ledger, LpnSet};
use super::security::Security;
use super::softspoken::{self, SmallField, SoftSpokenReceiver, SoftSpokenSender};
use super::{COT_MULTIPLE, CotReceiver, CotSender, Ends, Instance};

/// What the owners agree on for a phase. The order of variants is the wire form of a request: new ones come last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtKind {
    /// 31 bits per transfer, least work: for fast links.
    #[default]
    SoftSpoken,
    /// Less than one bit per transfer where there are many: for slow links.
    Ferret,
}

/// Whoever has the ends: for questions whose answer does not depend on it.
const ENDS: Ends = Ends { sender: Seat(0), receiver: Seat(1) };

/// How the transfers of one direction are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By SoftSpoken alone.
    SoftSpoken(SmallField),
    /// By Ferret, its first iteration fed by SoftSpoken.
    Ferret(SmallField, LpnSet),
}

impl Source {
    /// The source for `total` transfers.
    pub fn choose(kind: OtKind, field: SmallField, total: usize) -> Self {
        let plain = Self::SoftSpoken(field);
        if kind == OtKind::SoftSpoken {
            return plain;
        }
        let silent = SETS.into_iter().map(|set| Self::Ferret(field, set));
        let bytes = |source: &Self| source.script(ENDS, total).bytes();
        std::iter::once(plain).chain(silent).min_by_key(bytes).expect("one at least")
    }

    /// Whether the receiver of transfers only sends while they are made: see [`CotReceiver::never_waits`].
    pub fn receiver_never_waits(self) -> bool {
        matches!(self, Self::SoftSpoken(_))
    }

    /// All messages for `total` transfers handed out by [`super::buffered`], those that close the source apart.
    pub fn script(self, ends: Ends, total: usize) -> Script {
        Batches::new(self, ends, total).reserve(total)
    }

    /// The sender's end. `seed` is secret, fresh, and used for nothing else.
    pub fn sender<S: Security>(
        self,
        made: SoftSpokenSender<S>,
        instance: &Instance,
        seed: Block,
    ) -> Box<dyn CotSender + Send> {
        match self {
            Self::SoftSpoken(_) => Box::new(made),
            Self::Ferret(_, set) => Box::new(FerretSender::new(set, Box::new(made), instance, seed)),
        }
    }

    /// The receiver's end.
    pub fn receiver<S: Security>(
        self,
        made: SoftSpokenReceiver<S>,
        instance: &Instance,
    ) -> Box<dyn CotReceiver + Send> {
        match self {
            Self::SoftSpoken(_) => Box::new(made),
            Self::Ferret(_, set) => Box::new(FerretReceiver::<S>::new(set, Box::new(made), instance)),
        }
    }
}

/// When the transfers of a phase are made, and by which messages: the arithmetic of the buffered ends, without the transfers.
pub struct Batches {
    source: Source,
    ends: Ends,
    /// Of Ferret.
    ledger: Option<Ledger>,
    to_make: usize,
    at_hand: usize,
}

impl Batches {
    /// Before the first of `total` transfers.
    pub fn new(source: Source, ends: Ends, total: usize) -> Self {
        Self { source, ends, ledger: None, to_make: total.next_multiple_of(COT_MULTIPLE), at_hand: 0 }
    }

    /// Where the transfers come from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// What is said until `count` transfers are ready.
    pub fn reserve(&mut self, count: usize) -> Script {
        let mut script = Script::default();
        while self.at_hand < count {
            let batch = self.to_make.min(BATCH);
            assert!(batch > 0, "a phase uses no more transfers than its plan demands");
            self.to_make -= batch;
            self.at_hand += batch;
            script.then(self.batch(batch));
        }
        script
    }

    /// Uses up transfers that are ready.
    pub fn hand_out(&mut self, count: usize) {
        self.at_hand -= count;
    }

    /// The messages that close the source: the receiver's claim, and the sender's answer, empty where there is none.
    pub fn closing(&self) -> [Message; 2] {
        let (claim, answer) = match self.source {
            Source::SoftSpoken(_) => (softspoken::CLAIM_BYTES, 0),
            Source::Ferret(..) => (ferret::CLAIM_BYTES, ferret::ANSWER_BYTES),
        };
        [self.ends.receiver_sends(claim), self.ends.sender_sends(answer)]
    }

    fn batch(&mut self, count: usize) -> Script {
        match self.source {
            Source::SoftSpoken(field) => softspoken::script(self.ends, count, field),
            Source::Ferret(field, set) => {
                let steps = self.ledger.get_or_insert_with(|| Ledger::new(set)).request(count);
                steps.into_iter().map(|step| ferret::script(self.ends, step, field, set)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: SmallField = SmallField::Bits4;

    #[test]
    fn a_source_is_the_one_that_sends_least() {
        let choose = |total| Source::choose(OtKind::Ferret, FIELD, total);
        assert_eq!(choose(0), Source::SoftSpoken(FIELD));
        assert_eq!(choose(50_000), Source::SoftSpoken(FIELD));
        for (total, set) in [(200_000, 0), (3_000_000, 0), (10_000_000, 1), (60_000_000, 2)] {
            assert_eq!(choose(total), Source::Ferret(FIELD, SETS[set]), "{total} transfers");
        }
        assert_eq!(Source::choose(OtKind::SoftSpoken, FIELD, 60_000_000), Source::SoftSpoken(FIELD));
    }

    #[test]
    fn fifty_million_transfers_take_less_than_a_bit_each() {
        let total = 50_000_000;
        let source = Source::choose(OtKind::Ferret, FIELD, total);
        assert!(source.script(ENDS, total).bytes() * 8 < total as u64);
    }
}
