//! The fast kernels against straight definitions, and the heads.

use proptest::prelude::*;

use super::*;
use crate::ir::{AveragePoolOp, Classes, ConvOp, ConvTransposeOp, MaxPoolOp, Node, ValueInfo, Window};

/// A tensor of small numbers that differ.
fn counted(shape: &[usize], seed: u32) -> Tensor {
    let next =
        |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 16) as f32 / 65536.0 - 0.5;
    Tensor { shape: shape.to_vec(), data: (0..Tensor::count(shape)).map(next).collect() }
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() <= 1e-5 * (1.0 + y.abs()))
}

#[derive(Debug, Clone)]
struct Case {
    window: Window,
    groups: usize,
    in_per_group: usize,
    out_per_group: usize,
    sizes: Vec<usize>,
    output_padding: Vec<usize>,
}

fn cases() -> impl Strategy<Value = Case> {
    (1usize..=3).prop_flat_map(|rank| {
        let list = |range: std::ops::Range<usize>| prop::collection::vec(range, rank);
        (
            (list(1..4), list(1..4), list(1..3), list(0..3), list(0..3)),
            (1usize..3, 1usize..4, 1usize..4),
            (list(1..8), list(0..2)),
        )
            .prop_map(
                |(
                    (kernel, strides, dilations, pads_begin, pads_end),
                    (groups, in_per_group, out_per_group),
                    (sizes, op),
                )| Case {
                    window: Window { kernel, strides, dilations, pads_begin, pads_end },
                    groups,
                    in_per_group,
                    out_per_group,
                    sizes,
                    output_padding: op,
                },
            )
    })
}

/// Every position of a shape.
fn positions(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |all, &extent| {
        all.iter()
            .flat_map(|head: &Vec<usize>| (0..extent).map(move |i| [head.as_slice(), &[i]].concat()))
            .collect()
    })
}

fn index(position: &[usize], shape: &[usize]) -> usize {
    position.iter().zip(shape).fold(0, |index, (p, extent)| index * extent + p)
}

/// Sum over taps, as the operator is defined.
fn conv_by_definition(case: &Case, x: &Tensor, weight: &Tensor, bias: &[f32], shape: &[usize]) -> Vec<f32> {
    let window = &case.window;
    let mut answer = Vec::new();
    for to in positions(shape) {
        let group = to[1] / case.out_per_group;
        let mut sum = f64::from(bias[to[1]]);
        for channel in 0..case.in_per_group {
            for tap in positions(&window.kernel) {
                let from: Option<Vec<usize>> = (0..tap.len())
                    .map(|a| {
                        let padded = to[a + 2] * window.strides[a] + tap[a] * window.dilations[a];
                        padded.checked_sub(window.pads_begin[a]).filter(|&p| p < case.sizes[a])
                    })
                    .collect();
                let Some(from) = from else { continue };
                let source = [&[0, group * case.in_per_group + channel], from.as_slice()].concat();
                let w = [&[to[1], channel], tap.as_slice()].concat();
                sum += f64::from(x.data[index(&source, &x.shape)])
                    * f64::from(weight.data[index(&w, &weight.shape)]);
            }
        }
        answer.push(sum as f32);
    }
    answer
}

/// Every input element spreads its products, as the operator is defined.
fn transposed_by_definition(
    case: &Case,
    x: &Tensor,
    weight: &Tensor,
    bias: &[f32],
    shape: &[usize],
) -> Vec<f32> {
    let window = &case.window;
    let plane: usize = shape[2..].iter().product();
    let mut answer: Vec<f32> = bias.iter().flat_map(|&b| vec![b; plane]).collect();
    for from in positions(&x.shape) {
        let group = from[1] / case.in_per_group;
        for within in 0..case.out_per_group {
            for tap in positions(&window.kernel) {
                let to: Option<Vec<usize>> = (0..tap.len())
                    .map(|a| {
                        let full = from[a + 2] * window.strides[a] + tap[a] * window.dilations[a];
                        full.checked_sub(window.pads_begin[a]).filter(|&p| p < shape[a + 2])
                    })
                    .collect();
                let Some(to) = to else { continue };
                let to = [&[0, group * case.out_per_group + within], to.as_slice()].concat();
                let w = [&[from[1], within], tap.as_slice()].concat();
                answer[index(&to, shape)] +=
                    x.data[index(&from, &x.shape)] * weight.data[index(&w, &weight.shape)];
            }
        }
    }
    answer
}

