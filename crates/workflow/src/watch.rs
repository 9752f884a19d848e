//! Watching a job: traffic and time layer by layer for the report, and how far it is for whoever waits.

use std::time::Instant;

use blindscan_inference::cost::PlanCost;
use blindscan_inference::roles::{Observer, Phase};
use blindscan_wire::Traffic;

use crate::events::{Events, JobProgress};
use crate::report::{LayerReport, PhaseBytes, Ways};

/// Fills a report while the roles work, and says how far they are.
pub struct Watch<'a> {
    cost: PlanCost,
    layers: Vec<LayerReport>,
    last: Option<(Instant, Traffic)>,
    images: u64,
    begun: Instant,
    bytes_expected: u64,
    bytes_done: u64,
    events: &'a dyn Events,
}

impl<'a> Watch<'a> {
    /// A watch over `images` images.
    pub fn new(cost: PlanCost, images: usize, phases: &[Phase], events: &'a dyn Events) -> Self {
        let total = |traffic: Traffic| traffic.bytes_sent + traffic.bytes_received;
        let once: u64 = phases
            .iter()
            .map(|phase| match phase {
                Phase::Offline => total(cost.offline),
                Phase::Online => total(cost.online),
            })
            .sum();
        let keys = if phases.contains(&Phase::Offline) { total(cost.setup) } else { 0 };
        let layers = ["offline", "online"].into_iter().flat_map(|phase| {
            cost.layers.iter().map(move |layer| LayerReport {
                phase: phase.into(),
                name: layer.name.clone(),
                kind: layer.kind.into(),
                ..LayerReport::default()
            })
        });
        Self {
            layers: layers.collect(),
            bytes_expected: once * images as u64 + keys,
            cost,
            last: None,
            images: 0,
            begun: Instant::now(),
            bytes_done: 0,
            events,
        }
    }

    /// Layers that carried anything or took time, and the images done.
    pub fn finish(self) -> (Vec<LayerReport>, u64) {
        self.events.finished();
        (self.layers, self.images)
    }
}

impl Observer for Watch<'_> {
    fn begin(&mut self, _phase: Phase, traffic: Traffic) {
        self.last = Some((Instant::now(), traffic));
    }

    fn layer(&mut self, phase: Phase, done: usize, of: usize, traffic: Traffic) {
        let now = Instant::now();
        let (before, carried) = self.last.unwrap_or((now, Traffic::default()));
        let moved = traffic.since(carried);
        let index = done - 1 + if phase == Phase::Online { self.cost.layers.len() } else { 0 };
        let layer = &mut self.layers[index];
        layer.seconds += now.duration_since(before).as_secs_f64();
        layer.sent += moved.bytes_sent;
        layer.received += moved.bytes_received;
        layer.turns += moved.turns;
        self.last = Some((now, traffic));
        self.bytes_done += moved.bytes_sent + moved.bytes_received;
        if phase == Phase::Online && done == of {
            self.images += 1;
        }
        self.events.progress(&JobProgress {
            phase,
            layer: done,
            layers: of,
            kind: self.cost.layers[done - 1].kind,
            bytes_done: self.bytes_done,
            bytes_expected: self.bytes_expected,
            elapsed: self.begun.elapsed(),
        });
    }
}

/// The turns of all layers.
pub fn turns(layers: &[LayerReport]) -> u64 {
    layers.iter().map(|layer| layer.turns).sum()
}

/// Sums over the layers of each phase.
pub fn phase_bytes(layers: &[LayerReport]) -> PhaseBytes {
    let sum = |phase: &str| {
        layers.iter().filter(|layer| layer.phase == phase).fold(Ways::default(), |sum, layer| Ways {
            sent: sum.sent + layer.sent,
            received: sum.received + layer.received,
        })
    };
    PhaseBytes { offline: sum("offline"), online: sum("online") }
}
