//! From a graph in floats to a fixed plan: scales, widths and integer weights.
//!
//! Every scale is a power of two and belongs to a whole tensor. The steps, in the order of the files:
//! * what values the samples reach, in floats (here), after constant channels are folded,
//!   factors and shifts moved into the layers around them (`factors.rs`),
//!   and uneven ones equalised (`dead.rs`, `equalise.rs`);
//! * how many fraction bits each activation keeps, hence each accumulator's scale and each shift (`scales`);
//! * integer weights, and the half unit that turns floors into rounding (`weights`);
//! * the largest integer of each tensor, proven or from the samples, and the smallest rings (`ranges`).
//!
//! Should a ring come out too wide, the layer's weights or activations lose a bit and all is done again.

mod dry;
mod ranges;
mod scales;
#[cfg(test)]
mod tests;
mod weights;

pub use dry::dry_run;

use crate::dead::{fold_constant_channels, intervals};
use crate::equalise::{EvenedLayer, equalise, no_sizes, raise_sizes};
use crate::factors;
use crate::fixed::{dequantise, evaluate, evaluate_with, quantise_input};
use crate::float;
use crate::ir::{Graph, Tensor, ValueId};
use crate::draft::{DraftStep, Lowered, lower};
use crate::plan::{
    Answer, FixedPlan, InputSpec, Linear, OutputPolicy, PLAN_VERSION, PlanError, PlanNode, PublicPlan, Step,
    SuiteSpec, TensorSpec,
};
use dry::check;

/// Precision is not lowered below this many bits of an activation or weight.
const BITS_MIN: u32 = 4;
/// Most bits that small tensors have beyond what the options ask for.
const CHEAP_BITS_MAX: u32 = 2;
/// Most bits of a weight with its sign, the extra ones of small layers included: what the homomorphic step takes.
pub const WEIGHT_BITS_MAX: u32 = 16;

/// How far two float runs of one function may lie apart, relative to the largest logit.
const FLOATS_AGREE: f32 = 1e-4;

/// How often bounds may be raised before the plan is given up.
const ROUNDS: usize = 8;

/// How a plan is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Bits that the largest activation of the samples fills, 4 to 16.
    pub activation_bits: u32,
    /// Bits that the input's declared range fills, 4 to 16.
    pub input_bits: u32,
    /// Bits of a weight with its sign, 4 to 16.
    pub weight_bits: u32,
    /// How much further than on the samples values may go, 1 to 1024.
    pub margin: f32,
    /// Whether ranges must follow from the weights and the input's range alone.
    pub proven_only: bool,
    /// The suite that the plan is made for.
    pub suite: SuiteSpec,
    /// The widest ring allowed, 8 to 32.
    pub ring_bits_max: u32,
    /// How much of the answer the image owner gets.
    pub policy: OutputPolicy,
    /// Names of the classes, in order; may be empty.
    pub class_names: Vec<String>,
    /// The plan's name, when it is not the graph's.
    pub name: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            activation_bits: 9,
            input_bits: 9,
            weight_bits: 12,
            margin: 2.0,
            proven_only: false,
            suite: SuiteSpec::two_party(3),
            ring_bits_max: 32,
            policy: OutputPolicy::Labels,
            class_names: Vec::new(),
            name: None,
        }
    }
}

impl Options {
    /// Fewest bytes: weights of 10 bits. 3 to 7 % fewer bytes than the default; errors up to 3 times as large on the networks
    /// of docs/performance.md.
    pub fn fast() -> Self {
        Self { weight_bits: 10, ..Self::default() }
    }

    /// Smallest errors: 12 bits for input, activations and weights. 5 to 8 % more bytes than the default.
    pub fn best() -> Self {
        Self { activation_bits: 12, input_bits: 12, ..Self::default() }
    }

    fn check(&self) -> Result<(), PlanError> {
        if let Some((option, given, low, high)) = self.suite.out_of_range() {
            return Err(PlanError::Option {
                option,
                given: given.into(),
                low: low.into(),
                high: high.into(),
            });
        }
        let limits: [(&'static str, f64, f64, f64); 5] = [
            ("activation_bits", f64::from(self.activation_bits), 4.0, 16.0),
            ("input_bits", f64::from(self.input_bits), 4.0, 16.0),
            ("weight_bits", f64::from(self.weight_bits), 4.0, f64::from(WEIGHT_BITS_MAX)),
            ("margin", f64::from(self.margin), 1.0, 1024.0),
            ("ring_bits_max", f64::from(self.ring_bits_max), 8.0, 32.0),
        ];
        match limits.into_iter().find(|&(_, given, low, high)| !(low..=high).contains(&given)) {
            Some((option, given, low, high)) => Err(PlanError::Option { option, given, low, high }),
            None => Ok(()),
        }
    }
}

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
    // What cannot be lowered is refused before anything is folded: a weight that is no number could vanish there.
    lower(&graph)?;
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
    let lowered = lower(graph)?;
    let seen: Vec<f64> =
        sizes.iter().map(|sizes| sizes.iter().fold(0f64, |most, &size| most.max(size))).collect();
    let least_bounds = vec![0; lowered.tensors.len()];
    let mut task = Task { lowered: &lowered, seen: &seen, least_bounds, range: input_spec.range, options };
    for _ in 0..ROUNDS {
        let attempt = task.narrowest()?;
        let plan = task.assemble(graph, input_spec, attempt);
        plan.public.validate()?;
        plan.weights.check(&plan.public)?;
        if !task.raise_bounds(&plan, samples)? {
            return Ok((plan, lowered.values(graph)));
        }
    }
    Err(PlanError::Unstable)
}

