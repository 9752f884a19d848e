//! Seconds and memory, estimated from what is known exactly: operations, bytes, turns.
//!
//! The model is a sum over layers of each kind of work by its count and this machine's rate at it. There are two rates of
//! everything: seconds of the processor, and seconds of the wall when both parties share the machine and its loopback.
//! They are measured apart, for how much of one party's work falls into the other's differs from step to step. A link that
//! is slower than the work sets the pace of a layer: the larger of the two is taken, and the turns added. Once per connection come
//! the start of a job, and once per stock keys and base transfers.

use blindscan_graph::plan::PublicPlan;
use blindscan_wire::Traffic;
use blindscan_wire::link::LinkSpec;

use crate::OtKind;
use crate::assigned::AssignedPlan;
use crate::cost::{LayerCost, PlanCost};

/// Seconds that one unit of work takes, both parties together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// A ciphertext that is encrypted, sent and read.
    pub ciphertext_in: f64,
    /// A ciphertext that is finished, sent and decrypted.
    pub ciphertext_out: f64,
    /// A product of a ciphertext and a kernel.
    pub product: f64,
    /// A kernel encoded and transformed.
    pub kernel: f64,
    /// A correlated transfer, made, hashed and stored.
    pub transfer: f64,
    /// What a transfer takes more when it is made by Ferret.
    pub silence: f64,
    /// A transfer's pads, read and used, online.
    pub pad: f64,
    /// A multiplication of the clear network, online.
    pub mac: f64,
    /// A layer, whatever its size, in each phase.
    pub layer: f64,
}

/// How fast a machine is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// By the processors.
    pub work: Rates,
    /// By the wall.
    pub wall: Rates,
    /// From the start of the client's program to the beginning of its job, and from the end of it to its report.
    pub start: Seconds,
    /// Keys and base transfers, turns apart.
    pub set_up: Seconds,
}

/// Seconds of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seconds {
    /// Of the processors, both parties together.
    pub work: f64,
    /// Of the wall clock.
    pub wall: f64,
}

impl std::ops::Add for Seconds {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { work: self.work + other.work, wall: self.wall + other.wall }
    }
}

impl std::iter::Sum for Seconds {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |a, b| a + b)
    }
}

/// What is expected of one plan on one link.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Connecting, and agreeing on a job.
    pub start: Seconds,
    /// Keys and base transfers: once per connection.
    pub set_up: Seconds,
    /// Offline, set-up included.
    pub offline: Seconds,
    /// Online.
    pub online: Seconds,
    /// By layer: offline, online. Set-up is no layer's.
    pub layers: Vec<(Seconds, Seconds)>,
    /// Resident memory of the larger party.
    pub memory_bytes: u64,
    /// Size of a stock on disk, the larger party's.
    pub stock_bytes: u64,
}

/// Estimates a plan. `cost` is the image owner's with this kind of transfers.
pub fn estimate(
    plan: &AssignedPlan,
    cost: &PlanCost,
    kind: OtKind,
    speed: &Speed,
    link: LinkSpec,
) -> Estimate {
    let layers: Vec<(Seconds, Seconds)> = cost
        .layers
        .iter()
        .map(|layer| {
            let of = |seconds: fn(&Rates, &LayerCost, OtKind) -> f64, traffic| Seconds {
                work: seconds(&speed.work, layer, kind),
                wall: on_link(seconds(&speed.wall, layer, kind), traffic, link),
            };
            (of(Rates::offline, layer.offline), of(Rates::online, layer.online))
        })
        .collect();
    let set_up = Seconds { work: speed.set_up.work, wall: on_link(speed.set_up.wall, cost.setup, link) };
    let stock = plan.seats().into_iter().map(|(seat, _)| plan.cost(seat, kind).stock_bytes()).max();
    Estimate {
        start: speed.start,
        set_up,
        offline: set_up + layers.iter().map(|layer| layer.0).sum(),
        online: layers.iter().map(|layer| layer.1).sum(),
        layers,
        memory_bytes: memory_bytes(plan),
        stock_bytes: stock.expect("a suite has parties"),
    }
}

/// Work of so many wall seconds with this traffic.
fn on_link(work: f64, traffic: Traffic, link: LinkSpec) -> f64 {
    let wire = link.occupied_by(traffic.bytes_sent.max(traffic.bytes_received)).as_secs_f64();
    work.max(wire) + traffic.turns as f64 * link.round_trip.as_secs_f64()
}

impl Rates {
    /// Seconds of a layer's offline phase.
    pub fn offline(&self, layer: &LayerCost, kind: OtKind) -> f64 {
        let (sent, returned) = layer.work.ciphertexts;
        let silence = if kind == OtKind::Ferret { self.silence } else { 0.0 };
        self.layer
            + sent as f64 * self.ciphertext_in
            + returned as f64 * self.ciphertext_out
            + layer.work.products as f64 * self.product
            + layer.work.kernels as f64 * self.kernel
            + transfers(layer) * (self.transfer + silence)
    }

