//! Each operator, with numbers worked out by hand.

use blindscan_graph::ir::{ConvOp, Head, Op};
use blindscan_graph::onnx::Status;

use super::builder::*;

#[test]
fn a_convolution_with_groups_strides_and_uneven_padding() {
    let model = Model::new(&[1, 2, 3])
        .weight("w", &[2, 1, 2], &[1.0, 10.0, 1.0, -1.0])
        .weight("b", &[2], &[0.5, 0.0])
        .node(
            "Conv",
            &["x", "w", "b"],
            "y",
            vec![int("group", 2), ints("strides", &[2]), ints("pads", &[1, 0])],
        );
    // Channel 0 is 0 1 2 3, channel 1 is 0 4 5 6 once padded.
    let answer = model.answer(&counting(6));
    assert_eq!(answer.shape, [1, 2, 2]);
    assert_close(&answer.data, &[10.5, 32.5, -4.0, -1.0]);
}

#[test]
fn automatic_padding_puts_the_odd_element_behind_or_before() {
    let with = |attributes| {
        Model::new(&[1, 1, 4]).weight("w", &[1, 1, 2], &[1.0, 10.0]).node(
            "Conv",
            &["x", "w"],
            "y",
            attributes,
        )
    };
    let x = counting(4);
    assert_close(&with(vec![text("auto_pad", "SAME_UPPER")]).answer(&x).data, &[21.0, 32.0, 43.0, 4.0]);
    assert_close(&with(vec![text("auto_pad", "SAME_LOWER")]).answer(&x).data, &[10.0, 21.0, 32.0, 43.0]);
    assert_close(
        &with(vec![text("auto_pad", "VALID"), ints("pads", &[1, 1])]).answer(&x).data,
        &[21.0, 32.0, 43.0],
    );
    assert_close(
        &with(vec![text("auto_pad", "SAME_UPPER"), ints("strides", &[3])]).answer(&x).data,
        &[21.0, 4.0],
    );
}

#[test]
fn convolutions_of_two_and_three_axes_with_dilation() {
    let flat = Model::new(&[1, 1, 3, 3]).weight("w", &[1, 1, 2, 2], &[1.0, 10.0, 100.0, 1000.0]).node(
        "Conv",
        &["x", "w"],
        "y",
        vec![ints("dilations", &[2, 2])],
    );
    assert_close(&flat.answer(&counting(9)).data, &[9731.0]);
    let deep = Model::new(&[1, 1, 2, 1, 3]).weight("w", &[1, 1, 2, 1, 2], &[1.0, 10.0, 100.0, 1000.0]).node(
        "Conv",
        &["x", "w"],
        "y",
        vec![ints("kernel_shape", &[2, 1, 2])],
    );
    let answer = deep.answer(&counting(6));
    assert_eq!(answer.shape, [1, 1, 1, 1, 2]);
    assert_close(&answer.data, &[5421.0, 6532.0]);
}

#[test]
fn transposed_convolutions_in_every_form() {
    let with = |attributes: Vec<_>| {
        let attributes = [vec![ints("strides", &[2])], attributes].concat();
        Model::new(&[1, 1, 2]).weight("w", &[1, 1, 3], &[1.0, 10.0, 100.0]).node(
            "ConvTranspose",
            &["x", "w"],
            "y",
            attributes,
        )
    };
    let x = [1.0, 2.0];
    assert_close(&with(vec![]).answer(&x).data, &[1.0, 10.0, 102.0, 20.0, 200.0]);
    assert_close(
        &with(vec![ints("output_padding", &[1])]).answer(&x).data,
        &[1.0, 10.0, 102.0, 20.0, 200.0, 0.0],
    );
    assert_close(&with(vec![ints("pads", &[1, 1])]).answer(&x).data, &[10.0, 102.0, 20.0]);
    assert_close(&with(vec![ints("output_shape", &[4])]).answer(&x).data, &[10.0, 102.0, 20.0, 200.0]);
    let short_kernel = Model::new(&[1, 1, 2]).weight("w", &[1, 1, 1], &[1.0]).node(
        "ConvTranspose",
        &["x", "w"],
        "y",
        vec![ints("strides", &[2]), text("auto_pad", "SAME_LOWER")],
    );
    assert_close(&short_kernel.answer(&x).data, &[1.0, 0.0, 2.0]);
    let upper = vec![ints("output_shape", &[4]), text("auto_pad", "SAME_UPPER")];
    assert_close(&with(upper).answer(&x).data, &[1.0, 10.0, 102.0, 20.0]);
    assert_close(&with(vec![text("auto_pad", "SAME_LOWER")]).answer(&x).data, &[10.0, 102.0, 20.0, 200.0]);
    assert_close(
        &with(vec![ints("dilations", &[2])]).answer(&x).data,
        &[1.0, 0.0, 12.0, 0.0, 120.0, 0.0, 200.0],
    );
}

