//! Random small graphs from a seed, for tests here and in the crates above (feature `testing`).
//!
//! Odd shapes of one to three spatial axes, strides, dilation, groups, uneven padding, transposed convolutions, residual sums,
//! concatenations, pools, picked and turned elements, and every kind of head. No tensor has more than a few hundred elements.

use crate::calibrate::{Options, calibrate};
use crate::fixed::quantise_input;
use crate::ir::{
    AddConstantOp, AveragePoolOp, Classes, ConcatOp, ConvOp, ConvTransposeOp, DenseOp, GatherOp, Graph, Head,
    MaxPoolOp, Node, Op, PadOp, Tensor, TransposeOp, ValueId, ValueInfo, Window,
};
use crate::plan::{FixedPlan, InputSpec, OutputPolicy, SuiteSpec};

/// Tensors do not grow beyond this many elements.
const ELEMENTS_MAX: usize = 400;
const SAMPLES: usize = 3;

/// A graph and inputs for it. Even seeds take inputs in 0..1, odd seeds in -1..1.
pub fn random_graph(seed: u64) -> (Graph, Vec<Tensor>) {
    let mut builder = Builder::new(seed);
    let (low, high) = random_range(seed);
    let shape = builder.graph.values[0].shape.clone();
    let samples = (0..SAMPLES)
        .map(|_| {
            let data = (0..Tensor::count(&shape)).map(|_| builder.random.float(low, high)).collect();
            Tensor { shape: shape.clone(), data }
        })
        .collect();
    for _ in 0..builder.random.between(3, 8) {
        builder.random_step();
    }
    builder.random_head();
    (builder.graph, samples)
}

/// The declared input range that goes with [`random_graph`].
pub fn random_range(seed: u64) -> (f32, f32) {
    if seed.is_multiple_of(2) { (0.0, 1.0) } else { (-1.0, 1.0) }
}

/// A fixed plan and quantised inputs for it, with widths, radix and policy drawn from the seed too.
pub fn random_plan(seed: u64) -> (FixedPlan, Vec<Vec<i64>>) {
    let (graph, samples) = random_graph(seed);
    let mut random = Random(seed ^ 0x7265_6c75);
    let options = Options {
        activation_bits: random.between(5, 9) as u32,
        input_bits: random.between(5, 9) as u32,
        weight_bits: random.between(5, 9) as u32,
        suite: SuiteSpec::two_party(random.between(1, 4) as u32),
        proven_only: random.one_in(4),
        policy: if random.one_in(4) { OutputPolicy::Logits } else { OutputPolicy::Labels },
        ..Options::default()
    };
    let spec = InputSpec::tensor(random_range(seed));
    let plan = calibrate(&graph, &spec, &samples, &options)
        .unwrap_or_else(|error| panic!("random graphs can be lowered, seed {seed}: {error}"));
    let inputs =
        samples.iter().map(|sample| quantise_input(&plan.public, sample).expect("samples fit")).collect();
    (plan, inputs)
}

/// SplitMix64 (Steele, Lea and Flood, 2014): enough for shapes, and the same on every machine for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    fn float(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next() >> 40) as f32 / (1u64 << 24) as f32)
    }
}

struct Builder {
    random: Random,
    graph: Graph,
    /// What the next step works on.
    now: ValueId,
}

