//! What is refused: by name, all at once, with what to do instead.

use blindscan_graph::onnx::proto::{AttributeProto, OperatorSetIdProto, StringStringEntryProto, data_type};
use blindscan_graph::onnx::{Import, OnnxError, Status};

use super::builder::*;

#[test]
fn all_problems_come_at_once_each_with_its_remedy() {
    let model = Model::new(&[1, 3, 8, 8])
        .weight("w", &[4, 3, 3, 3], &[0.1; 108])
        .weight("narrow", &[4, 3, 3, 3], &[0.1; 108])
        .node("Conv", &["x", "w"], "c", vec![])
        .node("LeakyRelu", &["c"], "l", vec![])
        .node("InstanceNormalization", &["l"], "i", vec![])
        .node("Conv", &["i", "narrow"], "d", vec![])
        .node("Relu", &["i"], "r", vec![])
        .node("Resize", &["r"], "u", vec![])
        .node("Relu", &["u"], "v", vec![])
        .node("Tanh", &["v"], "t", vec![])
        .node("Concat", &["t", "d"], "y", vec![int("axis", 1)]);
    let Import { report, graph } = model.import();
    assert!(graph.is_none());
    let status: Vec<Status> = report.rows.iter().map(|row| row.status).collect();
    use Status::{Refused, Supported, Unchecked};
    // The convolution behind a refused activation is still checked: it takes 3 channels, and gets 4.
    assert_eq!(
        status,
        [Supported, Refused, Refused, Refused, Supported, Refused, Unchecked, Refused, Unchecked]
    );
    let kinds = report.kinds();
    let counted: Vec<(&str, usize)> = kinds.iter().map(|kind| (kind.op.as_str(), kind.count)).collect();
    assert_eq!(counted[..3], [("LeakyRelu", 1), ("InstanceNormalization", 1), ("Conv", 1)]);
    assert_eq!(counted[5..], [("Relu", 1), ("Concat", 1)], "unchecked ones stand last");
    let notes: Vec<&str> = report.rows.iter().map(|row| row.note.as_str()).collect();
    assert!(notes[1].contains("retrain (or fine-tune) with Relu"));
    assert!(notes[2].contains("BatchNormalization"));
    assert!(notes[3].contains("does not fit data of 4 channels"));
    assert!(notes[5].contains("ConvTranspose"));
    assert!(notes[6].contains("depends on the refused Resize the u"));
    let OnnxError::Refused(report) = model.import().into_graph().unwrap_err() else {
        panic!("the report is the error")
    };
    let printed = report.to_string();
    assert_eq!(printed.lines().count(), 7);
    assert!(printed.contains("LeakyRelu the l"));
}

#[test]
fn a_report_is_json() {
    let report = Model::new(&[1, 2]).node("Erf", &["x"], "y", vec![]).import().report;
    let json: serde_json::Value = serde_json::to_value(&report).unwrap();
    assert_eq!(json["rows"][0]["status"], "refused");
    assert_eq!(json["rows"][0]["op"], "Erf");
    assert_eq!((&json["opset"], &json["producer"]), (&18.into(), &"hand".into()));
}

#[test]
fn a_node_without_a_name_is_called_by_its_place() {
    let mut model = Model::new(&[1, 2]).node("Relu", &["x"], "y", vec![]).node("Erf", &["y"], "z", vec![]);
    model.graph_mut().node[1].name.clear();
    assert_eq!(model.import().report.rows[1].node, "#1");
}