#[test]
fn a_gemm_is_a_dense_layer_whatever_is_transposed() {
    // x = (1, 2, 3); weight rows (1, 0, 1) and (0, 1, 1); alpha 2, beta 10.
    let scaled =
        |b: i64| vec![float_attribute("alpha", 2.0), float_attribute("beta", 10.0), int("transB", b)];
    let straight = Model::new(&[1, 3])
        .weight("w", &[2, 3], &[1.0, 0.0, 1.0, 0.0, 1.0, 1.0])
        .weight("c", &[2], &[1.0, -1.0])
        .node("Gemm", &["x", "w", "c"], "y", scaled(1));
    assert_close(&straight.answer(&counting(3)).data, &[18.0, 0.0]);
    let turned = Model::new(&[1, 3])
        .weight("w", &[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0])
        .weight("c", &[1, 1], &[1.0])
        .node("Gemm", &["x", "w", "c"], "y", scaled(0));
    assert_close(&turned.answer(&counting(3)).data, &[18.0, 20.0]);
    let column = Model::new(&[3, 1]).weight("w", &[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]).node(
        "Gemm",
        &["x", "w"],
        "y",
        vec![int("transA", 1)],
    );
    let options = blindscan_graph::onnx::Options { input_shape: Some(vec![3, 1]), ..Default::default() };
    let graph = column.import_with(&options).into_graph().unwrap();
    assert_eq!(graph.values[graph.output].shape, [1, 2]);
}

#[test]
fn a_product_and_its_bias_become_one_dense_layer() {
    for inputs in [["m", "b"], ["b", "m"]] {
        let model = Model::new(&[1, 2, 2])
            .weight("w", &[1, 2, 3], &[1.0, 0.0, 2.0, 0.0, 1.0, 2.0])
            .weight("b", &[3], &[0.5, 0.0, -1.0])
            .node("MatMul", &["x", "w"], "m", vec![])
            .node("Add", &inputs, "y", vec![]);
        assert_eq!(model.ops(), ["Dense"]);
        assert_eq!(model.row("y").status, Status::Folded);
        assert_close(&model.answer(&counting(4)).data, &[1.5, 2.0, 5.0, 3.5, 4.0, 13.0]);
    }
}

/// A batch norm of two channels: y = 2 (x - 1) + 10 and y = -(x + 1) + 20.
fn with_norm(model: Model, input: &str) -> Model {
    model
        .weight("scale", &[2], &[4.0, -3.0])
        .weight("shift", &[2], &[10.0, 20.0])
        .weight("mean", &[2], &[1.0, -1.0])
        .weight("variance", &[2], &[3.0, 8.0])
        .node(
            "BatchNormalization",
            &[input, "scale", "shift", "mean", "variance"],
            "n",
            vec![float_attribute("epsilon", 1.0)],
        )
}

