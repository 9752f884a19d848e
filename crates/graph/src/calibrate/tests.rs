//! Plans are close to their graphs, and their widths hold.

use super::*;
use crate::fixed::{dequantise, evaluate, quantise_input};
use crate::float;
use crate::ir::{Classes, ConvOp, DenseOp, Head, Node, Op, ValueInfo, Window};
use crate::plan::{Meaning, OutputPolicy, Range, Spoken, SuiteSpec};
use crate::random::{random_graph, random_plan, random_range};

/// The error of the logits against the float model, over their largest value, on each sample.
fn relative_errors(seed: u64, options: &Options) -> (FixedPlan, Vec<f32>) {
    let (graph, samples) = random_graph(seed);
    let plan = calibrate(&graph, &InputSpec::tensor(random_range(seed)), &samples, options)
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let errors = samples.iter().map(|sample| {
        let integers = quantise_input(&plan.public, sample).unwrap();
        let evaluation = evaluate(&plan.public, &plan.weights, &integers).unwrap();
        let names: Vec<&str> = evaluation.overflows().map(|tensor| tensor.name.as_str()).collect();
        assert!(names.is_empty(), "seed {seed}: {names:?} leave their rings on the samples themselves");
        let fixed = dequantise(&plan.public, plan.public.output, &evaluation.logits);
        let float = float::evaluate_with(&graph, sample, &mut |_, _| {}).unwrap();
        assert_eq!(fixed.shape, float.shape);
        let most = float.data.iter().fold(0.05f32, |most, x| most.max(x.abs()));
        fixed.data.iter().zip(&float.data).map(|(a, b)| (a - b).abs() / most).fold(0.0, f32::max)
    });
    let errors = errors.collect();
    (plan, errors)
}

#[test]
fn random_graphs_stay_close_to_their_floats() {
    let fine = Options { activation_bits: 12, input_bits: 12, weight_bits: 12, ..Options::default() };
    for (options, worst, mean) in [(Options::default(), 0.08, 0.005), (fine, 0.012, 0.001)] {
        let mut errors = Vec::new();
        for seed in 0..200 {
            let (_, of_seed) = relative_errors(seed, &options);
            let most = of_seed.iter().copied().fold(0.0, f32::max);
            assert!(most < worst, "seed {seed}: {most}");
            errors.extend(of_seed);
        }
        let average = errors.iter().sum::<f32>() / errors.len() as f32;
        assert!(average < mean, "mean error {average}");
    }
}

#[test]
fn rounding_that_exceeds_the_floats_range_raises_the_bound() {
    // The logits of graph 4093 nearly cancel on its samples; the others are as they come.
    for seed in (0..100).chain([4093]) {
        let (plan, inputs) = random_plan(seed);
        for input in inputs {
            let evaluation = evaluate(&plan.public, &plan.weights, &input).unwrap();
            assert!(evaluation.tensors.iter().all(|tensor| !tensor.beyond_bound), "seed {seed}");
        }
    }
}

#[test]
fn proven_ranges_hold_for_every_input_of_the_declared_range() {
    let options = Options { proven_only: true, ..Options::default() };
    for seed in 0..60 {
        let (plan, _) = relative_errors(seed, &options);
        assert!(plan.public.tensors.iter().all(|tensor| tensor.range == Range::Proven));
        let spec = &plan.public.tensors[plan.public.input];
        let (low, high) = random_range(seed);
        // The corners of the range in stripes, and one corner alone: the inputs that stretch sums most.
        for period in [1usize, 2, 3, 7] {
            let corner = |i: usize| if (i / period).is_multiple_of(2) { high } else { low };
            let data = (0..spec.count()).map(corner).collect();
            let integers = quantise_input(&plan.public, &Tensor { shape: spec.shape.clone(), data }).unwrap();
            let evaluation = evaluate(&plan.public, &plan.weights, &integers).unwrap();
            assert!(evaluation.tensors.iter().all(|tensor| !tensor.beyond_bound), "seed {seed}");
        }
    }
}

