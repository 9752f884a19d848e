//! The evaluator against a second one that is as plain as can be, in 128 bits and index by index.

use super::*;
use crate::ir::Window;
use crate::plan::{
    Activate, Add, Concat, Constants, FixedPlan, Gather, Interleave, Linear, Local, MaxPool, Pad,
    PixelShuffle, Reshape, Scale, ScaleByPosition, Secret, Spoken, Step, SumPool, Transpose,
};
use crate::random::random_plan;

/// All index vectors of a shape, in order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |all, &extent| {
        all.iter()
            .flat_map(|head: &Vec<usize>| (0..extent).map(move |i| [head.as_slice(), &[i]].concat()))
            .collect()
    })
}

fn at(shape: &[usize], index: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |place, (i, extent)| place * extent + i)
}

/// Where tap `tap` of the window at `out` reads, unless in the padding.
fn read(window: &Window, out: &[usize], tap: &[usize], size: &[usize]) -> Option<usize> {
    let position: Option<Vec<usize>> = (0..size.len())
        .map(|a| {
            let padded = out[a] * window.strides[a] + tap[a] * window.dilations[a];
            padded.checked_sub(window.pads_begin[a]).filter(|&p| p < size[a])
        })
        .collect();
    position.map(|position| at(size, &position))
}

fn windows(x: &[i128], shape: &[usize], output: &[usize], window: &Window, sum: bool) -> Vec<i128> {
    let plane: usize = shape[2..].iter().product();
    let covered = |index: &Vec<usize>| -> Vec<i128> {
        let taps = indices(&window.kernel).into_iter();
        let places = taps.filter_map(|tap| read(window, &index[2..], &tap, &shape[2..]));
        places.map(|place| x[index[1] * plane + place]).collect()
    };
    let all = indices(output).into_iter().map(|index| covered(&index));
    all.map(|covered| if sum { covered.iter().sum() } else { *covered.iter().max().unwrap() }).collect()
}

fn linear(step: &Linear, weight: &[i32], bias: &[i64], x: &[i128], output: &[usize]) -> Vec<i128> {
    let group_in = step.in_channels / step.groups;
    let group_out = step.out_channels / step.groups;
    let taps = indices(&step.window.kernel);
    let plane: usize = step.input_size.iter().product();
    let dense = step.window.kernel.is_empty();
    indices(output)
        .iter()
        .enumerate()
        .map(|(position, index)| {
            let m = if dense { *index.last().unwrap() } else { index[1] };
            let row = if dense { position / step.out_channels * step.in_channels } else { 0 };
            let mut sum = i128::from(bias[m]);
            for c in 0..group_in {
                for (t, tap) in taps.iter().enumerate() {
                    let out = if dense { &[][..] } else { &index[2..] };
                    if let Some(place) = read(&step.window, out, tap, &step.input_size) {
                        let w = weight[(m * group_in + c) * taps.len() + t];
                        sum += i128::from(w) * x[row + (m / group_out * group_in + c) * plane + place];
                    }
                }
            }
            sum
        })
        .collect()
}