#[test]
fn batch_norms_are_merged_into_the_layer_before_them() {
    let conv = Model::new(&[1, 1, 2]).weight("w", &[2, 1, 1], &[1.0, 3.0]).weight("b", &[2], &[0.0, 1.0]);
    let conv = with_norm(conv.node("Conv", &["x", "w", "b"], "c", vec![]), "c");
    assert_eq!(conv.ops(), ["Conv"]);
    assert_eq!(conv.row("n").note, "merged into the c");
    assert_close(&conv.answer(&[1.0, 2.0]).data, &[10.0, 12.0, 15.0, 12.0]);
    let up = Model::new(&[1, 2, 1]).weight("w", &[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]);
    let up = with_norm(up.node("ConvTranspose", &["x", "w"], "c", vec![int("group", 2)]), "c");
    assert_eq!(up.ops(), ["ConvTranspose"]);
    assert_close(&up.answer(&[1.0, 2.0]).data, &[10.0, 12.0, 13.0, 11.0]);
    let dense = Model::new(&[1, 1]).weight("w", &[2, 1], &[1.0, 3.0]);
    let dense = with_norm(dense.node("Gemm", &["x", "w"], "c", vec![int("transB", 1)]), "c");
    assert_eq!(dense.ops(), ["Dense"]);
    assert_close(&dense.answer(&[2.0]).data, &[12.0, 13.0]);
}

#[test]
fn a_norm_that_cannot_be_merged_is_a_depthwise_convolution() {
    let alone = with_norm(Model::new(&[1, 2, 2]), "x");
    assert_eq!(alone.ops(), ["Conv"]);
    assert_eq!((alone.row("n").status, alone.row("n").note.contains("depthwise")), (Status::Supported, true));
    assert_close(&alone.answer(&counting(4)).data, &[10.0, 12.0, 16.0, 15.0]);
    // The convolution's own value is needed too.
    let shared = Model::new(&[1, 2, 1]).weight("w", &[2, 2, 1], &[1.0, 0.0, 0.0, 1.0]);
    let shared =
        with_norm(shared.node("Conv", &["x", "w"], "c", vec![]), "c").node("Add", &["c", "n"], "y", vec![]);
    assert_eq!(shared.ops(), ["Conv", "Conv", "Add"]);
    assert_close(&shared.answer(&[1.0, 2.0]).data, &[11.0, 19.0]);
}

#[test]
fn constants_scale_and_shift_along_any_axis() {
    let with = |shape: &[i64], op: &str, inputs: [&str; 2], dims: &[i64], c: &[f32]| {
        Model::new(shape).weight("c", dims, c).node(op, &inputs, "y", vec![])
    };
    let x = counting(4);
    assert_close(
        &with(&[1, 2, 2], "Mul", ["x", "c"], &[2, 1], &[2.0, -1.0]).answer(&x).data,
        &[2.0, 4.0, -3.0, -4.0],
    );
    assert_close(&with(&[1, 2, 2], "Add", ["c", "x"], &[], &[5.0]).answer(&x).data, &[6.0, 7.0, 8.0, 9.0]);
    assert_close(&with(&[1, 2, 2], "Sub", ["c", "x"], &[1], &[5.0]).answer(&x).data, &[4.0, 3.0, 2.0, 1.0]);
    assert_close(
        &with(&[1, 2, 2], "Sub", ["x", "c"], &[2], &[1.0, 0.0]).answer(&x).data,
        &[0.0, 2.0, 2.0, 4.0],
    );
    assert_close(
        &with(&[1, 4], "Div", ["x", "c"], &[4], &[1.0, 2.0, 4.0, 8.0]).answer(&x).data,
        &[1.0, 1.0, 0.75, 0.5],
    );
    assert_close(&with(&[1, 4], "Mul", ["x", "c"], &[1], &[3.0]).answer(&x).data, &[3.0, 6.0, 9.0, 12.0]);
    // Rows of a (1, 1, 2, 2) image, which are no channels: axes are exchanged around it.
    let rows = with(&[1, 1, 2, 2], "Mul", ["x", "c"], &[2, 1], &[1.0, 10.0]);
    assert_eq!(rows.ops(), ["Reshape", "Conv", "Reshape"]);
    assert_close(&rows.answer(&x).data, &[1.0, 2.0, 30.0, 40.0]);
    let columns = with(&[1, 2, 2], "Mul", ["x", "c"], &[2], &[1.0, 10.0]);
    assert_eq!(columns.ops(), ["Transpose", "Reshape", "Conv", "Reshape", "Transpose"]);
    assert_close(&columns.answer(&x).data, &[1.0, 20.0, 3.0, 40.0]);
}

