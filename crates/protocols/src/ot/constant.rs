//! Transfers that are all the same, without messages: what tweaks are there for. For tests.

use blindscan_arith::block::Block;
use blindscan_wire::Channel;

use super::{Claim, CotReceiver, CotSender};
use crate::ProtocolError;

/// Every key that the sender has.
pub(super) const KEY: Block = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978;

/// An end whose keys are all [`KEY`], and whose choices are all zero.
pub(super) struct Constant;

impl CotSender for Constant {
    fn delta(&self) -> Block {
        !0
    }

    fn binding(&self) -> [u8; 32] {
        [0; 32]
    }

    fn receiver_never_waits(&self) -> bool {
        true
    }

    fn extend_into(&mut self, keys: &mut [Block], _: &mut dyn Channel) -> Result<(), ProtocolError> {
        keys.fill(KEY);
        Ok(())
    }

    fn claim_bytes(&self) -> usize {
        0
    }

    fn answer(self: Box<Self>, _: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        Ok(Vec::new())
    }
}

impl CotReceiver for Constant {
    fn binding(&self) -> [u8; 32] {
        [0; 32]
    }

    fn never_waits(&self) -> bool {
        true
    }

    fn extend_into(
        &mut self,
        choice: &mut [u64],
        keys: &mut [Block],
        _: &mut dyn Channel,
    ) -> Result<(), ProtocolError> {
        choice.fill(0);
        keys.fill(KEY);
        Ok(())
    }

    fn claim(self: Box<Self>) -> Claim {
        Claim::final_word(Vec::new())
    }
}
