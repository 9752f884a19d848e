//! The shape that each step gives: one function for lowering and for the check of foreign plans.
//!
//! Extents may come from a peer: arithmetic is checked, nothing is allocated beyond the answer.

use super::{AddConstant, Linear, Step};
use crate::ir::Window;

/// Largest number of elements of a tensor, and of a layer's weights.
pub(super) const ELEMENTS_MAX: usize = 1 << 28;
/// Largest extent of a window, of its steps and of its padding.
const WINDOW_MAX: usize = 1 << 16;
/// Most axes of a tensor.
const RANK_MAX: usize = 8;

/// The output's shape from the inputs' shapes, or what is wrong with them. A [`Step::Reshape`] gives `declared` when its
/// number of elements is right.
pub fn output_shape(step: &Step, inputs: &[&[usize]], declared: &[usize]) -> Result<Vec<usize>, String> {
    let wanted = match step {
        Step::Add { .. } => 2,
        Step::Concat { shift_left, .. } => shift_left.len(),
        _ => 1,
    };
    if inputs.len() != wanted || inputs.is_empty() {
        return Err(format!("{wanted} inputs are expected, {} are there", inputs.len()));
    }
    let input = inputs[0];
    let shape = match step {
        Step::Linear(linear) => linear_shape(linear, input)?,
        Step::Activate { .. } | Step::Scale { .. } => input.to_vec(),
        Step::MaxPool(window) => max_pool_shape(window, input)?,
        Step::SumPool(window) => pool_shape(window, input)?,
        Step::Add { .. } => same(input, inputs[1])?,
        Step::AddConstant(AddConstant { shape, .. }) => repeated(shape, input)?,
        Step::Concat { axis, .. } => concat_shape(*axis, inputs)?,
        Step::Pad { begin, end } => pad_shape(begin, end, input)?,
        Step::Reshape => declared.to_vec(),
        Step::Transpose { perm } => transpose_shape(perm, input)?,
        Step::PixelShuffle { factors } => pixel_shuffle_shape(factors, input)?,
        Step::Interleave { strides } => interleave_shape(strides, input)?,
        Step::Gather { positions } => gather_shape(positions, input)?,
        Step::ScaleByPosition { factors, .. } => scaled_shape(factors, input)?,
    };
    if matches!(step, Step::Reshape) && count(&shape)? != count(input)? {
        return Err(format!("{input:?} and {declared:?} differ in their number of elements"));
    }
    count(&shape)?;
    Ok(shape)
}

/// The number of elements, when it is between 1 and the cap.
pub(super) fn count(shape: &[usize]) -> Result<usize, String> {
    let product = shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
    match product {
        _ if shape.is_empty() || shape.len() > RANK_MAX => {
            Err(format!("a tensor has 1 to {RANK_MAX} axes, not {}", shape.len()))
        }
        Some(count) if (1..=ELEMENTS_MAX).contains(&count) => Ok(count),
        _ => Err(format!("shape {shape:?} is empty or has more than {ELEMENTS_MAX} elements")),
    }
}

fn linear_shape(linear: &Linear, input: &[usize]) -> Result<Vec<usize>, String> {
    let Linear { window, in_channels, out_channels, groups, rows, .. } = linear;
    count(&[*in_channels, 1])?;
    count(&[*out_channels, 1])?;
    if *groups == 0 || in_channels % groups != 0 || out_channels % groups != 0 {
        return Err(format!(
            "{in_channels} and {out_channels} channels cannot be split into {groups} groups"
        ));
    }
    check_window(window, linear.input_size.len())?;
    let mut weight_shape = vec![*out_channels, in_channels / groups];
    weight_shape.extend(&window.kernel);
    count(&weight_shape)?;
    if window.kernel.is_empty() {
        return dense_shape(linear, input);
    }
    if input.len() < 2
        || input[0] != 1
        || input[1] != *in_channels
        || input[2..] != linear.input_size
        || *rows != 1
    {
        return Err(format!("input {input:?} is not 1 x {in_channels} x {:?}", linear.input_size));
    }
    let mut shape = vec![1, *out_channels];
    shape.extend(spatial_shape(window, &input[2..])?);
    Ok(shape)
}

fn dense_shape(linear: &Linear, input: &[usize]) -> Result<Vec<usize>, String> {
    let rows = count(input)? / linear.in_channels;
    if input.last() != Some(&linear.in_channels) || rows != linear.rows {
        return Err(format!("input {input:?} is not {} rows of {}", linear.rows, linear.in_channels));
    }
    let mut shape = input.to_vec();
    *shape.last_mut().expect("counted, so not empty") = linear.out_channels;
    Ok(shape)
}

fn check_window(window: &Window, rank: usize) -> Result<(), String> {
    let Window { kernel, strides, dilations, pads_begin, pads_end } = window;
    if rank > 3 || [kernel, strides, dilations, pads_begin, pads_end].iter().any(|list| list.len() != rank) {
        return Err(format!("a window over {rank} axes has one number an axis, and at most 3 axes"));
    }
    let positive = kernel.iter().chain(strides).chain(dilations).all(|n| (1..=WINDOW_MAX).contains(n));
    if !positive || pads_begin.iter().chain(pads_end).any(|&pad| pad > WINDOW_MAX) {
        return Err(format!("a window's extents and steps are 1 to {WINDOW_MAX}, its padding at most that"));
    }
    Ok(())
}

