//! The graph with factors moved gives the same values, and where it should it has no depthwise convolution left.

use super::*;
use crate::calibrate::{Options, calibrate};
use crate::dead::intervals;
use crate::fixed::{self, quantise_input};
use crate::float::evaluate;
use crate::ir::{
    AddConstantOp, AveragePoolOp, Classes, ConcatOp, ConvOp, ConvTransposeOp, DenseOp, Head, MaxPoolOp,
    Window,
};
use crate::plan::InputSpec;
use crate::random::random_graph;

fn window(kernel: usize, pad: usize) -> Window {
    Window { pads_begin: vec![pad; 2], pads_end: vec![pad; 2], ..Window::plain(vec![kernel; 2]) }
}

/// Nodes behind one another, with numbers drawn from a seed.
struct Model {
    graph: Graph,
    state: u64,
}

impl Model {
    fn new(shape: &[usize], seed: u64) -> Self {
        let values = vec![ValueInfo { name: "input".into(), shape: shape.to_vec() }];
        let graph = Graph {
            name: "m".into(),
            values,
            nodes: vec![],
            input: 0,
            output: 0,
            head: Head::Logits,
            classes: Classes::Single,
            input_range: None,
        };
        Self { graph, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn draw(&mut self, count: usize, low: f32, high: f32) -> Vec<f32> {
        let mut next = || {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            low + (high - low) * ((self.state >> 40) as f32 / (1u64 << 24) as f32)
        };
        (0..count).map(|_| next()).collect()
    }

    fn add(&mut self, op: Op, inputs: &[ValueId], shape: Vec<usize>) -> ValueId {
        let output = self.graph.values.len();
        let name = format!("node{}", self.graph.nodes.len());
        self.graph.values.push(ValueInfo { name: format!("{name}_out"), shape });
        self.graph.nodes.push(Node { name, op, inputs: inputs.to_vec(), output });
        self.graph.output = output;
        output
    }

    fn shape(&self, value: ValueId) -> Vec<usize> {
        self.graph.values[value].shape.clone()
    }

    fn convolution(&mut self, input: ValueId, out: usize, kernel: usize) -> ValueId {
        let mut shape = self.shape(input);
        let weight_shape = vec![out, shape[1], kernel, kernel];
        let data = self.draw(Tensor::count(&weight_shape), -0.6, 0.6);
        let (weight, bias) = (Tensor { shape: weight_shape, data }, self.draw(out, -0.2, 0.2));
        shape[1] = out;
        self.add(
            Op::Conv(ConvOp { window: window(kernel, kernel / 2), groups: 1, weight, bias }),
            &[input],
            shape,
        )
    }

    fn affine(&mut self, input: ValueId, factors: Vec<f32>, bias: Vec<f32>) -> ValueId {
        let (shape, groups) = (self.shape(input), factors.len());
        let weight = Tensor { shape: vec![groups, 1, 1, 1], data: factors };
        self.add(Op::Conv(ConvOp { window: window(1, 0), groups, weight, bias }), &[input], shape)
    }

    fn relu(&mut self, input: ValueId) -> ValueId {
        let shape = self.shape(input);
        self.add(Op::Relu, &[input], shape)
    }

    fn batch_norm(&mut self, input: ValueId, low: f32) -> ValueId {
        let channels = self.shape(input)[1];
        let (mut factors, bias) = (self.draw(channels, low, 2.0), self.draw(channels, -0.7, 0.7));
        // Nearly dead channels, whose shift is far beyond what they shift, have a test of their own.
        factors.iter_mut().for_each(|factor| *factor = factor.signum() * factor.abs().max(0.3));
        let scaled = self.affine(input, factors, bias);
        self.relu(scaled)
    }

    fn concat(&mut self, inputs: &[ValueId]) -> ValueId {
        let mut shape = self.shape(inputs[0]);
        shape[1] = inputs.iter().map(|&input| self.shape(input)[1]).sum();
        self.add(Op::Concat(ConcatOp { axis: 1 }), inputs, shape)
    }

    fn sample(&mut self) -> Tensor {
        let shape = self.shape(0);
        Tensor { data: self.draw(Tensor::count(&shape), -1.0, 1.0), shape }
    }
}

/// A block of a DenseNet: everything before is joined, scaled, and read by a convolution. `low` is the least factor.
fn dense_block(seed: u64, low: f32) -> Model {
    let mut model = Model::new(&[1, 2, 6, 6], seed);
    let mut joined = model.convolution(0, 4, 3);
    for _ in 0..3 {
        let normal = model.batch_norm(joined, low);
        let narrow = model.convolution(normal, 4, 1);
        let relu = model.relu(narrow);
        let added = model.convolution(relu, 3, 3);
        joined = model.concat(&[joined, added]);
    }
    let normal = model.batch_norm(joined, low);
    let channels = model.shape(normal)[1];
    let op = Op::AveragePool(AveragePoolOp { window: window(6, 0), count_include_pad: true });
    let mean = model.add(op, &[normal], vec![1, channels, 1, 1]);
    let flat = model.add(Op::Reshape, &[mean], vec![1, channels]);
    let data = model.draw(3 * channels, -0.5, 0.5);
    let weight = Tensor { shape: vec![3, channels], data };
    model.add(Op::Dense(DenseOp { weight, bias: vec![0.1, 0.2, 0.3] }), &[flat], vec![1, 3]);
    model
}

/// What the samples show of each value.
fn seen(graph: &Graph, samples: &[Tensor]) -> Vec<ChannelRanges> {
    let channels =
        |value: &ValueInfo| if value.shape.len() > 1 && value.shape[0] == 1 { value.shape[1] } else { 1 };
    let mut seen: Vec<ChannelRanges> = graph.values.iter().map(|value| vec![0.0; channels(value)]).collect();
    for sample in samples {
        crate::float::evaluate_with(graph, sample, &mut |value, tensor| {
            let run = tensor.data.len() / seen[value].len();
            for (own, channel) in seen[value].iter_mut().zip(tensor.data.chunks(run)) {
                *own = channel.iter().fold(*own, |most, x| most.max(f64::from(x.abs())));
            }
        })
        .unwrap();
    }
    seen
}

/// Moves factors, and checks that nothing else has changed.
fn assert_same(graph: &Graph, samples: &[Tensor], what: &str) -> Graph {
    let moved = moved(graph, &seen(graph, samples), &intervals(graph, (-1.0, 1.0)));
    for sample in samples {
        let (before, after) = (evaluate(graph, sample).unwrap(), evaluate(&moved, sample).unwrap());
        assert_eq!(before.shape, after.shape, "{what}");
        let most = before.data.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
        for (a, b) in before.data.iter().zip(&after.data) {
            assert!((a - b).abs() <= 1e-4 * most, "{what}: {a} became {b}");
        }
    }
    moved
}

fn affines(graph: &Graph) -> usize {
    let is_affine = |node: &&Node| {
        node.op.layer().is_some_and(|layer| layer.is_affine(&graph.values[node.inputs[0]].shape))
    };
    graph.nodes.iter().filter(is_affine).count()
}

#[test]
fn random_graphs_give_the_same_values() {
    let mut fewer = 0;
    for seed in 0..400 {
        let (graph, samples) = random_graph(seed);
        let moved = assert_same(&graph, &samples, &format!("seed {seed}"));
        assert!(affines(&moved) <= affines(&graph), "seed {seed}");
        fewer += usize::from(affines(&moved) < affines(&graph));
    }
    assert!(fewer > 10, "{fewer} graphs had factors to move");
}

#[test]
fn a_dense_block_has_no_batch_norm_left_whatever_the_signs() {
    for seed in 1..30 {
        let mut positive = dense_block(seed, 0.1);
        let sample = positive.sample();
        let moved = assert_same(&positive.graph, &[sample], "positive");
        assert_eq!(affines(&moved), 0);
        let joins = |graph: &Graph| graph.nodes.iter().filter(|n| matches!(n.op, Op::Concat(_))).count();
        assert!(joins(&moved) <= joins(&positive.graph) + 1, "positive factors need nothing beside");

        let mut signed = dense_block(seed, -2.0);
        let sample = signed.sample();
        let moved = assert_same(&signed.graph, &[sample], "signed");
        assert_eq!(affines(&moved), 0);
        assert!(joins(&moved) > joins(&signed.graph), "the layer behind reads the input beside the ReLU");
    }
}

#[test]
fn factors_of_zero_and_shifts_beyond_all_values_are_exact() {
    for (factors, shifts) in [
        (vec![0.0, 1.0, -1.0, 0.5], vec![0.75, 0.0, 0.25, -0.5]),
        (vec![0.0, 0.0, 0.0, 0.0], vec![0.75, -0.5, 0.25, 0.0]),
        (vec![1e-6, -1e-6, 1e-6, -1e-6], vec![0.75, 0.5, -0.25, -1.0]),
        (vec![300.0, -300.0, 0.01, 1.0], vec![1.0, 1.0, 1.0, 1.0]),
    ] {
        for kernel in [1, 3] {
            let mut model = Model::new(&[1, 2, 5, 5], 3);
            let first = model.convolution(0, 4, 3);
            let pooled = model.add(
                Op::AveragePool(AveragePoolOp { window: window(3, 1), count_include_pad: true }),
                &[first],
                vec![1, 4, 5, 5],
            );
            let scaled = model.affine(pooled, factors.clone(), shifts.clone());
            let relu = model.relu(scaled);
            // Where the layer behind pads, a constant is no bias.
            let last = model.convolution(relu, 3, kernel);
            model.relu(last);
            let sample = model.sample();
            let moved = assert_same(&model.graph, &[sample], &format!("{factors:?}, kernel {kernel}"));
            assert_eq!(affines(&moved), 0, "{factors:?}");
        }
    }
}

/// Same answers for inputs that no sample showed: what samples show may not decide what is computed.
fn assert_same_beyond_samples(graph: &Graph, range: (f32, f32), sample: f32, beyond: &[f32]) -> Graph {
    let filled = |x: f32| {
        let shape = graph.values[0].shape.clone();
        Tensor { data: vec![x; Tensor::count(&shape)], shape }
    };
    let moved = moved(graph, &seen(graph, &[filled(sample)]), &intervals(graph, range));
    for &x in beyond {
        let (before, after) = (evaluate(graph, &filled(x)).unwrap(), evaluate(&moved, &filled(x)).unwrap());
        let most = before.data.iter().fold(1e-2f32, |most, x| most.max(x.abs()));
        let far = before.data.iter().zip(&after.data).find(|(a, b)| (*a - *b).abs() > 1e-3 * most);
        assert!(far.is_none(), "input {x}: {far:?}");
    }
    moved
}

/// A constant added to one channel, a 3 x 3 mean with padding, a ReLU, a layer.
fn shifted_and_averaged(constant: f32, kernel: usize) -> Graph {
    let mut model = Model::new(&[1, 1, 6, 6], 1);
    let shift = Tensor { shape: vec![1; 4], data: vec![constant] };
    let shifted = model.add(Op::AddConstant(AddConstantOp { constant: shift }), &[0], vec![1, 1, 6, 6]);
    let weight = Tensor {
        shape: vec![2, 1, kernel, kernel],
        data: vec![1.0 / (kernel * kernel) as f32; 2 * kernel * kernel],
    };
    let op = Op::Conv(ConvOp { window: window(kernel, kernel / 2), groups: 1, weight, bias: vec![0.0; 2] });
    let mean = model.add(op, &[shifted], vec![1, 2, 6, 6]);
    let relu = model.relu(mean);
    model.convolution(relu, 2, 1);
    model.graph
}

#[test]
fn a_relu_behind_a_padded_layer_that_carries_a_constant_stays() {
    let graph = shifted_and_averaged(-500.0, 3);
    assert_same_beyond_samples(&graph, (0.0, 1000.0), 505.0, &[0.0, 490.0, 505.0, 700.0, 1000.0]);
}

#[test]
fn a_relu_stays_where_only_the_samples_say_that_it_does_nothing() {
    for scale in [1.0, 1e-3, -1e-3] {
        let mut model = Model::new(&[1, 2, 6, 6], 4);
        let pooled = Op::AveragePool(AveragePoolOp { window: window(3, 0), count_include_pad: true });
        let pooled = model.add(pooled, &[0], vec![1, 2, 4, 4]);
        let scaled = model.affine(pooled, vec![scale, 1.0], vec![50.0 * scale.abs(), 0.0]);
        let relu = model.relu(scaled);
        model.convolution(relu, 2, 1);
        assert_same_beyond_samples(
            &model.graph,
            (-1000.0, 1000.0),
            1.0,
            &[-1000.0, -500.0, -10.0, 1.0, 60.0, 1000.0],
        );
        // And with a tensor that was zero on all samples.
        assert_same_beyond_samples(
            &model.graph,
            (-1000.0, 1000.0),
            0.0,
            &[-1000.0, -51.0, 0.0, 49.0, 1000.0],
        );
    }
}

#[test]
fn constants_of_values_without_channels_are_left_where_they_are() {
    for shape in [vec![6], vec![2, 3]] {
        let mut model = Model::new(&[1, 6], 4);
        let flat = model.add(Op::Reshape, &[0], shape.clone());
        let constant = Tensor { shape: shape.clone(), data: (0..6).map(|c| c as f32 / 4.0 - 0.5).collect() };
        let shifted = model.add(Op::AddConstant(AddConstantOp { constant }), &[flat], shape);
        model.relu(shifted);
        let sample = model.sample();
        assert_same(&model.graph, &[sample], "without channels");
    }
}

#[test]
fn a_batch_norm_that_nothing_takes_up_stays_a_layer() {
    let mut model = Model::new(&[1, 2, 5, 5], 5);
    let first = model.convolution(0, 4, 3);
    let first = model.relu(first);
    let normal = model.batch_norm(first, -2.0);
    let pooled = model.add(Op::MaxPool(MaxPoolOp { window: window(3, 1) }), &[normal], vec![1, 4, 5, 5]);
    model.add(Op::Add, &[pooled, first], vec![1, 4, 5, 5]);
    let sample = model.sample();
    assert_eq!(affines(&assert_same(&model.graph, &[sample], "sum")), 1);
}

/// Two channels, each of its own input, with the weights `second` and 1; a batch norm and what takes it up behind.
fn two_channels(second: f32) -> Model {
    let mut model = Model::new(&[1, 2, 4, 4], 6);
    let weight = Tensor { shape: vec![2, 2, 1, 1], data: vec![1.0, 0.0, 0.0, second] };
    let op = Op::Conv(ConvOp { window: window(1, 0), groups: 1, weight, bias: vec![0.0; 2] });
    let first = model.add(op, &[0], vec![1, 2, 4, 4]);
    let pooled = model.add(
        Op::AveragePool(AveragePoolOp { window: window(2, 0), count_include_pad: true }),
        &[first],
        vec![1, 2, 3, 3],
    );
    let normal = model.batch_norm(pooled, 0.5);
    model.convolution(normal, 3, 1);
    model
}

/// An input with one number in each channel.
fn of_two(channels: [f32; 2]) -> Tensor {
    Tensor { shape: vec![1, 2, 4, 4], data: channels.iter().flat_map(|&x| [x; 16]).collect() }
}

#[test]
fn a_channel_that_was_small_on_the_samples_keeps_its_headroom() {
    let (graph, spec) = (two_channels(1.0).graph, InputSpec::tensor((-1.0, 1.0)));
    // Where channels differ by more than 32 times, equalising before the plan is made would hide what was done here.
    for smaller in [16.0, 4096.0] {
        let sample = of_two([1.0, 1.0 / smaller]);
        let moved = assert_same(&graph, std::slice::from_ref(&sample), "small on the sample");
        assert_eq!(moved.nodes[0].op.layer().unwrap().weight.data, [1.0, 0.0, 0.0, 1.0], "{smaller}");
        let plan = calibrate(&graph, &spec, &[sample], &Options::default()).unwrap();
        for fires in [[1.0, 0.5], [0.25, 1.0], [-1.0, -1.0]] {
            let integers = quantise_input(&plan.public, &of_two(fires)).unwrap();
            let evaluation = fixed::evaluate(&plan.public, &plan.weights, &integers).unwrap();
            let left: Vec<&str> = evaluation.overflows().map(|tensor| tensor.name.as_str()).collect();
            assert!(left.is_empty(), "{smaller}, {fires:?}: {left:?} leave their rings");
        }
    }
}

#[test]
fn a_channel_that_its_weights_keep_small_is_equalised() {
    let graph = two_channels(1.0 / 4096.0).graph;
    let moved = assert_same(&graph, &[of_two([1.0, 1.0])], "small weights");
    assert_eq!(moved.nodes[0].op.layer().unwrap().weight.data, [1.0, 0.0, 0.0, 1.0]);
}

#[test]
fn what_weights_reach_is_reached_and_not_exceeded() {
    for groups in [1, 2] {
        let mut model = Model::new(&[1, 4, 3, 3], 9);
        let data = model.draw(4 * 6 / groups, -1.0, 1.0);
        let bias = model.draw(6, -1.0, 1.0);
        let weight = Tensor { shape: vec![4, 6 / groups, 1, 1], data };
        let transposed = Op::ConvTranspose(ConvTransposeOp {
            window: window(1, 0),
            output_padding: vec![0; 2],
            groups,
            weight: weight.clone(),
            bias: bias.clone(),
        });
        let shape = vec![6, 4 / groups, 1, 1];
        let weight = Tensor { data: weight.data[..Tensor::count(&shape)].to_vec(), shape };
        let convolution = Op::Conv(ConvOp { window: window(1, 0), groups, weight, bias });
        for op in [transposed, convolution] {
            let reach = form::reach(op.layer().unwrap(), 0.5);
            let mut most = vec![0f64; 6];
            let mut graph = model.graph.clone();
            graph.values.push(ValueInfo { name: "out".into(), shape: vec![1, 6, 3, 3] });
            graph.nodes = vec![Node { name: "layer".into(), op, inputs: vec![0], output: 1 }];
            graph.output = 1;
            for signs in 0..16u32 {
                let half = |channel: u32| if signs >> channel & 1 == 1 { 0.5 } else { -0.5 };
                let data = (0..4).flat_map(|channel| [half(channel); 9]).collect();
                let answer = evaluate(&graph, &Tensor { shape: vec![1, 4, 3, 3], data }).unwrap();
                for (most, channel) in most.iter_mut().zip(answer.data.chunks(9)) {
                    *most = channel.iter().fold(*most, |most, x| most.max(f64::from(x.abs())));
                }
            }
            for (reach, most) in reach.iter().zip(most) {
                assert!((reach - most).abs() < 1e-5, "{groups} groups: {reach} against {most}");
            }
        }
    }
}

#[test]
fn a_positive_batch_norm_passes_a_max_pool_and_a_signed_one_does_not() {
    for (low, left) in [(0.1, 0), (-2.0, 1)] {
        let mut model = Model::new(&[1, 2, 6, 6], 8);
        let first = model.convolution(0, 4, 3);
        let first = model.relu(first);
        let normal = model.batch_norm(first, low);
        let pooled = model.add(Op::MaxPool(MaxPoolOp { window: window(3, 1) }), &[normal], vec![1, 4, 6, 6]);
        model.convolution(pooled, 3, 1);
        let sample = model.sample();
        assert_eq!(affines(&assert_same(&model.graph, &[sample], "pool")), left);
    }
}