fn plain(plan: &FixedPlan, input: &[i64]) -> Vec<Vec<i128>> {
    let public = &plan.public;
    let mut values: Vec<Vec<i128>> = vec![Vec::new(); public.tensors.len()];
    values[public.input] = input.iter().map(|&x| i128::from(x)).collect();
    for (number, node) in public.nodes.iter().enumerate() {
        let output = &public.tensors[node.output].shape;
        let shape = &public.tensors[node.inputs[0]].shape;
        let x = &values[node.inputs[0]];
        let moved = |from: &dyn Fn(&[usize]) -> Option<usize>| -> Vec<i128> {
            indices(output).iter().map(|index| from(index).map_or(0, |place| x[place])).collect()
        };
        values[node.output] = match &node.step {
            Step::Spoken(Spoken::Linear(step)) => {
                let layer = plan.weights.layer(number).unwrap();
                linear(step, &layer.weight, &layer.bias, x, output)
            }
            Step::Spoken(Spoken::Activate(Activate { relu, drop })) => {
                x.iter().map(|&x| (if *relu { x.max(0) } else { x }).div_euclid(1 << drop)).collect()
            }
            Step::Spoken(Spoken::MaxPool(MaxPool { window })) => windows(x, shape, output, window, false),
            Step::Local(Local::SumPool(SumPool { window })) => windows(x, shape, output, window, true),
            Step::Local(Local::Add(Add { shift_left: [a, b] })) => {
                x.iter().zip(&values[node.inputs[1]]).map(|(x, y)| (x << a) + (y << b)).collect()
            }
            Step::Local(Local::AddConstant(step)) => {
                let Some(Secret::Constants(Constants { values: constants })) = plan.weights.of(number) else {
                    panic!("constants belong to the step")
                };
                let constant = |index: &Vec<usize>| {
                    let own: Vec<usize> = index.iter().zip(&step.shape).map(|(i, n)| i % n).collect();
                    i128::from(constants[at(&step.shape, &own)])
                };
                let sum = |(x, index)| (x << step.shift_left) + constant(index);
                x.iter().zip(&indices(output)).map(sum).collect()
            }
            Step::Local(Local::Concat(Concat { axis, shift_left })) => indices(output)
                .iter()
                .map(|index| {
                    let mut index = index.clone();
                    for (&input, shift) in node.inputs.iter().zip(shift_left) {
                        let shape = &public.tensors[input].shape;
                        if index[*axis] < shape[*axis] {
                            return values[input][at(shape, &index)] << shift;
                        }
                        index[*axis] -= shape[*axis];
                    }
                    unreachable!("the output is as long as its inputs")
                })
                .collect(),
            Step::Local(Local::Pad(Pad { begin, .. })) => moved(&|index| {
                let inner: Option<Vec<usize>> =
                    index.iter().zip(begin).map(|(i, begin)| i.checked_sub(*begin)).collect();
                inner
                    .filter(|inner| inner.iter().zip(shape).all(|(i, n)| i < n))
                    .map(|inner| at(shape, &inner))
            }),
            Step::Local(Local::Reshape(Reshape)) => x.clone(),
            Step::Local(Local::Transpose(Transpose { perm })) => moved(&|index| {
                let mut from = vec![0; index.len()];
                perm.iter().zip(index).for_each(|(&axis, &i)| from[axis] = i);
                Some(at(shape, &from))
            }),
            Step::Local(Local::PixelShuffle(PixelShuffle { factors })) => moved(&|index| {
                let mut from = vec![index[0], index[1]];
                for (i, factor) in index[2..].iter().zip(factors) {
                    from[1] = from[1] * factor + i % factor;
                    from.push(i / factor);
                }
                Some(at(shape, &from))
            }),
            Step::Local(Local::Interleave(Interleave { strides })) => moved(&|index| {
                let on_grid = index[2..].iter().zip(strides).all(|(i, stride)| i % stride == 0);
                let spatial = index[2..].iter().zip(strides).map(|(i, stride)| i / stride);
                on_grid.then(|| at(shape, &index[..2].iter().copied().chain(spatial).collect::<Vec<_>>()))
            }),
            Step::Local(Local::Gather(Gather { positions })) => moved(&|index| {
                let from = index.iter().zip(positions);
                let from: Vec<usize> =
                    from.map(|(&i, list)| if list.is_empty() { i } else { list[i] }).collect();
                Some(at(shape, &from))
            }),
            Step::Local(Local::Scale(Scale { factor })) => {
                x.iter().map(|x| x * i128::from(*factor)).collect()
            }
            Step::Local(Local::ScaleByPosition(ScaleByPosition { factors, .. })) => indices(output)
                .iter()
                .zip(x)
                .map(|(index, x)| {
                    let along = index.iter().zip(factors).filter(|(_, list)| !list.is_empty());
                    along.fold(*x, |x, (&i, list)| x * i128::from(list[i]))
                })
                .collect(),
        };
    }
    values
}

#[test]
fn every_tensor_equals_the_plain_evaluation() {
    for seed in 0..150 {
        let (plan, inputs) = random_plan(seed);
        for input in &inputs {
            let expected = plain(&plan, input);
            let mut shown = 0;
            let mut compare = |id: TensorId, values: &[i64]| {
                let values: Vec<i128> = values.iter().map(|&x| i128::from(x)).collect();
                assert!(values == expected[id], "seed {seed}, tensor {}", plan.public.tensors[id].name);
                shown += 1;
            };
            let evaluation = evaluate_with(&plan.public, &plan.weights, input, &mut compare).unwrap();
            assert_eq!(shown, plan.public.tensors.len());
            let logits: Vec<i128> = evaluation.logits.iter().map(|&x| i128::from(x)).collect();
            assert!(logits == expected[plan.public.output], "seed {seed}");
        }
    }
}

