//! Where the correlated transfers of one direction of one phase come from: decided by the kind that the owners agreed on
//! and by the number of transfers, which is public. So both ends decide alike, and the cost is known beforehand.
//!
//! | kind | source |
//! |---|---|
//! | SoftSpoken | [`super::softspoken`] |
//! | Ferret | [`super::ferret`] by the set that sends least, or SoftSpoken where even that sends less |

use blindscan_arith::block::Block;
use blindscan_wire::{Meter, Traffic};
use serde::{Deserialize, Serialize};

use super::buffered::BATCH;
use super::ferret::sets::SETS;
use super::ferret::{self, FerretReceiver, FerretSender, Ledger, LpnSet, Step};
use super::security::Security;
use super::softspoken::{self, SmallField, SoftSpokenReceiver, SoftSpokenSender};
use super::{COT_MULTIPLE, CotReceiver, CotSender, Instance};

/// What the owners agree on for a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtKind {
    /// 31 bits a transfer, least work: for fast links.
    #[default]
    SoftSpoken,
    /// Less than one bit a transfer where there are many: for slow links.
    Ferret,
}

/// How the transfers of one direction are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By SoftSpoken alone.
    SoftSpoken(SmallField),
    /// By Ferret, its first iteration fed by SoftSpoken.
    Ferret(SmallField, LpnSet),
}

/// A message of a source, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// From the receiver.
    ToSender(u64),
    /// From the sender.
    ToReceiver(u64),
}

impl Source {
    /// The source for `total` transfers.
    pub fn choose(kind: OtKind, field: SmallField, total: usize) -> Self {
        let plain = Self::SoftSpoken(field);
        if kind == OtKind::SoftSpoken {
            return plain;
        }
        let silent = SETS.into_iter().map(|set| Self::Ferret(field, set));
        std::iter::once(plain).chain(silent).min_by_key(|source| source.bytes(total)).expect("one at least")
    }

    /// Whether the receiver of transfers only sends while they are made: see [`CotReceiver::never_waits`].
    pub fn receiver_never_waits(self) -> bool {
        matches!(self, Self::SoftSpoken(_))
    }

    /// Bytes of all messages for `total` transfers, those that close the source apart.
    fn bytes(self, total: usize) -> u64 {
        match self {
            Self::SoftSpoken(field) => softspoken::receiver_cost(total, field).bytes_sent,
            Self::Ferret(field, set) => {
                first_bytes(field, set) + (set.trees(total) * set.tree_bytes()) as u64
            }
        }
    }

    /// The messages that close the source, in order: the receiver's claim, and the sender's answer if there is one.
    pub fn closing(self) -> Vec<Message> {
        match self {
            Self::SoftSpoken(_) => vec![Message::ToSender(softspoken::CLAIM_BYTES as u64)],
            Self::Ferret(..) => vec![
                Message::ToSender(ferret::CLAIM_BYTES as u64),
                Message::ToReceiver(ferret::ANSWER_BYTES as u64),
            ],
        }
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

    /// What the sender's end carries for `total` transfers handed out by [`super::buffered`].
    pub fn sender_cost(self, total: usize) -> Traffic {
        self.cost(total, true)
    }

    /// What the receiver's end carries.
    pub fn receiver_cost(self, total: usize) -> Traffic {
        self.cost(total, false)
    }

    fn cost(self, total: usize, sends: bool) -> Traffic {
        let (mut forecast, mut meter) = (Forecast::new(self), Meter::default());
        let mut left = total.next_multiple_of(COT_MULTIPLE);
        while left > 0 {
            let batch = left.min(BATCH);
            left -= batch;
            for message in forecast.batch(batch) {
                match message {
                    Message::ToReceiver(bytes) if sends => meter.sent(bytes as usize),
                    Message::ToSender(bytes) if !sends => meter.sent(bytes as usize),
                    Message::ToReceiver(bytes) | Message::ToSender(bytes) => meter.received(bytes as usize),
                }
            }
        }
        meter.traffic()
    }
}

/// The messages of a source as batches are made, without the transfers.
pub struct Forecast {
    source: Source,
    ledger: Option<Ledger>,
}

impl Forecast {
    /// Before the first batch.
    pub fn new(source: Source) -> Self {
        let ledger = match source {
            Source::SoftSpoken(_) => None,
            Source::Ferret(_, set) => Some(Ledger::new(set)),
        };
        Self { source, ledger }
    }

    /// The messages of the next batch, in order; those of one sender that follow each other may stand as one.
    pub fn batch(&mut self, transfers: usize) -> Vec<Message> {
        let told = |count, field| Message::ToSender(softspoken::receiver_cost(count, field).bytes_sent);
        match (self.source, &mut self.ledger) {
            (Source::Ferret(field, set), Some(ledger)) => ledger
                .request(transfers)
                .into_iter()
                .map(|step| match step {
                    Step::Begin => Message::ToSender(first_bytes(field, set)),
                    Step::Renew { count, .. } | Step::Grow { count, .. } => {
                        Message::ToReceiver((count * set.tree_bytes()) as u64)
                    }
                })
                .collect(),
            (Source::SoftSpoken(field) | Source::Ferret(field, _), _) => vec![told(transfers, field)],
        }
    }
}

/// Bytes of the transfers that feed the first iteration, their claim with them.
fn first_bytes(field: SmallField, set: LpnSet) -> u64 {
    softspoken::receiver_cost(ferret::fed(set), field).bytes_sent + softspoken::CLAIM_BYTES as u64
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
    fn bytes_by_formula_are_those_of_the_forecast() {
        for total in [0, 1, 128, 1 << 16, 800_000, 5_000_000, 47_000_001] {
            let plain = Source::SoftSpoken(FIELD);
            for source in SETS.map(|set| Source::Ferret(FIELD, set)).into_iter().chain([plain]) {
                if total == 0 && source != plain {
                    continue;
                }
                let cost = source.sender_cost(total);
                assert_eq!(cost.bytes_sent + cost.bytes_received, source.bytes(total), "{source:?} {total}");
            }
        }
    }

    #[test]
    fn fifty_million_transfers_take_less_than_a_bit_each() {
        let total = 50_000_000;
        let source = Source::choose(OtKind::Ferret, FIELD, total);
        assert!(source.bytes(total) * 8 < total as u64);
    }
}