/// Spatial extents behind a checked window.
fn spatial_shape(window: &Window, size: &[usize]) -> Result<Vec<usize>, String> {
    count(&[&[1], size].concat())?;
    let output: Vec<usize> = size.iter().enumerate().map(|(axis, &n)| window.output_size(axis, n)).collect();
    if output.contains(&0) {
        return Err(format!("a window of {:?} is larger than its padded input {size:?}", window.kernel));
    }
    Ok(output)
}

fn pool_shape(window: &Window, input: &[usize]) -> Result<Vec<usize>, String> {
    if !(3..=5).contains(&input.len()) {
        return Err(format!(
            "pools have 1 to 3 spatial axes behind batch and channels, the input is {input:?}"
        ));
    }
    check_window(window, input.len() - 2)?;
    let mut shape = input[..2].to_vec();
    shape.extend(spatial_shape(window, &input[2..])?);
    Ok(shape)
}

/// Every window of a max pool must hold at least one real element: padding is minus infinity, which no integer is.
fn max_pool_shape(window: &Window, input: &[usize]) -> Result<Vec<usize>, String> {
    let shape = pool_shape(window, input)?;
    for (axis, &size) in input[2..].iter().enumerate() {
        let span = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
        let stepped_over = window.kernel[axis] > 1 && window.dilations[axis] > size;
        if window.pads_begin[axis] >= span || window.pads_end[axis] >= span || stepped_over {
            return Err("a window of a max pool may lie in the padding entirely; pad less".into());
        }
    }
    Ok(shape)
}

fn same(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    if a == b { Ok(a.to_vec()) } else { Err(format!("shapes {a:?} and {b:?} differ")) }
}

/// The input's shape, when constants of `shape` can be repeated to it.
fn repeated(shape: &[usize], input: &[usize]) -> Result<Vec<usize>, String> {
    let fits =
        shape.len() == input.len() && shape.iter().zip(input).all(|(&own, &other)| own == 1 || own == other);
    if fits { Ok(input.to_vec()) } else { Err(format!("constants of shape {shape:?} do not fit {input:?}")) }
}

fn concat_shape(axis: usize, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    let mut shape = inputs[0].to_vec();
    if axis >= shape.len() {
        return Err(format!("axis {axis} of {} axes", shape.len()));
    }
    for input in &inputs[1..] {
        let fits = input.len() == shape.len()
            && (0..shape.len()).all(|other| other == axis || input[other] == shape[other]);
        if !fits {
            return Err(format!("{input:?} cannot be joined to {shape:?} along axis {axis}"));
        }
        shape[axis] = shape[axis].saturating_add(input[axis]);
    }
    Ok(shape)
}

fn pad_shape(begin: &[usize], end: &[usize], input: &[usize]) -> Result<Vec<usize>, String> {
    if begin.len() != input.len() || end.len() != input.len() {
        return Err(format!("padding has one number an axis, the input has {} axes", input.len()));
    }
    Ok((0..input.len())
        .map(|axis| input[axis].saturating_add(begin[axis]).saturating_add(end[axis]))
        .collect())
}

fn transpose_shape(perm: &[usize], input: &[usize]) -> Result<Vec<usize>, String> {
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..input.len()) {
        return Err(format!("{perm:?} is no permutation of {} axes", input.len()));
    }
    Ok(perm.iter().map(|&axis| input[axis]).collect())
}

fn gather_shape(positions: &[Vec<usize>], input: &[usize]) -> Result<Vec<usize>, String> {
    if positions.len() != input.len() {
        return Err(format!("a gather has one list per axis, the input has {} axes", input.len()));
    }
    let mut shape = input.to_vec();
    for (axis, list) in positions.iter().enumerate().filter(|(_, list)| !list.is_empty()) {
        if let Some(position) = list.iter().find(|&&position| position >= input[axis]) {
            return Err(format!("position {position} of axis {axis}, which has {}", input[axis]));
        }
        shape[axis] = list.len();
    }
    Ok(shape)
}

fn scaled_shape(factors: &[Vec<u32>], input: &[usize]) -> Result<Vec<usize>, String> {
    let fits = |(list, &extent): (&Vec<u32>, &usize)| list.is_empty() || list.len() == extent;
    if factors.len() != input.len() || !factors.iter().zip(input).all(fits) {
        return Err(format!("factors by position do not fit the input {input:?}"));
    }
    Ok(input.to_vec())
}

fn check_factors(factors: &[usize], input: &[usize]) -> Result<(), String> {
    if input.len() < 3
        || factors.len() != input.len() - 2
        || factors.iter().any(|f| !(1..=WINDOW_MAX).contains(f))
    {
        return Err(format!("factors {factors:?} do not fit the input {input:?}"));
    }
    Ok(())
}

fn pixel_shuffle_shape(factors: &[usize], input: &[usize]) -> Result<Vec<usize>, String> {
    check_factors(factors, input)?;
    let block = factors.iter().try_fold(1usize, |product, &f| product.checked_mul(f)).unwrap_or(usize::MAX);
    if !input[1].is_multiple_of(block) {
        return Err(format!("{} channels cannot be spread over blocks of {block}", input[1]));
    }
    let mut shape = vec![input[0], input[1] / block];
    shape.extend(input[2..].iter().zip(factors).map(|(size, factor)| size.saturating_mul(*factor)));
    Ok(shape)
}

fn interleave_shape(strides: &[usize], input: &[usize]) -> Result<Vec<usize>, String> {
    check_factors(strides, input)?;
    let mut shape = input[..2].to_vec();
    shape.extend(
        input[2..]
            .iter()
            .zip(strides)
            .map(|(size, stride)| (size - 1).saturating_mul(*stride).saturating_add(1)),
    );
    Ok(shape)
}
