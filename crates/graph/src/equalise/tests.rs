//! Equalised graphs give the same floats, and better integers.

use super::*;
use crate::calibrate::{Options, calibrate, calibrated};
use crate::fixed::{dequantise, evaluate, quantise_input};
use crate::float;
use crate::ir::{Classes, ConvOp, DenseOp, Head, PadOp, Tensor, ValueInfo, Window};
use crate::plan::InputSpec;
use crate::random::random_graph;

fn sizes_of(graph: &Graph, samples: &[Tensor]) -> Vec<Vec<f64>> {
    let mut sizes = no_sizes(graph);
    for sample in samples {
        float::evaluate_with(graph, sample, &mut |value, tensor| {
            raise_sizes(&mut sizes[value], &tensor.data);
        })
        .unwrap();
    }
    sizes
}

/// Multiplies the channels that linear layers make by powers of two that nothing takes back.
fn uneven(graph: &mut Graph) {
    for index in 0..graph.nodes.len() {
        let over_channels = graph.layer(&graph.nodes[index]).is_some();
        let node = &mut graph.nodes[index];
        let ones = vec![0; channel_count(&graph.values[node.inputs[0]].shape)];
        let outputs = channel_count(&graph.values[node.output].shape);
        let factors: Vec<i32> = (0..outputs).map(|channel| (channel as i32 * 7) % 17 - 8).collect();
        assert!(scale(&mut node.op, over_channels, &ones, &factors));
    }
}

#[test]
fn the_answer_in_floats_is_the_same_to_the_bit_and_sizes_are_right() {
    let mut equalised = 0;
    for seed in 0..300 {
        let (mut graph, samples) = random_graph(seed);
        uneven(&mut graph);
        let sizes = sizes_of(&graph, &samples);
        let Some(even) = equalise(&graph, &sizes) else { continue };
        equalised += 1;
        for sample in &samples {
            let (before, after) =
                (float::evaluate(&graph, sample).unwrap(), float::evaluate(&even.graph, sample).unwrap());
            assert_eq!(before.data, after.data, "seed {seed}");
        }
        assert_eq!(even.sizes(&sizes), sizes_of(&even.graph, &samples), "seed {seed}");
    }
    assert!(equalised > 60, "{equalised} of 300 graphs had anything to equalise");
}

#[test]
fn a_graph_whose_channels_are_alike_is_left_alone() {
    let (graph, samples) = two_layers(|_| 1.0, |_| 1.0);
    assert!(equalise(&graph, &sizes_of(&graph, &samples)).is_none());
    // A channel that is small, and that nobody makes large again, does no harm.
    let (graph, samples) = two_layers(|channel| if channel == 3 { 1e-3 } else { 1.0 }, |_| 1.0 / 64.0);
    let before = relative_error(&graph, &samples);
    assert!(before < 0.02, "{before}");
}

#[test]
fn a_dense_layer_on_rows_is_left_alone() {
    // Rows stand on axis 1, where the channels of others are; there are as many as features.
    let shape = vec![1, 3, 3];
    let weight = Tensor { shape: vec![3, 3], data: vec![1e3, 1.0, 1e-3, 1.0, 1e-3, 1e3, 1e-3, 1e3, 1.0] };
    let dense = Op::Dense(DenseOp { weight, bias: vec![0.0; 3] });
    let node = |(index, op)| Node { name: "node".into(), op, inputs: vec![index], output: index + 1 };
    let operators = [dense.clone(), Op::Relu, dense];
    let graph = Graph {
        name: "rows".into(),
        values: vec![ValueInfo { name: "value".into(), shape: shape.clone() }; 4],
        nodes: operators.into_iter().enumerate().map(node).collect(),
        input: 0,
        output: 3,
        head: Head::Logits,
        classes: Classes::Single,
        input_range: None,
    };
    let sample = Tensor { shape, data: drawn(9, 1) };
    assert!(equalise(&graph, &sizes_of(&graph, &[sample])).is_none());
}

#[test]
fn values_of_one_axis_have_no_channels_to_equalise() {
    let mut graph = two_layers(|_| 1.0, |_| 1.0).0;
    graph.values = [4, 5].map(|extent| ValueInfo { name: "value".into(), shape: vec![extent] }).to_vec();
    let op = Op::Pad(PadOp { begin: vec![1], end: vec![0] });
    graph.nodes = vec![Node { name: "pad".into(), op, inputs: vec![0], output: 1 }];
    graph.output = 1;
    let sample = Tensor { shape: vec![4], data: drawn(4, 1) };
    assert!(equalise(&graph, &sizes_of(&graph, &[sample])).is_none());
}

#[test]
fn channels_that_the_next_layer_makes_large_again_are_equalised_and_the_error_is_gone() {
    // 2^6 down to 2^-6, and taken back: in floats the same as a network of equal channels.
    let factor = |channel: usize| (6.0 - 12.0 * channel as f32 / 7.0).round().exp2();
    let (graph, samples) = two_layers(factor, |channel| factor(channel).recip());
    let even = equalise(&graph, &sizes_of(&graph, &samples)).unwrap();
    assert_eq!(even.layers.len(), 1);
    let (low, high) = even.layers[0].exponents;
    assert!(low <= -4 && high >= 4, "{low} to {high}");
    assert!(even.layers[0].to_string().contains("channels of first differ in size"));

    let error = relative_error(&graph, &samples);
    assert!(error < 0.02, "{error}");
    let plan = calibrated(graph, &InputSpec::tensor((-1.0, 1.0)), &samples, &Options::default()).unwrap();
    assert_eq!(plan.equalised, even.layers);
}

