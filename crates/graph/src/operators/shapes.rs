//! Shapes that several operators check alike.
//!
//! Extents may come from a peer: arithmetic is checked, nothing is allocated beyond the answer.

use crate::ir::Window;

/// Largest number of elements of a tensor, and of a layer's weights.
const ELEMENTS_MAX: usize = 1 << 28;
/// Largest extent of a window, of its steps and of its padding.
const WINDOW_MAX: usize = 1 << 16;
/// Most axes of a tensor.
const RANK_MAX: usize = 8;

/// The number of elements, when it is between 1 and the cap.
pub(crate) fn count(shape: &[usize]) -> Result<usize, String> {
    let product = shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
    match product {
        _ if shape.is_empty() || shape.len() > RANK_MAX => {
            Err(format!("a tensor has 1 to {RANK_MAX} axes, not {}", shape.len()))
        }
        Some(count) if (1..=ELEMENTS_MAX).contains(&count) => Ok(count),
        _ => Err(format!("shape {shape:?} is empty or has more than {ELEMENTS_MAX} elements")),
    }
}

/// Refuses windows that do not fit so many spatial axes.
pub(super) fn check_window(window: &Window, rank: usize) -> Result<(), String> {
    let Window { kernel, strides, dilations, pads_begin, pads_end } = window;
    if rank > 3 || [kernel, strides, dilations, pads_begin, pads_end].iter().any(|list| list.len() != rank) {
        return Err(format!("a window over {rank} axes has one number per axis, and at most 3 axes"));
    }
    let positive = kernel.iter().chain(strides).chain(dilations).all(|n| (1..=WINDOW_MAX).contains(n));
    if !positive || pads_begin.iter().chain(pads_end).any(|&pad| pad > WINDOW_MAX) {
        return Err(format!("a window's extents and steps are 1 to {WINDOW_MAX}, its padding at most that"));
    }
    Ok(())
}

/// Spatial extents behind a checked window.
pub(super) fn spatial(window: &Window, size: &[usize]) -> Result<Vec<usize>, String> {
    count(&[&[1], size].concat())?;
    let output: Vec<usize> = size.iter().enumerate().map(|(axis, &n)| window.output_size(axis, n)).collect();
    if output.contains(&0) {
        return Err(format!("a window of {:?} is larger than its padded input {size:?}", window.kernel));
    }
    Ok(output)
}

/// The shape behind a pool.
pub(super) fn pooled(window: &Window, input: &[usize]) -> Result<Vec<usize>, String> {
    if !(3..=5).contains(&input.len()) {
        return Err(format!(
            "pools have 1 to 3 spatial axes behind batch and channels, the input is {input:?}"
        ));
    }
    check_window(window, input.len() - 2)?;
    let mut shape = input[..2].to_vec();
    shape.extend(spatial(window, &input[2..])?);
    Ok(shape)
}

/// Refuses factors that are not one per spatial axis.
pub(super) fn check_factors(factors: &[usize], input: &[usize]) -> Result<(), String> {
    if input.len() < 3
        || factors.len() != input.len() - 2
        || factors.iter().any(|f| !(1..=WINDOW_MAX).contains(f))
    {
        return Err(format!("factors {factors:?} do not fit the input {input:?}"));
    }
    Ok(())
}
