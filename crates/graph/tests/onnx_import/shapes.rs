//! Shapes: open dimensions, folded arithmetic, chosen outputs, weights of other types.

use std::collections::BTreeMap;

use blindscan_graph::onnx::proto::{TensorProto, data_type};
use blindscan_graph::onnx::{Options, Status};

use super::builder::*;

#[test]
fn the_shape_arithmetic_of_an_old_flatten_is_folded() {
    let model = Model::new(&[1, 2, 3])
        .list("one", &[1])
        .list("minus", &[-1])
        .node("Shape", &["x"], "shape", vec![])
        .node("Constant", &[], "zero", vec![tensor("value", integers(&[], &[0]))])
        .node("Gather", &["shape", "zero"], "batch", vec![int("axis", 0)])
        .node("Unsqueeze", &["batch"], "batch1", vec![ints("axes", &[0])])
        .node("Concat", &["batch1", "minus"], "target", vec![int("axis", 0)])
        .node("Reshape", &["x", "target"], "y", vec![])
        .opset(11);
    assert_eq!(model.answer(&counting(6)).shape, [1, 6]);
    assert_eq!(model.ops(), ["Reshape"]);
    for folded in ["shape", "zero", "batch", "batch1", "target"] {
        assert_eq!(model.row(folded).status, Status::Folded);
    }
}

/// The shape that a chain of constant nodes ends in, seen through a Reshape of 24 elements.
fn folded_shape(build: impl FnOnce(Model) -> Model) -> Vec<usize> {
    let model = build(Model::new(&[1, 2, 3, 4])).node("Reshape", &["x", "target"], "y", vec![]);
    model.answer(&counting(24)).shape
}

#[test]
fn every_folded_operator_computes() {
    let cast = || vec![int("to", data_type::INT64.into())];
    let arithmetic = folded_shape(|m| {
        m.list("a", &[5, 9])
            .list("b", &[2, 4])
            .list("c", &[6, 4])
            .node("Div", &["a", "b"], "q", vec![]) // 2 2
            .node("Mul", &["q", "b"], "m", vec![]) // 4 8
            .node("Sub", &["m", "q"], "s", vec![]) // 2 6
            .node("Mod", &["a", "b"], "r", vec![]) // 1 1
            .node("Add", &["s", "r"], "t", vec![]) // 3 7
            .node("Min", &["t", "c"], "target4", vec![]) // 3 4
            .node("Concat", &["target4", "q2"], "target", vec![int("axis", 0)])
            .list("q2", &[2])
    });
    assert_eq!(arithmetic, [3, 4, 2]);
    let chosen = folded_shape(|m| {
        m.list("a", &[4, -1, 6])
            .list("minus", &[-1])
            .list("one", &[1])
            .node("Equal", &["a", "minus"], "open", vec![])
            .node("Where", &["open", "one", "a"], "target", vec![])
    });
    assert_eq!(chosen, [4, 1, 6]);
    let ranged = folded_shape(|m| {
        m.node("Constant", &[], "start", vec![int("value_int", 2)])
            .node("Constant", &[], "limit", vec![int("value_int", 5)])
            .node("Constant", &[], "step", vec![int("value_int", 1)])
            .node("Range", &["start", "limit", "step"], "target", vec![])
    });
    assert_eq!(ranged, [2, 3, 4]);
    let floats = folded_shape(|m| {
        m.node("Shape", &["x"], "s", vec![int("start", 1)]) // 2 3 4
            .node("Cast", &["s"], "f", vec![int("to", 1)])
            .weight("half", &[], &[0.5])
            .node("Mul", &["f", "half"], "h", vec![]) // 1 1.5 2
            .node("Floor", &["h"], "down", vec![]) // 1 1 2
            .node("Cast", &["down"], "i", cast())
            .list("twelve", &[12, 1, 1])
            .node("Mul", &["i", "twelve"], "target", vec![])
    });
    assert_eq!(floats, [12, 1, 2]);
    let moved = folded_shape(|m| {
        m.list("pairs", &[4, 2, 3, 1])
            .list("square", &[2, 2])
            .list("begin", &[-1])
            .list("end", &[i64::MIN])
            .list("axis", &[0])
            .list("back", &[-1])
            .list("flat", &[-1])
            .node("Reshape", &["pairs", "square"], "s", vec![])
            .node("Slice", &["s", "begin", "end", "axis", "back"], "rows", vec![]) // 3 1, 4 2
            .node("Transpose", &["rows"], "t", vec![]) // 3 4, 1 2
            .node("Reshape", &["t", "flat"], "target", vec![])
    });
    assert_eq!(moved, [3, 4, 1, 2]);
    let filled = folded_shape(|m| {
        m.list("two", &[2])
            .list("three", &[3])
            .list("rest", &[6])
            .node("ConstantOfShape", &["two"], "twos", vec![tensor("value", integers(&[1], &[2]))])
            .node("Expand", &["rest", "one"], "six", vec![])
            .list("one", &[1])
            .node("Concat", &["twos", "six"], "target", vec![int("axis", 0)])
    });
    assert_eq!(filled, [2, 2, 6]);
}

