//! Every kernel against the sum written out, over random shapes.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kernel::{Isa, convolve_with};
use super::*;

/// The definition, tap by tap, in 128 bits.
fn naive(shape: &LinearShape, weight: &[i32], input: &[i64]) -> Vec<i128> {
    let rank = shape.input_size.len();
    let (output, taps) = (indices(&shape.output_size()), indices(&shape.kernel));
    let (group_in, group_out) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    let plane: usize = shape.input_size.iter().product();
    let mut sums = Vec::new();
    for row in 0..shape.rows {
        for m in 0..shape.out_channels {
            for out in &output {
                let mut sum = 0i128;
                for c in 0..group_in {
                    for (t, tap) in taps.iter().enumerate() {
                        let at: Vec<i64> = (0..rank)
                            .map(|a| {
                                (out[a] * shape.strides[a] + tap[a] * shape.dilations[a]) as i64
                                    - shape.pads_begin[a] as i64
                            })
                            .collect();
                        if (0..rank).any(|a| at[a] < 0 || at[a] >= shape.input_size[a] as i64) {
                            continue;
                        }
                        let within =
                            (0..rank).fold(0, |index, a| index * shape.input_size[a] + at[a] as usize);
                        let channel = row * shape.in_channels + m / group_out * group_in + c;
                        sum += i128::from(weight[(m * group_in + c) * taps.len() + t])
                            * i128::from(input[channel * plane + within]);
                    }
                }
                sums.push(sum);
            }
        }
    }
    sums
}

fn indices(extents: &[usize]) -> Vec<Vec<usize>> {
    extents.iter().fold(vec![vec![]], |all, &extent| {
        all.iter().flat_map(|head| (0..extent).map(move |i| [head.as_slice(), &[i]].concat())).collect()
    })
}

fn random_shape(rng: &mut ChaCha8Rng) -> LinearShape {
    let rank = rng.random_range(0..=3usize);
    let most = [0, 60, 14, 7][rank];
    let groups = if rng.random_bool(0.3) { rng.random_range(2..=3) } else { 1 };
    let mut each =
        |low: usize, high: usize| -> Vec<usize> { (0..rank).map(|_| rng.random_range(low..=high)).collect() };
    let (kernel, strides, dilations) = (each(1, 4), each(1, 3), each(1, 2));
    let (pads_begin, pads_end, input_size) = (each(0, 3), each(0, 3), each(1, most.max(1)));
    LinearShape {
        kernel,
        strides,
        dilations,
        pads_begin,
        pads_end,
        input_size,
        in_channels: groups * rng.random_range(1..=4),
        out_channels: groups * rng.random_range(1..=4),
        groups,
        rows: if rank == 0 { rng.random_range(1..=3) } else { 1 },
    }
}

#[test]
fn every_kernel_gives_the_sum_written_out() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut non_empty = 0;
    for _ in 0..400 {
        let shape = random_shape(&mut rng);
        let weight: Vec<i32> = (0..shape.weight_count()).map(|_| rng.random()).collect();
        let input: Vec<i64> = (0..shape.input_count()).map(|_| rng.random::<i64>() >> 24).collect();
        let expected = naive(&shape, &weight, &input);
        non_empty += usize::from(!expected.is_empty());

        let narrow: Vec<u32> = input.iter().map(|&x| x as u32).collect();
        let narrow_expected: Vec<u32> = expected.iter().map(|&x| x as u32).collect();
        let unsigned: Vec<u32> = weight.iter().map(|&w| w as u32).collect();
        for isa in Isa::available() {
            assert_eq!(convolve_with(isa, &shape, &unsigned, &narrow), narrow_expected, "{isa:?} {shape:?}");
        }
        assert_eq!(convolve_wrapping(&shape, &weight, &narrow), narrow_expected);
        let exact: Vec<i64> = expected.iter().map(|&x| x as i64).collect();
        assert_eq!(convolve_exact(&shape, &weight, &input), exact, "{shape:?}");
    }
    assert!(non_empty > 200, "the shapes are not all empty: {non_empty}");
}

#[test]
fn sums_on_the_edge_of_32_bits_are_exact() {
    let shape = LinearShape {
        input_size: vec![],
        kernel: vec![],
        strides: vec![],
        dilations: vec![],
        pads_begin: vec![],
        pads_end: vec![],
        in_channels: 2,
        out_channels: 1,
        groups: 1,
        rows: 1,
    };
    for (x, y) in
        [(1i64 << 30, (1 << 30) - 1), (1 << 30, 1 << 30), (-(1 << 30), -(1 << 30)), (i64::from(i32::MIN), -1)]
    {
        assert_eq!(convolve_exact(&shape, &[1, 1], &[x, y]), [x + y]);
    }
}