    /// Seconds of a layer's online phase.
    pub fn online(&self, layer: &LayerCost, _: OtKind) -> f64 {
        self.layer + transfers(layer) * self.pad + layer.work.macs as f64 * self.mac
    }

    /// The same with the rates of linear layers offline, of transfers, of pads and of multiplications multiplied.
    pub fn scaled(&self, linear: f64, transfers: f64, pads: f64, macs: f64) -> Self {
        Self {
            ciphertext_in: self.ciphertext_in * linear,
            ciphertext_out: self.ciphertext_out * linear,
            product: self.product * linear,
            kernel: self.kernel * linear,
            transfer: self.transfer * transfers,
            silence: self.silence * transfers,
            pad: self.pad * pads,
            mac: self.mac * macs,
            layer: self.layer,
        }
    }
}

fn transfers(layer: &LayerCost) -> f64 {
    (layer.work.forward_cots + layer.work.backward_cots) as f64
}

/// The program, the weights that the model owner holds, and the largest of the saved plan that they are read from, a linear
/// layer's working set, and the tensors that live at the same time.
fn memory_bytes(plan: &AssignedPlan) -> u64 {
    const PROGRAM: u64 = 40 << 20;
    let weights = plan.plan().load_of_steps().weights;
    let working = live_tensor_bytes(plan.plan(), plan.word_bytes()).max(plan.working_bytes());
    PROGRAM + WEIGHT_BYTES * weights + working.max(SAVED_WEIGHT_BYTES * weights)
}

/// A weight in memory.
const WEIGHT_BYTES: u64 = 4;
/// A weight of 8 to 14 bits in a saved plan.
const SAVED_WEIGHT_BYTES: u64 = 2;

/// The most that a party's shares take at a time: a step holds its input, its output and about twice its output again of
/// messages.
fn live_tensor_bytes(plan: &PublicPlan, word_bytes: u64) -> u64 {
    let bytes = |tensor: usize| word_bytes * plan.tensors[tensor].shape.iter().product::<usize>() as u64;
    let mut last = vec![0; plan.tensors.len()];
    for (index, node) in plan.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|&tensor| last[tensor] = index);
    }
    let mut live = bytes(plan.input);
    let mut most = live;
    for (index, node) in plan.nodes.iter().enumerate() {
        live += bytes(node.output);
        most = most.max(live + 2 * bytes(node.output));
        let mut freed = node.inputs.clone();
        freed.sort_unstable();
        freed.dedup();
        live -= freed.into_iter().filter(|&tensor| last[tensor] == index).map(bytes).sum::<u64>();
    }
    most
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cost::WorkCounts;

    const RATES: Rates = Rates {
        ciphertext_in: 2.0,
        ciphertext_out: 3.0,
        product: 5.0,
        kernel: 19.0,
        transfer: 7.0,
        silence: 11.0,
        pad: 13.0,
        mac: 17.0,
        layer: 0.25,
    };

    fn layer() -> LayerCost {
        LayerCost {
            work: WorkCounts {
                ciphertexts: (10, 100),
                products: 1000,
                kernels: 10,
                forward_cots: 1,
                backward_cots: 2,
                macs: 4,
                ..WorkCounts::default()
            },
            ..LayerCost::default()
        }
    }

    #[test]
    fn a_layer_is_the_sum_of_its_work_by_the_rates() {
        assert_eq!(RATES.offline(&layer(), OtKind::SoftSpoken), 20.0 + 300.0 + 5000.0 + 190.0 + 21.0 + 0.25);
        assert_eq!(RATES.offline(&layer(), OtKind::Ferret), 20.0 + 300.0 + 5000.0 + 190.0 + 54.0 + 0.25);
        assert_eq!(RATES.online(&layer(), OtKind::SoftSpoken), 39.0 + 68.0 + 0.25);
    }

    #[test]
    fn scaling_reaches_each_kind_of_work_by_its_own_factor() {
        let scaled = RATES.scaled(2.0, 3.0, 5.0, 7.0);
        let offline = scaled.offline(&layer(), OtKind::Ferret);
        assert_eq!(offline, 2.0 * 5510.0 + 3.0 * 54.0 + 0.25);
        assert_eq!(scaled.online(&layer(), OtKind::Ferret), 5.0 * 39.0 + 7.0 * 68.0 + 0.25);
    }

    #[test]
    fn a_slow_link_sets_the_pace_and_turns_come_on_top() {
        let link = LinkSpec::new(8_000_000, Duration::from_millis(100));
        let traffic = Traffic { bytes_sent: 3_000_000, bytes_received: 5_000_000, turns: 4 };
        assert_eq!(on_link(1.0, traffic, link), 5.0 + 0.4);
        assert_eq!(on_link(9.0, traffic, link), 9.0 + 0.4);
    }
}
