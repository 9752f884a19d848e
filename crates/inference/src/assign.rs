//! The assigned plan: a protocol and a demand on every node of a public plan.
//!
//! Made from the [`PublicPlan`] alone, so both owners make the same one.
#![deny(clippy::wildcard_enum_match_arm)]

use blindscan_arith::ring::{Ring, Ring32};
use blindscan_graph::plan::{
    self, Local, OutputPolicy, PlanNode, PublicPlan, Rounding, Spoken, Step, SuiteSpec, TensorSpec,
};
use blindscan_protocols::Party;
use blindscan_protocols::linear::{LinearLayer, WEIGHT_BOUND};
use blindscan_protocols::nonlinear::{Activation, Label, PadDemand, Tournament};
use blindscan_wire::script::Script;

use crate::InferenceError;
use crate::suite::two_party::activate::Activate;
use crate::suite::two_party::answer::Answer;
use crate::suite::two_party::linear::{Linear, Masked};
use crate::suite::two_party::max_pool::{MaxPool, Stage};
use crate::suite::two_party::transfers::Schedule;
use crate::suite::two_party::windows::axis_pools;

/// Widest weights that the homomorphic step takes: |weight| < [`WEIGHT_BOUND`].
const WEIGHT_BITS_MAX: u32 = WEIGHT_BOUND.ilog2() + 1;

/// log2 of the largest probability, of one value of a layer, of being off by one.
const OFF_BY_ONE_LOG2_MAX: f64 = -40.0;

/// A public plan with a protocol on every node.
pub struct AssignedPlan {
    plan: PublicPlan,
    digest: [u8; 32],
    pub(crate) operators: Vec<Operator>,
    pub(crate) answer: Answer,
}

/// What is done at a node.
pub(crate) enum Operator {
    /// Each party on its own share; the model owner adds what only it knows.
    Local(Local),
    Linear(Box<Linear>),
    Activate(Activate),
    MaxPool(MaxPool),
}

impl AssignedPlan {
    /// Puts protocols on the nodes of a plan.
    ///
    /// # Errors
    /// When the plan is not valid, or a layer does not fit the suite: both by the layer's name.
    pub fn new(plan: PublicPlan) -> Result<Self, InferenceError> {
        plan.validate().map_err(|error| InferenceError::Plan(error.to_string()))?;
        let mut opened = vec![false; plan.tensors.len()];
        let mut operators = Vec::with_capacity(plan.nodes.len());
        for node in &plan.nodes {
            let operator = assign(&plan, node, &mut opened)
                .map_err(|reason| InferenceError::Layer { name: node.name.clone(), reason })?;
            operators.push(operator);
        }
        let answer =
            answer(&plan).map_err(|reason| InferenceError::Layer { name: "answer".into(), reason })?;
        Ok(Self { digest: plan.digest(), plan, operators, answer })
    }

    /// The public plan.
    pub fn plan(&self) -> &PublicPlan {
        &self.plan
    }

    /// The public plan's digest.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// All transfers that one image needs.
    pub fn demand(&self) -> PadDemand {
        self.operators.iter().map(Operator::demand).sum::<PadDemand>() + self.answer.demand()
    }

    /// Number of layers that speak, the answer included: what progress is counted in.
    pub fn layer_count(&self) -> usize {
        self.operators.iter().filter(|operator| operator.speaks()).count() + 1
    }

    /// How often the private answer differs from the clear one although both parties did what they should.
    pub fn off_by_one(&self) -> OffByOne {
        let layers = self.operators.iter().filter_map(|operator| match operator {
            Operator::Linear(linear) => Some((linear.off_by_one_log2, linear.layer.shape().output_count())),
            Operator::Local(_) | Operator::Activate(_) | Operator::MaxPool(_) => None,
        });
        layers.fold(OffByOne::NEVER, |sum, (log2, count)| OffByOne {
            value_log2: sum.value_log2.max(log2),
            image: sum.image + count as f64 * log2.exp2(),
        })
    }

    /// The model owner's working set of the largest linear layer.
    pub(crate) fn linear_memory_bytes(&self) -> u64 {
        let of = |operator: &Operator| match operator {
            Operator::Linear(linear) => linear.layer.memory_bytes(),
            Operator::Local(_) | Operator::Activate(_) | Operator::MaxPool(_) => 0,
        };
        self.operators.iter().map(of).max().unwrap_or(0)
    }
}

/// Probabilities, at most, that a value in a linear layer's last place is off by one: [`blindscan_rlwe::noise`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OffByOne {
    /// log2 of it for one value of the layer where it is largest; minus infinity without linear layers.
    pub value_log2: f64,
    /// For any value of one image.
    pub image: f64,
}

impl OffByOne {
    const NEVER: Self = Self { value_log2: f64::NEG_INFINITY, image: 0.0 };

    /// For any value of any of so many images.
    pub fn images(&self, count: u32) -> f64 {
        (f64::from(count) * self.image).min(1.0)
    }
}