proptest! {
    #[test]
    fn a_convolution_equals_its_definition(case in cases(), seed in any::<u32>()) {
        let outputs: Vec<usize> = (0..case.sizes.len()).map(|a| case.window.output_size(a, case.sizes[a])).collect();
        prop_assume!(!outputs.contains(&0));
        let x = counted(&[&[1, case.groups * case.in_per_group], case.sizes.as_slice()].concat(), seed);
        let channels = case.groups * case.out_per_group;
        let weight = counted(&[&[channels, case.in_per_group], case.window.kernel.as_slice()].concat(), seed ^ 1);
        let bias = counted(&[channels], seed ^ 2).data;
        let shape = [&[1, channels], outputs.as_slice()].concat();
        let op = Op::Conv(ConvOp { window: case.window.clone(), groups: case.groups, weight: weight.clone(), bias: bias.clone() });
        let got = applied(&op, x.clone(), &shape).data;
        prop_assert_eq!(op.operator().output_shape(&[&x.shape], &[]).unwrap(), shape.clone());
        prop_assert!(close(&got, &conv_by_definition(&case, &x, &weight, &bias, &shape)));
    }

    #[test]
    fn a_transposed_convolution_equals_its_definition(case in cases(), seed in any::<u32>()) {
        let window = &case.window;
        let outputs: Option<Vec<usize>> = (0..case.sizes.len())
            .map(|a| {
                let full = (case.sizes[a] - 1) * window.strides[a] + (window.kernel[a] - 1) * window.dilations[a] + 1;
                (full + case.output_padding[a]).checked_sub(window.pads_begin[a] + window.pads_end[a]).filter(|&n| n > 0)
            })
            .collect();
        prop_assume!(outputs.is_some());
        let x = counted(&[&[1, case.groups * case.in_per_group], case.sizes.as_slice()].concat(), seed);
        let channels = case.groups * case.out_per_group;
        let weight_shape = [&[x.shape[1], case.out_per_group], window.kernel.as_slice()].concat();
        let weight = counted(&weight_shape, seed ^ 1);
        let bias = counted(&[channels], seed ^ 2).data;
        let shape = [&[1, channels], outputs.unwrap().as_slice()].concat();
        let op = Op::ConvTranspose(ConvTransposeOp {
            window: window.clone(),
            output_padding: case.output_padding.clone(),
            groups: case.groups,
            weight: weight.clone(),
            bias: bias.clone(),
        });
        let got = applied(&op, x.clone(), &shape).data;
        prop_assert_eq!(op.operator().output_shape(&[&x.shape], &[]).unwrap(), shape.clone());
        prop_assert!(close(&got, &transposed_by_definition(&case, &x, &weight, &bias, &shape)));
    }
}

#[test]
fn many_threads_give_the_same_answer_as_one() {
    let window = Window { pads_begin: vec![1, 1], pads_end: vec![1, 1], ..Window::plain(vec![3, 3]) };
    let (x, weight) = (counted(&[1, 24, 64, 64], 5), counted(&[24, 24, 3, 3], 6));
    let bias = vec![0.25; 24];
    let conv = |weight: &Tensor| {
        let op = ConvOp { window: window.clone(), groups: 1, weight: weight.clone(), bias: bias.clone() };
        applied(&Op::Conv(op), x.clone(), &[1, weight.shape[0], 64, 64]).data
    };
    let all = conv(&weight);
    for channel in [0, 13, 23] {
        let filter = Tensor { shape: vec![1, 24, 3, 3], data: weight.data[channel * 216..][..216].to_vec() };
        assert_eq!(all[channel * 4096..][..4096], conv(&filter));
    }
}

