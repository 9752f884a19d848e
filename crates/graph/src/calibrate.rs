//! From a graph in floats to a fixed plan: scales, widths and integer weights.
//!
//! Every scale is a power of two and belongs to a whole tensor. The steps, in the order of the files:
//! * what values the samples reach, in floats (`runs`), after constant channels are folded,
//!   factors and shifts moved into the layers around them (`factors.rs`),
//!   and uneven ones equalised (`dead.rs`, `equalise.rs`);
//! * how many bits are spent on each activation and weight (`precision`);
//! * how many fraction bits each activation keeps, hence each accumulator's scale and each shift (`scales`);
//! * integer weights, and the half unit that turns floors into rounding (`weights`);
//! * the largest integer of each tensor, proven or from the samples, and the smallest rings (`ranges`).
//!
//! Should a ring come out too wide, the layer's weights or activations lose a bit and all is done again.
#![deny(clippy::wildcard_enum_match_arm)]

mod dry;
mod options;
mod precision;
mod ranges;
mod runs;
mod scales;
#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm)]
mod tests;
mod weights;

pub use dry::dry_run;
pub use options::{Options, WEIGHT_BITS_MAX};

use crate::dead::{fold_constant_channels, intervals};
use crate::draft::{IntegerDraft, draft};
use crate::equalise::{EvenedLayer, equalise};
use crate::factors;
use crate::fixed::{evaluate_with, quantise_input};
use crate::ir::{Graph, Tensor, ValueId};
use crate::plan::{
    Answer, FixedPlan, InputSpec, PLAN_VERSION, PlanError, PlanNode, PublicPlan, Step, TensorSpec,
};
use dry::check;
use precision::Precision;
use runs::ClearRuns;

/// How often bounds may be raised before the plan is given up.
const ROUNDS: usize = 8;

/// A fixed plan, and how it came about.
pub struct Calibrated {
    /// The plan.
    pub plan: FixedPlan,
    /// The graph whose values the plan's tensors are: with channels equalised where they were, else as it was given.
    pub graph: Graph,
    /// For each of the plan's tensors the value of `graph` that it is in integers; none for a step between two values.
    pub values: Vec<Option<ValueId>>,
    /// BLAKE3 of the samples' shapes and elements.
    pub samples_digest: [u8; 32],
    /// The layers whose channels were equalised.
    pub equalised: Vec<EvenedLayer>,
    /// The layers that read channels of one constant value, and how many of their kernels were folded into biases.
    pub constant_channels: Vec<(String, usize)>,
}

/// Makes the fixed plan of a graph. `samples` are inputs typical for the model; they fit the scales, and the ranges where
/// those are not proven.
pub fn calibrate(
    graph: &Graph,
    input_spec: &InputSpec,
    samples: &[Tensor],
    options: &Options,
) -> Result<FixedPlan, PlanError> {
    Ok(calibrated(graph.clone(), input_spec, samples, options)?.plan)
}

/// As [`calibrate`], and tells how the plan came about. Channels that are constant are folded into biases first; then factors and
/// shifts per channel are moved into the layers around them; channels of very
/// different size are equalised where that brings the answers on the samples closer to the floats.
pub fn calibrated(
    mut graph: Graph,
    input_spec: &InputSpec,
    samples: &[Tensor],
    options: &Options,
) -> Result<Calibrated, PlanError> {
    check(&graph, input_spec, options)?;
    let samples_digest = digest(samples);
    // What cannot be drafted is refused before anything is folded: a weight that is no number could vanish there.
    draft(&graph)?;
    let constant_channels = fold_constant_channels(&mut graph, input_spec.range);
    let mut clear = ClearRuns::of(&graph, input_spec, samples)?;
    if factors::has_any(&graph) {
        let moved = factors::moved(&graph, &clear.sizes, &intervals(&graph, input_spec.range));
        // Should floats lose too much on the way, the layers stay as they were.
        if let Ok(runs) = ClearRuns::of(&moved, input_spec, samples)
            && runs.agree_with(&clear)
        {
            (graph, clear) = (moved, runs);
        }
    }
    let fit = |graph: &Graph, sizes: &[Vec<f64>]| fit(graph, sizes, input_spec, samples, options);
    let plain = fit(&graph, &clear.sizes);
    let Some(even) = equalise(&graph, &clear.sizes) else {
        let (plan, values) = plain?;
        return Ok(Calibrated {
            plan,
            graph,
            values,
            equalised: Vec::new(),
            constant_channels,
            samples_digest,
        });
    };
    let fitted = fit(&even.graph, &even.sizes(&clear.sizes));
    let error = |fitted: &Result<Fitted, PlanError>| match fitted {
        Ok((plan, _)) => clear.error_of(plan, samples),
        Err(_) => Ok(f64::INFINITY),
    };
    let (plan, graph, equalised) = match error(&fitted)? < error(&plain)? {
        true => (fitted?, even.graph, even.layers),
        false => (plain?, graph, Vec::new()),
    };
    Ok(Calibrated { plan: plan.0, graph, values: plan.1, equalised, constant_channels, samples_digest })
}

/// Bits that the declared range of a plan's input fills.
pub fn input_bits(plan: &PublicPlan) -> i32 {
    let (low, high) = plan.input_spec.range;
    scales::bits_of(plan.tensors[plan.input].fraction, f64::from(low.abs().max(high.abs())))
}