#[test]
fn a_value_beyond_its_ring_is_reported_by_the_tensors_name() {
    let (mut plan, inputs) = random_plan(3);
    assert_eq!(evaluate(&plan.public, &plan.weights, &inputs[0]).unwrap().overflows().count(), 0);

    let (node, layer) = plan.weights.layers_mut().last().expect("a random graph ends in a linear layer");
    let output = plan.public.nodes[node].output;
    layer.bias.iter_mut().for_each(|bias| *bias = 1 << plan.public.tensors[output].ring_bits);
    let evaluation = evaluate(&plan.public, &plan.weights, &inputs[0]).unwrap();
    let names: Vec<&str> = evaluation.overflows().map(|tensor| tensor.name.as_str()).collect();
    assert!(names.contains(&plan.public.tensors[output].name.as_str()), "{names:?}");
    assert!(evaluation.overflows().all(|tensor| tensor.margin_bits <= 0.0 && tensor.beyond_bound));
}

#[test]
fn an_input_of_the_wrong_length_or_without_numbers_is_an_error() {
    let (plan, inputs) = random_plan(4);
    let short = &inputs[0][1..];
    assert!(matches!(evaluate(&plan.public, &plan.weights, short), Err(PlanError::InputLength { .. })));
    let mut tensor = dequantise(&plan.public, plan.public.input, &inputs[0]);
    assert!(
        quantise_input(&plan.public, &tensor).unwrap() == inputs[0],
        "integers survive the way through floats"
    );
    tensor.data[2] = f32::NAN;
    assert!(matches!(quantise_input(&plan.public, &tensor), Err(PlanError::NotFinite { index: 2 })));
    tensor.data.pop();
    assert!(matches!(quantise_input(&plan.public, &tensor), Err(PlanError::InputLength { .. })));
}

#[test]
fn input_beyond_the_declared_range_is_clamped() {
    let (plan, inputs) = random_plan(6);
    let spec = &plan.public.tensors[plan.public.input];
    let tensor = Tensor { shape: spec.shape.clone(), data: vec![1e30; inputs[0].len()] };
    assert!(quantise_input(&plan.public, &tensor).unwrap().iter().all(|&x| x == 1 << spec.fraction));
}

#[test]
fn what_is_clamped_is_counted_on_each_side_and_rounding_to_the_end_is_not() {
    let (plan, inputs) = random_plan(6);
    let spec = &plan.public.tensors[plan.public.input];
    let (low, high) = plan.public.input_spec.range;
    let step = spec.real(1) as f32;
    let mut tensor = Tensor { shape: spec.shape.clone(), data: vec![high; inputs[0].len()] };
    assert_eq!(clamped(&plan.public, &tensor).count(), 0);
    tensor.data[0] = high + step;
    tensor.data[1] = low - 5.0 * step;
    tensor.data[2] = low - step;
    tensor.data[3] = high + 0.25 * step;
    let found = clamped(&plan.public, &tensor);
    assert_eq!((found.below, found.above, found.total), (2, 1, inputs[0].len() as u64));

    let much = Clamped { below: 0, above: 2, total: 100, range: (0.0, 1.0) };
    assert!(much.is_much() && !Clamped { above: 1, ..much }.is_much());
    let said = much.to_string();
    assert!(said.contains("2 of 100 input values (2.0 %)") && said.contains("0 to 1"), "{said}");
    let mut sum = much;
    sum += Clamped { below: 3, ..much };
    assert_eq!((sum.below, sum.above, sum.total), (3, 4, 200));
}

#[test]
fn ties_go_to_the_lower_index_and_a_single_logit_counts_from_zero() {
    assert_eq!(labels_along(&[5, 7, 7, 5, 2, 7], &[1, 3, 2], Some(1)), [1, 0]);
    assert_eq!(labels_along(&[-1, 0, 1], &[1, 3], None), [0, 1, 1]);
    assert_eq!(labels_along(&[0.5f32, 0.5, 0.25], &[1, 3], Some(1)), [0]);
}
