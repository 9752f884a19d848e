//! Models to run: the demonstration's, those of the shared folder, and a small one built by hand.

use std::path::{Path, PathBuf};

use blindscan_graph::calibrate::{Options, calibrate};
use blindscan_graph::fixed::quantise_input;
use blindscan_graph::ir::{
    AddConstantOp, AveragePoolOp, Classes, ConcatOp, ConvOp, DenseOp, Graph, Head, MaxPoolOp, Node, Op,
    Tensor, ValueId, ValueInfo, Window,
};
use blindscan_graph::npy;
use blindscan_graph::plan::{FixedPlan, InputSpec, OutputPolicy};

use super::files::{graph, volume};

/// A plan and one input for it.
pub(crate) struct Case {
    pub(crate) plan: FixedPlan,
    pub(crate) input: Vec<i64>,
}

impl Case {
    fn new(plan: FixedPlan, input: &Tensor) -> Self {
        let input = quantise_input(&plan.public, input).expect("a sample fits its plan");
        Self { plan, input }
    }
}

fn demo(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo")).join(path)
}

/// The demonstration's CT model, fitted to the slices that its card names, and the slice that the demonstration segments.
pub(crate) fn covid_ct() -> Case {
    const OFFSETS: [i64; 5] = [-5, -2, 0, 2, 5];
    let fitting = volume(&demo("covid-ct/calibration.nii.gz")).min_max();
    let samples: Vec<Tensor> =
        [5, 12, 19, 26, 33, 40, 47, 54].iter().map(|&z| fitting.slices(z, &OFFSETS)).collect();
    let spec = InputSpec::ct_min_max((128, 128), OFFSETS.map(|offset| offset as i32).to_vec());
    let options = Options { name: Some("covid-unet-w8-128".into()), ..Options::default() };
    let graph = graph(&demo("covid-ct/covid_unet_w8_128.onnx"));
    let plan = calibrate(&graph, &spec, &samples, &options).unwrap();
    Case::new(plan, &volume(&demo("covid-ct/scan.nii.gz")).min_max().slices(10, &OFFSETS))
}

