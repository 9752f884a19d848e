//! Which steps a graph becomes: the decisions of the front page, one by one.

use super::*;
use crate::ir::{
    AveragePoolOp, Classes, ConcatOp, ConvOp, ConvTransposeOp, DenseOp, Head, MaxPoolOp, PadOp, Tensor,
    TransposeOp, ValueInfo,
};
use crate::plan::{Local, Spoken};

/// A chain and branches of operators on a 1 x 2 x 8 x 8 input.
struct Model(Graph);

impl Model {
    fn new() -> Self {
        Self(Graph {
            name: "model".into(),
            values: vec![ValueInfo { name: "input".into(), shape: vec![1, 2, 8, 8] }],
            nodes: Vec::new(),
            input: 0,
            output: 0,
            head: Head::Logits,
            classes: Classes::Single,
            input_range: None,
        })
    }

    fn add(&mut self, op: Op, inputs: &[ValueId], shape: &[usize]) -> ValueId {
        let output = self.0.values.len();
        let name = format!("node{}", self.0.nodes.len());
        self.0.values.push(ValueInfo { name: name.clone(), shape: shape.to_vec() });
        self.0.nodes.push(Node { name, op, inputs: inputs.to_vec(), output });
        self.0.output = output;
        output
    }

    fn convolution(&mut self, input: ValueId) -> ValueId {
        let weight = Tensor { shape: vec![2, 2, 1, 1], data: vec![0.5, -0.25, 1.0, 0.75] };
        let op = Op::Conv(ConvOp { window: window(1, 1), groups: 1, weight, bias: vec![0.1, -0.1] });
        let shape = self.0.values[input].shape.clone();
        self.add(op, &[input], &shape)
    }

    fn relu(&mut self, input: ValueId) -> ValueId {
        let shape = self.0.values[input].shape.clone();
        self.add(Op::Relu, &[input], &shape)
    }

    /// The steps in order, in words.
    fn steps(&self) -> Vec<&'static str> {
        let draft = draft(&self.0).unwrap();
        let word = |node: &StepDraft| match &node.step {
            Step::Spoken(Spoken::Linear(_)) => "linear",
            Step::Local(Local::Scale(_)) => "divide",
            step => step.name(),
        };
        draft.nodes.iter().map(word).collect()
    }

    fn refusals(&self) -> Vec<Problem> {
        match draft(&self.0) {
            Err(PlanError::Unsupported(problems)) => problems,
            _ => Vec::new(),
        }
    }
}

fn window(kernel: usize, stride: usize) -> Window {
    Window {
        kernel: vec![kernel; 2],
        strides: vec![stride; 2],
        dilations: vec![1; 2],
        pads_begin: vec![0; 2],
        pads_end: vec![0; 2],
    }
}

#[test]
fn a_relu_that_feeds_only_a_max_pool_comes_behind_it() {
    let mut model = Model::new();
    let relu = model.convolution(0);
    let relu = model.relu(relu);
    model.add(Op::MaxPool(MaxPoolOp { window: window(2, 2) }), &[relu], &[1, 2, 4, 4]);
    assert_eq!(model.steps(), ["linear", "max pool", "relu"]);
}

#[test]
fn a_relu_whose_full_map_is_needed_stays_before_the_max_pool() {
    let mut model = Model::new();
    let relu = model.convolution(0);
    let relu = model.relu(relu);
    let pooled = model.add(Op::MaxPool(MaxPoolOp { window: window(1, 1) }), &[relu], &[1, 2, 8, 8]);
    model.add(Op::Concat(ConcatOp { axis: 1 }), &[relu, pooled], &[1, 4, 8, 8]);
    assert_eq!(model.steps(), ["linear", "relu", "max pool", "concat"]);
}

#[test]
fn linear_layers_in_a_row_are_rescaled_between_and_only_once() {
    let mut model = Model::new();
    let first = model.convolution(0);
    let left = model.convolution(first);
    let right = model.convolution(first);
    model.add(Op::Add, &[left, right], &[1, 2, 8, 8]);
    assert_eq!(model.steps(), ["linear", "rescale", "linear", "linear", "add"]);
}

#[test]
fn a_residual_sum_is_made_of_accumulators_and_rescaled_by_its_relu() {
    let mut model = Model::new();
    let shortcut = model.relu(0);
    let branch = model.convolution(shortcut);
    let sum = model.add(Op::Add, &[branch, shortcut], &[1, 2, 8, 8]);
    model.relu(sum);
    assert_eq!(model.steps(), ["relu", "linear", "add", "relu"]);
}

#[test]
fn a_transposed_convolution_in_blocks_needs_no_zeros_between() {
    let mut model = Model::new();
    let weight = Tensor { shape: vec![2, 3, 2, 2], data: (0..24).map(|i| i as f32).collect() };
    let op = |window: Window, weight: Tensor| {
        Op::ConvTranspose(ConvTransposeOp {
            window,
            output_padding: vec![0; 2],
            groups: 1,
            weight,
            bias: vec![1.0, 2.0, 3.0],
        })
    };
    model.add(op(window(2, 2), weight.clone()), &[0], &[1, 3, 16, 16]);
    assert_eq!(model.steps(), ["linear", "pixel shuffle"]);
    let drafted = draft(&model.0).unwrap();
    let Step::Spoken(Spoken::Linear(linear)) = &drafted.nodes[0].step else {
        panic!("a linear layer comes first")
    };
    let Some(FloatSecret::Linear { weight: arranged, bias }) = &drafted.nodes[0].floats else {
        panic!("a linear layer has weights")
    };
    assert_eq!(linear.out_channels, 12);
    assert_eq!(arranged[..4], [0.0, 12.0, 1.0, 13.0], "block place by block place, input channels innermost");
    assert_eq!(bias[..], [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0]);

    let mut model = Model::new();
    model.add(op(window(2, 1), weight), &[0], &[1, 3, 9, 9]);
    assert_eq!(model.steps(), ["linear"]);
    let mut model = Model::new();
    let weight = Tensor { shape: vec![2, 3, 3, 3], data: vec![0.5; 54] };
    model.add(op(window(3, 2), weight), &[0], &[1, 3, 17, 17]);
    assert_eq!(model.steps(), ["interleave", "linear"]);
}