#[test]
fn a_constant_without_a_scale_is_added_and_is_no_convolution() {
    let with = |op: &str, inputs: [&str; 2], dims: &[i64], c: &[f32]| {
        Model::new(&[1, 2, 2]).weight("c", dims, c).node(op, &inputs, "y", vec![])
    };
    let x = counting(4);
    for (model, expected) in [
        (with("Add", ["x", "c"], &[], &[5.0]), [6.0, 7.0, 8.0, 9.0]),
        (with("Sub", ["x", "c"], &[2, 1], &[1.0, 3.0]), [0.0, 1.0, 0.0, 1.0]),
        (with("Add", ["c", "x"], &[2], &[0.0, 10.0]), [1.0, 12.0, 3.0, 14.0]),
        (with("Add", ["x", "c"], &[1, 2, 2], &[0.0, 10.0, 20.0, 30.0]), [1.0, 12.0, 23.0, 34.0]),
        (with("Sub", ["x", "c"], &[2, 2], &[0.0, 1.0, 2.0, 3.0]), [1.0, 1.0, 1.0, 1.0]),
    ] {
        assert_eq!(model.ops(), ["AddConstant"]);
        assert_close(&model.answer(&x).data, &expected);
    }
    let from = with("Sub", ["c", "x"], &[2, 2], &[10.0, 20.0, 30.0, 40.0]);
    assert_eq!(from.ops(), ["Conv", "AddConstant"]);
    assert_close(&from.answer(&x).data, &[9.0, 18.0, 27.0, 36.0]);
}

#[test]
fn a_chain_of_constants_after_a_convolution_leaves_one_convolution() {
    let model = Model::new(&[1, 1, 2])
        .weight("w", &[1, 1, 1], &[3.0])
        .weight("one", &[1], &[1.0])
        .weight("two", &[1], &[2.0])
        .node("Conv", &["x", "w"], "c", vec![])
        .node("Mul", &["c", "two"], "m", vec![])
        .node("Mul", &["m", "one"], "same", vec![])
        .node("Sub", &["one", "same"], "s", vec![])
        .node("Div", &["s", "two"], "d", vec![])
        .node("Neg", &["d"], "y", vec![]);
    assert_eq!(model.ops(), ["Conv"]);
    assert_close(&model.answer(&[1.0, 2.0]).data, &[2.5, 5.5]);
    assert_eq!(model.row("same").note, "removed: it changes nothing");
    assert_eq!(model.graph().values[1].name, "y");
}

#[test]
fn sums_and_differences_of_data() {
    let model = Model::new(&[1, 3])
        .weight("two", &[1], &[2.0])
        .node("Mul", &["x", "two"], "double", vec![])
        .node("Sum", &["x", "x", "double"], "four", vec![])
        .node("Sub", &["x", "four"], "y", vec![]);
    assert_close(&model.answer(&counting(3)).data, &[-3.0, -6.0, -9.0]);
}

#[test]
fn relu_in_its_spellings() {
    let x = [-1.0, 2.0];
    let base = || {
        Model::new(&[1, 2]).weight("zero", &[], &[0.0]).weight("far", &[], &[f32::MAX]).weight(
            "inf",
            &[],
            &[f32::INFINITY],
        )
    };
    for model in [
        base().node("Relu", &["x"], "y", vec![]),
        base().node("Clip", &["x", "zero"], "y", vec![]),
        base().node("Clip", &["x", "zero", "far"], "y", vec![]),
        base().node("Clip", &["x", "zero", "inf"], "y", vec![]),
        base().opset(10).node("Clip", &["x"], "y", vec![float_attribute("min", 0.0)]),
        base().node("Max", &["x", "zero"], "y", vec![]),
        base().node("Max", &["zero", "x"], "y", vec![]),
    ] {
        assert_eq!(model.ops(), ["Relu"]);
        assert_eq!(model.answer(&x).data, [0.0, 2.0]);
    }
    let nothing = base().node("Clip", &["x"], "c", vec![]).node("Relu", &["c"], "y", vec![]);
    assert_eq!((nothing.ops(), nothing.row("c").status), (vec!["Relu"], Status::Folded));
}

