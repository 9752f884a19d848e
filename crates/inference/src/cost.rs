//! What a plan costs, before anything runs: bytes and turns exactly as the channel will count them.
//!
//! Bytes add up. Turns need one more thing: a wait counts when something was sent since the last wait, so whether the
//! first receipt of a step is a turn depends on how the step before it ended. A [`Leg`] carries that along.

use blindscan_protocols::nonlinear::PadDemand;
use blindscan_wire::Traffic;

/// The traffic of a part of the dialogue at one end, joined to what comes before and after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leg {
    /// Traffic when this end has nothing unanswered at the start.
    pub traffic: Traffic,
    /// Whether this end's first act is to receive: `None` when it does nothing.
    receives_first: Option<bool>,
    /// Whether this end has sent something since it last received.
    unanswered: bool,
}

impl Leg {
    /// Nothing.
    pub const NONE: Self = Self {
        traffic: Traffic { bytes_sent: 0, bytes_received: 0, turns: 0 },
        receives_first: None,
        unanswered: false,
    };

    /// One message out.
    pub fn send(bytes: u64) -> Self {
        let traffic = Traffic { bytes_sent: bytes, ..Traffic::default() };
        Self { traffic, receives_first: Some(false), unanswered: true }
    }

    /// One message in.
    pub fn receive(bytes: u64) -> Self {
        let traffic = Traffic { bytes_received: bytes, ..Traffic::default() };
        Self { traffic, receives_first: Some(true), unanswered: false }
    }

    /// A declared cost, with how it begins and ends at this end.
    pub fn declared(traffic: Traffic, receives_first: bool, unanswered: bool) -> Self {
        Self { traffic, receives_first: Some(receives_first), unanswered }
    }

    /// This leg, then another.
    pub fn then(self, next: Self) -> Self {
        let Some(receives_first) = next.receives_first else { return self };
        let mut traffic = self.traffic + next.traffic;
        traffic.turns += u64::from(self.unanswered && receives_first);
        Self {
            traffic,
            receives_first: self.receives_first.or(next.receives_first),
            unanswered: next.unanswered
                || (self.unanswered && next.traffic.bytes_received == 0 && !next.received_any()),
        }
    }

    /// This leg `count` times over.
    pub fn repeated(self, count: usize) -> Self {
        (0..count).fold(Self::NONE, |sum, _| sum.then(self))
    }

    fn received_any(self) -> bool {
        self.traffic.bytes_received > 0 || self.receives_first == Some(true)
    }
}

impl FromIterator<Leg> for Leg {
    fn from_iter<I: IntoIterator<Item = Leg>>(legs: I) -> Self {
        legs.into_iter().fold(Self::NONE, Self::then)
    }
}

/// What one layer costs one party.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerCost {
    /// The layer's name in the model.
    pub name: String,
    /// What it does, in a word.
    pub kind: &'static str,
    /// Offline traffic.
    pub offline: Traffic,
    /// Online traffic.
    pub online: Traffic,
    /// Correlated transfers used.
    pub pads: PadDemand,
    /// Bytes kept in the stock.
    pub stock_bytes: u64,
    /// Multiplications of the clear network.
    pub macs: u64,
    /// Values through a comparison.
    pub compared: u64,
    /// Ciphertexts sent and returned.
    pub ciphertexts: (u64, u64),
    /// Products of a ciphertext and a kernel.
    pub products: u64,
    /// Kernels encoded and transformed.
    pub kernels: u64,
}

/// What a plan costs one party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanCost {
    /// Keys and base transfers: once a connection.
    pub setup: Traffic,
    /// Stock for one image, set-up not included.
    pub offline: Traffic,
    /// One image from its stock.
    pub online: Traffic,
    /// Layer by layer, in order; layers without dialogue are left out.
    pub layers: Vec<LayerCost>,
}

impl PlanCost {
    /// Bytes of the stock for one image.
    pub fn stock_bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.stock_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_after_a_send_is_a_turn_wherever_the_border_lies() {
        let leg = Leg::send(3).then(Leg::receive(2));
        assert_eq!(leg.traffic, Traffic { bytes_sent: 3, bytes_received: 2, turns: 1 });
        let two = leg.then(Leg::receive(1)).then(Leg::send(1)).then(Leg::NONE).then(Leg::receive(1));
        assert_eq!(two.traffic.turns, 2);
    }

    #[test]
    fn repeating_is_joining() {
        let leg = Leg::receive(1).then(Leg::send(1));
        assert_eq!(leg.repeated(3).traffic.turns, 2);
        assert_eq!(leg.repeated(3), leg.then(leg).then(leg));
    }
}