#[test]
fn means_of_other_divisors_are_divided_before_they_are_joined() {
    let mut model = Model::new();
    let relu = model.relu(0);
    let thirds = model.add(
        Op::AveragePool(AveragePoolOp { window: window(3, 1), count_include_pad: true }),
        &[relu],
        &[1, 2, 6, 6],
    );
    let same = model.add(
        Op::AveragePool(AveragePoolOp { window: window(3, 1), count_include_pad: true }),
        &[relu],
        &[1, 2, 6, 6],
    );
    let crop = model.add(Op::MaxPool(MaxPoolOp { window: window(3, 1) }), &[relu], &[1, 2, 6, 6]);
    let joined = model.add(Op::Concat(ConcatOp { axis: 1 }), &[thirds, same], &[1, 4, 6, 6]);
    let drafted = draft(&model.0).unwrap();
    assert_eq!(drafted.tensors[drafted.output].divisor, 9);
    model.add(Op::Concat(ConcatOp { axis: 1 }), &[joined, crop], &[1, 6, 6, 6]);
    let steps = model.steps();
    assert_eq!(steps[steps.len() - 4..], ["concat", "divide", "rescale", "concat"]);
}

#[test]
fn a_mean_that_leaves_padding_out_is_scaled_by_position() {
    let mut model = Model::new();
    let relu = model.convolution(0);
    let relu = model.relu(relu);
    let padded = Window { pads_begin: vec![1; 2], ..window(2, 2) };
    let op = Op::AveragePool(AveragePoolOp { window: padded, count_include_pad: false });
    let mean = model.add(op, &[relu], &[1, 2, 4, 4]);
    assert_eq!(model.steps(), ["linear", "relu", "sum pool", "scale by position"]);
    let whole = Op::AveragePool(AveragePoolOp { window: window(2, 2), count_include_pad: false });
    model.add(whole, &[mean], &[1, 2, 2, 2]);
    assert_eq!(model.steps().last(), Some(&"sum pool"), "a window without padding needs no factor");
}

#[test]
fn all_nodes_that_cannot_be_lowered_are_named_at_once_and_their_readers_are_not() {
    let mut model = Model::new();
    let op = Op::AveragePool(AveragePoolOp { window: window(9, 1), count_include_pad: false });
    let refused = model.add(op, &[0], &[1, 2, 4, 4]);
    let reader = model.relu(refused);
    let weight = Tensor { shape: vec![2, 2, 1, 1], data: vec![f32::NAN; 4] };
    let op = Op::Conv(ConvOp { window: window(1, 1), groups: 1, weight, bias: vec![0.0; 2] });
    let infinite = model.add(op, &[0], &[1, 2, 8, 8]);
    let pads = Window { pads_begin: vec![9; 2], ..window(2, 2) };
    let lost = model.add(Op::MaxPool(MaxPoolOp { window: pads }), &[0], &[1, 2, 8, 8]);
    model.add(Op::Add, &[reader, infinite], &[1, 2, 8, 8]);
    let problems = model.refusals();
    let names: Vec<&str> = problems.iter().map(|problem| problem.node.as_str()).collect();
    assert_eq!(names, ["node0", "node2", "node3"], "{lost}");
    assert!(problems[0].reason.contains("larger than its padded input"), "{}", problems[0].reason);
    assert!(problems[1].reason.contains("finite"));
    assert!(problems[2].reason.contains("padding"));
}

#[test]
fn a_hostile_graph_is_refused_and_does_not_panic() {
    let weight = Tensor { shape: vec![], data: vec![] };
    let hostile = [
        Op::Conv(ConvOp { window: window(0, 1), groups: 1, weight: weight.clone(), bias: vec![] }),
        Op::Conv(ConvOp { window: window(1, 1), groups: 0, weight: weight.clone(), bias: vec![0.0] }),
        Op::ConvTranspose(ConvTransposeOp {
            window: window(2, 2),
            output_padding: vec![],
            groups: 0,
            weight: weight.clone(),
            bias: vec![],
        }),
        Op::Dense(DenseOp { weight, bias: vec![] }),
        Op::MaxPool(MaxPoolOp { window: Window { kernel: vec![2], ..window(2, 2) } }),
        Op::AveragePool(AveragePoolOp { window: window(9, 1), count_include_pad: true }),
        Op::Concat(ConcatOp { axis: 7 }),
        Op::Pad(PadOp { begin: vec![], end: vec![usize::MAX; 4] }),
        Op::Transpose(TransposeOp { perm: vec![3, 3, 1, 0] }),
    ];
    for op in hostile {
        let mut model = Model::new();
        model.add(op, &[0], &[1, 2, 8, 8]);
        assert_eq!(model.refusals().len(), 1);
    }
}