impl Operator {
    /// Whether messages belong to it.
    pub(crate) fn speaks(&self) -> bool {
        !matches!(self, Self::Local(_))
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Local(_) => "local",
            Self::Linear(_) => "linear",
            Self::Activate(activate) if activate.protocol.relu => "relu",
            Self::Activate(_) => "rescale",
            Self::MaxPool(_) => "max pool",
        }
    }

    pub(crate) fn demand(&self) -> PadDemand {
        match self {
            Self::Local(_) | Self::Linear(_) => PadDemand::default(),
            Self::Activate(activate) => activate.demand(),
            Self::MaxPool(pool) => pool.demand(),
        }
    }

    pub(crate) fn stock_bytes(&self, party: Party) -> usize {
        match self {
            Self::Local(_) => 0,
            Self::Linear(linear) => linear.stock_bytes(),
            Self::Activate(activate) => activate.stock_bytes(party),
            Self::MaxPool(pool) => pool.stock_bytes(party),
        }
    }

    pub(crate) fn offline_script(&self, schedule: &mut Schedule) -> Script {
        match self {
            Self::Local(_) => Script::default(),
            Self::Linear(linear) => linear.offline_script(),
            Self::Activate(activate) => activate.offline_script(schedule),
            Self::MaxPool(pool) => pool.offline_script(schedule),
        }
    }

    pub(crate) fn online_script(&self) -> Script {
        match self {
            Self::Local(_) => Script::default(),
            Self::Linear(linear) => linear.online_script(),
            Self::Activate(activate) => activate.online_script(),
            Self::MaxPool(pool) => pool.online_script(),
        }
    }
}

fn ring(tensor: &TensorSpec) -> Ring32 {
    Ring32::new(tensor.ring_bits)
}

fn count(tensor: &TensorSpec) -> usize {
    tensor.shape.iter().product()
}

fn assign(plan: &PublicPlan, node: &PlanNode, opened: &mut [bool]) -> Result<Operator, String> {
    let input = &plan.tensors[node.inputs[0]];
    let output = &plan.tensors[node.output];
    let SuiteSpec::TwoParty { radix_bits, rounding: Rounding::Exact } = plan.suite;
    let spoken = match &node.step {
        Step::Local(step) => return Ok(Operator::Local(step.clone())),
        Step::Spoken(spoken) => spoken,
    };
    Ok(match spoken {
        Spoken::Linear(linear) => {
            if linear.weight_bits > WEIGHT_BITS_MAX {
                return Err(format!("weights of {} bits; at most {WEIGHT_BITS_MAX} fit", linear.weight_bits));
            }
            let opens = !std::mem::replace(&mut opened[node.inputs[0]], true);
            let layer = LinearLayer::new(linear.shape(), output.ring_bits).map_err(|e| e.to_string())?;
            let off_by_one_log2 = off_by_one_log2(&layer, linear.weight_bits)?;
            let input = Masked { tensor: node.inputs[0], ring: ring(input), count: count(input) };
            Operator::Linear(Box::new(Linear { layer, ring: ring(output), input, opens, off_by_one_log2 }))
        }
        Spoken::Activate(plan::Activate { relu, drop }) => {
            let protocol = Activation::new(input.ring_bits, *drop, output.ring_bits, *relu, radix_bits)
                .map_err(|e| e.to_string())?;
            Operator::Activate(Activate { protocol, count: count(input) })
        }
        Spoken::MaxPool(plan::MaxPool { window }) => {
            let stages = axis_pools(window, &input.shape)
                .into_iter()
                .map(|pool| {
                    let protocol = (pool.candidates() > 1)
                        .then(|| Tournament::new(input.ring_bits, radix_bits, pool.candidates()))
                        .transpose()
                        .map_err(|e| e.to_string())?;
                    Ok::<_, String>(Stage { pool, protocol })
                })
                .collect::<Result<_, _>>()?;
            let lowest = if input.non_negative { 0 } else { -(1i64 << (input.ring_bits - 2)) + 1 };
            Operator::MaxPool(MaxPool { stages, padding: ring(input).of_signed(lowest), ring: ring(input) })
        }
    })
}

/// log2 of the probability that a value of the layer is off by one: refused when it is not rare enough.
fn off_by_one_log2(layer: &LinearLayer, weight_bits: u32) -> Result<f64, String> {
    let log2 = layer.off_by_one_log2(weight_bits);
    if log2 <= OFF_BY_ONE_LOG2_MAX {
        return Ok(log2);
    }
    Err(format!(
        "{} weights of {weight_bits} bits meet in one answer, in a ring of {} bits: a value would be off by one with probability 2^{log2:.1}, \
         and 2^{OFF_BY_ONE_LOG2_MAX} is the most; give the model narrower weights (--weight-bits)",
        layer.weights_per_answer(),
        layer.ring_bits()
    ))
}

