//! Files of two PyTorch exporters and hand-written ones: each imports, and answers as the framework that made it did.

use std::path::{Path, PathBuf};
use std::time::Instant;

use blindscan_graph::ir::{ConvOp, Head, Op, Tensor};
use blindscan_graph::onnx::{Options, Status};
use blindscan_graph::{float, npy, onnx};

/// A folder of the shared folder, which lies beside the repository.
fn shared(folder: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")).join(folder)
}

fn models(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .collect();
    paths.sort();
    paths
}

/// The largest difference relative to the largest magnitude.
fn relative_error(got: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(got.data.len(), expected.data.len(), "as many elements as stored");
    let largest = expected.data.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let error = got.data.iter().zip(&expected.data).fold(0f32, |error, (x, y)| error.max((x - y).abs()));
    error / largest.max(f32::MIN_POSITIVE)
}

fn check_folder(folder: &str, at_least: usize) {
    let folder = shared(folder);
    let paths = models(&folder);
    assert!(paths.len() >= at_least, "{} models in {}", paths.len(), folder.display());
    for path in paths {
        let graph = onnx::read(&path, &Options::default()).unwrap().into_graph().unwrap();
        let Ok(input) = npy::read(&path.with_extension("in.npy")) else {
            println!("{}: imports, has no stored answer", graph.name);
            continue;
        };
        let expected = npy::read(&path.with_extension("out.npy")).unwrap();
        let start = Instant::now();
        let output = float::head_applied(graph.head, &float::evaluate(&graph, &input).unwrap());
        let error = relative_error(&output, &expected);
        println!("{}: relative error {error:.1e}, {:.2} s", path.display(), start.elapsed().as_secs_f32());
        assert!(error <= 1e-4, "{}: relative error {error}", path.display());
    }
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn every_network_of_both_exporters_answers_as_stored() {
    check_folder("fixtures/onnx", 10);
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn every_workload_answers_as_stored() {
    check_folder("fixtures/workloads", 10);
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn every_trained_model_imports() {
    let folder = shared("models");
    for path in models(&folder) {
        let import = onnx::read(&path, &Options::default()).unwrap();
        assert!(import.report.accepted(), "{}", import.report);
    }
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn batch_norms_of_an_unfolded_export_are_merged_into_convolutions() {
    let folder = shared("fixtures/onnx");
    let import = onnx::read(&folder.join("bunet_bn_w8_l4_128_unfolded.onnx"), &Options::default()).unwrap();
    let norms: Vec<_> = import.report.rows.iter().filter(|row| row.op == "BatchNormalization").collect();
    assert_eq!(norms.len(), 14);
    assert!(norms.iter().all(|row| row.status == Status::Folded && row.note.starts_with("merged into")));
    let graph = import.into_graph().unwrap();
    let convolutions = graph.nodes.iter().filter(|node| matches!(node.op, Op::Conv(_))).count();
    assert_eq!(convolutions, 15);
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn shape_arithmetic_of_an_exporter_is_folded_and_its_padding_merged() {
    let folder = shared("fixtures/onnx");
    let graph =
        onnx::read(&folder.join("dnn1_avg_150x125.onnx"), &Options::default()).unwrap().into_graph().unwrap();
    let Op::Conv(ConvOp { window, .. }) = &graph.nodes[0].op else {
        panic!("the first node is {:?}", graph.nodes[0].name)
    };
    assert_eq!((window.pads_begin.as_slice(), window.pads_end.as_slice()), (&[3, 3][..], &[3, 4][..]));
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn a_lone_argmax_is_a_head_on_the_input() {
    let folder = shared("fixtures/workloads");
    let graph =
        onnx::read(&folder.join("argmax2_256.onnx"), &Options::default()).unwrap().into_graph().unwrap();
    assert_eq!((graph.input, graph.output, graph.nodes.len()), (0, 0, 0));
    assert_eq!(graph.head, Head::ArgMax { axis: 1 });
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn the_caller_may_choose_another_image_size() {
    let folder = shared("fixtures/workloads");
    let options = Options { input_shape: Some(vec![1, 1, 96, 32]), ..Options::default() };
    let graph = onnx::read(&folder.join("unet16_64.onnx"), &options).unwrap().into_graph().unwrap();
    assert_eq!(graph.values[graph.output].shape, [1, 2, 96, 32]);
}