#[test]
fn max_pools_overlap_dilate_pad_and_round_up() {
    let with =
        |size: i64, attributes: Vec<_>| Model::new(&[1, 1, size]).node("MaxPool", &["x"], "y", attributes);
    let kernel = |k: i64| ints("kernel_shape", &[k]);
    let x = [5.0, 1.0, 4.0, 2.0, 3.0];
    assert_eq!(with(5, vec![kernel(2)]).answer(&x).data, [5.0, 4.0, 4.0, 3.0]);
    assert_eq!(with(5, vec![kernel(2), ints("dilations", &[3])]).answer(&x).data, [5.0, 3.0]);
    assert_eq!(
        with(5, vec![kernel(2), ints("strides", &[2]), int("ceil_mode", 1)]).answer(&x).data,
        [5.0, 4.0, 3.0]
    );
    let negative: Vec<f32> = x.iter().map(|x| -x).collect();
    let padded = vec![kernel(3), ints("strides", &[2]), ints("pads", &[1, 1])];
    assert_eq!(with(5, padded).answer(&negative).data, [-1.0, -1.0, -2.0]);
    let larger_than_data = vec![kernel(3), ints("strides", &[2]), int("ceil_mode", 1)];
    assert_eq!(with(2, larger_than_data).answer(&x[..2]).data, [5.0]);
    // A window that would begin in the padding behind is left out.
    let left_out = vec![kernel(2), ints("strides", &[2]), ints("pads", &[1, 1]), int("ceil_mode", 1)];
    assert_eq!(with(3, left_out).answer(&x[..3]).data, [5.0, 4.0]);
}

#[test]
fn average_pools_count_padding_but_never_what_rounding_up_adds() {
    let with = |count: i64, pads: &[i64]| {
        let attributes = vec![
            ints("kernel_shape", &[3]),
            ints("strides", &[2]),
            ints("pads", pads),
            int("ceil_mode", 1),
            int("count_include_pad", count),
        ];
        Model::new(&[1, 1, 4]).node("AveragePool", &["x"], "y", attributes)
    };
    assert_close(&with(1, &[1, 1]).answer(&counting(4)).data, &[1.0, 3.0, 2.0]);
    assert_eq!(with(1, &[1, 1]).ops(), ["Pad", "AveragePool"]);
    assert_close(&with(0, &[1, 1]).answer(&counting(4)).data, &[1.5, 3.0, 4.0]);
    assert_close(&with(1, &[0, 0]).answer(&counting(4)).data, &[2.0, 3.5]);
    assert_eq!(with(1, &[0, 0]).ops(), ["AveragePool"]);
    assert_eq!(with(0, &[1, 1]).ops(), ["AveragePool"]);
}

#[test]
fn global_pools_and_means_over_spatial_axes() {
    let x = counting(8);
    let on = |op: &str, attributes| {
        Model::new(&[1, 2, 2, 2]).list("axes", &[2, -1]).node(op, &["x"], "y", attributes)
    };
    assert_close(&on("GlobalAveragePool", vec![]).answer(&x).data, &[2.5, 6.5]);
    assert_close(&on("GlobalMaxPool", vec![]).answer(&x).data, &[4.0, 8.0]);
    let by_attribute = on("ReduceMean", vec![ints("axes", &[-2, 3]), int("keepdims", 0)]);
    assert_eq!(by_attribute.answer(&x).shape, [1, 2]);
    let by_input =
        Model::new(&[1, 2, 2, 2]).list("axes", &[2, -1]).node("ReduceMean", &["x", "axes"], "y", vec![]);
    assert_eq!(by_input.answer(&x).shape, [1, 2, 1, 1]);
    assert_close(&by_input.answer(&x).data, &[2.5, 6.5]);
    let columns = on("ReduceMean", vec![ints("axes", &[2]), int("keepdims", 0)]);
    assert_eq!(columns.answer(&x).shape, [1, 2, 2]);
    assert_close(&columns.answer(&x).data, &[2.0, 3.0, 6.0, 7.0]);
}

