//! Dry runs: a channel that answers zeros, and transfers that deal zeros.
//!
//! Bytes of a step are declared by its protocol. Whether a step begins by sending or by receiving, and how it ends, does
//! not depend on the number of elements, so a dry run on a few elements tells it exactly; turns follow from it.

use blindscan_arith::bits::Bits;
use blindscan_protocols::nonlinear::PadEnds;
use blindscan_protocols::ot::pads::{
    DigitPadsReceiver, DigitPadsSender, PadReceiver, PadSender, WordPadsReceiver, WordPadsSender,
};
use blindscan_protocols::{Party, ProtocolError};
use blindscan_wire::{Channel, Meter, Traffic, WireError};

use crate::cost::Leg;

/// Elements of a dry run.
pub(crate) const ELEMENTS: usize = 64;

/// Runs an offline step on [`ELEMENTS`] elements: its stock of zeros.
pub(crate) fn offline<S>(
    party: Party,
    step: impl FnOnce(&mut PadEnds<'_>, &mut dyn Channel) -> Result<S, ProtocolError>,
) -> S {
    let (mut forward, mut backward) = (GhostPads, GhostPads);
    let mut ends = match party {
        Party::ImageOwner => PadEnds::ImageOwner { forward: &mut forward, backward: &mut backward },
        Party::ModelOwner => PadEnds::ModelOwner { forward: &mut forward, backward: &mut backward },
    };
    step(&mut ends, &mut GhostChannel::default()).expect("a dry run has no peer that could fail")
}

/// How a dialogue begins and ends at one party.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    receives_first: Option<bool>,
    unanswered: bool,
}

impl Manner {
    /// Watches an online step in a dry run.
    pub(crate) fn of<T>(step: impl FnOnce(&mut dyn Channel) -> Result<T, ProtocolError>) -> Self {
        let mut channel = GhostChannel::default();
        step(&mut channel).map(drop).expect("a dry run has no peer that could fail");
        Self { receives_first: channel.receives_first, unanswered: channel.unanswered }
    }

    /// A dialogue of this manner and of the declared traffic.
    pub(crate) fn leg(self, traffic: Traffic) -> Leg {
        self.receives_first.map_or(Leg::NONE, |first| Leg::declared(traffic, first, self.unanswered))
    }
}

#[derive(Default)]
struct GhostChannel {
    receives_first: Option<bool>,
    unanswered: bool,
    meter: Meter,
}

impl Channel for GhostChannel {
    fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.receives_first.get_or_insert(false);
        self.unanswered = true;
        self.meter.sent(message.len());
        Ok(())
    }

    fn receive(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        self.receives_first.get_or_insert(true);
        self.unanswered = false;
        self.meter.received(length);
        Ok(vec![0; length])
    }

    fn exchange(&mut self, message: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
        self.send(message)?;
        self.receive(length)
    }

    fn finish(&mut self) -> Result<(), WireError> {
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.meter.traffic()
    }
}

struct GhostPads;

fn planes(count: u32, n: usize) -> Vec<Bits> {
    vec![Bits::zeros(n); count as usize]
}

impl PadSender for GhostPads {
    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        _: &mut dyn Channel,
    ) -> Result<DigitPadsSender, ProtocolError> {
        Ok(DigitPadsSender { pads: vec![planes(message_bits, n); 1 << choice_bits] })
    }

    fn words(&mut self, n: usize, _: u32, _: &mut dyn Channel) -> Result<WordPadsSender, ProtocolError> {
        Ok(WordPadsSender { zero: vec![0; n], one: vec![0; n] })
    }
}

impl PadReceiver for GhostPads {
    fn digits(
        &mut self,
        n: usize,
        choice_bits: u32,
        message_bits: u32,
        _: &mut dyn Channel,
    ) -> Result<DigitPadsReceiver, ProtocolError> {
        Ok(DigitPadsReceiver { choice: planes(choice_bits, n), pad: planes(message_bits, n) })
    }

    fn words(&mut self, n: usize, _: u32, _: &mut dyn Channel) -> Result<WordPadsReceiver, ProtocolError> {
        Ok(WordPadsReceiver { choice: Bits::zeros(n), pad: vec![0; n] })
    }
}