fn answer(plan: &PublicPlan) -> Result<Answer, String> {
    let logits = &plan.tensors[plan.output];
    if plan.answer.policy == OutputPolicy::Logits {
        return Ok(Answer::Logits { ring: ring(logits), count: count(logits) });
    }
    let SuiteSpec::TwoParty { radix_bits, rounding: Rounding::Exact } = plan.suite;
    let Some(axis) = plan.answer.class_axis() else {
        let protocol = Label::new(logits.ring_bits, radix_bits, 1).map_err(|e| e.to_string())?;
        return Ok(Answer::Labels { protocol, outer: 1, classes: 1, inner: count(logits) });
    };
    let classes = logits.shape[axis];
    let protocol = Label::new(logits.ring_bits, radix_bits, classes).map_err(|error| {
        format!("{error}; labels are chosen along axis {axis} of the output: if that is no class axis, serve logits instead")
    })?;
    let outer = logits.shape[..axis].iter().product();
    let inner = logits.shape[axis + 1..].iter().product();
    Ok(Answer::Labels { protocol, outer, classes, inner })
}

#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm)]
mod tests {
    use super::*;

    /// A plan of one dense layer on the input of a random plan.
    fn dense(inputs: usize, outputs: usize, weight_bits: u32, ring_bits: u32) -> PublicPlan {
        let mut plan = blindscan_graph::random::random_plan(2).0.public;
        let tensor = |name: &str, features: usize, ring_bits: u32| TensorSpec {
            name: name.into(),
            shape: vec![1, features],
            ring_bits,
            fraction: 0,
            divisor: 1,
            bound: 1,
            non_negative: false,
            range: plan::Range::Proven,
        };
        let window = blindscan_graph::ir::Window {
            kernel: vec![],
            strides: vec![],
            dilations: vec![],
            pads_begin: vec![],
            pads_end: vec![],
        };
        let layer = plan::Linear {
            window,
            input_size: vec![],
            in_channels: inputs,
            out_channels: outputs,
            groups: 1,
            rows: 1,
            weight_bits,
            weight_fraction: 0,
        };
        plan.tensors = vec![tensor("in", inputs, ring_bits), tensor("out", outputs, ring_bits)];
        plan.nodes = vec![PlanNode { name: "dense".into(), step: layer.into(), inputs: vec![0], output: 1 }];
        (plan.input, plan.output) = (0, 1);
        plan.answer = plan::Answer::of(
            blindscan_graph::ir::Head::Logits,
            blindscan_graph::ir::Classes::Single,
            &[1, outputs],
            OutputPolicy::Logits,
        );
        plan
    }

    #[test]
    fn how_often_an_image_is_off_by_one_is_the_sum_over_its_values() {
        let plan = AssignedPlan::new(dense(100, 10, 8, 24)).unwrap();
        let Operator::Linear(linear) = &plan.operators[0] else { panic!("a dense layer is linear") };
        let off_by_one = plan.off_by_one();
        assert_eq!(off_by_one.value_log2, linear.layer.off_by_one_log2(8));
        assert_eq!(off_by_one.image, 10.0 * off_by_one.value_log2.exp2());
        assert_eq!(off_by_one.images(1000), 1000.0 * off_by_one.image);
        assert_eq!(OffByOne { value_log2: -1.0, image: 0.5 }.images(1000), 1.0);
        let wider = AssignedPlan::new(dense(100, 10, 8, 28)).unwrap().off_by_one();
        assert!(
            (wider.value_log2 - off_by_one.value_log2 - 4.0).abs() < 1e-9,
            "16 times as often in a ring 4 bits wider"
        );
    }

    #[test]
    fn a_layer_that_would_too_often_be_off_by_one_is_refused_with_advice() {
        assert!(AssignedPlan::new(dense(25_088, 4096, 16, 32)).is_ok(), "the longest sums of known networks");
        let wide = dense(1 << 24, 8, 16, 32);
        match AssignedPlan::new(wide).map(drop) {
            Err(InferenceError::Layer { name, reason }) => {
                assert_eq!(name, "dense");
                assert!(reason.contains("--weight-bits") && reason.contains("2^-40"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        assert!(AssignedPlan::new(dense(1 << 24, 8, 12, 32)).is_ok(), "the advice helps");
    }

    #[test]
    fn plans_are_made_with_weights_as_wide_as_the_homomorphic_step_takes_and_no_wider() {
        assert_eq!(blindscan_graph::calibrate::WEIGHT_BITS_MAX, WEIGHT_BITS_MAX);
    }

    #[test]
    fn weights_that_are_too_wide_for_the_homomorphic_step_are_refused_by_the_layers_name() {
        let mut plan = blindscan_graph::random::random_plan(1).0.public;
        let linear = |node: &mut PlanNode| match &mut node.step {
            Step::Spoken(Spoken::Linear(linear)) => {
                linear.weight_bits = WEIGHT_BITS_MAX + 1;
                Some(node.name.clone())
            }
            _ => None,
        };
        let wide = plan.nodes.iter_mut().find_map(linear).expect("a network has a linear layer");
        match AssignedPlan::new(plan).map(drop) {
            Err(InferenceError::Layer { name, .. }) => assert_eq!(name, wide),
            other => panic!("{other:?}"),
        }
    }
}
