//! How fast this machine works, for estimates: assumed, or measured by running both parties on a small model.
//!
//! The measurement is a job like any other: two processes, TLS between them, a stock on disk. So whatever a job spends its
//! time on is in it, and how far the work of one party overlaps the other's as well.

use std::path::Path;
use std::time::Instant;

use blindscan_graph::calibrate::{self, calibrate};
use blindscan_graph::ir::{Classes, ConvOp, Graph, Head, Node, Op, Tensor, ValueInfo, Window};
use blindscan_graph::npy;
use blindscan_graph::plan::{FixedPlan, InputSpec, OutputPolicy};
use blindscan_inference::cost::LayerCost;
use blindscan_inference::estimate::{Rates, Seconds, Speed};
use blindscan_inference::{AssignedPlan, OtKind};
use blindscan_protocols::two_party::Party;

use crate::error::Result;
use crate::pair::Pair;
use crate::report::JobReport;

/// A machine of 2 cores with AVX-512 and VAES, both parties on it. Fitted to the layers of two U-Nets, of 256x256 and
/// 512x512, as `bench --json` gives them on idle cores; rates of the processor to the sums of the whole jobs.
pub const ASSUMED: Speed = Speed {
    work: Rates {
        ciphertext_in: 490e-6,
        ciphertext_out: 560e-6,
        product: 9e-6,
        kernel: 2.5e-6,
        transfer: 20e-9,
        silence: 40e-9,
        pad: 4e-9,
        mac: 0.1e-9,
        layer: 0.3e-3,
    },
    wall: Rates {
        ciphertext_in: 280e-6,
        ciphertext_out: 320e-6,
        product: 5e-6,
        kernel: 1.5e-6,
        transfer: 11.5e-9,
        silence: 24e-9,
        pad: 2.7e-9,
        mac: 0.06e-9,
        layer: 0.3e-3,
    },
    start: Seconds { work: 0.02, wall: 0.1 },
    set_up: Seconds { work: 0.06, wall: 0.06 },
};

/// The transfers that the measurement is made with.
const KIND: OtKind = OtKind::SoftSpoken;
/// The quickest of so many runs counts for each layer, for a machine is rarely alone.
const ROUNDS: usize = 3;

/// Convolutions of the small model, each with a ReLU behind it but the last: channels in and out, extent, window, stride.
///
/// The second layer's ciphertexts outgrow the caches, as those of whole slices do.
const CONVOLUTIONS: [[usize; 5]; 5] =
    [[4, 16, 256, 3, 1], [16, 16, 256, 3, 1], [16, 32, 256, 3, 2], [32, 32, 128, 3, 2], [32, 64, 64, 3, 2]];

/// Scales the assumed rates by what a small model takes here, with `program`, which is `blindscan`, at both ends.
pub fn measured(program: &Path) -> Result<Speed> {
    let made = small_model()?;
    let plan = AssignedPlan::new(made.public.clone())?;
    let layers = plan.cost(Party::ImageOwner, KIND).layers;
    Ok(scaled(&layers, &best(run(program, &made)?).expect("a job was measured")))
}

/// What one job took.
struct Job {
    /// Wall seconds by layer, offline and online.
    layers: Vec<(f64, f64)>,
    /// Wall seconds beside those of layers: connecting, and the keys.
    start: f64,
    keys: f64,
    /// Processor seconds of both parties.
    work: f64,
}

/// The assumed rates, each kind by the ratio of its measured to its assumed seconds.
fn scaled(layers: &[LayerCost], job: &Job) -> Speed {
    // The first linear layer's time holds the base transfers.
    let of = |kind: &'static str| layers.iter().zip(&job.layers).skip(1).filter(move |(l, _)| l.kind == kind);
    let offline = |kind| {
        ratio(of(kind).map(|(layer, taken)| (taken.0, ASSUMED.wall.offline(layer, KIND), ASSUMED.wall.layer)))
    };
    let online = |kind| {
        ratio(of(kind).map(|(layer, taken)| (taken.1, ASSUMED.wall.online(layer, KIND), ASSUMED.wall.layer)))
    };
    let wall = ASSUMED.wall.scaled(offline("linear"), offline("relu"), online("relu"), online("linear"));
    let first = job.layers.first().zip(layers.first());
    let base = first.map_or(0.0, |(taken, layer)| (taken.0 - wall.offline(layer, KIND)).max(0.0));

    let assumed = |rates: &Rates| -> f64 {
        layers.iter().map(|layer| rates.offline(layer, KIND) + rates.online(layer, KIND)).sum()
    };
    let fixed = ASSUMED.start.work + ASSUMED.set_up.work;
    let all = job.work / (assumed(&ASSUMED.work) + fixed);
    Speed {
        work: ASSUMED.work.scaled(all, all, all, all),
        wall,
        start: Seconds { work: all * ASSUMED.start.work, wall: job.start },
        set_up: Seconds { work: all * ASSUMED.set_up.work, wall: base + job.keys },
    }
}

/// Sum of measured by sum of assumed seconds, a layer's fixed part apart. Within 1/20 and 20, for a clock may be disturbed.
fn ratio(pairs: impl Iterator<Item = (f64, f64, f64)>) -> f64 {
    let (taken, assumed) = pairs.fold((0.0, 0.0), |(taken, assumed), (measured, expected, fixed)| {
        (taken + (measured - fixed).max(0.0), assumed + expected - fixed)
    });
    if assumed > 0.0 { (taken / assumed).clamp(0.05, 20.0) } else { 1.0 }
}