#[test]
fn a_dead_channel_of_a_depthwise_layer_does_not_set_the_scale_of_the_others() {
    // Channel 2 of the first layer is never above zero; the depthwise layer multiplies it by 316, as a batch norm of no
    // variance does.
    let (graph, samples) = depthwise_with_a_dead_channel();
    let even = equalise(&graph, &sizes_of(&graph, &samples)).expect("316 is more than 32");
    assert!(!even.layers.is_empty());
    let largest = |graph: &Graph| {
        let Op::Conv(ConvOp { weight, .. }) = &graph.nodes[2].op else { panic!("the depthwise layer") };
        let most = |kernel: &[f32]| kernel.iter().fold(0f32, |most, w| most.max(w.abs()));
        let of: Vec<f32> = weight.data.chunks(9).map(most).collect();
        of[2] / of[0].max(of[1]).max(of[3])
    };
    assert!(largest(&graph) > 200.0 && largest(&even.graph) < 32.0, "{}", largest(&even.graph));
    let error = relative_error(&graph, &samples);
    assert!(error < 0.05, "{error}");
}

/// The largest error of a default plan's logits on the samples, over the largest logit.
fn relative_error(graph: &Graph, samples: &[Tensor]) -> f64 {
    let plan = calibrate(graph, &InputSpec::tensor((-1.0, 1.0)), samples, &Options::default()).unwrap();
    let errors = samples.iter().map(|sample| {
        let integers = quantise_input(&plan.public, sample).unwrap();
        let logits = evaluate(&plan.public, &plan.weights, &integers).unwrap().logits;
        let fixed = dequantise(&plan.public, plan.public.output, &logits);
        let float = float::evaluate(graph, sample).unwrap();
        let most = float.data.iter().fold(0f32, |most, x| most.max(x.abs()));
        fixed.data.iter().zip(&float.data).map(|(a, b)| f64::from((a - b).abs() / most)).fold(0.0, f64::max)
    });
    errors.fold(0.0, f64::max)
}

/// Numbers of -1 to 1 without a pattern.
fn drawn(count: usize, salt: u32) -> Vec<f32> {
    (0..count as u32)
        .map(|index| {
            let mixed = (index ^ salt << 16).wrapping_add(1).wrapping_mul(0x9e37_79b1);
            ((mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b) >> 8) as f32 / (1u32 << 23) as f32 - 1.0
        })
        .collect()
}

fn window(kernel: usize) -> Window {
    let pads = vec![kernel / 2; 2];
    Window { pads_begin: pads.clone(), pads_end: pads, ..Window::plain(vec![kernel; 2]) }
}

fn convolution(kernel: usize, input: usize, output: usize, groups: usize, salt: u32) -> Op {
    let shape = vec![output, input / groups, kernel, kernel];
    let scale = (2.0 / (input / groups * kernel * kernel) as f32).sqrt();
    let data = drawn(Tensor::count(&shape), salt).into_iter().map(|w| w * scale).collect();
    Op::Conv(ConvOp {
        window: window(kernel),
        groups,
        weight: Tensor { shape, data },
        bias: vec![0.05; output],
    })
}

/// Operators one after another on two channels of 12 x 12, and samples.
fn chain(operators: Vec<(&str, Op, usize)>) -> (Graph, Vec<Tensor>) {
    let mut values = vec![ValueInfo { name: "input".into(), shape: vec![1, 2, 12, 12] }];
    let mut nodes = Vec::new();
    for (name, op, channels) in operators {
        let output = values.len();
        values.push(ValueInfo { name: format!("{name}_out"), shape: vec![1, channels, 12, 12] });
        nodes.push(Node { name: name.into(), op, inputs: vec![output - 1], output });
    }
    let output = nodes.len();
    let graph = Graph {
        name: "chain".into(),
        values,
        nodes,
        input: 0,
        output,
        head: Head::Logits,
        classes: Classes::Single,
        input_range: None,
    };
    let sample = |salt| Tensor { shape: vec![1, 2, 12, 12], data: drawn(288, salt) };
    (graph, (10..13).map(sample).collect())
}

/// Convolution, ReLU, convolution; the middle's eight channels multiplied by `made`, and by `read` where they are read.
fn two_layers(made: impl Fn(usize) -> f32, read: impl Fn(usize) -> f32) -> (Graph, Vec<Tensor>) {
    let (mut first, mut second) = (convolution(3, 2, 8, 1, 1), convolution(3, 8, 3, 1, 2));
    if let (Op::Conv(ConvOp { weight, bias, .. }), Op::Conv(ConvOp { weight: next, .. })) =
        (&mut first, &mut second)
    {
        for (channel, row) in weight.data.chunks_mut(18).enumerate() {
            row.iter_mut().chain([&mut bias[channel]]).for_each(|w| *w *= made(channel));
        }
        for (index, kernel) in next.data.chunks_mut(9).enumerate() {
            kernel.iter_mut().for_each(|w| *w *= read(index % 8));
        }
    }
    chain(vec![("first", first, 8), ("relu", Op::Relu, 8), ("second", second, 3)])
}

fn depthwise_with_a_dead_channel() -> (Graph, Vec<Tensor>) {
    let (mut first, mut depthwise) = (convolution(3, 2, 4, 1, 3), convolution(3, 4, 4, 4, 4));
    if let (Op::Conv(ConvOp { bias, .. }), Op::Conv(ConvOp { weight, .. })) = (&mut first, &mut depthwise) {
        bias[2] = -50.0;
        weight.data[18..27].iter_mut().for_each(|w| *w *= 316.0);
    }
    chain(vec![
        ("first", first, 4),
        ("relu", Op::Relu, 4),
        ("depthwise", depthwise, 4),
        ("relu2", Op::Relu, 4),
        ("point", convolution(1, 4, 3, 1, 5), 3),
    ])
}
