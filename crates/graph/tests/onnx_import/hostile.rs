//! Files made to break the reader: none may panic, run long, or take memory that it does not have bytes for.

use std::time::{Duration, Instant};

use blindscan_graph::float;
use blindscan_graph::ir::{AveragePoolOp, ConvOp, ConvTransposeOp, DenseOp, Graph, MaxPoolOp, Op, Tensor};
use blindscan_graph::onnx::{self, OnnxError, Options};
use proptest::prelude::*;

use super::builder::*;

/// A model with something of everything.
fn everything() -> Vec<u8> {
    Model::new(&[1, 2, 6, 6])
        .weight("w", &[2, 2, 3, 3], &[0.1; 36])
        .weight("b", &[2], &[0.5; 2])
        .weight("up", &[2, 1, 2, 2], &[0.2; 8])
        .weight("dense", &[72, 3], &[0.01; 216])
        .list("pads", &[0, 0, 1, 1, 0, 0, 1, 1])
        .list("minus", &[-1])
        .list("bounds", &[0])
        .node("Pad", &["x", "pads"], "p", vec![])
        .node("Conv", &["p", "w", "b"], "c", vec![ints("strides", &[1, 1])])
        .node("BatchNormalization", &["c", "b", "b", "b", "b"], "n", vec![])
        .node("Relu", &["n"], "r", vec![])
        .node(
            "AveragePool",
            &["r"],
            "a",
            vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2]), int("ceil_mode", 1)],
        )
        .node("ConvTranspose", &["a", "up"], "u", vec![int("group", 2), ints("strides", &[2, 2])])
        .node("Add", &["u", "r"], "s", vec![])
        .node("Concat", &["s", "s"], "t", vec![int("axis", 1)])
        .node("MaxPool", &["t"], "m", vec![ints("kernel_shape", &[3, 3]), ints("pads", &[1, 1, 1, 1])])
        .node("Shape", &["m"], "shape", vec![])
        .node("Slice", &["shape", "bounds", "one"], "batch", vec![])
        .list("one", &[1])
        .list("two", &[2])
        .node("Concat", &["batch", "two", "minus"], "target", vec![int("axis", 0)])
        .node("Reshape", &["m", "target"], "f", vec![])
        .node("MatMul", &["f", "dense"], "d", vec![])
        .node("Transpose", &["d"], "z", vec![ints("perm", &[0, 2, 1])])
        .node("Softmax", &["z"], "y", vec![])
        .bytes()
}

/// Reads bytes; when they are a model that is cheap to run, runs it.
fn read(bytes: Vec<u8>) {
    let Ok(import) = onnx::read_bytes(bytes, &Options::default()) else { return };
    assert_eq!(import.graph.is_some(), import.report.accepted());
    let Some(graph) = import.graph else { return };
    if products(&graph) < 1 << 22 {
        let shape = graph.values[graph.input].shape.clone();
        let input = Tensor { data: vec![0.5; Tensor::count(&shape)], shape };
        let logits = float::evaluate(&graph, &input).unwrap();
        float::head_applied(graph.head, &logits);
    }
}

/// A bound of the work: elements, and products or window taps.
fn products(graph: &Graph) -> u64 {
    let elements =
        |value: usize| graph.values[value].shape.iter().map(|&extent| extent as u64).product::<u64>();
    let work = |op: &Op| match op {
        Op::Conv(ConvOp { weight, .. })
        | Op::ConvTranspose(ConvTransposeOp { weight, .. })
        | Op::Dense(DenseOp { weight, .. }) => weight.data.len() as u64,
        Op::MaxPool(MaxPoolOp { window }) | Op::AveragePool(AveragePoolOp { window, .. }) => {
            window.kernel.iter().map(|&k| k as u64).product()
        }
        _ => 1,
    };
    let nodes = graph.nodes.iter().map(|node| elements(node.output).saturating_mul(work(&node.op)));
    nodes.fold(elements(graph.input), u64::saturating_add)
}