#[test]
fn a_ring_that_is_too_narrow_costs_precision_and_then_names_the_tensor() {
    let (graph, samples) = random_graph(12);
    let spec = InputSpec::tensor(random_range(12));
    let widest = |bits: u32| {
        let options = Options { ring_bits_max: bits, ..Options::default() };
        calibrate(&graph, &spec, &samples, &options)
            .map(|plan| plan.public.tensors.iter().map(|tensor| tensor.ring_bits).max().unwrap())
    };
    let free = widest(32).unwrap();
    assert!(widest(free - 2).unwrap() <= free - 2);
    assert!(matches!(widest(8), Err(PlanError::TooWide { allowed: 8, .. })));
}

#[test]
fn the_extra_bits_of_small_layers_stop_at_the_widest_weights_that_can_be_run() {
    for weight_bits in 14..=WEIGHT_BITS_MAX {
        let options = Options { weight_bits, activation_bits: 6, input_bits: 6, ..Options::default() };
        for seed in 0..20 {
            let (plan, _) = relative_errors(seed, &options);
            let widest = plan.public.nodes.iter().filter_map(|node| match &node.step {
                Step::Spoken(Spoken::Linear(linear)) => Some(linear.weight_bits),
                _ => None,
            });
            assert!(widest.max() <= Some(WEIGHT_BITS_MAX), "seed {seed}");
        }
    }
}

#[test]
fn a_plan_tells_how_many_bits_its_input_has_and_which_samples_made_it() {
    for (seed, bits) in [(0, 7), (1, 9), (2, 12)] {
        let (graph, samples) = random_graph(seed);
        let options = Options { input_bits: bits, ..Options::default() };
        let of = |samples: &[Tensor]| {
            calibrated(graph.clone(), &InputSpec::tensor(random_range(seed)), samples, &options).unwrap()
        };
        let made = of(&samples);
        assert_eq!(input_bits(&made.plan.public), bits as i32);
        assert_eq!(made.samples_digest, of(&samples).samples_digest);
        assert_ne!(made.samples_digest, of(&samples[1..]).samples_digest);
    }
}