/// The quickest of every part.
fn best(jobs: Vec<Job>) -> Option<Job> {
    jobs.into_iter().reduce(|a, b| Job {
        layers: a.layers.iter().zip(&b.layers).map(|(a, b)| (a.0.min(b.0), a.1.min(b.1))).collect(),
        start: a.start.min(b.start),
        keys: a.keys.min(b.keys),
        work: a.work.min(b.work),
    })
}

/// Runs the small model between two processes.
fn run(program: &Path, made: &FixedPlan) -> Result<Vec<Job>> {
    let saved = tempfile::tempdir()?;
    made.save(saved.path())?;
    let pair = Pair::start(program, &["--model", &saved.path().display().to_string()], None)?;
    npy::write(&pair.hospital().join("input.npy"), &sample())?;
    let mut vendor_before = pair.vendor_cpu_at_start();
    let mut jobs = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let report = pair.ask(&["classify", "input.npy", "--ot", "softspoken"])?;
        let wall = begun.elapsed().as_secs_f64();
        let vendor = pair.vendor_usage().map_or(vendor_before, |usage| usage.0);
        jobs.push(job(&report, wall, vendor - vendor_before));
        vendor_before = vendor;
    }
    Ok(jobs)
}

fn job(report: &JobReport, wall: f64, vendor_work: f64) -> Job {
    let of = |phase: &str| -> Vec<f64> {
        report.layers.iter().filter(|layer| layer.phase == phase).map(|layer| layer.seconds).collect()
    };
    let (offline, online) = (of("offline"), of("online"));
    Job {
        start: (wall - report.seconds.offline - report.seconds.online).max(0.0),
        keys: (report.seconds.offline - offline.iter().sum::<f64>()).max(0.0),
        work: report.cpu_seconds + vendor_work,
        layers: offline.into_iter().zip(online).collect(),
    }
}

fn sample() -> Tensor {
    let [channels, _, size, ..] = CONVOLUTIONS[0];
    let shape = vec![1, channels, size, size];
    let data = (0..channels * size * size).map(|i| (i % 97) as f32 / 96.0).collect();
    Tensor { shape, data }
}

fn small_model() -> Result<FixedPlan> {
    let (mut nodes, mut values) =
        (Vec::new(), vec![ValueInfo { name: "input".into(), shape: sample().shape }]);
    for (index, &[ins, outs, size, kernel, stride]) in CONVOLUTIONS.iter().enumerate() {
        let shape = vec![1, outs, size / stride, size / stride];
        let mut push = |name: String, op| {
            nodes.push(Node { name: name.clone(), op, inputs: vec![values.len() - 1], output: values.len() });
            values.push(ValueInfo { name, shape: shape.clone() });
        };
        push(format!("conv {index}"), convolution(ins, outs, kernel, stride));
        if index + 1 < CONVOLUTIONS.len() {
            push(format!("relu {index}"), Op::Relu);
        }
    }
    let output = values.len() - 1;
    let graph = Graph {
        name: "speed".into(),
        values,
        nodes,
        input: 0,
        output,
        head: Head::Logits,
        classes: Classes::Single,
        input_range: None,
    };
    let options = calibrate::Options { policy: OutputPolicy::Logits, ..calibrate::Options::default() };
    Ok(calibrate(&graph, &InputSpec::tensor((0.0, 1.0)), &[sample()], &options)?)
}

fn convolution(ins: usize, outs: usize, kernel: usize, stride: usize) -> Op {
    let window = Window {
        kernel: vec![kernel; 2],
        strides: vec![stride; 2],
        dilations: vec![1; 2],
        pads_begin: vec![kernel / 2; 2],
        pads_end: vec![kernel / 2; 2],
    };
    let norm = (ins * kernel * kernel) as f32;
    let weight = Tensor {
        shape: vec![outs, ins, kernel, kernel],
        data: (0..outs * ins * kernel * kernel).map(|i| ((i * 37 % 19) as f32 - 7.0) / norm).collect(),
    };
    Op::Conv(ConvOp { window, groups: 1, weight, bias: vec![0.0; outs] })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job that takes `factor` times what is assumed, and so many seconds for base transfers.
    fn played(layers: &[LayerCost], factor: f64, base: f64) -> Job {
        let rates = ASSUMED.wall.scaled(factor, factor, factor, factor);
        let mut taken: Vec<(f64, f64)> =
            layers.iter().map(|layer| (rates.offline(layer, KIND), rates.online(layer, KIND))).collect();
        taken[0].0 += base;
        Job { layers: taken, start: 0.3, keys: 0.01, work: 1.0 }
    }

    #[test]
    fn a_machine_of_half_the_speed_is_measured_as_such() {
        let plan = AssignedPlan::new(small_model().unwrap().public).unwrap();
        let layers = plan.cost(Party::ImageOwner, KIND).layers;
        let speed = scaled(&layers, &played(&layers, 2.0, 0.05));
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-6;
        assert!(close(speed.wall.transfer, 2.0 * ASSUMED.wall.transfer));
        assert!(close(speed.wall.product, 2.0 * ASSUMED.wall.product));
        assert!(close(speed.wall.pad, 2.0 * ASSUMED.wall.pad));
        assert!(close(speed.wall.mac, 2.0 * ASSUMED.wall.mac));
        assert!(close(speed.set_up.wall, 0.06) && speed.start.wall == 0.3);
    }

    #[test]
    fn the_quickest_run_of_each_part_counts() {
        let job = |layers, start| Job { layers, start, keys: start, work: start };
        let best = best(vec![job(vec![(1.0, 9.0)], 3.0), job(vec![(2.0, 4.0)], 2.0)]).unwrap();
        assert_eq!((best.layers, best.start), (vec![(1.0, 4.0)], 2.0));
    }
}
