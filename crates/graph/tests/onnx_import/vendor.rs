//! What vendors' files hold beyond plain networks: picked and mirrored elements, channels last, folded weights, integers and
//! windows at the input, odd names, several outputs.

use blindscan_graph::calibrate::{self, calibrate, dry_run};
use blindscan_graph::fixed;
use blindscan_graph::float;
use blindscan_graph::ir::{Classes, GatherOp, Graph, Head, InputRange, Op, Tensor};
use blindscan_graph::onnx::proto::{NodeProto, data_type};
use blindscan_graph::onnx::{Options, Status};
use blindscan_graph::plan::InputSpec;

use super::builder::*;

/// The float answer, and the largest error of the integer answer against it: the same elements are picked in both.
#[track_caller]
fn float_and_fixed_error(graph: &Graph, input: &[f32]) -> (Vec<f32>, f32) {
    let shape = graph.values[graph.input].shape.clone();
    let input = Tensor { shape, data: input.to_vec() };
    let logits = float::evaluate(graph, &input).unwrap();
    let most = input.data.iter().fold(1f32, |most, x| most.max(x.abs()));
    let range = graph.input_range.map_or((-most, most), |range| (range.low, range.high));
    let options = calibrate::Options {
        input_bits: 14,
        policy: blindscan_graph::plan::OutputPolicy::Logits,
        ..calibrate::Options::default()
    };
    let spec = InputSpec::tensor(range);
    let plan = calibrate(graph, &spec, std::slice::from_ref(&input), &options).unwrap();
    let integers = fixed::quantise_input(&plan.public, &input).unwrap();
    let answer = fixed::evaluate(&plan.public, &plan.weights, &integers).unwrap();
    let fixed = fixed::dequantise(&plan.public, plan.public.output, &answer.logits);
    let error = fixed.data.iter().zip(&logits.data).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    (logits.data, error)
}

#[track_caller]
fn assert_picks(model: &Model, input: &[f32], expected: &[f32]) {
    let (float, error) = float_and_fixed_error(&model.graph(), input);
    assert_eq!(float, expected);
    assert!(error < 0.01 * input.iter().fold(1f32, |most, x| most.max(x.abs())), "{error}");
}