impl Builder {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let rank = [1, 2, 2, 2, 2, 3][random.between(0, 5)];
        let most = [40, 9, 5][rank - 1];
        let mut shape = vec![1, random.between(1, 3)];
        shape.extend((0..rank).map(|_| random.between(3, most)));
        let graph = Graph {
            name: format!("random-{seed}"),
            values: vec![ValueInfo { name: "input".into(), shape }],
            nodes: Vec::new(),
            input: 0,
            output: 0,
            head: Head::Logits,
            classes: Classes::Single,
            input_range: None,
        };
        Self { random, graph, now: 0 }
    }

    fn shape(&self) -> Vec<usize> {
        self.graph.values[self.now].shape.clone()
    }

    fn channels(&self) -> usize {
        self.graph.values[self.now].shape[1]
    }

    fn rank(&self) -> usize {
        self.graph.values[self.now].shape.len() - 2
    }

    fn push(&mut self, op: Op, inputs: Vec<ValueId>, shape: Vec<usize>) {
        let output = self.graph.values.len();
        let name = format!("node{}", self.graph.nodes.len());
        self.graph.values.push(ValueInfo { name: format!("{name}_out"), shape });
        self.graph.nodes.push(Node { name, op, inputs, output });
        self.now = output;
        self.graph.output = output;
    }

    fn each(&mut self, low: usize, high: usize) -> Vec<usize> {
        (0..self.rank()).map(|_| self.random.between(low, high)).collect()
    }

    fn tensor(&mut self, shape: Vec<usize>, fan_in: usize) -> Tensor {
        let most = (3.0 / fan_in as f32).sqrt();
        let data = (0..Tensor::count(&shape)).map(|_| self.random.float(-most, most)).collect();
        Tensor { shape, data }
    }

    fn bias(&mut self, channels: usize) -> Vec<f32> {
        (0..channels).map(|_| self.random.float(-0.2, 0.2)).collect()
    }

    /// A window that fits the current value; 1 wide where nothing else would.
    fn window(&mut self, kernel_max: usize, dilation_max: usize, pad_max: usize) -> Window {
        let window = Window {
            kernel: self.each(1, kernel_max),
            strides: self.each(1, 2),
            dilations: self.each(1, dilation_max),
            pads_begin: self.each(0, pad_max),
            pads_end: self.each(0, pad_max),
        };
        let size = self.shape()[2..].to_vec();
        if (0..self.rank()).all(|axis| window.output_size(axis, size[axis]) > 0) {
            window
        } else {
            self.unit()
        }
    }

    fn unit(&self) -> Window {
        Window::plain(vec![1; self.rank()])
    }

    fn behind(&self, window: &Window, channels: usize) -> Vec<usize> {
        let mut shape = vec![1, channels];
        shape
            .extend(self.shape()[2..].iter().enumerate().map(|(axis, &size)| window.output_size(axis, size)));
        shape
    }

    fn random_step(&mut self) {
        match self.random.between(0, 11) {
            0..=2 => {
                let window = self.window(3, 2, 2);
                self.convolution(window);
            }
            3 => self.transposed(),
            4 => self.max_pool(),
            5 => self.average_pool(),
            6 => self.residual(),
            7 => self.skip(),
            8 if self.graph.nodes.len().is_multiple_of(2) => self.pad(),
            8 => self.gather(),
            9 => self.transpose(),
            10 if self.random.one_in(2) => self.depthwise(),
            10 => self.constant(),
            _ => self.relu(),
        }
        if self.random.one_in(2) {
            self.relu();
        }
    }

    fn relu(&mut self) {
        let shape = self.shape();
        self.push(Op::Relu, vec![self.now], shape);
    }

    fn convolution(&mut self, window: Window) {
        let channels = self.channels();
        let groups = if channels.is_multiple_of(2) && self.random.one_in(3) { 2 } else { 1 };
        let out = groups * self.random.between(1, 4 / groups);
        let mut weight_shape = vec![out, channels / groups];
        weight_shape.extend(&window.kernel);
        let shape = self.behind(&window, out);
        if Tensor::count(&shape) > ELEMENTS_MAX {
            return;
        }
        let fan_in = weight_shape[1..].iter().product();
        let (weight, bias) = (self.tensor(weight_shape, fan_in), self.bias(out));
        self.push(Op::Conv(ConvOp { window, groups, weight, bias }), vec![self.now], shape);
    }

    fn depthwise(&mut self) {
        let channels = self.channels();
        let mut weight_shape = vec![channels, 1];
        weight_shape.resize(self.rank() + 2, 1);
        let (weight, bias) = (self.tensor(weight_shape, 1), self.bias(channels));
        let (window, shape) = (self.unit(), self.shape());
        self.push(Op::Conv(ConvOp { window, groups: channels, weight, bias }), vec![self.now], shape);
    }

    /// A constant for each channel, or for each element.
    fn constant(&mut self) {
        let shape = self.shape();
        let mut own = shape.clone();
        match self.random.between(0, 3) {
            0 | 1 => own[2..].fill(1),
            2 => own[1] = 1,
            _ => {}
        }
        let data = (0..Tensor::count(&own)).map(|_| self.random.float(-0.5, 0.5)).collect();
        let constant = Tensor { shape: own, data };
        self.push(Op::AddConstant(AddConstantOp { constant }), vec![self.now], shape);
    }

    fn transposed(&mut self) {
        let in_blocks = self.random.one_in(2);
        let kernel = self.each(1, 3);
        let strides = if in_blocks { kernel.clone() } else { self.each(1, 2) };
        let dilations = if in_blocks { vec![1; kernel.len()] } else { self.each(1, 2) };
        let reach: Vec<usize> = (0..kernel.len()).map(|a| (kernel[a] - 1) * dilations[a]).collect();
        let mut pads = |on: bool| -> Vec<usize> {
            reach.iter().map(|&most| if on { self.random.between(0, most.min(1)) } else { 0 }).collect()
        };
        let (pads_begin, pads_end) = (pads(!in_blocks), pads(!in_blocks));
        let output_padding: Vec<usize> =
            strides.iter().map(|&s| if in_blocks { 0 } else { (s - 1) / 2 }).collect();
        let channels = self.channels();
        let groups = if channels.is_multiple_of(2) && self.random.one_in(3) { 2 } else { 1 };
        let group_out = self.random.between(1, 2);
        let mut shape = vec![1, groups * group_out];
        for (axis, &size) in self.shape()[2..].iter().enumerate() {
            let full = (size - 1) * strides[axis] + reach[axis] + 1 + output_padding[axis];
            shape.push(full.saturating_sub(pads_begin[axis] + pads_end[axis]));
        }
        if Tensor::count(&shape) > ELEMENTS_MAX || shape.contains(&0) {
            return;
        }
        let mut weight_shape = vec![channels, group_out];
        weight_shape.extend(&kernel);
        let (weight, bias) = (self.tensor(weight_shape, channels), self.bias(groups * group_out));
        let window = Window { kernel, strides, dilations, pads_begin, pads_end };
        let op = Op::ConvTranspose(ConvTransposeOp { window, output_padding, groups, weight, bias });
        self.push(op, vec![self.now], shape);
    }

    fn max_pool(&mut self) {
        let mut window = self.window(3, 1, 1);
        within_reach(&mut window);
        let shape = self.behind(&window, self.channels());
        if !shape.contains(&0) && Tensor::count(&shape) <= ELEMENTS_MAX {
            self.push(Op::MaxPool(MaxPoolOp { window }), vec![self.now], shape);
        }
    }

    fn average_pool(&mut self) {
        let mut window = self.window(3, 1, 1);
        let count_include_pad = self.graph.nodes.len().is_multiple_of(2);
        if !count_include_pad {
            within_reach(&mut window);
        }
        let shape = self.behind(&window, self.channels());
        if !shape.contains(&0) && Tensor::count(&shape) <= ELEMENTS_MAX {
            self.push(Op::AveragePool(AveragePoolOp { window, count_include_pad }), vec![self.now], shape);
        }
    }

    /// Crops, repeats, turns and strides along a spatial axis, drawn position by position.
    fn gather(&mut self) {
        let mut shape = self.shape();
        let axis = self.random.between(1, shape.len() - 1);
        let mut positions = vec![Vec::new(); shape.len()];
        let count = self.random.between(1, shape[axis] + 1);
        positions[axis] = (0..count).map(|_| self.random.between(0, shape[axis] - 1)).collect();
        shape[axis] = count;
        if Tensor::count(&shape) <= ELEMENTS_MAX {
            self.push(Op::Gather(GatherOp { positions }), vec![self.now], shape);
        }
    }

    /// The current value plus a convolution of it that keeps its shape.
    fn residual(&mut self) {
        let (before, shape) = (self.now, self.shape());
        self.keeping(shape[1]);
        self.push(Op::Add, vec![self.now, before], shape);
    }

    /// A convolution of the current value, joined to it.
    fn skip(&mut self) {
        let (before, mut shape) = (self.now, self.shape());
        let added = self.random.between(1, 2);
        shape[1] += added;
        if Tensor::count(&shape) > ELEMENTS_MAX || shape[1] > 8 {
            return;
        }
        self.keeping(added);
        if self.random.one_in(2) {
            self.relu();
        }
        self.push(Op::Concat(ConcatOp { axis: 1 }), vec![before, self.now], shape);
    }

    /// A convolution with windows of 3 that keeps the extents.
    fn keeping(&mut self, out: usize) {
        let rank = self.rank();
        let window = Window {
            kernel: vec![3; rank],
            pads_begin: vec![1; rank],
            pads_end: vec![1; rank],
            ..self.unit()
        };
        let mut weight_shape = vec![out, self.channels()];
        weight_shape.extend(&window.kernel);
        let fan_in = weight_shape[1..].iter().product();
        let (weight, bias) = (self.tensor(weight_shape, fan_in), self.bias(out));
        let shape = self.behind(&window, out);
        self.push(Op::Conv(ConvOp { window, groups: 1, weight, bias }), vec![self.now], shape);
    }

    fn pad(&mut self) {
        let (mut begin, mut end) = (vec![0, 0], vec![0, 0]);
        begin.extend(self.each(0, 1));
        end.extend(self.each(0, 2));
        let shape: Vec<usize> = self.shape().iter().enumerate().map(|(a, n)| begin[a] + n + end[a]).collect();
        if Tensor::count(&shape) <= ELEMENTS_MAX {
            self.push(Op::Pad(PadOp { begin, end }), vec![self.now], shape);
        }
    }

    fn transpose(&mut self) {
        let rank = self.rank();
        let perm: Vec<usize> = [0, 1].into_iter().chain((2..rank + 2).rev()).collect();
        let shape = perm.iter().map(|&axis| self.shape()[axis]).collect();
        self.push(Op::Transpose(TransposeOp { perm }), vec![self.now], shape);
    }

    fn random_head(&mut self) {
        let classes = self.random.between(1, 4);
        match self.random.between(0, 2) {
            0 => {
                let window = self.unit();
                let mut weight_shape = vec![classes, self.channels()];
                weight_shape.resize(self.rank() + 2, 1);
                let (weight, bias) = (self.tensor(weight_shape, self.channels()), self.bias(classes));
                let shape = self.behind(&window, classes);
                self.push(Op::Conv(ConvOp { window, groups: 1, weight, bias }), vec![self.now], shape);
            }
            1 => {
                let window = Window { kernel: self.shape()[2..].to_vec(), ..self.unit() };
                let shape = self.behind(&window, self.channels());
                self.push(
                    Op::AveragePool(AveragePoolOp { window, count_include_pad: true }),
                    vec![self.now],
                    shape,
                );
                self.dense(classes);
            }
            _ => self.dense(classes),
        }
        self.graph.head = match self.random.between(0, 3) {
            0 => Head::Softmax { axis: 1 },
            1 => Head::ArgMax { axis: 1 },
            2 => Head::Sigmoid,
            _ => Head::Logits,
        };
        let shape = self.shape();
        self.graph.classes = match self.graph.head {
            Head::Logits if shape[1] > 1 => Classes::Along(1),
            head => Classes::of(head, None, &shape),
        };
        if self.graph.classes == Classes::Unknown {
            let several = shape.iter().rposition(|&extent| extent > 1);
            self.graph.classes = several.map_or(Classes::Single, Classes::Along);
        }
    }

    fn dense(&mut self, classes: usize) {
        let features = Tensor::count(&self.shape());
        self.push(Op::Reshape, vec![self.now], vec![1, features]);
        let (weight, bias) = (self.tensor(vec![classes, features], features), self.bias(classes));
        self.push(Op::Dense(DenseOp { weight, bias }), vec![self.now], vec![1, classes]);
    }
}

