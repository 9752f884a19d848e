//! The two phases of an image, written once: the loops over layers of every suite and every party.
//!
//! | phase | for each layer | at the end |
//! |---|---|---|
//! | offline | its part of the stock is made | what spans layers is checked |
//! | online | its output's share replaces its input's | the answer is opened |

use blindscan_protocols::share::Share;
use blindscan_wire::Traffic;

use crate::InferenceError;
use crate::assigned::Plan;
use crate::shares::Shares;
use crate::stock::StockWriter;
use crate::suite::{MakesStock, Suite, UsesStock};
use crate::tap::Tap;

/// The two phases of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the input is known.
    Offline,
    /// From the input to the answer.
    Online,
}

/// What came out, at the party that gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One label per position.
    Labels(Vec<u8>),
    /// Signed integers at the logits' scale.
    Logits(Vec<i64>),
}

/// Told after each layer that speaks: progress for people, traffic for reports.
pub trait Observer {
    /// A phase of an image begins; `traffic` is the channel's reading now. What went before was no part of it.
    fn begin(&mut self, _phase: Phase, _traffic: Traffic) {}

    /// Set-up is over, the phase goes on; `traffic` is the channel's reading now.
    fn ready(&mut self, _traffic: Traffic) {}

    /// Layer `done` of `of` of a phase is over; `traffic` is the channel's reading now.
    fn layer(&mut self, phase: Phase, done: usize, of: usize, traffic: Traffic);
}

/// An observer that does not look.
pub struct Unobserved;

impl Observer for Unobserved {
    fn layer(&mut self, _: Phase, _: usize, _: usize, _: Traffic) {}
}

/// Makes one party's part of a stock.
pub(crate) fn offline<S: Suite>(
    plan: &Plan<S>,
    mut at: S::Maker<'_>,
    observer: &mut dyn Observer,
) -> Result<StockWriter, InferenceError> {
    let mut progress = Progress::new(plan, Phase::Offline, observer);
    for layer in plan.nodes.iter().filter(|layer| layer.speaks()) {
        layer.make(&mut at)?;
        progress.step(at.traffic());
    }
    plan.answer.make(&mut at)?;
    let (stock, traffic) = at.close()?;
    progress.step(traffic);
    Ok(stock)
}

/// Runs one image from one party's share of the input; the answer at the party that gets it.
pub(crate) fn online<S: Suite>(
    plan: &Plan<S>,
    input: Share<S::Word>,
    mut at: S::Runner<'_>,
    observer: &mut dyn Observer,
    tap: &mut impl Tap<S::Word>,
) -> Result<Option<Output>, InferenceError> {
    let public = &plan.public;
    let mut progress = Progress::new(plan, Phase::Online, observer);
    let mut shares = Shares::new(public);
    shares.put(public.input, input);
    for (node, layer) in public.nodes.iter().zip(&plan.nodes) {
        let share = layer.run(node, &mut shares, &mut at)?;
        tap.share(node.output, share.view());
        shares.put(node.output, share);
        shares.used(&node.inputs);
        if layer.speaks() {
            progress.step(at.traffic());
        }
    }
    let output = plan.answer.run(shares.get(public.output), &mut at)?;
    progress.step(at.traffic());
    Ok(output)
}

/// Progress through the layers of one phase.
struct Progress<'a> {
    phase: Phase,
    done: usize,
    of: usize,
    observer: &'a mut dyn Observer,
}

impl<'a> Progress<'a> {
    fn new<S: Suite>(plan: &Plan<S>, phase: Phase, observer: &'a mut dyn Observer) -> Self {
        Self { phase, done: 0, of: plan.layer_count(), observer }
    }

    fn step(&mut self, traffic: Traffic) {
        self.done += 1;
        self.observer.layer(self.phase, self.done, self.of, traffic);
    }
}