#[test]
fn a_mean_divides_by_what_it_saw_unless_padding_counts() {
    let window = Window { pads_begin: vec![1], ..Window::plain(vec![2]) };
    let average = |count_include_pad: bool| {
        Op::AveragePool(AveragePoolOp { window: window.clone(), count_include_pad })
    };
    let x = Tensor { shape: vec![1, 1, 2], data: vec![2.0, 4.0] };
    assert_eq!(applied(&average(false), x.clone(), &[1, 1, 2]).data, [2.0, 3.0]);
    assert_eq!(applied(&average(true), x, &[1, 1, 2]).data, [1.0, 3.0]);
    let negative = Tensor { shape: vec![1, 1, 2], data: vec![-2.0, -4.0] };
    let max = Op::MaxPool(MaxPoolOp { window });
    assert_eq!(applied(&max, negative, &[1, 1, 2]).data, [-2.0, -2.0]);
}

fn relu_graph() -> Graph {
    let info = |name: &str| ValueInfo { name: name.into(), shape: vec![1, 3] };
    Graph {
        name: "two steps".into(),
        values: vec![info("x"), info("y"), info("z")],
        nodes: vec![
            Node { name: "relu".into(), op: Op::Relu, inputs: vec![0], output: 1 },
            Node { name: "add".into(), op: Op::Add, inputs: vec![0, 1], output: 2 },
        ],
        input: 0,
        output: 2,
        head: Head::Logits,
        classes: Classes::Single,
        input_range: None,
    }
}

#[test]
fn every_value_is_seen_once_and_an_input_that_is_still_needed_is_not_overwritten() {
    let input = Tensor { shape: vec![1, 3], data: vec![-1.0, 0.0, 2.0] };
    let mut seen = Vec::new();
    let output =
        evaluate_with(&relu_graph(), &input, &mut |value, tensor| seen.push((value, tensor.data.clone())))
            .unwrap();
    assert_eq!(output.data, [-1.0, 0.0, 4.0]);
    assert_eq!(seen, [(0, vec![-1.0, 0.0, 2.0]), (1, vec![0.0, 0.0, 2.0]), (2, vec![-1.0, 0.0, 4.0])]);
}

#[test]
fn an_input_of_another_shape_is_an_error() {
    let input = Tensor { shape: vec![1, 4], data: vec![0.0; 4] };
    let error = evaluate(&relu_graph(), &input).unwrap_err();
    assert_eq!(error, EvaluateError::InputShape { expected: vec![1, 3], got: vec![1, 4] });
    let short = Tensor { shape: vec![1, 3], data: vec![0.0; 2] };
    assert!(matches!(evaluate(&relu_graph(), &short), Err(EvaluateError::InputLength { elements: 2, .. })));
}

#[test]
fn heads_give_probabilities_and_labels() {
    let logits = Tensor { shape: vec![1, 3, 2], data: vec![0.0, 5.0, 1.0, 5.0, 1.0, -5.0] };
    assert_eq!(
        head_applied(Head::ArgMax { axis: 1 }, &logits),
        Tensor { shape: vec![1, 2], data: vec![1.0, 0.0] }
    );
    let soft = head_applied(Head::Softmax { axis: 1 }, &logits);
    assert!(close(&[soft.data[0] + soft.data[2] + soft.data[4], soft.data[2]], &[1.0, 0.422_318_8]));
    let sigmoid = head_applied(Head::Sigmoid, &Tensor { shape: vec![2], data: vec![0.0, 100.0] });
    assert!(close(&sigmoid.data, &[0.5, 1.0]));
}