/// The note of the only refused row, or the only problem.
#[track_caller]
fn refusal(model: &Model) -> String {
    let report = model.import().report;
    assert!(!report.accepted(), "it was accepted");
    report.refused().map(|row| row.note.clone()).chain(report.problems.clone()).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn assert_refused(model: &Model, fragment: &str) {
    let text = refusal(model);
    assert!(text.contains(fragment), "{text:?} does not say {fragment:?}");
    assert!(text.contains(';') || text.contains(':'), "{text:?} has no remedy");
}

#[test]
fn each_thing_that_cannot_be_computed_is_refused_with_a_reason() {
    let image = || {
        Model::new(&[1, 2, 4, 4]).weight("w", &[2, 2, 1, 1], &[1.0; 4]).weight(
            "c",
            &[2, 1, 4],
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        )
    };
    let kernel = || ints("kernel_shape", &[2, 2]);
    for (model, fragment) in [
        (image().node("Mul", &["x", "x"], "y", vec![]), "both depend on the image"),
        (image().node("MatMul", &["x", "x"], "y", vec![]), "attention"),
        (image().node("MatMul", &["c", "x"], "y", vec![]), "stands on the left"),
        (image().node("Div", &["c", "x"], "y", vec![]), "divides by data"),
        (image().node("Mul", &["x", "c"], "y", vec![]), "more than one axis"),
        (image().weight("b", &[3, 1, 2, 4, 4], &[0.0; 96]).node("Add", &["x", "b"], "y", vec![]), "enlarge"),
        (image().weight("z", &[], &[0.0]).node("Div", &["x", "z"], "y", vec![]), "division by zero"),
        (
            image()
                .weight("six", &[], &[6.0])
                .weight("zero", &[], &[0.0])
                .node("Conv", &["x", "w"], "d", vec![])
                .node("Clip", &["d", "zero", "six"], "y", vec![]),
            "Relu6",
        ),
        (image().node("Max", &["x", "x"], "y", vec![]), "anything but data and 0"),
        (
            image().list("p", &[0, 0, -2, 0, 0, 0, -2, 0]).node("Pad", &["x", "p"], "y", vec![]),
            "cuts all of axis 2",
        ),
        (
            image().list("p", &[0, 0, 4, 0, 0, 0, 0, 0]).node(
                "Pad",
                &["x", "p"],
                "y",
                vec![text("mode", "reflect")],
            ),
            "mirrors more than the data has",
        ),
        (
            image().list("p", &[0, 0, 1, 0, 0, 0, 0, 0]).weight("one", &[], &[1.0]).node(
                "Pad",
                &["x", "p", "one"],
                "y",
                vec![],
            ),
            "pad with zeros",
        ),
        (
            image().list("s", &[3]).list("e", &[3]).list("a", &[2]).node(
                "Slice",
                &["x", "s", "e", "a"],
                "y",
                vec![],
            ),
            "takes nothing of axis 2",
        ),
        (image().list("i", &[2]).node("Gather", &["x", "i"], "y", vec![int("axis", 1)]), "element 2 of 2"),
        (image().list("s", &[1, 2, 8, 4]).node("Expand", &["x", "s"], "y", vec![]), "do not go together"),
        (image().node("MaxPool", &["x"], "y", vec![kernel(), ints("pads", &[2, 2, 2, 2])]), "pad less"),
        (image().node("MaxPool", &["x"], "y", vec![ints("kernel_shape", &[5, 5])]), "larger than its data"),
        (image().node("MaxPool", &["x"], "y", vec![]), "kernel_shape is missing"),
        (
            image().node("AveragePool", &["x"], "y", vec![kernel(), ints("strides", &[0, 1])]),
            "strides holds 0",
        ),
        (image().node("Conv", &["x", "w"], "y", vec![int("group", 3)]), "3 groups for 2 channels"),
        (image().node("Conv", &["x", "w"], "y", vec![kernel()]), "contradicts its weight"),
        (image().node("Conv", &["x", "x"], "y", vec![]), "must be a constant"),
        (
            image().node("Conv", &["x", "w"], "y", vec![text("group", "two")]),
            "attribute group is not an integer",
        ),
        (image().weight("n", &[2, 2, 1, 1], &[f32::NAN; 4]).node("Conv", &["x", "n"], "y", vec![]), "NaN"),
        (image().node("ConvTranspose", &["x", "w"], "y", vec![ints("pads", &[9, 9, 9, 9])]), "cuts away all"),
        (
            image().node("ConvTranspose", &["x", "w"], "y", vec![ints("output_shape", &[9, 9])]),
            "output_padding instead",
        ),
        (
            image().node(
                "MaxPool",
                &["x"],
                "y",
                vec![kernel(), ints("dilations", &[2, 2]), text("auto_pad", "SAME_UPPER")],
            ),
            "explicit pads",
        ),
        (image().node("Gemm", &["x", "w"], "y", vec![]), "not a matrix"),
        (image().node("Cast", &["x"], "y", vec![int("to", 7)]), "into integers"),
        (image().node("LSTM", &["x"], "y", vec![]), "LSTM is not computed privately"),
        (image().node("Frobnicate", &["x"], "y", vec![]), "Frobnicate is not computed privately"),
        (
            image().node("Softmax", &["x"], "s", vec![]).node("Relu", &["s"], "y", vec![]),
            "does not stand at the end",
        ),
        (
            image().node("Sigmoid", &["x"], "s", vec![]).node("Mul", &["x", "s"], "y", vec![]),
            "does not stand at the end",
        ),
        (image().opset(11).node("Softmax", &["x"], "y", vec![]), "export with opset 13"),
        (
            image().node("Erf", &["w"], "n", vec![]).node("Mul", &["x", "n"], "y", vec![]),
            "do_constant_folding",
        ),
        (
            image()
                .list("s", &[1, -1])
                .node("Softmax", &["x"], "s1", vec![])
                .node("Reshape", &["s1", "s"], "r", vec![])
                .node("ArgMax", &["r"], "y", vec![]),
            "reshape before the head",
        ),
        (image().node("ArgMax", &["x"], "y", vec![int("select_last_index", 1)]), "ties"),
        (image().list("s", &[5, 5]).node("Reshape", &["x", "s"], "y", vec![]), "another number of elements"),
        (image().node("Add", &["x", "later"], "y", vec![]), "nothing before it makes"),
        (image().node("Identity", &["w"], "y", vec![]), "is a constant"),
        (image().opset(5).node("Relu", &["x"], "y", vec![]), "opset 5 is too old"),
    ] {
        assert_refused(&model, fragment);
    }
}

#[test]
fn outputs_beyond_the_first_are_refused_when_they_are_used() {
    let mut model = Model::new(&[1, 1, 4])
        .node("MaxPool", &["x"], "y", vec![ints("kernel_shape", &[2])])
        .node("Add", &["y", "indices"], "z", vec![]);
    model.graph_mut().node[0].output.push("indices".into());
    assert_refused(&model, "indices output is used");
}

#[test]
fn long_names_do_not_multiply_in_the_report() {
    let name = "n".repeat(100_000);
    let mut model = Model::new(&[1, 2]).node("Frobnicate", &["x"], "y0", vec![]);
    model.graph_mut().node[0].name = name;
    for step in 0..100 {
        model = model.node("Relu", &[&format!("y{step}")], &format!("y{}", step + 1), vec![]);
    }
    let report = model.import().report;
    assert!(report.rows.iter().map(|row| row.note.len() + row.node.len()).sum::<usize>() < 100_000);
}

#[test]
fn control_flow_and_foreign_operators_are_refused_unparsed() {
    let branch = AttributeProto {
        name: "then_branch".into(),
        g: Some(vec![0xff; 8].into()),
        r#type: 5,
        ..Default::default()
    };
    assert_refused(&Model::new(&[1, 2]).node("If", &["x"], "y", vec![branch]), "no control flow");
    let mut foreign = Model::new(&[1, 2]).node("FusedConv", &["x"], "y", vec![]);
    foreign.graph_mut().node[0].domain = "com.microsoft".into();
    foreign.proto.opset_import.push(OperatorSetIdProto { domain: "com.microsoft".into(), version: 1 });
    assert_refused(&foreign, "com.microsoft");
}

#[test]
fn a_model_in_memory_has_no_files_beside_it() {
    let mut model = Model::new(&[1, 2]).weight("w", &[2], &[]).node("Mul", &["x", "w"], "y", vec![]);
    model.graph_mut().initializer[0].data_location = 1;
    let location = StringStringEntryProto { key: "location".into(), value: "w.data".into() };
    model.graph_mut().initializer[0].external_data = vec![location];
    assert_refused(&model, "it keeps weights in another file, \"w.data\"");
    assert_refused(&model, "onnx.save");
}

#[test]
fn files_whose_parts_contradict_are_refused() {
    let base = || Model::new(&[1, 2]).weight("w", &[2], &[1.0, 2.0]).node("Mul", &["x", "w"], "y", vec![]);
    let edited = |edit: fn(&mut Model)| {
        let mut model = base();
        edit(&mut model);
        model
    };
    for (model, fragment) in [
        (edited(|m| m.graph_mut().initializer[0].dims = vec![3]), "should have 12 bytes, and has 8"),
        (edited(|m| m.graph_mut().initializer[0].dims = vec![-2]), "negative extent"),
        (edited(|m| m.graph_mut().initializer[0].dims = vec![1; 9]), "9 axes"),
        (
            edited(|m| m.graph_mut().initializer[0].dims = vec![1 << 40, 1 << 40]),
            "more elements than the file has bytes",
        ),
        (edited(|m| m.graph_mut().initializer[0].data_type = data_type::STRING), "not read"),
        (edited(|m| m.graph_mut().initializer[0].data_type = data_type::INT8), "should have 2 bytes"),
        (edited(|m| m.graph_mut().sparse_initializer.push(vec![].into())), "sparse"),
        (edited(|m| m.graph_mut().input.clear()), "nothing before it makes"),
        (edited(|m| m.graph_mut().input[0].r#type = None), "does not state its shape"),
        (edited(|m| m.graph_mut().input.push(value("x", vec![]))), "2 inputs"),
        (edited(|m| m.graph_mut().output = vec![value("nowhere", vec![])]), "nothing makes its output"),
        (edited(|m| m.graph_mut().initializer[0].name = "y".into()), "two things are named \"y\""),
        (Model::new(&[1, 1 << 40]).node("Relu", &["x"], "y", vec![]), "beyond what is computed"),
    ] {
        assert_refused(&model, fragment);
    }
    let mut integers = base();
    integers.graph_mut().input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type =
        data_type::INT64;
    assert_refused(&integers, "not of floats");
}