fn digest(samples: &[Tensor]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("blindscan 2026-11 calibration samples");
    for sample in samples {
        hasher.update(&(sample.shape.len() as u64).to_le_bytes());
        for &extent in &sample.shape {
            hasher.update(&(extent as u64).to_le_bytes());
        }
        for element in &sample.data {
            hasher.update(&element.to_le_bytes());
        }
    }
    *hasher.finalize().as_bytes()
}

/// A plan, and the graph's value of each tensor.
type Fitted = (FixedPlan, Vec<Option<ValueId>>);

/// Fits a plan to a graph whose values' channels reach `sizes` on the samples.
fn fit(
    graph: &Graph,
    sizes: &[Vec<f64>],
    input_spec: &InputSpec,
    samples: &[Tensor],
    options: &Options,
) -> Result<Fitted, PlanError> {
    let draft = draft(graph)?;
    let seen: Vec<f64> =
        sizes.iter().map(|sizes| sizes.iter().fold(0f64, |most, &size| most.max(size))).collect();
    let least_bounds = vec![0; draft.tensors.len()];
    let mut task = Task { draft: &draft, seen: &seen, least_bounds, range: input_spec.range, options };
    for _ in 0..ROUNDS {
        let attempt = task.narrowest()?;
        let plan = task.assemble(graph, input_spec, attempt);
        plan.public.validate()?;
        plan.weights.check(&plan.public)?;
        if !task.raise_bounds(&plan, samples)? {
            return Ok((plan, draft.values(graph)));
        }
    }
    Err(PlanError::Unstable)
}

/// What scales and widths are chosen from.
struct Task<'a> {
    draft: &'a IntegerDraft,
    /// The largest absolute value of each graph value over the samples.
    seen: &'a [f64],
    /// What the bound of each tensor must be at least, because an earlier round's integers went further than the floats.
    least_bounds: Vec<u64>,
    /// The declared range of the real input.
    range: (f32, f32),
    options: &'a Options,
}

/// Numbers for one precision.
struct Attempt {
    /// Fraction bits of each tensor.
    fractions: Vec<i32>,
    /// The steps with their numbers.
    steps: Vec<Step>,
    weights: crate::plan::Weights,
    ranges: ranges::Ranges,
}

impl Task<'_> {
    /// Runs the plan on the samples and raises the bounds that the integers exceed: where the floats nearly cancel, what is
    /// left is rounding, and that is no float's range. False when all bounds hold.
    fn raise_bounds(&mut self, plan: &FixedPlan, samples: &[Tensor]) -> Result<bool, PlanError> {
        let mut raised = false;
        for sample in samples {
            let integers = quantise_input(&plan.public, sample)?;
            evaluate_with(&plan.public, &plan.weights, &integers, &mut |id, values| {
                let most = values.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
                if most > plan.public.tensors[id].bound {
                    let with_margin = (most as f64 * f64::from(self.options.margin)).ceil() as u64;
                    self.least_bounds[id] = self.least_bounds[id].max(with_margin);
                    raised = true;
                }
            })?;
        }
        Ok(raised)
    }

    /// Lowers precision until every ring is allowed.
    fn narrowest(&self) -> Result<Attempt, PlanError> {
        let mut precision = self.desired();
        loop {
            let attempt = self.attempt(&precision);
            let allowed = self.options.ring_bits_max;
            let Some(tensor) = attempt.ranges.needed_bits.iter().position(|&bits| bits > allowed) else {
                return Ok(attempt);
            };
            if !precision.lower(self.draft, tensor) {
                return Err(PlanError::TooWide {
                    tensor: self.draft.tensors[tensor].name.clone(),
                    needed: attempt.ranges.needed_bits[tensor],
                    allowed,
                });
            }
        }
    }

    fn attempt(&self, precision: &Precision) -> Attempt {
        let mut scales = scales::Scales::choose(self, precision);
        let weights = weights::quantise(self, &mut scales);
        let ranges = ranges::Ranges::find(self, &scales, &weights);

        Attempt { fractions: scales.fractions, steps: scales.steps, weights, ranges }
    }

    fn assemble(&self, graph: &Graph, input_spec: &InputSpec, attempt: Attempt) -> FixedPlan {
        let Attempt { fractions, steps, weights, ranges } = attempt;
        let tensors = self.draft.tensors.iter().enumerate();
        let tensors = tensors.map(|(id, draft)| TensorSpec {
            name: draft.name.clone(),
            shape: draft.shape.clone(),
            ring_bits: ranges.ring_bits[id],
            fraction: fractions[id],
            divisor: draft.divisor,
            bound: ranges.bounds[id].most,
            non_negative: ranges.bounds[id].non_negative,
            range: ranges.kinds[id],
        });
        let nodes = self.draft.nodes.iter().zip(steps).map(|(node, step)| PlanNode {
            name: node.name.clone(),
            step,
            inputs: node.inputs.clone(),
            output: node.output,
        });
        let output_shape = &self.draft.tensors[self.draft.output].shape;
        let public = PublicPlan {
            version: PLAN_VERSION,
            name: self.options.name.clone().unwrap_or_else(|| graph.name.clone()),
            input_spec: input_spec.clone(),
            tensors: tensors.collect(),
            nodes: nodes.collect(),
            input: self.draft.input,
            output: self.draft.output,
            answer: Answer {
                class_names: self.options.class_names.clone(),
                ..Answer::of(graph.head, graph.classes, output_shape, self.options.policy)
            },
            suite: self.options.suite,
        };
        FixedPlan { public, weights }
    }
}
