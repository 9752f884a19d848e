//! Real models in integers: close to their floats, with the answers that the floats give.

mod plan_common;

use std::path::Path;

use blindscan_graph::calibrate::{Options, calibrate};
use blindscan_graph::fixed::{dequantise, evaluate, labels, labels_along, quantise_input};
use blindscan_graph::ir::{Graph, Tensor};
use blindscan_graph::plan::{FixedPlan, InputSpec};
use blindscan_graph::{float, npy};
use plan_common::{graph, shared, volume};

/// Offsets of the slices that the CT model takes.
const OFFSETS: [i64; 5] = [-5, -2, 0, 2, 5];

/// Largest error of the logits over the largest logit, and the share of equal labels.
fn compared(graph: &Graph, plan: &FixedPlan, input: &Tensor) -> (f32, f64) {
    let integers = quantise_input(&plan.public, input).unwrap();
    let evaluation = evaluate(&plan.public, &plan.weights, &integers).unwrap();
    assert_eq!(evaluation.overflows().count(), 0);
    let fixed = dequantise(&plan.public, plan.public.output, &evaluation.logits);
    let float = float::evaluate(graph, input).unwrap();
    let most = float.data.iter().fold(0f32, |most, x| most.max(x.abs()));
    let error = fixed.data.iter().zip(&float.data).map(|(a, b)| (a - b).abs() / most).fold(0.0, f32::max);

    let axis = plan.public.answer.class_axis();
    let (ours, theirs) =
        (labels(&plan.public, &evaluation.logits), labels_along(&float.data, &float.shape, axis));
    let equal = ours.iter().zip(&theirs).filter(|(a, b)| a == b).count();
    (error, equal as f64 / ours.len() as f64)
}

