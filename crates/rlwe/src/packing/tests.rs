//! Packed products against the convolution by its definition, over many shapes and small degrees.

use proptest::prelude::*;

use super::*;

/// The product in Z\[X\]/(X^N + 1) of integer polynomials.
fn negacyclic(a: &[i64], b: &[i64]) -> Vec<i64> {
    let degree = a.len();
    let mut product = vec![0; degree];
    for (i, &x) in a.iter().enumerate().filter(|(_, x)| **x != 0) {
        for (j, &y) in b.iter().enumerate().filter(|(_, y)| **y != 0) {
            if i + j < degree { product[i + j] += x * y } else { product[i + j - degree] -= x * y }
        }
    }
    product
}

/// The layer by its definition.
fn defined(shape: &LinearShape, input: &[i64], weights: &[i64]) -> Vec<i64> {
    if shape.input_size.is_empty() {
        let (ins, outs) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
        let answer = |row: usize, out: usize| {
            let first = row * shape.in_channels + out / outs * ins;
            (0..ins).map(|i| input[first + i] * weights[out * ins + i]).sum()
        };
        return (0..shape.rows * shape.out_channels)
            .map(|k| answer(k / shape.out_channels, k % shape.out_channels))
            .collect();
    }
    let rank = shape.input_size.len();
    let size = shape.output_size();
    let (ins, outs) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    let unravel = |sizes: &[usize], mut index: usize| {
        let mut at = vec![0; sizes.len()];
        for k in (0..sizes.len()).rev() {
            at[k] = index % sizes[k];
            index /= sizes[k];
        }
        at
    };
    let (area, window, positions): (usize, usize, usize) =
        (shape.input_size.iter().product(), shape.kernel.iter().product(), size.iter().product());
    let mut output = vec![0; shape.output_count()];
    for out in 0..shape.out_channels {
        for p in 0..positions {
            let at = unravel(&size, p);
            for i in 0..ins {
                for w in 0..window {
                    let tap = unravel(&shape.kernel, w);
                    let mut element = Some((out / outs * ins + i) * area);
                    for k in 0..rank {
                        let index = at[k] * shape.strides[k] + tap[k] * shape.dilations[k];
                        let step: usize = shape.input_size[k + 1..].iter().product();
                        element = element.and_then(|sum| {
                            let index = index.checked_sub(shape.pads_begin[k])?;
                            (index < shape.input_size[k]).then_some(sum + index * step)
                        });
                    }
                    if let Some(element) = element {
                        output[out * positions + p] += input[element] * weights[(out * ins + i) * window + w];
                    }
                }
            }
        }
    }
    output
}

/// The layer by packed products; every coefficient and every output is written at most once.
fn packed(packing: &Packing, shape: &LinearShape, input: &[i64], weights: &[i64]) -> Vec<i64> {
    let degree = packing.degree();
    let polynomial = |places: &[Place], values: &[i64]| {
        let mut polynomial = vec![0; degree];
        for place in places {
            assert_eq!(polynomial[place.coefficient], 0, "a coefficient is used once");
            polynomial[place.coefficient] = values[place.element];
        }
        polynomial
    };
    let mut output = vec![None; shape.output_count()];
    for index in 0..packing.units() {
        let unit = packing.unit(index);
        for out in 0..packing.output_blocks() {
            let mut sum = vec![0; degree];
            for block in 0..packing.channel_blocks() {
                let x = polynomial(&packing.input_places(unit, block), input);
                let w = polynomial(&packing.weight_places(unit.bundle, out, block), weights);
                sum.iter_mut().zip(negacyclic(&x, &w)).for_each(|(sum, term)| *sum += term);
            }
            let places = packing.output_places(unit, out);
            assert_eq!(places.len(), packing.output_count(unit, out));
            for place in places {
                assert!(
                    output[place.element].replace(sum[place.coefficient]).is_none(),
                    "an output has one place"
                );
            }
        }
    }
    output.into_iter().map(|value| value.expect("every output has a place")).collect()
}

/// Values without a zero, so that the check for coefficients used twice sees every one.
fn values(count: usize, seed: u64) -> Vec<i64> {
    let mut state = seed | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = (state >> 50) as i64 - (1 << 13);
            if value == 0 { 1 } else { value }
        })
        .collect()
}