/// No window lies in the padding entirely.
fn within_reach(window: &mut Window) {
    for axis in 0..window.kernel.len() {
        window.pads_begin[axis] = window.pads_begin[axis].min(window.kernel[axis] - 1);
        window.pads_end[axis] = window.pads_end[axis].min(window.kernel[axis] - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::DeserializeOwned;

    use super::*;
    use crate::plan::{Local, Spoken, Step};

    /// The variants of an enum, as serde knows them: whoever adds one adds it here.
    fn kinds<T: DeserializeOwned>() -> Vec<String> {
        let refusal =
            serde_json::from_str::<T>("\"none of them\"").err().expect("no such variant").to_string();
        let quoted: Vec<String> = refusal.split('`').skip(1).step_by(2).map(String::from).collect();
        assert!(quoted.len() > 2, "{refusal}");
        quoted[1..].to_vec()
    }

    /// The variant of a step, below local and spoken.
    fn kind(step: &Step) -> String {
        let json = serde_json::to_value(step).expect("steps can be written");
        let inner = json.as_object().and_then(|families| families.values().next()).cloned();
        let kinds = inner.expect("a step has a family");
        kinds.as_object().and_then(|kinds| kinds.keys().next()).expect("a step has a kind").clone()
    }

    #[test]
    fn the_first_two_hundred_plans_hold_every_step_and_stay_small() {
        let (mut drawn, mut names) = (BTreeSet::new(), BTreeSet::new());
        let mut ranks = BTreeSet::new();
        for seed in 0..200 {
            let (plan, inputs) = random_plan(seed);
            assert_eq!(inputs.len(), SAMPLES);
            drawn.extend(plan.public.nodes.iter().map(|node| kind(&node.step)));
            names.extend(plan.public.nodes.iter().map(|node| node.step.name()));
            ranks.insert(plan.public.tensors[plan.public.input].shape.len() - 2);
            // A transposed convolution's zeros and channels, and a ReLU beside its input, may come on top of the graph's
            // own tensors.
            assert!(
                plan.public.tensors.iter().all(|tensor| tensor.count() <= 8 * ELEMENTS_MAX),
                "seed {seed}"
            );
        }
        for kind in kinds::<Local>().iter().chain(&kinds::<Spoken>()) {
            assert!(drawn.contains(kind), "{kind} is never drawn: let random graphs hold it");
        }
        for name in ["convolution", "dense", "relu", "rescale"] {
            assert!(names.contains(name), "{name} is never drawn");
        }
        assert_eq!(ranks.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn one_seed_makes_one_plan() {
        assert_eq!(random_plan(11).0, random_plan(11).0);
        assert_ne!(random_plan(11).0, random_plan(12).0);
    }
}
