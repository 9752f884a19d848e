//! How fast this machine works, for estimates: assumed, or measured by running both parties on two small layers.

use std::time::{Duration, Instant};

use anyhow::Result;
use blindscan_graph::calibrate::{self, calibrate};
use blindscan_graph::ir::{Graph, Head, Node, Op, Tensor, ValueInfo, Window};
use blindscan_graph::plan::{FixedPlan, InputSpec, OutputPolicy};
use blindscan_inference::estimate::Speed;
use blindscan_inference::roles::{ImageOwner, ModelOwner, Unobserved};
use blindscan_inference::stock::{StockHeader, StockId, StockWriter};
use blindscan_inference::{AssignedPlan, OtKind};
use blindscan_protocols::Party;
use blindscan_wire::memory::pair;

use crate::{random, system};

/// A machine of 2 cores with AVX-512 and VAES, both parties on it.
pub(crate) const ASSUMED: Speed = Speed {
    ciphertext_in: 90e-6,
    ciphertext_out: 260e-6,
    product: 14e-6,
    transfer: 40e-9,
    compared: 150e-9,
    mac: 0.15e-9,
    processors: 2.0,
};

/// Scales the assumed speeds by what two small layers take here: one of convolutions, one of comparisons.
pub(crate) fn measured() -> Result<Speed> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from).min(2) as f64;
    let linear = ratio(false)?;
    let compared = ratio(true)?;
    Ok(Speed {
        ciphertext_in: ASSUMED.ciphertext_in * linear.0,
        ciphertext_out: ASSUMED.ciphertext_out * linear.0,
        product: ASSUMED.product * linear.0,
        transfer: ASSUMED.transfer * compared.0,
        compared: ASSUMED.compared * compared.1,
        mac: ASSUMED.mac * compared.1,
        processors,
    })
}

/// Measured work by assumed work of a small model, offline and online.
fn ratio(relu: bool) -> Result<(f64, f64)> {
    let made = small_model(relu)?;
    let plan = AssignedPlan::new(made.public.clone())?;
    let cost = plan.cost(Party::ImageOwner, OtKind::SoftSpoken);
    let link = blindscan_wire::link::LinkSpec::new(u64::MAX, Duration::ZERO);
    let assumed = blindscan_inference::estimate::estimate(&plan, &cost, &ASSUMED, link);
    let (offline, online) = run(&plan, &made)?;
    Ok((offline / assumed.offline.work, online / assumed.online.work))
}

/// Processor seconds of both parties, offline and online.
fn run(plan: &AssignedPlan, made: &FixedPlan) -> Result<(f64, f64)> {
    let (mut image_end, mut model_end) = pair(Duration::from_secs(600));
    let header = |party| StockHeader { id: StockId([0; 16]), made_for: plan.digest(), party };
    let input = vec![0; plan.plan().tensors[plan.plan().input].count()];
    std::thread::scope(|scope| {
        let theirs = scope.spawn(|| -> Result<()> {
            let mut rng = random::random();
            let mut owner = ModelOwner::set_up([1; 32], &mut model_end)?;
            let stock = StockWriter::anonymous(header(Party::ModelOwner))?;
            let stock = owner
                .offline(plan, &made.weights, stock, &mut rng, &mut Unobserved, &mut model_end)?
                .into_stock()?;
            ModelOwner::stored(&mut model_end)?;
            Ok(ModelOwner::online(plan, &made.weights, stock, &mut Unobserved, &mut model_end)?)
        });
        let mut rng = random::random();
        let start = (system::cpu_seconds(), Instant::now());
        let mut owner = ImageOwner::set_up([1; 32], &mut rng, &mut image_end)?;
        let stock = StockWriter::anonymous(header(Party::ImageOwner))?;
        let stock = owner.offline(plan, stock, &mut rng, &mut Unobserved, &mut image_end)?.into_stock()?;
        let middle = system::cpu_seconds();
        ImageOwner::online(plan, &input, stock, &mut Unobserved, &mut image_end)?;
        theirs.join().expect("the model owner's thread does not panic")?;
        Ok((middle - start.0, system::cpu_seconds() - middle))
    })
}

/// A 3x3 convolution of 16 channels at 64x64, or a 1x1 one of 4 channels at 256x256 with a ReLU behind it.
fn small_model(relu: bool) -> Result<FixedPlan> {
    let (channels, size, kernel) = if relu { (4, 256, 1) } else { (16, 64, 3) };
    let shape = vec![1, channels, size, size];
    let value = |name: &str| ValueInfo { name: name.into(), shape: shape.clone() };
    let weight = Tensor {
        shape: vec![channels, channels, kernel, kernel],
        data: (0..channels * channels * kernel * kernel)
            .map(|i| ((i * 37 % 19) as f32 - 9.0) / 40.0)
            .collect(),
    };
    let pad = kernel / 2;
    let window = Window {
        kernel: vec![kernel; 2],
        strides: vec![1; 2],
        dilations: vec![1; 2],
        pads_begin: vec![pad; 2],
        pads_end: vec![pad; 2],
    };
    let conv = |name: &str, input, output| Node {
        name: name.into(),
        op: Op::Conv { window: window.clone(), groups: 1, weight: weight.clone(), bias: vec![0.0; channels] },
        inputs: vec![input],
        output,
    };
    let mut nodes = vec![conv("conv", 0, 1)];
    let mut values = vec![value("input"), value("conv")];
    if relu {
        nodes.push(Node { name: "relu".into(), op: Op::Relu, inputs: vec![1], output: 2 });
        nodes.push(conv("head", 2, 3));
        values.extend([value("relu"), value("head")]);
    }
    let output = values.len() - 1;
    let graph = Graph { name: "speed".into(), values, nodes, input: 0, output, head: Head::Logits };
    let sample = Tensor {
        shape: shape.clone(),
        data: (0..shape.iter().product()).map(|i: usize| (i % 97) as f32 / 96.0).collect(),
    };
    let options = calibrate::Options { policy: OutputPolicy::Logits, ..calibrate::Options::default() };
    Ok(calibrate(&graph, &InputSpec::tensor((0.0, 1.0)), &[sample], &options)?)
}