#[test]
fn padding_is_zeros_and_merges_into_a_convolution() {
    let pads = [0, 0, 1, 0, 0, 2];
    let by_input = Model::new(&[1, 1, 2]).list("pads", &pads).weight("zero", &[], &[0.0]).node(
        "Pad",
        &["x", "pads", "zero"],
        "p",
        vec![text("mode", "constant")],
    );
    assert_eq!(by_input.answer(&[1.0, 2.0]).data, [0.0, 1.0, 2.0, 0.0, 0.0]);
    let by_attribute = Model::new(&[1, 1, 2]).opset(10).node("Pad", &["x"], "p", vec![ints("pads", &pads)]);
    assert_eq!(by_attribute.answer(&[1.0, 2.0]).data, [0.0, 1.0, 2.0, 0.0, 0.0]);
    let by_axes = Model::new(&[1, 1, 2]).list("pads", &[1, 2]).list("axes", &[-1]).node(
        "Pad",
        &["x", "pads", "", "axes"],
        "p",
        vec![],
    );
    assert_eq!(by_axes.answer(&[1.0, 2.0]).data, [0.0, 1.0, 2.0, 0.0, 0.0]);
    let merged = by_input.weight("w", &[1, 1, 2], &[1.0, 10.0]).node("Conv", &["p", "w"], "y", vec![]);
    assert_eq!(merged.ops(), ["Conv"]);
    assert_eq!(merged.row("p").note, "merged into the y");
    assert_close(&merged.answer(&[1.0, 2.0]).data, &[10.0, 21.0, 2.0, 0.0]);
    let kept = merged.node("MaxPool", &["p"], "m", vec![ints("kernel_shape", &[2])]).node(
        "Add",
        &["y", "m"],
        "z",
        vec![],
    );
    assert_eq!(kept.ops(), ["Pad", "Conv", "MaxPool", "Add"]);
    let nothing = Model::new(&[1, 1, 2]).list("pads", &[0; 6]).node(
        "Pad",
        &["x", "pads"],
        "p",
        vec![text("mode", "edge")],
    );
    assert!(nothing.ops().is_empty());
}

#[test]
fn elements_are_joined_moved_and_renamed() {
    let x = counting(6);
    let joined = Model::new(&[1, 2, 3]).node("Concat", &["x", "x"], "y", vec![int("axis", -1)]);
    assert_eq!(joined.answer(&x).data, [1., 2., 3., 1., 2., 3., 4., 5., 6., 4., 5., 6.]);
    let turned = Model::new(&[1, 2, 3]).node("Transpose", &["x"], "y", vec![ints("perm", &[0, 2, 1])]);
    assert_eq!(turned.answer(&x).data, [1., 4., 2., 5., 3., 6.]);
    let only_ones = Model::new(&[1, 2, 3]).node("Transpose", &["x"], "y", vec![ints("perm", &[1, 0, 2])]);
    assert_eq!(only_ones.ops(), ["Reshape"]);
    for (op, list, attributes, shape) in [
        ("Flatten", None, vec![], vec![1, 6]),
        ("Flatten", None, vec![int("axis", 2)], vec![2, 3]),
        ("Flatten", None, vec![int("axis", 3)], vec![6, 1]),
        ("Reshape", Some(vec![0, -1]), vec![], vec![1, 6]),
        ("Reshape", Some(vec![3, 0, 1]), vec![], vec![3, 2, 1]),
        ("Squeeze", Some(vec![0]), vec![], vec![2, 3]),
        ("Squeeze", None, vec![], vec![2, 3]),
        ("Unsqueeze", Some(vec![-1, 1]), vec![], vec![1, 1, 2, 3, 1]),
        ("Unsqueeze", None, vec![ints("axes", &[0])], vec![1, 1, 2, 3]),
    ] {
        let inputs: &[&str] = if list.is_some() { &["x", "list"] } else { &["x"] };
        let model =
            Model::new(&[1, 2, 3]).list("list", &list.unwrap_or_default()).node(op, inputs, "y", attributes);
        assert_eq!(model.answer(&x).shape, shape, "{op}");
        assert_eq!(model.answer(&x).data, x);
    }
}