/// The demonstration's X-ray model, fitted to its calibration images, and the image that shows pneumonia.
pub(crate) fn xray() -> Case {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(demo("xray/calibration")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let samples: Vec<Tensor> = paths.iter().map(|path| picture(path)).collect();
    let options = Options { name: Some("dnn1-150x125".into()), ..Options::default() };
    let graph = graph(&demo("xray/dnn1_150x125.onnx"));
    let plan = calibrate(&graph, &InputSpec::xray((150, 125)), &samples, &options).unwrap();
    Case::new(plan, &picture(&demo("xray/pneumonia.jpeg")))
}

/// A grey X-ray as the classifier takes it, up to the resizing filter's last digits.
fn picture(path: &Path) -> Tensor {
    let grey = image::open(path).unwrap().into_luma8();
    let resized = image::imageops::resize(&grey, 125, 150, image::imageops::FilterType::CatmullRom);
    let data = resized.into_raw().iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    Tensor { shape: vec![1, 1, 150, 125], data }
}

/// A model of the shared folder, fitted to the input beside it, or to a drawn one where there is none.
pub(crate) fn fixture(path: &Path) -> Case {
    let graph = graph(path);
    let beside = path.with_extension("in.npy");
    let input = match beside.exists() {
        true => npy::read(&beside).unwrap(),
        false => drawn(&graph.values[graph.input].shape),
    };
    let (low, high) = input.data.iter().fold((0f32, 1f32), |(low, high), &x| (low.min(x), high.max(x)));
    let spec = InputSpec::tensor((low, high));
    let policy = match graph.classes {
        Classes::Unknown => OutputPolicy::Logits,
        _ => OutputPolicy::Labels,
    };
    let options = Options { policy, ..Options::default() };
    let plan = calibrate(&graph, &spec, std::slice::from_ref(&input), &options).unwrap();
    Case::new(plan, &input)
}

/// Values of about -4 to 4 without a pattern, the same on every machine.
pub(crate) fn drawn(shape: &[usize]) -> Tensor {
    let value = |index: usize| {
        let mixed = (index as u32).wrapping_add(1).wrapping_mul(0x9e37_79b1);
        ((mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b) >> 16) as f32 / 8192.0 - 4.0
    };
    Tensor { shape: shape.to_vec(), data: (0..Tensor::count(shape)).map(value).collect() }
}

/// Rows and columns of [`small`]'s input.
pub(crate) const SMALL_SIZE: usize = 24;

/// A convolution, a ReLU, a max pool, another convolution and a dense layer that gives three logits: each kind of step
/// that speaks, on inputs of 0 to 1. With `places` the dense layer is left out, and each place has three logits.
pub(crate) fn small(policy: OutputPolicy, places: bool) -> FixedPlan {
    let size = SMALL_SIZE;
    let mut builder = Builder::new(vec![1, 1, size, size]);
    builder.convolution(4, 3);
    builder.push(Op::Relu, vec![1, 4, size, size]);
    let pool = Window { kernel: vec![2, 2], strides: vec![2, 2], ..unit() };
    builder.push(Op::MaxPool(MaxPoolOp { window: pool }), vec![1, 4, size / 2, size / 2]);
    builder.convolution(3, 1);
    if !places {
        let features = 3 * (size / 2) * (size / 2);
        builder.push(Op::Relu, vec![1, 3, size / 2, size / 2]);
        builder.push(Op::Reshape, vec![1, features]);
        let weight = builder.weights(vec![3, features]);
        builder.push(Op::Dense(DenseOp { weight, bias: vec![0.1, -0.1, 0.0] }), vec![1, 3]);
    }
    calibrated(&builder.graph, policy)
}

/// So many ReLUs between two convolutions that silent transfers send fewer bytes in both directions.
pub(crate) fn wide() -> FixedPlan {
    let mut builder = Builder::new(vec![1, 1, 64, 64]);
    builder.convolution(WIDE_CHANNELS, 1);
    builder.push(Op::Relu, vec![1, WIDE_CHANNELS, 64, 64]);
    builder.convolution(1, 1);
    calibrated(&builder.graph, OutputPolicy::Logits)
}

/// Channels of the ReLUs of [`wide`].
const WIDE_CHANNELS: usize = 12;

/// The plan of a graph on inputs of 0 to 1.
pub(crate) fn calibrated(graph: &Graph, policy: OutputPolicy) -> FixedPlan {
    let spec = InputSpec::tensor((0.0, 1.0));
    let mut sample = drawn(&graph.values[graph.input].shape);
    sample.data.iter_mut().for_each(|x| *x = (*x + 4.0) / 8.0);
    let options = Options { policy, ..Options::default() };
    let classes = Classes::of(Head::Logits, Some(1), &graph.values[graph.output].shape);
    let graph = Graph { classes, ..graph.clone() };
    calibrate(&graph, &spec, &[sample], &options).unwrap()
}

/// Two convolutions with a constant for each channel before a ReLU and a map after it: nothing that a layer could take up.
pub(crate) fn with_constants() -> FixedPlan {
    let size = SMALL_SIZE;
    let mut builder = Builder::new(vec![1, 1, size, size]);
    builder.convolution(3, 1);
    builder.push(Op::Relu, vec![1, 3, size, size]);
    let shift = Tensor { shape: vec![1, 3, 1, 1], data: vec![-0.5, 0.25, -0.125] };
    builder.push(Op::AddConstant(AddConstantOp { constant: shift }), vec![1, 3, size, size]);
    builder.push(Op::Relu, vec![1, 3, size, size]);
    let map = drawn(&[1, 3, size, size]);
    builder.push(Op::AddConstant(AddConstantOp { constant: map }), vec![1, 3, size, size]);
    builder.convolution(2, 3);
    calibrated(&builder.graph, OutputPolicy::Logits)
}

/// A block of a DenseNet on `size` x `size` values: each layer reads all before it through a batch norm. Ends in a mean and
/// three logits.
pub(crate) fn dense_block(size: usize, signed: bool) -> Graph {
    let mut builder = Builder::new(vec![1, 1, size, size]);
    builder.convolution(6, 3);
    let mut joined = builder.graph.output;
    for _ in 0..3 {
        builder.batch_norm(signed);
        builder.convolution(8, 1);
        builder.push(Op::Relu, vec![1, 8, size, size]);
        builder.convolution(4, 3);
        let channels = builder.graph.values[joined].shape[1] + 4;
        let inputs = vec![joined, builder.graph.output];
        builder.push_behind(inputs, Op::Concat(ConcatOp { axis: 1 }), vec![1, channels, size, size]);
        joined = builder.graph.output;
    }
    builder.batch_norm(signed);
    let channels = builder.graph.values[joined].shape[1];
    let window = Window { kernel: vec![size; 2], ..unit() };
    builder.push(Op::AveragePool(AveragePoolOp { window, count_include_pad: true }), vec![1, channels, 1, 1]);
    builder.push(Op::Reshape, vec![1, channels]);
    let weight = builder.weights(vec![3, channels]);
    builder.push(Op::Dense(DenseOp { weight, bias: vec![0.1, -0.1, 0.0] }), vec![1, 3]);
    builder.graph
}

/// Two convolutions over 64 channels of 8 x 8 values with 0.5 subtracted between two ReLUs; without the subtraction and its ReLU
/// when not `shifted`.
pub(crate) fn shifted(shifted: bool) -> FixedPlan {
    let mut builder = Builder::new(vec![1, 1, 8, 8]);
    builder.convolution(64, 3);
    builder.push(Op::Relu, vec![1, 64, 8, 8]);
    if shifted {
        let constant = Tensor { shape: vec![1; 4], data: vec![-0.5] };
        builder.push(Op::AddConstant(AddConstantOp { constant }), vec![1, 64, 8, 8]);
        builder.push(Op::Relu, vec![1, 64, 8, 8]);
    }
    builder.convolution(2, 1);
    calibrated(&builder.graph, OutputPolicy::Logits)
}

/// Puts one node behind another.
struct Builder {
    graph: Graph,
}

impl Builder {
    fn new(shape: Vec<usize>) -> Self {
        let values = vec![ValueInfo { name: "input".into(), shape }];
        let name = "small".into();
        Self {
            graph: Graph {
                name,
                values,
                nodes: Vec::new(),
                input: 0,
                output: 0,
                head: Head::Logits,
                classes: Classes::Single,
                input_range: None,
            },
        }
    }

    fn push(&mut self, op: Op, shape: Vec<usize>) {
        self.push_behind(vec![self.graph.output], op, shape);
    }

    fn push_behind(&mut self, inputs: Vec<ValueId>, op: Op, shape: Vec<usize>) {
        let (index, graph) = (self.graph.nodes.len(), &mut self.graph);
        graph.values.push(ValueInfo { name: format!("value{}", index + 1), shape });
        graph.nodes.push(Node { name: format!("node{index}"), op, inputs, output: index + 1 });
        graph.output = index + 1;
    }

    /// A batch norm of its own and a ReLU: factors of about 1, some of them negative when `signed`, one of them 0.
    fn batch_norm(&mut self, signed: bool) {
        let shape = self.graph.values[self.graph.output].shape.clone();
        let channels = shape[1];
        let drawn = drawn(&[channels + 7]).data;
        let sign = |c: usize| if signed && drawn[c + 3] < -1.0 { -1.0 } else { 1.0 };
        let factor = |c: usize| if signed && c == 2 { 0.0 } else { sign(c) * (1.0 + drawn[c].abs() / 4.0) };
        let weight = Tensor { shape: vec![channels, 1, 1, 1], data: (0..channels).map(factor).collect() };
        let bias = (0..channels).map(|c| drawn[c + 5] / 8.0).collect();
        self.push(Op::Conv(ConvOp { window: unit(), groups: channels, weight, bias }), shape.clone());
        self.push(Op::Relu, shape);
    }

    /// A convolution that keeps rows and columns.
    fn convolution(&mut self, channels: usize, kernel: usize) {
        let shape = self.graph.values[self.graph.output].shape.clone();
        let weight = self.weights(vec![channels, shape[1], kernel, kernel]);
        let around = vec![kernel / 2; 2];
        let window =
            Window { kernel: vec![kernel; 2], pads_begin: around.clone(), pads_end: around, ..unit() };
        let bias = (0..channels).map(|channel| channel as f32 / 20.0 - 0.05).collect();
        self.push(
            Op::Conv(ConvOp { window, groups: 1, weight, bias }),
            vec![1, channels, shape[2], shape[3]],
        );
    }

    fn weights(&self, shape: Vec<usize>) -> Tensor {
        let fan_in: usize = shape[1..].iter().product();
        let mut weight = drawn(&shape);
        weight.data.iter_mut().for_each(|w| *w /= 2.0 * (fan_in as f32).sqrt());
        weight
    }
}

fn unit() -> Window {
    let (one, none) = (vec![1; 2], vec![0; 2]);
    Window {
        kernel: one.clone(),
        strides: one.clone(),
        dilations: one,
        pads_begin: none.clone(),
        pads_end: none,
    }
}