#[test]
fn an_open_batch_is_one_and_other_open_axes_come_from_the_caller() {
    let mut model = Model::new(&[]).node("GlobalAveragePool", &["x"], "y", vec![]);
    let fixed =
        |extent| blindscan_graph::onnx::proto::DimensionProto { dim_value: Some(extent), dim_param: None };
    model.graph_mut().input =
        vec![value("x", vec![named("batch"), fixed(3), named("height"), named("width")])];
    let refused = model.import();
    assert!(refused.graph.is_none());
    assert!(refused.report.problems[0].contains("axis 2 (height) open"), "{}", refused.report);
    assert_eq!(refused.report.rows[0].status, Status::Unchecked);
    let dimensions = BTreeMap::from([("height".to_owned(), 5), ("width".to_owned(), 7)]);
    let graph = model.import_with(&Options { dimensions, ..Options::default() }).into_graph().unwrap();
    assert_eq!(graph.values[0].shape, [1, 3, 5, 7]);
    let input_shape = Some(vec![1, 3, 8, 8]);
    let graph = model.import_with(&Options { input_shape, ..Options::default() }).into_graph().unwrap();
    assert_eq!(graph.values[0].shape, [1, 3, 8, 8]);
}

#[test]
fn one_of_several_outputs_is_chosen_and_what_only_others_need_is_dropped() {
    let mut model = Model::new(&[1, 2]).node("Relu", &["x"], "y", vec![]).node("Erf", &["x"], "z", vec![]);
    model.graph_mut().output = vec![value("y", vec![]), value("z", vec![])];
    assert!(model.import().report.problems[0].contains("name one of y, z"));
    let choose = |name: &str| Options { output: Some(name.into()), ..Options::default() };
    let import = model.import_with(&choose("y"));
    assert_eq!(import.report.rows[1].note, "removed: the output does not need it");
    assert_eq!(import.graph.unwrap().nodes.len(), 1);
    assert_eq!(model.import_with(&choose("z")).report.rows[1].status, Status::Refused);
    assert!(model.import_with(&choose("w")).report.problems[0].contains("no output \"w\""));
}

#[test]
fn a_node_of_which_only_the_shape_is_used_is_dropped() {
    let model = Model::new(&[1, 2, 3])
        .node("Relu", &["x"], "r", vec![])
        .node("Shape", &["r"], "s", vec![])
        .node("Reshape", &["x", "s"], "same", vec![])
        .node("Neg", &["same"], "y", vec![]);
    assert_eq!(model.ops(), ["Conv"]);
    assert_eq!(model.row("r").note, "removed: only its shape was used");
}

#[test]
fn weights_of_other_widths_are_converted_with_a_note() {
    let bits = |values: &[u8]| Some(values.to_vec().into());
    let half = TensorProto {
        data_type: data_type::FLOAT16,
        raw_data: bits(&[0x00, 0x3c, 0x00, 0xc0]),
        ..TensorProto::default()
    };
    let brain = TensorProto {
        data_type: data_type::BFLOAT16,
        int32_data: vec![0x3f80, 0xc000],
        ..TensorProto::default()
    };
    let double =
        TensorProto { data_type: data_type::DOUBLE, double_data: vec![1.0, -2.0], ..TensorProto::default() };
    let plain =
        TensorProto { data_type: data_type::FLOAT, float_data: vec![1.0, -2.0], ..TensorProto::default() };
    for (tensor, notes) in [(half, 1), (brain, 1), (double, 1), (plain, 0)] {
        let mut model = Model::new(&[1, 2]).node("Mul", &["x", "w"], "y", vec![]);
        model.graph_mut().initializer.push(TensorProto { name: "w".into(), dims: vec![2], ..tensor });
        assert_eq!(model.answer(&[3.0, 4.0]).data, [3.0, -8.0]);
        assert_eq!(model.import().report.notes.len(), notes);
    }
}

#[test]
fn initialisers_that_are_listed_as_inputs_stay_constants() {
    let mut model = Model::new(&[1, 2]).weight("w", &[2], &[2.0, 3.0]).node("Mul", &["x", "w"], "y", vec![]);
    model.graph_mut().input.push(value("w", vec![]));
    model.graph_mut().input.push(value("spare", vec![]));
    assert_eq!(model.answer(&[1.0, 1.0]).data, [2.0, 3.0]);
    assert_eq!(model.import().report.notes, ["input \"spare\" is not used"]);
}
