//! Moving elements of row-major tensors, whatever the elements are: floats of a model, constants of a file, clear integers,
//! shares. Each movement is written once, so that a share can never go elsewhere than its value does.
//!
//! Every movement but [`concat()`] is a sum of offsets: the element at position (i, j, ...) lies at
//! `offsets[0][i] + offsets[1][j] + ...`, and only the lists of offsets differ.

/// Steps between neighbours along each axis of a row-major tensor.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// A tensor of `shape`, whose extents are those of `target` or 1, repeated to `target`. `target` may have more axes in front.
pub fn broadcast<T: Copy>(elements: &[T], shape: &[usize], target: &[usize]) -> Vec<T> {
    picked(elements, &broadcast_offsets(shape, target))
}

/// Axes exchanged: output axis i is input axis `perm[i]`.
pub fn transpose<T: Copy>(elements: &[T], shape: &[usize], perm: &[usize]) -> Vec<T> {
    picked(elements, &transpose_offsets(shape, perm))
}

/// The elements at the picked positions of every axis; an empty list takes the whole axis.
pub fn gather<T: Copy>(elements: &[T], shape: &[usize], positions: &[Vec<usize>]) -> Vec<T> {
    let whole = |(list, &extent): (&Vec<usize>, &usize)| match list.is_empty() {
        true => (0..extent).collect(),
        false => list.clone(),
    };
    let positions: Vec<Vec<usize>> = positions.iter().zip(shape).map(whole).collect();
    picked(elements, &gather_offsets(shape, &positions))
}

/// Each element at `place(axis, index)` along every axis of a tensor of zeros of shape `output`.
pub fn scatter<T: Copy + Default>(
    elements: &[T],
    shape: &[usize],
    output: &[usize],
    place: impl Fn(usize, usize) -> usize,
) -> Vec<T> {
    let along = |(axis, step): (usize, usize)| (0..shape[axis]).map(|i| place(axis, i) * step).collect();
    let offsets: Vec<Vec<usize>> = strides(output).into_iter().enumerate().map(along).collect();
    let mut moved = vec![T::default(); output.iter().product()];
    let mut elements = elements.iter();
    visit(&offsets, 0, &mut |at| moved[at] = *elements.next().expect("one element per position"));
    moved
}

/// Zeros around: the element at i comes to `begin + i` along every axis of a tensor of shape `output`.
pub fn pad<T: Copy + Default>(elements: &[T], shape: &[usize], output: &[usize], begin: &[usize]) -> Vec<T> {
    scatter(elements, shape, output, |axis, i| begin[axis] + i)
}

/// Tensors joined along an axis with `outer` elements before it; `change` gets the tensor's index with each element.
pub fn concat<T: Copy>(tensors: &[&[T]], outer: usize, change: impl Fn(usize, T) -> T) -> Vec<T> {
    let mut joined = Vec::with_capacity(tensors.iter().map(|tensor| tensor.len()).sum());
    for row in 0..outer {
        for (index, tensor) in tensors.iter().enumerate() {
            let run = tensor.len() / outer;
            joined.extend(tensor[row * run..][..run].iter().map(|&element| change(index, element)));
        }
    }
    joined
}

/// Offsets of [`broadcast`].
pub(crate) fn broadcast_offsets(shape: &[usize], target: &[usize]) -> Vec<Vec<usize>> {
    let (lead, steps) = (target.len() - shape.len(), strides(shape));
    let step =
        |axis: usize| axis.checked_sub(lead).map_or(0, |own| if shape[own] == 1 { 0 } else { steps[own] });
    target.iter().enumerate().map(|(axis, &extent)| (0..extent).map(|i| i * step(axis)).collect()).collect()
}

/// Offsets of [`transpose`].
pub(crate) fn transpose_offsets(shape: &[usize], perm: &[usize]) -> Vec<Vec<usize>> {
    let steps = strides(shape);
    perm.iter().map(|&axis| (0..shape[axis]).map(|i| i * steps[axis]).collect()).collect()
}