#[test]
fn the_model_with_everything_is_accepted_as_it_is() {
    let graph = onnx::read_bytes(everything(), &Options::default()).unwrap().into_graph().unwrap();
    assert_eq!(graph.values[graph.output].shape, [1, 3, 2]);
    assert!(products(&graph) < 1 << 22);
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_a_refusal() {
    let whole = everything();
    for length in 0..whole.len() {
        if let Ok(import) = onnx::read_bytes(whole[..length].to_vec(), &Options::default()) {
            assert!(import.graph.is_none(), "a file cut at {length} of {} was accepted", whole.len());
        }
    }
    assert!(matches!(onnx::read_bytes(vec![], &Options::default()), Err(OnnxError::NoGraph)));
    assert!(matches!(
        onnx::read_bytes(whole[..40].to_vec(), &Options::default()),
        Err(OnnxError::Malformed(_))
    ));
}

#[test]
fn a_small_file_cannot_ask_for_a_large_constant() {
    let many = 1i64 << 40;
    let base = || {
        Model::new(&[1, 4])
            .list("many", &[many])
            .list("wide", &[1 << 15, 1 << 15])
            .list("empty_but_wide", &[0, many])
            .weight("one", &[1, 1], &[1.0])
    };
    let bomb = |model: Model| model.node("Reshape", &["x", "c"], "y", vec![]);
    let scalar = |name: &str, value| (name.to_owned(), vec![int("value_int", value)]);
    let ranged = [scalar("from", 0), scalar("to", i64::MAX), scalar("by", 1)]
        .into_iter()
        .fold(base(), |model, (name, attributes)| model.node("Constant", &[], &name, attributes));
    for model in [
        bomb(base().node("ConstantOfShape", &["many"], "c", vec![])),
        bomb(base().node("ConstantOfShape", &["wide"], "c", vec![])),
        bomb(base().node("ConstantOfShape", &["empty_but_wide"], "c", vec![])),
        bomb(base().node("Expand", &["one", "wide"], "c", vec![])),
        bomb(base().node("Tile", &["one", "wide"], "c", vec![])),
        bomb(ranged.node("Range", &["from", "to", "by"], "c", vec![])),
        Model::new(&[1, 1 << 31]).weight("c", &[1], &[1.0]).node("Mul", &["x", "c"], "y", vec![]).node(
            "Relu",
            &["y"],
            "z",
            vec![],
        ),
        Model::new(&[1, 1 << 30, 2]).weight("c", &[1], &[2.0]).node("Mul", &["x", "c"], "y", vec![]),
        Model::new(&[1, 1, 1 << 31]).node("MaxPool", &["x"], "y", vec![ints("kernel_shape", &[1 << 40])]),
    ] {
        let start = Instant::now();
        let _ = model.import();
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    let report = bomb(base().node("ConstantOfShape", &["wide"], "c", vec![])).import().report;
    assert!(report.rows[0].note.contains("far larger than the file"), "{}", report.rows[0].note);
}

#[test]
fn doubling_again_and_again_runs_into_the_budget() {
    let mut model = Model::new(&[1, 4]).list("c0", &[1; 64]);
    for step in 0..40 {
        let (from, to) = (format!("c{step}"), format!("c{}", step + 1));
        model = model.node("Concat", &[&from, &from], &to, vec![int("axis", 0)]);
    }
    let report = model.node("Reshape", &["x", "c40"], "y", vec![]).import().report;
    assert!(report.refused().any(|row| row.note.contains("far larger than the file")));
}

#[test]
fn too_many_nodes_are_refused_by_number() {
    let mut model = Model::new(&[1, 1]);
    let node = model.clone().node("Relu", &["x"], "y", vec![]).graph_mut().node[0].clone();
    model.graph_mut().node = vec![node; onnx::NODES_MAX + 1];
    assert!(matches!(
        onnx::read_bytes(model.bytes(), &Options::default()),
        Err(OnnxError::TooManyNodes { nodes }) if nodes == onnx::NODES_MAX + 1
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn changed_bytes_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = everything();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read(bytes);
    }

    #[test]
    fn changed_structure_never_panics(
        from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), length in 1usize..64, insert in any::<bool>(),
    ) {
        let mut bytes = everything();
        let from = from.index(bytes.len());
        let piece = bytes[from..bytes.len().min(from + length)].to_vec();
        let to = to.index(bytes.len());
        let end = if insert { to } else { bytes.len().min(to + piece.len()) };
        bytes.splice(to..end, piece);
        read(bytes);
    }

    #[test]
    fn changed_numbers_of_a_valid_file_never_panic(
        node in any::<prop::sample::Index>(), attribute in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(),
        number in prop_oneof![-3i64..12, any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(1 << 31), Just(1 << 20)],
        which in 0..5,
    ) {
        use prost::Message;
        let mut model = onnx::proto::ModelProto::decode(everything().as_slice()).unwrap();
        let graph = model.graph.as_mut().unwrap();
        match which {
            0 => {
                let index = node.index(graph.node.len());
                let attributes = &mut graph.node[index].attribute;
                if !attributes.is_empty() {
                    let index = attribute.index(attributes.len());
                    let attribute = &mut attributes[index];
                    match attribute.ints.len() {
                        0 => attribute.i = Some(number),
                        count => attribute.ints[place.index(count)] = number,
                    }
                }
            }
            1 => {
                let index = node.index(graph.initializer.len());
                let tensor = &mut graph.initializer[index];
                let count = tensor.int64_data.len();
                if count > 0 {
                    tensor.int64_data[place.index(count)] = number;
                }
            }
            2 => {
                let index = node.index(graph.initializer.len());
                let dims = &mut graph.initializer[index].dims;
                let count = dims.len();
                dims[place.index(count)] = number;
            }
            3 => {
                let shape = graph.input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape.as_mut().unwrap();
                shape.dim[place.index(4)].dim_value = Some(number);
            }
            _ => {
                let (index, other) = (node.index(graph.node.len()), attribute.index(graph.node.len()));
                let name = graph.node[other].output[0].clone();
                let inputs = &mut graph.node[index].input;
                let count = inputs.len();
                inputs[place.index(count)] = name;
            }
        }
        read(model.encode_to_vec());
    }
}