fn assert_packs(shape: &LinearShape, degree: usize, seed: u64) {
    let packing = Packing::new(shape, degree, usize::MAX).unwrap();
    let (input, weights) = (values(shape.input_count(), seed), values(shape.weight_count(), !seed));
    assert_eq!(packed(&packing, shape, &input, &weights), defined(shape, &input, &weights), "{shape:?}");
}

fn conv(size: &[usize], kernel: &[usize], channels: (usize, usize), groups: usize) -> LinearShape {
    let rank = size.len();
    LinearShape {
        input_size: size.to_vec(),
        kernel: kernel.to_vec(),
        strides: vec![1; rank],
        dilations: vec![1; rank],
        pads_begin: vec![0; rank],
        pads_end: vec![0; rank],
        in_channels: channels.0,
        out_channels: channels.1,
        groups,
        rows: 1,
    }
}

#[test]
fn every_small_convolution_over_two_axes_is_exact() {
    for size in [4, 5, 9] {
        for kernel in 1..=3 {
            for stride in 1..=3 {
                for dilation in 1..=2 {
                    for (pad_begin, pad_end) in [(0, 0), (1, 1), (2, 0), (0, 1)] {
                        let mut shape = conv(&[size, size + 1], &[kernel, kernel], (2, 3), 1);
                        shape.strides = vec![stride, 1 + stride % 2];
                        shape.dilations = vec![dilation, 1];
                        shape.pads_begin = vec![pad_begin; 2];
                        shape.pads_end = vec![pad_end; 2];
                        if !shape.output_size().contains(&0) {
                            assert_packs(&shape, 256, (size * kernel * stride) as u64);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_candidate_packing_is_exact_and_not_only_the_chosen_one() {
    let mut shape = conv(&[7, 6], &[3, 2], (3, 4), 1);
    shape.strides = vec![2, 1];
    shape.pads_begin = vec![1, 0];
    let (input, weights) = (values(shape.input_count(), 1), values(shape.weight_count(), 2));
    let expected = defined(&shape, &input, &weights);
    let mut count = 0;
    search::each(&Packing::unpacked(&shape, 256), &mut |packing| {
        assert_eq!(packed(packing, &shape, &input, &weights), expected, "{packing:?}");
        let met = |output| {
            (0..packing.channel_blocks()).map(move |block| packing.weight_places(0, output, block).len())
        };
        let most = (0..packing.output_blocks()).map(|output| met(output).sum::<usize>()).max();
        assert_eq!(Some(packing.weights_per_answer()), most, "{packing:?}");
        count += 1;
    });
    assert!(count > 100, "{count} candidates");
}

#[test]
fn dense_layers_of_all_proportions_are_exact() {
    for (rows, ins, outs, groups) in [
        (1, 1, 1, 1),
        (1, 300, 7, 1),
        (1, 7, 300, 1),
        (5, 64, 10, 1),
        (33, 3, 2, 1),
        (2, 600, 600, 1),
        (3, 12, 8, 4),
    ] {
        let mut shape = conv(&[], &[], (ins, outs), groups);
        shape.rows = rows;
        assert_packs(&shape, 256, ins as u64);
    }
}

#[test]
fn grouped_and_depthwise_layers_are_exact_over_one_two_and_three_axes() {
    assert_packs(&conv(&[40], &[5], (6, 9), 3), 256, 1);
    assert_packs(&conv(&[11, 13], &[3, 3], (6, 6), 6), 256, 2);
    assert_packs(&conv(&[5, 6, 7], &[3, 2, 3], (4, 6), 2), 256, 3);
}

#[test]
fn every_bundle_of_groups_is_exact_with_the_last_one_short_too() {
    let mut strided = conv(&[4, 4], &[3, 3], (5, 5), 5);
    strided.strides = vec![2, 1];
    strided.pads_begin = vec![1, 1];
    for shape in [conv(&[3, 4], &[1, 1], (7, 7), 7), conv(&[4, 4], &[2, 2], (6, 9), 3), strided] {
        let (input, weights) = (values(shape.input_count(), 5), values(shape.weight_count(), 6));
        let expected = defined(&shape, &input, &weights);
        let mut bundles = std::collections::BTreeSet::new();
        search::each(&Packing::unpacked(&shape, 256), &mut |packing| {
            assert_eq!(packed(packing, &shape, &input, &weights), expected, "{packing:?}");
            bundles.insert(packing.bundle);
        });
        assert!(bundles.len() >= 3, "{bundles:?}");
    }
}

#[test]
fn small_groups_share_ciphertexts() {
    for (size, channels, most) in [(16, 256, 128), (8, 512, 128), (4, 1024, 128)] {
        let shape = conv(&[size, size], &[1, 1], (channels, channels), channels);
        let packing = Packing::new(&shape, 4096, usize::MAX).unwrap();
        let ciphertexts = packing.units() * (packing.channel_blocks() + packing.output_blocks());
        assert!(
            ciphertexts <= most,
            "{size}: {ciphertexts} where one per channel there and back is {}",
            2 * channels
        );
    }
}

#[test]
fn a_window_wider_than_a_polynomial_is_unfolded() {
    assert_packs(&conv(&[20, 30], &[18, 20], (1, 2), 1), 256, 4);
    let mut spread = conv(&[400], &[3], (2, 2), 1);
    spread.dilations = vec![150];
    assert_packs(&spread, 64, 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_shape_is_exact(
        rank in 1usize..=3, seed: u64, ins in 1usize..4, outs in 1usize..4, groups in 1usize..3, log_degree in 6u32..9,
        sizes in prop::array::uniform3(1usize..10), kernels in prop::array::uniform3(1usize..4),
        strides in prop::array::uniform3(1usize..4), dilations in prop::array::uniform3(1usize..3),
        before in prop::array::uniform3(0usize..3), behind in prop::array::uniform3(0usize..3),
    ) {
        let mut shape = conv(&sizes[..rank], &kernels[..rank], (ins * groups, outs * groups), groups);
        shape.strides = strides[..rank].to_vec();
        shape.dilations = dilations[..rank].to_vec();
        shape.pads_begin = before[..rank].to_vec();
        shape.pads_end = behind[..rank].to_vec();
        prop_assume!(!shape.output_size().contains(&0));
        assert_packs(&shape, 1 << log_degree, seed);
    }
}

#[test]
fn a_shape_that_makes_no_sense_is_an_error_and_not_a_panic() {
    let good = conv(&[8, 8], &[3, 3], (4, 4), 1);
    let refused = |change: &dyn Fn(&mut LinearShape)| {
        let mut shape = good.clone();
        change(&mut shape);
        Packing::new(&shape, 256, usize::MAX).unwrap_err()
    };
    assert_eq!(refused(&|s| s.kernel = vec![3]), PackingError::Axes { expected: 2, found: 1 });
    assert_eq!(refused(&|s| s.strides[1] = 0), PackingError::Empty("stride"));
    assert_eq!(refused(&|s| s.groups = 3), PackingError::Empty("channels in each group"));
    assert_eq!(refused(&|s| s.groups = 0), PackingError::Empty("channels in each group"));
    assert_eq!(refused(&|s| s.rows = 2), PackingError::Rows(2));
    assert_eq!(refused(&|s| s.rows = 0), PackingError::Empty("rows"));
    assert_eq!(refused(&|s| s.kernel[0] = 9), PackingError::Empty("output"));
    assert_eq!(refused(&|s| s.pads_end[0] = usize::MAX), PackingError::TooLarge);
    assert_eq!(refused(&|s| s.dilations[0] = usize::MAX / 2), PackingError::TooLarge);
    let four = conv(&[2; 4], &[1; 4], (1, 1), 1);
    assert_eq!(Packing::new(&four, 256, usize::MAX).unwrap_err(), PackingError::Rank(4));
}

#[test]
fn tiles_are_chosen_that_fill_polynomials() {
    let ciphertexts = |shape: &LinearShape| {
        let packing = Packing::new(shape, 4096, usize::MAX).unwrap();
        (packing.units() * packing.channel_blocks(), packing.units() * packing.output_blocks())
    };
    let mut layer = conv(&[56, 56], &[3, 3], (64, 64), 1);
    (layer.pads_begin, layer.pads_end) = (vec![1, 1], vec![1, 1]);
    assert_eq!(ciphertexts(&layer), (64, 64));
    let mut stem = conv(&[224, 224], &[7, 7], (3, 64), 1);
    (stem.strides, stem.pads_begin, stem.pads_end) = (vec![2, 2], vec![3, 3], vec![3, 3]);
    // Without unfolding, three of four coefficients lie between strides: 13 tiles of answers at least.
    let (inputs, answers) = ciphertexts(&stem);
    assert!(inputs + answers < 64 * 12, "{inputs} and {answers}");
}
