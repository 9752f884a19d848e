//! What a plan costs, before anything runs: bytes and turns exactly as the channel will count them.
//!
//! Every layer has a script for each phase; one replay of them all at a party's seat, read at the borders of layers, is the cost.

use blindscan_protocols::Party;
use blindscan_protocols::linear::key_exchange;
use blindscan_protocols::nonlinear::PadDemand;
use blindscan_protocols::ot::source::OtKind;
use blindscan_wire::Traffic;
use blindscan_wire::script::{Replay, Script};

use crate::assign::{AssignedPlan, Operator};
use crate::suite::two_party::transfers::{self, Schedule};

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

/// What one layer says in each phase.
struct Spoken {
    offline: Script,
    online: Script,
}

impl AssignedPlan {
    /// What the plan costs one party with transfers of this kind, exactly as its channel will count it.
    pub fn cost(&self, party: Party, ot: OtKind) -> PlanCost {
        let (mut offline, mut online) = (Replay::new(party), Replay::new(party));
        offline.play(&transfers::setup_script());
        // Nothing has answered the model owner's last word when the online phase begins.
        let begun = online.play(&stored());
        let mut layers = Vec::new();
        for (mut layer, spoken) in self.layers(party).into_iter().zip(self.spoken(ot)) {
            layer.offline = offline.play(&spoken.offline);
            layer.online = online.play(&spoken.online);
            layers.push(layer);
        }
        PlanCost {
            setup: key_exchange::script().traffic(party),
            offline: offline.traffic(),
            online: online.traffic().since(begun),
            layers,
        }
    }

    /// All that is said on a connection for one image, from the keys to the answer.
    pub fn script(&self, ot: OtKind) -> Script {
        let (offline, online): (Vec<Script>, Vec<Script>) =
            self.spoken(ot).into_iter().map(|layer| (layer.offline, layer.online)).unzip();
        let begin = [key_exchange::script(), transfers::setup_script()];
        begin.into_iter().chain(offline).chain(online).collect()
    }

    /// What each layer that speaks says, the answer last.
    fn spoken(&self, ot: OtKind) -> Vec<Spoken> {
        let mut schedule = Schedule::new(ot, self.demand());
        let mut layers = Vec::new();
        for operator in self.operators.iter().filter(|operator| operator.speaks()) {
            let offline = operator.offline_script(&mut schedule);
            layers.push(Spoken { offline, online: operator.online_script() });
        }
        let mut offline = self.answer.offline_script(&mut schedule);
        offline.then(schedule.closing());
        offline.then(stored());
        layers.push(Spoken { offline, online: self.answer.online_script() });
        layers
    }

    /// The layers that speak without their traffic, the answer last.
    fn layers(&self, party: Party) -> Vec<LayerCost> {
        let nodes = self.plan().nodes.iter().zip(&self.operators);
        let speaking = nodes.filter(|(_, operator)| operator.speaks());
        let mut layers: Vec<LayerCost> =
            speaking.map(|(node, operator)| layer(node.name.clone(), operator, party)).collect();
        layers.push(LayerCost {
            name: "answer".into(),
            kind: "answer",
            pads: self.answer.demand(),
            stock_bytes: self.answer.stock_bytes(party) as u64,
            compared: self.answer.compared(),
            ..LayerCost::default()
        });
        layers
    }
}

fn layer(name: String, operator: &Operator, party: Party) -> LayerCost {
    let mut cost = LayerCost {
        name,
        kind: operator.kind(),
        pads: operator.demand(),
        stock_bytes: operator.stock_bytes(party) as u64,
        ..LayerCost::default()
    };
    match operator {
        Operator::Linear(linear) => {
            cost.macs = linear.layer.shape().macs();
            cost.ciphertexts = linear.layer.ciphertexts();
            cost.products = linear.layer.product_count();
            cost.kernels = linear.layer.kernel_count();
        }
        Operator::Activate(activate) => cost.compared = activate.count as u64,
        Operator::MaxPool(pool) => cost.compared = pool.compared(),
        Operator::Local(_) => {}
    }
    cost
}

/// The end of the offline phase: the model owner's half is stored.
fn stored() -> Script {
    Party::ModelOwner.sends(1).into()
}
