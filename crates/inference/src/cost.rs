//! What a plan costs, before anything runs: bytes and turns exactly as the channel will count them.
//!
//! Every layer has a script for each phase; one replay of them all at a party's seat, read at the borders of layers, is the cost.

use blindscan_protocols::ot::source::OtKind;
use blindscan_wire::Traffic;
use blindscan_wire::script::{Replay, Script};

use crate::assigned::Plan;
use crate::suite::{Layer, Suite};

/// Work by kind: what an estimate multiplies with a machine's rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkCounts {
    /// Multiplications of the clear network.
    pub macs: u64,
    /// Values through a comparison.
    pub compared: u64,
    /// Correlated transfers that the image owner sends.
    pub forward_cots: u64,
    /// Correlated transfers that the model owner sends.
    pub backward_cots: u64,
    /// Ciphertexts sent and returned.
    pub ciphertexts: (u64, u64),
    /// Products of a ciphertext and a kernel.
    pub products: u64,
    /// Kernels encoded and transformed.
    pub kernels: u64,
}

impl std::iter::Sum for WorkCounts {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |a, b| Self {
            macs: a.macs + b.macs,
            compared: a.compared + b.compared,
            forward_cots: a.forward_cots + b.forward_cots,
            backward_cots: a.backward_cots + b.backward_cots,
            ciphertexts: (a.ciphertexts.0 + b.ciphertexts.0, a.ciphertexts.1 + b.ciphertexts.1),
            products: a.products + b.products,
            kernels: a.kernels + b.kernels,
        })
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
    /// Bytes kept in the stock.
    pub stock_bytes: u64,
    /// Work, of all parties together.
    pub work: WorkCounts,
}

/// What a plan costs one party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanCost {
    /// Keys: once per connection.
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

impl<S: Suite> Plan<S> {
    /// What the plan costs one party with transfers of this kind.
    pub(crate) fn cost(&self, party: S::Party, ot: OtKind) -> PlanCost {
        let mut replay = Replay::new(party);
        replay.play(&S::opening_script());
        let mut schedule = S::schedule(ot, self.demand());
        // Script by script, so that no more than one layer's messages are in memory.
        let mut offline: Vec<Traffic> =
            self.layers().map(|(_, layer)| replay.play(&layer.offline_script(&mut schedule))).collect();
        *offline.last_mut().expect("a plan has an answer") += replay.play(&S::closing_script(&schedule));
        // The online phase begins where the offline phase ends: with a last word that nothing has answered.
        let begun = replay.traffic();
        let online: Vec<Traffic> =
            self.layers().map(|(_, layer)| replay.play(&layer.online_script())).collect();
        let layer = |((name, layer), (offline, online)): ((&str, &dyn Layer<S>), _)| LayerCost {
            name: name.into(),
            kind: layer.kind(),
            offline,
            online,
            stock_bytes: layer.stock_bytes(party) as u64,
            work: layer.work(),
        };
        PlanCost {
            setup: S::set_up_script().traffic(party),
            offline: begun,
            online: replay.traffic().since(begun),
            layers: self.layers().zip(offline.into_iter().zip(online)).map(layer).collect(),
        }
    }

    /// All that is said on a connection for one image.
    pub(crate) fn script(&self, ot: OtKind) -> Script {
        let mut schedule = S::schedule(ot, self.demand());
        let offline: Script = self.layers().map(|(_, layer)| layer.offline_script(&mut schedule)).collect();
        let online = self.layers().map(|(_, layer)| layer.online_script()).collect();
        let closing = S::closing_script(&schedule);
        [S::set_up_script(), S::opening_script(), offline, closing, online].into_iter().collect()
    }
}
