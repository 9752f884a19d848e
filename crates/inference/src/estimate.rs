//! Seconds and memory, estimated from what is known exactly: operations, bytes, turns.
//!
//! The model is a sum: each kind of work by its count and this machine's speed at it, both parties sharing the machine's cores,
//! then the link: bytes by its bandwidth (each way apart), turns by its round trip. Work and wire of one phase overlap at best,
//! so the larger of the two is taken, and the turns added.

use blindscan_protocols::Party;
use blindscan_wire::link::LinkSpec;

use crate::OtKind;
use crate::assign::AssignedPlan;
use crate::cost::{LayerCost, PlanCost};

/// Processor seconds that one unit of work takes, both parties together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// A ciphertext that is encrypted, sent and read.
    pub ciphertext_in: f64,
    /// A ciphertext that is finished, sent and decrypted.
    pub ciphertext_out: f64,
    /// A product of a ciphertext and a kernel, its share of the kernel's transform included.
    pub product: f64,
    /// A correlated transfer, made, hashed and stored.
    pub transfer: f64,
    /// A value through a comparison, online.
    pub compared: f64,
    /// A multiplication of the clear network, online.
    pub mac: f64,
    /// Processors that the two parties have together.
    pub processors: f64,
}

/// Seconds of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seconds {
    /// Of the processors, both parties together.
    pub work: f64,
    /// Of the wall clock.
    pub wall: f64,
}

/// What is expected of one plan on one link.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Offline.
    pub offline: Seconds,
    /// Online.
    pub online: Seconds,
    /// Wall seconds by layer: offline, online.
    pub layers: Vec<(f64, f64)>,
    /// Resident memory of the larger party.
    pub memory_bytes: u64,
    /// Size of a stock on disk, the larger party's.
    pub stock_bytes: u64,
}

/// Estimates a plan. `cost` is the image owner's.
pub fn estimate(plan: &AssignedPlan, cost: &PlanCost, speed: &Speed, link: LinkSpec) -> Estimate {
    let layers: Vec<(Seconds, Seconds)> = cost
        .layers
        .iter()
        .map(|layer| {
            let wall = |work: f64, traffic: blindscan_wire::Traffic| Seconds {
                work,
                wall: wall(work / speed.processors, traffic, link),
            };
            (wall(speed.offline(layer), layer.offline), wall(speed.online(layer), layer.online))
        })
        .collect();
    let sum = |phase: fn(&(Seconds, Seconds)) -> Seconds| {
        layers
            .iter()
            .map(phase)
            .fold(Seconds::default(), |sum, s| Seconds { work: sum.work + s.work, wall: sum.wall + s.wall })
    };
    let stock = |party| plan.cost(party, OtKind::default()).stock_bytes();
    Estimate {
        offline: sum(|layer| layer.0),
        online: sum(|layer| layer.1),
        layers: layers.iter().map(|(offline, online)| (offline.wall, online.wall)).collect(),
        memory_bytes: memory_bytes(plan),
        stock_bytes: stock(Party::ImageOwner).max(stock(Party::ModelOwner)),
    }
}

fn wall(work: f64, traffic: blindscan_wire::Traffic, link: LinkSpec) -> f64 {
    let wire = link.occupied_by(traffic.bytes_sent.max(traffic.bytes_received)).as_secs_f64();
    work.max(wire) + traffic.turns as f64 * 2.0 * link.one_way().as_secs_f64()
}

impl Speed {
    fn offline(&self, layer: &LayerCost) -> f64 {
        let (sent, returned) = layer.ciphertexts;
        let transfers = layer.pads.forward_cots + layer.pads.backward_cots;
        sent as f64 * self.ciphertext_in
            + returned as f64 * self.ciphertext_out
            + layer.products as f64 * self.product
            + transfers as f64 * self.transfer
    }

    fn online(&self, layer: &LayerCost) -> f64 {
        layer.compared as f64 * self.compared + layer.macs as f64 * self.mac
    }
}

/// The program, the largest linear layer's working set, and the tensors that live at the same time.
fn memory_bytes(plan: &AssignedPlan) -> u64 {
    const PROGRAM: u64 = 40 << 20;
    let tensors = &plan.plan().tensors;
    let bytes = |tensor: usize| 4 * tensors[tensor].shape.iter().product::<usize>() as u64;
    let mut last = vec![0; tensors.len()];
    for (index, node) in plan.plan().nodes.iter().enumerate() {
        node.inputs.iter().for_each(|&tensor| last[tensor] = index);
    }
    let mut live = bytes(plan.plan().input);
    let mut most = live;
    for (index, node) in plan.plan().nodes.iter().enumerate() {
        live += bytes(node.output);
        // A step holds its input, its output and about as much again of messages.
        most = most.max(live + 2 * bytes(node.output));
        let mut freed = node.inputs.clone();
        freed.sort_unstable();
        freed.dedup();
        live -= freed.into_iter().filter(|&tensor| last[tensor] == index).map(bytes).sum::<u64>();
    }
    PROGRAM + most.max(plan.linear_memory_bytes())
}