fn range_of(tensor: &Tensor) -> (f32, f32) {
    tensor.data.iter().fold((0.0, 1.0), |(low, high), &x| (low.min(x), high.max(x)))
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn every_fixture_gives_the_labels_of_its_floats() {
    let shared = shared();
    let mut models = 0;
    for entry in std::fs::read_dir(shared.join("fixtures/onnx")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "onnx") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let graph = graph(&path);
        let input = npy::read(&path.with_extension("in.npy")).unwrap();
        let spec = InputSpec::tensor(range_of(&input));
        let fine = Options { activation_bits: 12, input_bits: 12, weight_bits: 12, ..Options::default() };
        // Random weights make logits that differ by little: labels may change where they nearly tie.
        for (options, worst, least_equal) in [(Options::default(), 0.08, 0.99), (fine, 0.02, 0.998)] {
            let plan = calibrate(&graph, &spec, std::slice::from_ref(&input), &options).unwrap();
            let (error, equal) = compared(&graph, &plan, &input);
            let rings = plan.public.tensors.iter().map(|tensor| tensor.ring_bits).max().unwrap();
            println!("{name}: error {error:.4}, equal labels {equal:.5}, widest ring {rings}");
            assert!(error < worst, "{name}: {error}");
            assert!(equal > least_equal, "{name}: {equal}");
            assert!(options != Options::default() || rings <= 30, "{name}: {rings}");
        }
        models += 1;
    }
    assert!(models >= 10, "{models} fixtures");
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn channels_of_very_different_size_keep_the_labels_of_their_floats() {
    let path = shared().join("fixtures/faults/vendor/channel_spread.onnx");
    let (graph, input) = (graph(&path), npy::read(&path.with_extension("in.npy")).unwrap());
    let spec = InputSpec::tensor(range_of(&input));
    let plan = calibrate(&graph, &spec, std::slice::from_ref(&input), &Options::default()).unwrap();
    let (error, equal) = compared(&graph, &plan, &input);
    assert!(error < 0.02 && equal >= 0.99, "error {error}, equal labels {equal}");
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn the_ct_model_draws_the_masks_of_its_floats_on_a_patient_it_was_not_fitted_to() {
    let shared = shared();
    let series = shared.join("data/ct/covid19-ct-seg");
    let image = |case: &str| volume(&series.join(format!("{case}_image_128.nii.gz"))).min_max();
    let graph = graph(&shared.join("models/covid_unet_w8_128.onnx"));
    let spec = InputSpec::ct_min_max((128, 128), OFFSETS.map(|offset| offset as i32).to_vec());
    let fitting = image("coronacases_001");
    let depth = fitting.extents[2];
    let samples: Vec<Tensor> = (1..9).map(|i| fitting.slices(i * depth / 9, &OFFSETS)).collect();
    let plan = calibrate(&graph, &spec, &samples, &Options::default()).unwrap();
    assert!(plan.public.tensors.iter().all(|tensor| tensor.ring_bits <= 30));

    let (scan, expert) =
        (image("coronacases_008"), volume(&series.join("coronacases_008_infection_128.nii.gz")));
    let plane = scan.extents[0] * scan.extents[1];
    let infected = |z: &usize| expert.values[z * plane..][..plane].iter().any(|&x| x > 0.0);
    let (mut equal, mut both, mut either, mut slices) = (0, 0, 0, 0);
    for z in (0..scan.extents[2]).filter(infected).step_by(12) {
        let input = scan.slices(z, &OFFSETS);
        let integers = quantise_input(&plan.public, &input).unwrap();
        let evaluation = evaluate(&plan.public, &plan.weights, &integers).unwrap();
        assert_eq!(evaluation.overflows().count(), 0, "slice {z}");
        let fixed = labels(&plan.public, &evaluation.logits);
        let float = float::evaluate(&graph, &input).unwrap();
        let float = labels_along(&float.data, &float.shape, Some(1));
        equal += fixed.iter().zip(&float).filter(|(a, b)| a == b).count();
        both += fixed.iter().zip(&float).map(|(a, b)| a * b).sum::<u32>();
        either += fixed.iter().chain(&float).sum::<u32>();
        slices += 1;
    }
    let dice = 2.0 * f64::from(both) / f64::from(either);
    let share = equal as f64 / (slices * plane) as f64;
    println!("{slices} slices: Dice of fixed against float {dice:.4}, equal pixels {share:.5}");
    assert!(slices > 10 && dice >= 0.99 && share >= 0.999, "Dice {dice}, equal {share}");
}

/// A grey X-ray as the classifier takes it, up to the resizing filter's last digits.
fn xray(path: &Path) -> Tensor {
    let grey = image::open(path).unwrap().into_luma8();
    let resized = image::imageops::resize(&grey, 125, 150, image::imageops::FilterType::CatmullRom);
    let data = resized.into_raw().iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    Tensor { shape: vec![1, 1, 150, 125], data }
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn the_xray_classifier_gives_the_labels_of_its_floats_on_images_it_was_not_fitted_to() {
    let shared = shared();
    let images = |folder: &str, step: usize| -> Vec<Tensor> {
        let folder = shared.join("data/chest-xray").join(folder);
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().step_by(step).map(|path| xray(path)).collect()
    };
    let graph = graph(&shared.join("models/dnn1_150x125.onnx"));
    let samples = [images("val/NORMAL", 2), images("val/PNEUMONIA", 2)].concat();
    let spec = InputSpec::xray((150, 125));
    let plan = calibrate(&graph, &spec, &samples, &Options::default()).unwrap();
    let scans = [images("test/NORMAL", 12), images("test/PNEUMONIA", 20)].concat();
    let agree = scans.iter().filter(|scan| compared(&graph, &plan, scan).1 == 1.0).count();
    println!("labels agree on {agree} of {} X-rays", scans.len());
    assert!(scans.len() >= 30 && agree == scans.len(), "{agree} of {}", scans.len());
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn a_plan_of_proven_ranges_refuses_a_deep_model_by_a_tensors_name_or_holds_it() {
    let shared = shared();
    let options = Options { proven_only: true, ..Options::default() };
    let made = |path: &Path| {
        let input = npy::read(&path.with_extension("in.npy")).unwrap();
        let spec = InputSpec::tensor(range_of(&input));
        calibrate(&graph(path), &spec, &[input], &options)
    };
    let folder = shared.join("fixtures/onnx");
    let shallow = made(&folder.join("mlp_nslkdd_122.onnx")).unwrap();
    assert!(shallow.public.tensors.iter().all(|tensor| tensor.range == blindscan_graph::plan::Range::Proven));
    match made(&folder.join("vgg16_div8_64.onnx")) {
        Ok(plan) => assert!(plan.public.tensors.iter().all(|tensor| tensor.ring_bits <= 32)),
        Err(error) => assert!(error.to_string().contains("even at the least precision"), "{error}"),
    }
}