#[test]
fn crops_strides_and_turns_pick_elements() {
    let slice = |start: i64, end: i64, step: i64| {
        Model::new(&[1, 1, 6]).list("s", &[start]).list("e", &[end]).list("a", &[2]).list("t", &[step]).node(
            "Slice",
            &["x", "s", "e", "a", "t"],
            "y",
            vec![],
        )
    };
    assert_picks(&slice(1, 4, 1), &counting(6), &[2.0, 3.0, 4.0]);
    assert_picks(&slice(0, 6, 2), &counting(6), &[1.0, 3.0, 5.0]);
    assert_picks(&slice(-1, i64::MIN, -2), &counting(6), &[6.0, 4.0, 2.0]);
    assert_eq!(slice(0, i64::MAX, 1).row("y").status, Status::Folded);
    let gather =
        Model::new(&[1, 3, 2]).list("i", &[2, 0, -1]).node("Gather", &["x", "i"], "y", vec![int("axis", 1)]);
    assert_picks(&gather, &counting(6), &[5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
    let tile = Model::new(&[1, 1, 2]).list("r", &[1, 2, 2]).node("Tile", &["x", "r"], "y", vec![]);
    assert_picks(&tile, &counting(2), &[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    let expand = Model::new(&[1, 2, 1]).list("s", &[1, 1, 3]).node("Expand", &["x", "s"], "y", vec![]);
    assert_picks(&expand, &counting(2), &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
}

#[test]
fn one_index_drops_its_axis() {
    let mut model = Model::new(&[1, 3, 2]).node("Gather", &["x", "i"], "y", vec![int("axis", 1)]);
    let index = blindscan_graph::onnx::proto::TensorProto { name: "i".into(), ..integers(&[], &[1]) };
    model.graph_mut().initializer.push(index);
    assert_eq!(model.answer(&counting(6)), Tensor { shape: vec![1, 2], data: vec![3.0, 4.0] });
}

#[test]
fn a_split_gives_every_output() {
    let mut model = Model::new(&[1, 3, 1]);
    model.graph_mut().node.push(NodeProto {
        input: vec!["x".into(), "parts".into()],
        output: vec!["a".into(), "b".into()],
        op_type: "Split".into(),
        attribute: vec![int("axis", 1)],
        ..NodeProto::default()
    });
    let model = model.list("parts", &[1, 2]).node("Concat", &["b", "a"], "y", vec![int("axis", 1)]);
    assert_picks(&model, &counting(3), &[2.0, 3.0, 1.0]);
}

#[test]
fn padding_mirrors_repeats_turns_round_and_cuts() {
    let pad = |mode: &str, amounts: [i64; 2]| {
        Model::new(&[1, 1, 4]).list("p", &[0, 0, amounts[0], 0, 0, amounts[1]]).node(
            "Pad",
            &["x", "p"],
            "y",
            vec![text("mode", mode)],
        )
    };
    for (mode, amounts, expected) in [
        ("reflect", [2, 1], &[3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0][..]),
        ("edge", [1, 2], &[1.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0]),
        ("wrap", [1, 1], &[4.0, 1.0, 2.0, 3.0, 4.0, 1.0]),
        ("constant", [-1, 0], &[2.0, 3.0, 4.0]),
        ("constant", [-1, 2], &[2.0, 3.0, 4.0, 0.0, 0.0]),
    ] {
        assert_picks(&pad(mode, amounts), &counting(4), expected);
    }
}

#[test]
fn means_that_leave_padding_out_are_exact_in_floats_and_close_in_integers() {
    for (kernel, stride, ceil) in [(3, 1, 0), (2, 2, 0), (3, 2, 1), (5, 2, 0)] {
        let pads = kernel / 2;
        let attributes = vec![
            ints("kernel_shape", &[kernel; 2]),
            ints("strides", &[stride; 2]),
            ints("pads", &[pads; 4]),
            int("ceil_mode", ceil),
        ];
        let model = Model::new(&[1, 1, 8, 8]).node("AveragePool", &["x"], "y", attributes);
        let (_, error) = float_and_fixed_error(&model.graph(), &counting(64));
        assert!(error < 0.05, "kernel {kernel}, stride {stride}: {error}");
    }
    let attributes = vec![ints("kernel_shape", &[3]), ints("pads", &[1, 1])];
    let line = Model::new(&[1, 1, 4]).node("AveragePool", &["x"], "y", attributes);
    assert_picks(&line, &counting(4), &[1.5, 2.0, 3.0, 3.5]);
}

#[test]
fn means_over_any_axes_are_computed() {
    let mean = |axes: &[i64], keep: i64| {
        Model::new(&[1, 2, 2, 3])
            .opset(13)
            .node("ReduceMean", &["x"], "y", vec![ints("axes", axes), int("keepdims", keep)])
            .answer(&counting(12))
    };
    assert_eq!(mean(&[1, 2], 0), Tensor { shape: vec![1, 3], data: vec![5.5, 6.5, 7.5] });
    assert_eq!(mean(&[-1, 1], 1), Tensor { shape: vec![1, 1, 2, 1], data: vec![5.0, 8.0] });
    assert_eq!(mean(&[0, 1, 2, 3], 1), Tensor { shape: vec![1; 4], data: vec![6.5] });
}

fn channels_last(classes: i64) -> Model {
    Model::new(&[1, 4, 4, 1])
        .weight("w", &[classes, 1, 1, 1], &vec![0.5; classes as usize])
        .node("Transpose", &["x"], "t", vec![ints("perm", &[0, 3, 1, 2])])
        .node("Conv", &["t", "w"], "c", vec![])
        .node("Transpose", &["c"], "y", vec![ints("perm", &[0, 2, 3, 1])])
}

#[test]
fn the_class_axis_follows_the_channels_and_is_never_guessed() {
    assert_eq!(channels_last(3).graph().classes, Classes::Along(3));
    assert_eq!(channels_last(1).graph().classes, Classes::Single);
    let folded = channels_last(3).list("s", &[1, 16, 3]).node("Reshape", &["y", "s"], "z", vec![]);
    assert_eq!(folded.graph().classes, Classes::Along(2));
    let mixed = channels_last(3).list("s", &[1, 6, 8]).node("Reshape", &["y", "s"], "z", vec![]);
    assert_eq!(mixed.graph().classes, Classes::Unknown);
    let spec = InputSpec::tensor((0.0, 1.0));
    let error = dry_run(&mixed.graph(), &spec, &calibrate::Options::default()).unwrap_err();
    assert!(error.to_string().contains("--class-axis"), "{error}");
    let stated = |axis| mixed.import_with(&Options { class_axis: Some(axis), ..Options::default() });
    assert_eq!(stated(1).into_graph().unwrap().classes, Classes::Along(1));
    assert!(stated(3).report.problems[0].contains("3 axes"));
}

#[test]
fn a_stated_class_axis_may_not_contradict_the_head() {
    let model = Model::new(&[1, 3, 4]).node("Softmax", &["x"], "y", vec![int("axis", 1)]);
    let import = |axis| model.import_with(&Options { class_axis: Some(axis), ..Options::default() });
    assert_eq!(import(1).into_graph().unwrap().classes, Classes::Along(1));
    assert!(import(2).report.problems[0].contains("head runs along axis 1"));
}

#[test]
fn a_softmax_between_transpositions_is_a_head_on_the_channels() {
    let model = Model::new(&[1, 1, 2, 4])
        .opset(11)
        .weight("w", &[3, 1, 1, 1], &[1.0, -1.0, 0.5])
        .node("Conv", &["x", "w"], "c", vec![])
        .node("Transpose", &["c"], "t", vec![ints("perm", &[0, 3, 2, 1])])
        .node("Softmax", &["t"], "s", vec![int("axis", 3)])
        .node("Transpose", &["s"], "y", vec![ints("perm", &[0, 3, 2, 1])]);
    let graph = model.graph();
    assert_eq!((graph.head, graph.classes), (Head::Softmax { axis: 1 }, Classes::Along(1)));
    assert_eq!(model.ops(), ["Conv"], "the two transpositions are one, which changes nothing");
    assert_eq!(model.answer(&counting(8)).shape, [1, 3, 2, 4]);
}

#[test]
fn weights_that_are_computed_from_constants_are_folded() {
    let norm = Model::new(&[1, 2, 1])
        .opset(17)
        .weight("v", &[2, 2, 1], &[3.0, 4.0, 0.0, 2.0])
        .node("ReduceL2", &["v"], "n", vec![ints("axes", &[1, 2])])
        .node("Div", &["v", "n"], "w", vec![])
        .node("Conv", &["x", "w"], "y", vec![]);
    assert_close(&norm.answer(&[1.0, 2.0]).data, &[2.2, 2.0]);
    let mean = Model::new(&[1, 2, 1])
        .opset(13)
        .weight("v", &[1, 2, 1], &[1.0, 4.0])
        .node("ReduceMean", &["v"], "m", vec![ints("axes", &[1, 2])])
        .node("Sub", &["v", "m"], "w", vec![])
        .node("Conv", &["x", "w"], "y", vec![]);
    assert_close(&mean.answer(&[1.0, 2.0]).data, &[1.5]);
    let mut quantised = Model::new(&[1, 2, 1])
        .weight("s", &[2], &[0.5, 0.25])
        .node("DequantizeLinear", &["q", "s"], "w", vec![int("axis", 0)])
        .node("Conv", &["x", "w"], "y", vec![]);
    quantised.graph_mut().initializer.push(blindscan_graph::onnx::proto::TensorProto {
        name: "q".into(),
        dims: vec![2, 2, 1],
        data_type: data_type::INT8,
        raw_data: Some(vec![2, 0xfe, 4, 8].into()),
        ..Default::default()
    });
    assert_close(&quantised.answer(&[1.0, 2.0]).data, &[-1.0, 5.0]);
}

#[test]
fn grey_values_of_bytes_are_taken_as_stored_and_their_scaling_is_merged() {
    let mut model = Model::new(&[1, 1, 2])
        .weight("k", &[], &[255.0])
        .weight("w", &[1, 1, 1], &[2.0])
        .node("Cast", &["x"], "f", vec![int("to", 1)])
        .node("Div", &["f", "k"], "n", vec![])
        .node("Conv", &["n", "w"], "y", vec![]);
    let elements = |model: &mut Model, kind| {
        model.graph_mut().input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = kind;
    };
    elements(&mut model, data_type::UINT8);
    let graph = model.graph();
    assert_eq!(graph.input_range, Some(InputRange { low: 0.0, high: 255.0, clips: false }));
    assert_eq!(model.ops(), ["Conv"], "the division is in the weights");
    assert_close(&model.answer(&[0.0, 255.0]).data, &[0.0, 2.0]);
    let mut uncast = Model::new(&[1, 1, 2]).weight("k", &[], &[2.0]).node("Div", &["x", "k"], "y", vec![]);
    elements(&mut uncast, data_type::UINT8);
    assert!(uncast.row("y").note.contains("integers"), "an integer division is another one");
}

#[test]
fn a_window_at_the_input_is_its_declared_range() {
    let window = |before: &[&str]| {
        let mut model = Model::new(&[1, 1, 3])
            .weight("low", &[], &[-1000.0])
            .weight("high", &[], &[400.0])
            .weight("ten", &[], &[10.0]);
        let mut name = "x".to_owned();
        for (index, op) in before.iter().enumerate() {
            let next = format!("v{index}");
            model = model.node(op, &[&name, "ten"], &next, vec![]);
            name = next;
        }
        model.node("Clip", &[&name, "low", "high"], "y", vec![])
    };
    let range = |low, high| Some(InputRange { low, high, clips: true });
    assert_eq!(window(&[]).graph().input_range, range(-1000.0, 400.0));
    assert_eq!(window(&["Add", "Mul"]).graph().input_range, range(-110.0, 30.0));
    assert_eq!(window(&[]).answer(&[-2000.0, 7.0, 500.0]).data, [-1000.0, 7.0, 400.0]);
    let elsewhere = window(&[]).node("Concat", &["y", "x"], "z", vec![int("axis", 1)]);
    assert!(elsewhere.row("y").note.contains("it clips to"), "another reader sees values outside");
}

#[test]
fn a_shift_at_the_input_is_merged_only_where_no_zeros_are_padded() {
    let model = |pads: i64| {
        Model::new(&[1, 1, 4])
            .weight("c", &[], &[5.0])
            .weight("w", &[1, 1, 3], &[1.0, 2.0, 3.0])
            .node("Add", &["x", "c"], "s", vec![])
            .node("Conv", &["s", "w"], "y", vec![ints("pads", &[pads; 2])])
    };
    assert_eq!(model(0).ops(), ["Conv"]);
    assert_close(&model(0).answer(&counting(4)).data, &[44.0, 50.0]);
    assert_ne!(model(1).ops(), ["Conv"]);
    assert_close(&model(1).answer(&counting(4)).data, &[33.0, 44.0, 50.0, 26.0]);
}

#[test]
fn blockers_behind_refused_nodes_are_found() {
    let model = Model::new(&[1, 2, 4, 4])
        .weight("scales", &[4], &[1.0, 1.0, 2.0, 2.0])
        .weight("w", &[2, 2, 1, 1], &[1.0; 4])
        .node("Resize", &["x", "", "scales"], "r", vec![])
        .node("Conv", &["r", "w"], "g", vec![])
        .node("Sigmoid", &["g"], "s", vec![])
        .node("Mul", &["r", "s"], "m", vec![])
        .node("Tanh", &["m"], "t", vec![])
        .node("MatMul", &["t", "t"], "p", vec![])
        .node("LeakyRelu", &["p"], "l", vec![])
        .node("Conv", &["l", "w"], "y", vec![]);
    let report = model.import().report;
    let refused: Vec<&str> = report.refused().map(|row| row.op.as_str()).collect();
    assert_eq!(refused, ["Resize", "Sigmoid", "Mul", "Tanh", "MatMul", "LeakyRelu"]);
    assert!(report.rows.iter().all(|row| row.status != Status::Unchecked));
}

#[test]
fn what_no_shape_could_save_is_refused_behind_unknown_shapes_too() {
    let model = Model::new(&[1, 2, 4, 4])
        .node("Resize", &["x"], "r", vec![])
        .node("Sigmoid", &["r"], "s", vec![])
        .node("Mul", &["r", "s"], "m", vec![])
        .node("Softmax", &["m"], "y", vec![]);
    let report = model.import().report;
    let status: Vec<Status> = report.rows.iter().map(|row| row.status).collect();
    use Status::{Refused, Unchecked};
    assert_eq!(status, [Refused, Refused, Refused, Unchecked], "the last one may be the head");
}

#[test]
fn odd_names_become_labels() {
    let odd = "img\t1\n\u{1b}[2J";
    let long = "n".repeat(5000);
    let mut model =
        Model::new(&[1, 2]).node("Relu", &["x"], &long, vec![]).node("Relu", &[&long], "y", vec![]);
    model.graph_mut().input[0].name = odd.into();
    model.graph_mut().node[0].input[0] = odd.into();
    model.graph_mut().node[0].name = "same".into();
    model.graph_mut().node[1].name = "same".into();
    let graph = model.graph();
    assert_eq!(graph.values[graph.input].name, "img?1??[2J");
    assert_eq!((graph.nodes[0].name.as_str(), graph.nodes[1].name.as_str()), ("same", "same~2"));
    assert!(graph.values.iter().all(|value| value.name.len() < 200));
    let spec = InputSpec::tensor((0.0, 1.0));
    assert!(dry_run(&graph, &spec, &calibrate::Options::default()).unwrap().is_some());
}

#[test]
fn a_fixed_batch_is_taken_for_one_with_a_note() {
    let model = Model::new(&[4, 1, 2]).node("Relu", &["x"], "y", vec![]);
    let import = model.import();
    assert!(import.report.notes[0].contains("a batch of 4"));
    assert_eq!(import.into_graph().unwrap().values[0].shape, [1, 1, 2]);
    let written = Model::new(&[4, 1, 2]).list("s", &[4, -1]).node("Reshape", &["x", "s"], "y", vec![]);
    assert!(!written.import().report.accepted(), "the batch stands in a shape too");
    let halved = Model::new(&[2, 1, 2]).list("s", &[2, -1]).node("Reshape", &["x", "s"], "y", vec![]);
    assert!(halved.row("y").note.contains("was the batch"));
}

#[test]
fn a_given_shape_is_held_against_the_files_input() {
    let mut model = Model::new(&[1, 1, 8]).node("Relu", &["x"], "y", vec![]);
    model.graph_mut().input = vec![value("x", vec![named("n"), named("c"), named("w")])];
    let given = |name: Option<&str>, shape: &[usize]| {
        let options = Options {
            input_name: name.map(str::to_owned),
            input_shape: Some(shape.to_vec()),
            ..Options::default()
        };
        model.import_with(&options)
    };
    assert_eq!(given(Some("x"), &[1, 2, 5]).into_graph().unwrap().values[0].shape, [1, 2, 5]);
    for (import, fragment) in [
        (given(Some("z"), &[1, 2, 5]), "a shape was given for \"z\""),
        (given(None, &[1, 2]), "the file states 3 axes"),
        (given(None, &[2, 2, 5]), "a batch of 2"),
        (model.import(), "--dim c=512"),
    ] {
        assert!(import.report.problems[0].contains(fragment), "{:?}", import.report.problems);
    }
}

#[test]
fn the_graph_says_what_it_picks_without_saying_values() {
    let model = Model::new(&[1, 2]).list("i", &[1]).node("Gather", &["x", "i"], "y", vec![int("axis", 1)]);
    assert!(matches!(&model.graph().nodes[0].op, Op::Gather(GatherOp { positions }) if positions[1] == [1]));
}