#[test]
fn every_value_of_a_chain_is_known_by_the_tensor_that_holds_it() {
    for seed in 0..60 {
        let (graph, samples) = random_graph(seed);
        let fine = Options { activation_bits: 14, input_bits: 14, weight_bits: 14, ..Options::default() };
        let made = calibrated(graph, &InputSpec::tensor(random_range(seed)), &samples, &fine).unwrap();
        let mut integers = vec![Vec::new(); made.values.len()];
        let input = quantise_input(&made.plan.public, &samples[0]).unwrap();
        evaluate_with(&made.plan.public, &made.plan.weights, &input, &mut |tensor, values| {
            integers[tensor] = values.to_vec();
        })
        .unwrap();
        float::evaluate_with(&made.graph, &samples[0], &mut |value, seen| {
            let most = seen.data.iter().fold(0.1f32, |most, x| most.max(x.abs()));
            for tensor in (0..integers.len()).filter(|&tensor| made.values[tensor] == Some(value)) {
                let real = dequantise(&made.plan.public, tensor, &integers[tensor]);
                let worst = real.data.iter().zip(&seen.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(
                    worst < 0.05 * most,
                    "seed {seed}, {}: {worst}",
                    made.plan.public.tensors[tensor].name
                );
            }
        })
        .unwrap();
        let known = made.values.iter().flatten().count();
        assert!(
            known * 2 > made.values.len() && made.values[made.plan.public.output].is_some(),
            "seed {seed}"
        );
    }
}

#[test]
fn options_and_samples_that_make_no_sense_are_refused() {
    let (graph, samples) = random_graph(1);
    let spec = InputSpec::tensor((-1.0, 1.0));
    let refused = Options { suite: SuiteSpec::two_party(9), ..Options::default() };
    assert!(matches!(
        calibrate(&graph, &spec, &samples, &refused),
        Err(PlanError::Option { option: "radix_bits", .. })
    ));
    let options = Options::default();
    assert!(matches!(calibrate(&graph, &spec, &[], &options), Err(PlanError::NoSamples)));
    let backwards = InputSpec::tensor((1.0, -1.0));
    assert!(matches!(calibrate(&graph, &backwards, &samples, &options), Err(PlanError::InputSpec(_))));
}

/// Two features with a ReLU that keeps the first at zero, and a layer behind that reads them with `weights`.
fn half_dead(weights: [f32; 2]) -> Graph {
    let dense = |shape: [usize; 2], data: &[f32], bias: &[f32]| {
        Op::Dense(DenseOp {
            weight: Tensor { shape: shape.to_vec(), data: data.to_vec() },
            bias: bias.to_vec(),
        })
    };
    let operators = [
        ("first", dense([2, 2], &[0.5, 0.4, 0.5, -0.4], &[-9.0, 0.0])),
        ("relu", Op::Relu),
        ("second", dense([1, 2], &weights, &[0.25])),
    ];
    let node = |(index, (name, op)): (usize, (&str, Op))| Node {
        name: name.into(),
        op,
        inputs: vec![index],
        output: index + 1,
    };
    let value = |features| ValueInfo { name: "value".into(), shape: vec![1, features] };
    Graph {
        name: "perceptron".into(),
        values: [2, 2, 2, 1].map(value).to_vec(),
        nodes: operators.into_iter().enumerate().map(node).collect(),
        input: 0,
        output: 3,
        head: Head::Logits,
        classes: Classes::Along(1),
        input_range: None,
    }
}

#[test]
fn a_weight_that_is_no_number_is_refused_even_where_it_would_be_folded_away() {
    let spec = InputSpec::tensor((0.0, 1.0));
    let sample = Tensor { shape: vec![1, 2], data: vec![1.0, 0.5] };
    let made = |graph: Graph| calibrated(graph, &spec, std::slice::from_ref(&sample), &Options::default());
    let sound = made(half_dead([316.0, 1.0])).unwrap();
    assert_eq!(sound.constant_channels, [("second".to_string(), 1)], "the weight is folded away");
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let refused = made(half_dead([wrong, 1.0])).err().expect("a refusal").to_string();
        assert!(refused.contains("second") && refused.contains("not a finite number"), "{refused}");
        let mut maker = half_dead([316.0, 1.0]);
        maker.nodes[0].op.layer_mut().unwrap().weight.data[0] = wrong;
        let refused = made(maker).err().expect("a refusal").to_string();
        assert!(refused.contains("first") && refused.contains("not a finite number"), "{refused}");
    }
}

/// A 1x1 convolution by 0.75 on one channel of 32 places, and what `readers` adds behind it.
fn scaled_ramp(readers: &[(Op, &[usize])]) -> (Graph, Tensor) {
    let window = Window {
        kernel: vec![1],
        strides: vec![1],
        dilations: vec![1],
        pads_begin: vec![0],
        pads_end: vec![0],
    };
    let weight = Tensor { shape: vec![1, 1, 1], data: vec![0.75] };
    let convolution = Op::Conv(ConvOp { window, groups: 1, weight, bias: vec![0.0] });
    let operators = [(convolution, &[0][..])].into_iter().chain(readers.iter().cloned());
    let nodes: Vec<Node> = operators
        .enumerate()
        .map(|(i, (op, inputs))| Node {
            name: format!("node{i}"),
            op,
            inputs: inputs.to_vec(),
            output: i + 1,
        })
        .collect();
    let shape = vec![1, 1, 32];
    let values = (0..=nodes.len()).map(|i| ValueInfo { name: format!("value{i}"), shape: shape.clone() });
    let graph = Graph {
        name: "ramp".into(),
        values: values.collect(),
        output: nodes.len(),
        nodes,
        input: 0,
        head: Head::Logits,
        classes: Classes::Single,
        input_range: None,
    };
    (graph, Tensor { shape, data: (0..32).map(|i| i as f32 / 32.0 - 0.4).collect() })
}

