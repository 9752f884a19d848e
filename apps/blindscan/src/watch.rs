//! Watching a job: traffic and time layer by layer for the report, bytes and time left for the person who waits.

use std::time::{Duration, Instant};

use blindscan_inference::cost::PlanCost;
use blindscan_inference::roles::{Observer, Phase};
use blindscan_wire::Traffic;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::{LayerReport, PhaseBytes, Ways};

/// Fills a report while the roles work.
pub(crate) struct Watch {
    cost: PlanCost,
    layers: Vec<LayerReport>,
    last: Option<(Instant, Traffic)>,
    bar: ProgressBar,
    images: u64,
    begun: Instant,
    expected_bytes: u64,
    bytes_done: u64,
    plain: bool,
    said: Instant,
}

impl Watch {
    /// A watch over `images` images; progress is shown on standard error unless `quiet`.
    pub(crate) fn new(cost: PlanCost, images: usize, phases: &[Phase], quiet: bool) -> Self {
        let total = |traffic: Traffic| traffic.bytes_sent + traffic.bytes_received;
        let once: u64 = phases
            .iter()
            .map(|phase| match phase {
                Phase::Offline => total(cost.offline),
                Phase::Online => total(cost.online),
            })
            .sum();
        let keys = if phases.contains(&Phase::Offline) { total(cost.setup) } else { 0 };
        let expected_bytes = once * images as u64 + keys;
        let bar = ProgressBar::new(expected_bytes);
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        bar.set_draw_target(match quiet || !terminal {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        });
        let style = "{msg:28} {bar:30} {bytes:>11} of {total_bytes}, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
        let layers = ["offline", "online"].into_iter().flat_map(|phase| {
            cost.layers.iter().map(move |layer| LayerReport {
                phase: phase.into(),
                name: layer.name.clone(),
                kind: layer.kind.into(),
                ..LayerReport::default()
            })
        });
        let now = Instant::now();
        Self {
            layers: layers.collect(),
            cost,
            last: None,
            bar,
            images: 0,
            begun: now,
            expected_bytes,
            bytes_done: 0,
            plain: !quiet && !terminal,
            said: now,
        }
    }

    /// Layers that carried anything or took time, and the images done.
    pub(crate) fn finish(self) -> (Vec<LayerReport>, u64) {
        self.bar.finish_and_clear();
        (self.layers, self.images)
    }

    fn show(&mut self, phase: Phase, done: usize, of: usize) {
        let word = match phase {
            Phase::Offline => "offline",
            Phase::Online => "online",
        };
        self.bar.set_message(format!("{word} {done}/{of} {}", self.cost.layers[done - 1].kind));
        self.bar.set_position(self.bytes_done);
        if self.plain && self.said.elapsed() > Duration::from_secs(2) {
            self.said = Instant::now();
            let spent = self.begun.elapsed().as_secs_f64();
            let left = spent / self.bytes_done.max(1) as f64
                * self.expected_bytes.saturating_sub(self.bytes_done) as f64;
            eprintln!(
                "{word} layer {done} of {of}: {:.1} of {:.1} MB, {spent:.0} s, about {left:.0} s left",
                self.bytes_done as f64 / 1e6,
                self.expected_bytes as f64 / 1e6
            );
        }
    }
}

impl Observer for Watch {
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
        self.show(phase, done, of);
    }
}

/// The turns of all layers.
pub(crate) fn turns(layers: &[LayerReport]) -> u64 {
    layers.iter().map(|layer| layer.turns).sum()
}

/// Sums over the layers of each phase.
pub(crate) fn phase_bytes(layers: &[LayerReport]) -> PhaseBytes {
    let sum = |phase: &str| {
        layers.iter().filter(|layer| layer.phase == phase).fold(Ways::default(), |sum, layer| Ways {
            sent: sum.sent + layer.sent,
            received: sum.received + layer.received,
        })
    };
    PhaseBytes { offline: sum("offline"), online: sum("online") }
}