/// The float runs of the samples, whose elements are first clamped to the declared range.
struct ClearRuns {
    /// The largest magnitude of each channel of each value.
    sizes: Vec<Vec<f64>>,
    /// The logits of each sample.
    logits: Vec<Tensor>,
}

impl ClearRuns {
    fn of(graph: &Graph, input_spec: &InputSpec, samples: &[Tensor]) -> Result<Self, PlanError> {
        if samples.is_empty() {
            return Err(PlanError::NoSamples);
        }
        let (low, high) = input_spec.range;
        let mut runs = Self { sizes: no_sizes(graph), logits: Vec::with_capacity(samples.len()) };
        for (index, sample) in samples.iter().enumerate() {
            let mut clamped = sample.clone();
            clamped.data.iter_mut().for_each(|x| *x = x.clamp(low, high));
            let logits = float::evaluate_with(graph, &clamped, &mut |value, tensor| {
                raise_sizes(&mut runs.sizes[value], &tensor.data);
            })
            .map_err(|error| PlanError::Sample { index, reason: error.to_string() })?;
            runs.logits.push(logits);
        }
        match runs.sizes.iter().position(|sizes| sizes.iter().any(|size| !size.is_finite())) {
            Some(value) => {
                let reason = format!("value {} is not finite", graph.values[value].name);
                Err(PlanError::Sample { index: 0, reason })
            }
            None => Ok(runs),
        }
    }

    /// Whether the logits of each sample are the same but for rounding, relative to the largest of them.
    fn agree_with(&self, other: &Self) -> bool {
        let alike = |(a, b): (&Tensor, &Tensor)| {
            let most = b.data.iter().fold(0f32, |most, x| most.max(x.abs()));
            a.shape == b.shape
                && a.data.iter().zip(&b.data).all(|(a, b)| (a - b).abs() <= FLOATS_AGREE * most)
        };
        self.logits.iter().zip(&other.logits).all(alike)
    }

    /// The mean square of the plan's errors on the samples.
    fn error_of(&self, plan: &FixedPlan, samples: &[Tensor]) -> Result<f64, PlanError> {
        let mut sum = 0.0;
        for (sample, float) in samples.iter().zip(&self.logits) {
            let integers = quantise_input(&plan.public, sample)?;
            let logits = evaluate(&plan.public, &plan.weights, &integers)?.logits;
            let fixed = dequantise(&plan.public, plan.public.output, &logits);
            sum += fixed.data.iter().zip(&float.data).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        }
        Ok(sum / samples.len() as f64)
    }
}

/// What scales and widths are chosen from.
struct Task<'a> {
    lowered: &'a Lowered,
    /// The largest absolute value of each graph value over the samples.
    seen: &'a [f64],
    /// What the bound of each tensor must be at least, because an earlier round's integers went further than the floats.
    least_bounds: Vec<u64>,
    /// The declared range of the real input.
    range: (f32, f32),
    options: &'a Options,
}