#[test]
fn nodes_that_do_nothing_are_removed() {
    let model = Model::new(&[1, 2])
        .list("shape", &[1, 2])
        .list("starts", &[0])
        .list("ends", &[i64::MAX])
        .node("Identity", &["x"], "a", vec![])
        .node("Dropout", &["a"], "b", vec![])
        .node("Cast", &["b"], "c", vec![int("to", 1)])
        .node("Reshape", &["c", "shape"], "d", vec![])
        .node("Expand", &["d", "shape"], "e", vec![])
        .node("Slice", &["e", "starts", "ends"], "f", vec![])
        .node("Concat", &["f"], "g", vec![int("axis", 0)])
        .node("Relu", &["g"], "y", vec![]);
    assert_eq!(model.ops(), ["Relu"]);
    assert!(
        model.import().report.rows[..7]
            .iter()
            .all(|row| row.status == Status::Folded && !row.note.is_empty())
    );
}

#[test]
fn heads_are_set_apart_from_logits() {
    let x = [0.0, 5.0, 1.0, 5.0];
    let base = || Model::new(&[1, 2, 2]).list("axes", &[1]);
    let soft = base().node("Softmax", &["x"], "y", vec![int("axis", 1)]);
    assert_eq!((soft.graph().head, soft.graph().output), (Head::Softmax { axis: 1 }, 0));
    assert_close(&soft.answer(&x).data, &[0.268_941_43, 0.5, 0.731_058_6, 0.5]);
    let labels = base()
        .node("Softmax", &["x"], "s", vec![int("axis", -2)])
        .node("ArgMax", &["s"], "l", vec![int("axis", 1), int("keepdims", 1)])
        .node("Squeeze", &["l", "axes"], "q", vec![])
        .node("Cast", &["q"], "y", vec![int("to", 2)]);
    assert_eq!(labels.graph().head, Head::ArgMax { axis: 1 });
    assert_eq!(labels.answer(&x).data, [1.0, 0.0]);
    let sigmoid = base().node("Sigmoid", &["x"], "s", vec![]).node("Identity", &["s"], "y", vec![]);
    assert_eq!(sigmoid.graph().head, Head::Sigmoid);
    let flat = sigmoid.list("flat", &[-1]).node("Reshape", &["y", "flat"], "z", vec![]);
    assert_eq!((flat.graph().head, flat.ops().len()), (Head::Sigmoid, 0));
    let old = Model::new(&[1, 2, 1]).opset(11).node("LogSoftmax", &["x"], "y", vec![]);
    assert_eq!(old.graph().head, Head::Softmax { axis: 1 });
    assert!(old.row("y").note.contains("as Softmax"));
}

#[test]
fn a_window_keeps_what_the_file_says() {
    let model = Model::new(&[1, 1, 7, 9]).weight("w", &[1, 1, 3, 2], &[1.0; 6]).node(
        "Conv",
        &["x", "w"],
        "y",
        vec![ints("pads", &[1, 0, 2, 1]), ints("strides", &[2, 3]), ints("dilations", &[1, 2])],
    );
    let graph = model.graph();
    let Op::Conv(ConvOp { window, .. }) = &graph.nodes[0].op else { panic!("a convolution was built") };
    assert_eq!(window.kernel, [3, 2]);
    assert_eq!((window.pads_begin.clone(), window.pads_end.clone()), (vec![1, 0], vec![2, 1]));
    assert_eq!(graph.values[1].shape, [1, 1, 4, 3]);
}