#[test]
fn a_rescaling_behind_a_linear_layer_rounds_to_nearest() {
    let (graph, sample) = scaled_ramp(&[(Op::Relu, &[1])]);
    let spec = InputSpec::tensor((-1.0, 1.0));
    let options = Options { activation_bits: 6, ..Options::default() };
    let plan = calibrate(&graph, &spec, std::slice::from_ref(&sample), &options).unwrap();
    let integers = quantise_input(&plan.public, &sample).unwrap();
    let evaluation = evaluate(&plan.public, &plan.weights, &integers).unwrap();
    let (input, output) = (&plan.public.tensors[0], &plan.public.tensors[plan.public.output]);
    assert!(output.fraction < input.fraction, "bits are dropped");
    for (x, y) in integers.iter().zip(&evaluation.logits) {
        let exact = (input.real(*x) * 0.75).max(0.0) * f64::from(output.fraction).exp2();
        assert_eq!(*y, (exact + 0.5).floor() as i64);
    }
}

#[test]
fn an_accumulator_with_other_readers_keeps_its_exact_value() {
    // The sum reads the accumulator beside the ReLU, so no half unit may be added to it.
    let (graph, sample) = scaled_ramp(&[(Op::Relu, &[1]), (Op::Add, &[1, 2])]);
    let spec = InputSpec::tensor((-1.0, 1.0));
    let plan = calibrate(&graph, &spec, std::slice::from_ref(&sample), &Options::default()).unwrap();
    assert_eq!(plan.weights.layers().next().unwrap().1.bias, [0]);
}

#[test]
fn labels_run_along_the_heads_axis_or_the_channels_and_are_never_guessed() {
    for (head, channels, shape, expected) in [
        (Head::ArgMax { axis: 1 }, None, &[1, 4, 9][..], Classes::Along(1)),
        (Head::Softmax { axis: 2 }, Some(1), &[1, 4, 9], Classes::Along(2)),
        (Head::Softmax { axis: 1 }, None, &[1, 1, 9], Classes::Single),
        (Head::Sigmoid, Some(1), &[1, 4, 9], Classes::Single),
        (Head::Logits, Some(1), &[1, 2, 9, 9], Classes::Along(1)),
        (Head::Logits, Some(3), &[1, 9, 9, 2], Classes::Along(3)),
        (Head::Logits, Some(1), &[1, 1, 9, 9], Classes::Single),
        (Head::Logits, None, &[1, 1, 1, 5], Classes::Along(3)),
        (Head::Logits, None, &[1, 1], Classes::Single),
        (Head::Logits, None, &[1, 9, 9, 2], Classes::Unknown),
    ] {
        assert_eq!(Classes::of(head, channels, shape), expected, "{head:?} {shape:?}");
    }
}

#[test]
fn labels_along_an_unknown_axis_are_refused_with_advice_and_values_are_not() {
    let (graph, sample) = scaled_ramp(&[]);
    let graph = Graph { classes: Classes::Unknown, ..graph };
    let spec = InputSpec::tensor((-1.0, 1.0));
    let samples = std::slice::from_ref(&sample);
    let error = calibrate(&graph, &spec, samples, &Options::default()).unwrap_err();
    assert!(matches!(&error, PlanError::ClassAxis { .. }) && error.to_string().contains("--class-axis"));
    let options = Options { policy: OutputPolicy::Logits, ..Options::default() };
    assert_eq!(calibrate(&graph, &spec, samples, &options).unwrap().public.answer.meaning, Meaning::Values);
}

#[test]
fn a_specification_of_scans_must_fit_the_input() {
    let (graph, samples) = random_graph(0);
    let spec = InputSpec::ct_min_max((640, 480), vec![0]);
    assert!(matches!(calibrate(&graph, &spec, &samples, &Options::default()), Err(PlanError::InputSpec(_))));
}