/// Bits to spend, which narrow where a ring would be too wide.
struct Precision {
    /// For each tensor that is the input or an activation.
    activation_bits: Vec<u32>,
    /// For each node that is a linear layer.
    weight_bits: Vec<u32>,
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
            if !precision.lower(self.lowered, tensor) {
                return Err(PlanError::TooWide {
                    tensor: self.lowered.tensors[tensor].name.clone(),
                    needed: attempt.ranges.needed_bits[tensor],
                    allowed,
                });
            }
        }
    }

    /// The bits asked for, and more where they cost little: a comparison's price is the ring's width times the number of
    /// elements, so a tensor of a quarter of the largest's size has a bit more, one of a sixteenth two.
    fn desired(&self) -> Precision {
        let (tensors, nodes) = (&self.lowered.tensors, &self.lowered.nodes);
        let elements = |id: usize| Tensor::count(&tensors[id].shape);
        let largest = nodes.iter().map(|node| elements(node.output)).max().unwrap_or(1);
        let cheap = |id: usize| ((largest / elements(id)).max(1).ilog2() / 2).min(CHEAP_BITS_MAX);
        let mut precision = Precision {
            activation_bits: (0..tensors.len())
                .map(|id| self.options.activation_bits + cheap(id).min(1))
                .collect(),
            weight_bits: nodes
                .iter()
                .map(|node| (self.options.weight_bits + cheap(node.output)).min(WEIGHT_BITS_MAX))
                .collect(),
        };
        precision.activation_bits[self.lowered.input] = self.options.input_bits;
        precision
    }

    fn attempt(&self, precision: &Precision) -> Attempt {
        let mut scales = scales::Scales::choose(self, precision);
        let weights = weights::quantise(self, precision, &mut scales);
        let ranges = ranges::Ranges::find(self, &scales, &weights);

        Attempt { fractions: scales.fractions, steps: scales.steps, weights, ranges }
    }

    fn assemble(&self, graph: &Graph, input_spec: &InputSpec, attempt: Attempt) -> FixedPlan {
        let Attempt { fractions, steps, weights, ranges } = attempt;
        let tensors = self.lowered.tensors.iter().enumerate();
        let tensors = tensors.map(|(id, draft)| TensorSpec {
            name: draft.name.clone(),
            shape: draft.shape.clone(),
            ring_bits: ranges.ring_bits[id],
            fraction: fractions[id],
            divisor: draft.divisor,
            bound: ranges.bounds[id],
            non_negative: ranges.non_negative[id],
            range: ranges.kinds[id],
        });
        let nodes = self.lowered.nodes.iter().zip(steps).map(|(node, step)| PlanNode {
            name: node.name.clone(),
            step,
            inputs: node.inputs.clone(),
            output: node.output,
        });
        let output_shape = &self.lowered.tensors[self.lowered.output].shape;
        let public = PublicPlan {
            version: PLAN_VERSION,
            name: self.options.name.clone().unwrap_or_else(|| graph.name.clone()),
            input_spec: input_spec.clone(),
            tensors: tensors.collect(),
            nodes: nodes.collect(),
            input: self.lowered.input,
            output: self.lowered.output,
            answer: Answer {
                class_names: self.options.class_names.clone(),
                ..Answer::of(graph.head, graph.classes, output_shape, self.options.policy)
            },
            suite: self.options.suite,
        };
        FixedPlan { public, weights }
    }
}

impl Precision {
    /// Takes a bit from what makes `tensor` wide. False when there is none to take.
    fn lower(&mut self, lowered: &Lowered, tensor: usize) -> bool {
        let makers = lowered.makers();
        let mut pending = vec![tensor];
        let mut lowered_any = false;
        while let Some(tensor) = pending.pop() {
            let Some(node) = makers[tensor] else {
                lowered_any |= take_bit(&mut self.activation_bits[tensor]);
                continue;
            };
            match &lowered.nodes[node].step {
                DraftStep::Activate { .. } => lowered_any |= take_bit(&mut self.activation_bits[tensor]),
                DraftStep::Linear(_) => {
                    let origins = origins(lowered, &makers, lowered.nodes[node].inputs[0]);
                    let widest = origins.iter().map(|&id| self.activation_bits[id]).max().unwrap_or(0);
                    if self.weight_bits[node] > widest && take_bit(&mut self.weight_bits[node]) {
                        lowered_any = true;
                        continue;
                    }
                    let mut taken = false;
                    for id in origins {
                        taken |=
                            self.activation_bits[id] == widest && take_bit(&mut self.activation_bits[id]);
                    }
                    lowered_any |= taken || take_bit(&mut self.weight_bits[node]);
                }
                _ => pending.extend(&lowered.nodes[node].inputs),
            }
        }
        lowered_any
    }
}

fn take_bit(bits: &mut u32) -> bool {
    let may = *bits > BITS_MIN;
    *bits -= u32::from(may);
    may
}

/// The activations (or the input) that a tensor is put together from by local steps and pools. A linear layer ends the search.
fn origins(lowered: &Lowered, makers: &[Option<usize>], tensor: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut pending = vec![tensor];
    while let Some(tensor) = pending.pop() {
        match makers[tensor].map(|node| &lowered.nodes[node]) {
            None => found.push(tensor),
            Some(node) => match node.step {
                DraftStep::Activate { .. } => found.push(tensor),
                DraftStep::Linear(_) => {}
                _ => pending.extend(&node.inputs),
            },
        }
    }
    found
}

/// The integer step of a linear layer with its widths filled in.
fn with_widths(linear: &Linear, weight_bits: u32, weight_fraction: i32) -> Linear {
    Linear { weight_bits, weight_fraction, ..linear.clone() }
}
