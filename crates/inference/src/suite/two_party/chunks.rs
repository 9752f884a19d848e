//! Long vectors are cut: elements that one dialogue of a non-linear step handles are bounded, so that memory does not grow with
//! the image. Both parties must cut alike.

use std::ops::Range;

use blindscan_protocols::two_party::nonlinear::PadDemand;
use blindscan_wire::script::Script;

use super::transfers::Schedule;

/// Elements of one dialogue.
pub(super) const CHUNK: usize = 1 << 18;

/// A vector whose elements are each compared so many times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks {
    count: usize,
    length: usize,
}

impl Chunks {
    /// The pieces of a vector of `count` elements.
    pub(super) fn new(count: usize, comparisons: usize) -> Self {
        Self { count, length: (CHUNK / comparisons.max(1)).max(1) }
    }

    /// The pieces in order.
    pub(super) fn ranges(self) -> impl Iterator<Item = Range<usize>> {
        let Self { count, length } = self;
        (0..count).step_by(length).map(move |start| start..(start + length).min(count))
    }

    /// The pieces' lengths in order.
    pub(super) fn lengths(self) -> impl Iterator<Item = usize> {
        self.ranges().map(|range| range.len())
    }

    /// The messages that make the transfers of a dialogue over each piece.
    pub(super) fn offline_script(
        self,
        schedule: &mut Schedule,
        demand: impl Fn(usize) -> PadDemand,
    ) -> Script {
        self.lengths().map(|count| schedule.dialogue(demand(count))).collect()
    }

    /// The messages of a dialogue over each piece.
    pub(super) fn online_script(self, dialogue: impl Fn(usize) -> Script) -> Script {
        let mut script = Script::default();
        script.repeat(self.count / self.length, dialogue(self.length));
        script.then(dialogue(self.count % self.length));
        script
    }
}