/// Offsets of [`gather`] with every axis' positions written out.
pub(crate) fn gather_offsets(shape: &[usize], positions: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let along = |(list, step): (&Vec<usize>, usize)| list.iter().map(|&i| i * step).collect();
    positions.iter().zip(strides(shape)).map(along).collect()
}

/// The sum of one offset per axis, for every position in row-major order.
pub(crate) fn places(offsets: &[Vec<usize>]) -> Vec<usize> {
    let mut places = Vec::with_capacity(offsets.iter().map(Vec::len).product());
    visit(offsets, 0, &mut |place| places.push(place));
    places
}

/// The elements at the [`places`] of these offsets.
pub(crate) fn picked<T: Copy>(elements: &[T], offsets: &[Vec<usize>]) -> Vec<T> {
    let mut picked = Vec::with_capacity(offsets.iter().map(Vec::len).product());
    visit(offsets, 0, &mut |place| picked.push(elements[place]));
    picked
}

fn visit(offsets: &[Vec<usize>], base: usize, seen: &mut impl FnMut(usize)) {
    match offsets {
        [] => seen(base),
        [last] => last.iter().for_each(|offset| seen(base + offset)),
        [first, rest @ ..] => first.iter().for_each(|offset| visit(rest, base + offset, seen)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_repeated_along_the_axes_where_there_is_one() {
        assert_eq!(broadcast(&[7, 8], &[1, 2, 1], &[1, 2, 3]), [7, 7, 7, 8, 8, 8]);
        assert_eq!(broadcast(&[1, 2, 3], &[1, 1, 3], &[1, 2, 3]), [1, 2, 3, 1, 2, 3]);
        assert_eq!(broadcast(&[5], &[1, 1], &[2, 2]), [5; 4]);
        assert_eq!(broadcast(&[1, 2], &[2], &[2, 2]), [1, 2, 1, 2]);
        assert_eq!(broadcast(&[9], &[], &[2]), [9, 9]);
        assert!(broadcast::<u8>(&[], &[0], &[3, 0]).is_empty());
    }

    #[test]
    fn axes_are_exchanged_and_come_back() {
        let elements: Vec<usize> = (0..24).collect();
        assert_eq!(transpose(&[1, 2, 3, 4, 5, 6], &[2, 3], &[1, 0]), [1, 4, 2, 5, 3, 6]);
        for perm in [[0usize, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]] {
            let shape: Vec<usize> = perm.iter().map(|&axis| [2, 3, 4][axis]).collect();
            let back: Vec<usize> =
                (0..3).map(|axis| perm.iter().position(|&from| from == axis).unwrap()).collect();
            assert_eq!(transpose(&transpose(&elements, &[2, 3, 4], &perm), &shape, &back), elements);
        }
    }

    #[test]
    fn gathering_picks_and_scattering_places() {
        let elements: Vec<usize> = (0..6).collect();
        assert_eq!(gather(&elements, &[2, 3], &[vec![], vec![2, 0]]), [2, 0, 5, 3]);
        assert_eq!(gather(&elements, &[2, 3], &[vec![1, 1], vec![]]), [3, 4, 5, 3, 4, 5]);
        assert_eq!(pad(&[1, 2], &[1, 2], &[2, 4], &[0, 1]), [0, 1, 2, 0, 0, 0, 0, 0]);
        let apart = scatter(&[1, 2, 3], &[3], &[5], |_, i| 2 * i);
        assert_eq!(apart, [1, 0, 2, 0, 3]);
    }

    #[test]
    fn tensors_are_joined_row_by_row() {
        assert_eq!(concat(&[&[1, 2], &[3, 4, 5, 6]], 2, |_, x| x), [1, 3, 4, 2, 5, 6]);
        assert_eq!(concat(&[&[1], &[2, 3]], 1, |tensor, x| 10 * tensor + x), [1, 12, 13]);
    }
}
