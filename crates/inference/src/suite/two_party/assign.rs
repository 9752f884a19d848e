//! Protocols for the nodes of a plan, and what the suite refuses.
#![deny(clippy::wildcard_enum_match_arm)]

use blindscan_arith::ring::{Ring, Ring32};
use blindscan_graph::ir::Window;
use blindscan_graph::plan::{self, OutputPolicy, PublicPlan, Rounding, Spoken, Step, TensorSpec};
use blindscan_protocols::two_party::linear::{LinearLayer, WEIGHT_BOUND};
use blindscan_protocols::two_party::nonlinear::{Activation, Label, Tournament};

use super::activate::Activate;
use super::answer::{Labels, Logits};
use super::linear::{Linear, Masked};
use super::local::Local;
use super::max_pool::{MaxPool, Stage};
use super::windows::{AxisPool, axis_pools};
use super::{Numbers, TwoParty};
use crate::InferenceError;
use crate::suite::{AnswerLayer, Assignment, NodeLayer};

/// Widest weights that the homomorphic step takes: |weight| < [`WEIGHT_BOUND`].
const WEIGHT_BITS_MAX: u32 = WEIGHT_BOUND.ilog2() + 1;

/// log2 of the largest probability, of one value of a layer, of being off by one.
const OFF_BY_ONE_LOG2_MAX: f64 = -40.0;

/// Puts a layer on every node.
pub(super) fn assign(plan: &PublicPlan, numbers: Numbers) -> Result<Assignment<TwoParty>, InferenceError> {
    let Numbers { radix_bits, rounding: Rounding::Exact } = numbers;
    let refused = |name: &str| {
        let name = name.to_string();
        move |reason| InferenceError::Layer { name, reason }
    };
    let mut opened = vec![false; plan.tensors.len()];
    let mut nodes = Vec::with_capacity(plan.nodes.len());
    for (index, node) in plan.nodes.iter().enumerate() {
        nodes.push(layer(plan, radix_bits, index, &mut opened).map_err(refused(&node.name))?);
    }
    let answer = answer(plan, radix_bits).map_err(refused("answer"))?;
    Ok(Assignment { nodes, answer })
}

fn ring(tensor: &TensorSpec) -> Ring32 {
    Ring32::new(tensor.ring_bits)
}

fn layer(
    plan: &PublicPlan,
    radix_bits: u32,
    index: usize,
    opened: &mut [bool],
) -> Result<Box<dyn NodeLayer<TwoParty>>, String> {
    let node = &plan.nodes[index];
    let (input, output) = (&plan.tensors[node.inputs[0]], &plan.tensors[node.output]);
    let spoken = match &node.step {
        Step::Local(step) => return Ok(Box::new(Local { node: index, step: step.clone() })),
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
            let input = Masked { tensor: node.inputs[0], ring: ring(input), count: input.count() };
            Box::new(Linear { node: index, layer, ring: ring(output), input, opens, off_by_one_log2 })
        }
        Spoken::Activate(plan::Activate { relu, drop }) => {
            let protocol = Activation::new(input.ring_bits, *drop, output.ring_bits, *relu, radix_bits)
                .map_err(|e| e.to_string())?;
            Box::new(Activate { protocol, count: input.count() })
        }
        Spoken::MaxPool(plan::MaxPool { window }) => Box::new(max_pool(input, window, radix_bits)?),
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

fn max_pool(input: &TensorSpec, window: &Window, radix_bits: u32) -> Result<MaxPool, String> {
    let stage = |pool: AxisPool| {
        let candidates = pool.candidates();
        let protocol = (candidates > 1)
            .then(|| Tournament::new(input.ring_bits, radix_bits, candidates))
            .transpose()
            .map_err(|e| e.to_string())?;
        Ok::<_, String>(Stage { pool, protocol })
    };
    let stages = axis_pools(window, &input.shape).into_iter().map(stage).collect::<Result<_, _>>()?;
    let lowest = if input.non_negative { 0 } else { -(1i64 << (input.ring_bits - 2)) + 1 };
    Ok(MaxPool { stages, padding: ring(input).of_signed(lowest), ring: ring(input) })
}

fn answer(plan: &PublicPlan, radix_bits: u32) -> Result<Box<dyn AnswerLayer<TwoParty>>, String> {
    let logits = &plan.tensors[plan.output];
    match plan.answer.policy {
        OutputPolicy::Logits => {
            return Ok(Box::new(Logits { ring: ring(logits), count: logits.count() }));
        }
        OutputPolicy::Labels => {}
    }
    let Some(axis) = plan.answer.class_axis() else {
        let protocol = Label::new(logits.ring_bits, radix_bits, 1).map_err(|e| e.to_string())?;
        return Ok(Box::new(Labels { protocol, outer: 1, classes: 1, inner: logits.count() }));
    };
    let classes = logits.shape[axis];
    let protocol = Label::new(logits.ring_bits, radix_bits, classes).map_err(|error| {
        format!("{error}; labels are chosen along axis {axis} of the output: if that is no class axis, serve logits instead")
    })?;
    let outer = logits.shape[..axis].iter().product();
    let inner = logits.shape[axis + 1..].iter().product();
    Ok(Box::new(Labels { protocol, outer, classes, inner }))
}

#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm)]
mod tests {
    use blindscan_graph::plan::PlanNode;

    use super::*;
    use crate::{AssignedPlan, OffByOne};

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
        let window = Window {
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
        let Step::Spoken(Spoken::Linear(linear)) = &plan.plan().nodes[0].step else {
            panic!("a dense layer is linear")
        };
        let layer = LinearLayer::new(linear.shape(), 24).unwrap();
        let off_by_one = plan.off_by_one();
        assert_eq!(off_by_one.value_log2, layer.off_by_one_log2(8));
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
