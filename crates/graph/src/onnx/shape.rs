//! Shape rules of the operators that move elements without changing them, shared by data and constants.

use super::call::Call;
use super::literal::{Literal, checked_count};
use super::{Budget, ELEMENTS_MAX, RANK_MAX, Refusal, refuse};

/// A constant list as extents of axes.
pub(super) fn extents(list: &[i64]) -> Result<Vec<usize>, Refusal> {
    let shape: Option<Vec<usize>> = list.iter().map(|&extent| usize::try_from(extent).ok()).collect();
    match shape {
        Some(shape) if shape.len() <= RANK_MAX && checked_count(&shape, ELEMENTS_MAX).is_some() => Ok(shape),
        _ => refuse(
            format!(
                "{:?} is no shape that is read: {RANK_MAX} axes and {ELEMENTS_MAX} elements at most",
                head(list)
            ),
            "check the exporter",
        ),
    }
}

/// The first entries of a list, for messages.
fn head(list: &[i64]) -> &[i64] {
    &list[..list.len().min(RANK_MAX + 1)]
}

/// An axis counted from either end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Refusal> {
    let from_front = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    match usize::try_from(from_front) {
        Ok(index) if index < rank => Ok(index),
        _ => refuse(format!("axis {axis} of a tensor of {rank} axes"), "check the exporter"),
    }
}

fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, Refusal> {
    let mut found = Vec::new();
    for &entry in list {
        let index = axis(entry, rank)?;
        if found.contains(&index) {
            return refuse(format!("axis {entry} is named twice"), "check the exporter");
        }
        found.push(index);
    }
    Ok(found)
}

/// `Reshape`: 0 copies an extent, -1 is what is left.
pub(super) fn reshape(call: &Call, from: &[usize], target: &Literal) -> Result<Vec<usize>, Refusal> {
    let target = target.as_ints()?;
    let allow_zero = call.int("allowzero", 0)? != 0;
    if target.len() > RANK_MAX {
        return refuse(
            format!("it makes {} axes, at most {RANK_MAX} are read", target.len()),
            "reshape to fewer axes",
        );
    }
    let count = checked_count(from, ELEMENTS_MAX).unwrap_or(usize::MAX);
    let mut shape = Vec::new();
    let mut open = None;
    for (index, &extent) in target.iter().enumerate() {
        shape.push(match extent {
            -1 if open.is_none() => {
                open = Some(index);
                1
            }
            0 if !allow_zero => match from.get(index) {
                Some(&extent) => extent,
                None => {
                    return refuse("a 0 in its shape copies an axis that is not there", "check the exporter");
                }
            },
            extent => match usize::try_from(extent) {
                Ok(extent) => extent,
                Err(_) => return refuse(format!("{target:?} is no shape"), "check the exporter"),
            },
        });
    }
    let known = checked_count(&shape, ELEMENTS_MAX).unwrap_or(usize::MAX);
    if let Some(index) = open
        && known > 0
        && count.is_multiple_of(known)
    {
        shape[index] = count / known;
    }
    match checked_count(&shape, ELEMENTS_MAX) {
        Some(made) if made == count => Ok(shape),
        _ => refuse(
            format!("it makes {target:?} of shape {from:?}, which has another number of elements"),
            "export with a batch of 1 and with the input size that will be used",
        ),
    }
}

/// `Flatten`.
pub(super) fn flatten(call: &Call, from: &[usize]) -> Result<Vec<usize>, Refusal> {
    let at = call.int("axis", 1)?;
    let at = if at == from.len() as i64 { from.len() } else { axis(at, from.len())? };
    Ok(vec![from[..at].iter().product(), from[at..].iter().product()])
}

/// The axes of Squeeze and the like: an attribute up to opset 12 (17 for reductions), an input since.
pub(super) fn axes_of(call: &Call, input: Option<&Literal>) -> Result<Option<Vec<i64>>, Refusal> {
    match (call.optional_ints("axes")?, input) {
        (Some(axes), _) => Ok(Some(axes.to_vec())),
        (None, Some(literal)) => Ok(Some(literal.as_ints()?.to_vec())),
        (None, None) => Ok(None),
    }
}

/// `Squeeze`.
pub(super) fn squeeze(call: &Call, from: &[usize], input: Option<&Literal>) -> Result<Vec<usize>, Refusal> {
    let dropped = match axes_of(call, input)? {
        Some(list) => axes(&list, from.len())?,
        None => (0..from.len()).filter(|&axis| from[axis] == 1).collect(),
    };
    if let Some(&axis) = dropped.iter().find(|&&axis| from[axis] != 1) {
        return refuse(format!("it drops axis {axis} of extent {}", from[axis]), "check the exporter");
    }
    Ok((0..from.len()).filter(|axis| !dropped.contains(axis)).map(|axis| from[axis]).collect())
}

/// `Unsqueeze`.
pub(super) fn unsqueeze(call: &Call, from: &[usize], input: Option<&Literal>) -> Result<Vec<usize>, Refusal> {
    let Some(list) = axes_of(call, input)? else {
        return refuse("its axes are missing", "check the exporter");
    };
    let rank = from.len() + list.len();
    if rank > RANK_MAX {
        return refuse(format!("it makes {rank} axes, at most {RANK_MAX} are read"), "use fewer axes");
    }
    let added = axes(&list, rank)?;
    let mut rest = from.iter().copied();
    Ok((0..rank).map(|axis| if added.contains(&axis) { 1 } else { rest.next().unwrap_or(1) }).collect())
}

/// `Transpose`: output axis i is input axis `perm[i]`.
pub(super) fn permutation(call: &Call, rank: usize) -> Result<Vec<usize>, Refusal> {
    match call.optional_ints("perm")? {
        None => Ok((0..rank).rev().collect()),
        Some(list) if list.len() == rank => axes(list, rank),
        Some(list) => refuse(format!("it exchanges {} axes of {rank}", list.len()), "check the exporter"),
    }
}

/// `Concat`: the axis.
pub(super) fn concat_axis(call: &Call, shapes: &[&[usize]]) -> Result<usize, Refusal> {
    match shapes.first() {
        Some(first) => axis(call.int("axis", 1)?, first.len()),
        None => refuse("it joins nothing", "check the exporter"),
    }
}

/// The common shape of two, as NumPy broadcasts.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Refusal> {
    let rank = a.len().max(b.len());
    let extent =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let mut shape = Vec::with_capacity(rank);
    for axis in 0..rank {
        shape.push(match (extent(a, axis), extent(b, axis)) {
            (1, other) | (other, 1) => other,
            (x, y) if x == y => x,
            _ => return refuse(format!("shapes {a:?} and {b:?} do not go together"), "check the exporter"),
        });
    }
    Ok(shape)
}

/// `Slice`: for every axis the positions that stay. `inputs` are starts, ends, axes, steps (attributes before opset 10).
pub(super) fn slice(
    call: &Call,
    from: &[usize],
    inputs: &[Option<&Literal>],
    budget: &mut Budget,
) -> Result<Vec<Vec<usize>>, Refusal> {
    let list = |name: &str, index: usize| -> Result<Option<Vec<i64>>, Refusal> {
        match (call.optional_ints(name)?, inputs.get(index).copied().flatten()) {
            (Some(list), _) => Ok(Some(list.to_vec())),
            (None, Some(literal)) => Ok(Some(literal.as_ints()?.to_vec())),
            (None, None) => Ok(None),
        }
    };
    let (Some(starts), Some(ends)) = (list("starts", 0)?, list("ends", 1)?) else {
        return refuse("its bounds are missing", "check the exporter");
    };
    let named = list("axes", 2)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = list("steps", 3)?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || named.len() != starts.len() || steps.len() != starts.len() {
        return refuse("its bounds, axes and steps differ in number", "check the exporter");
    }
    let sliced = axes(&named, from.len())?;
    budget.spend(from.iter().map(|&extent| extent.min(ELEMENTS_MAX)).sum())?;
    let mut picks: Vec<Vec<usize>> = from.iter().map(|&extent| (0..extent).collect()).collect();
    for (position, &axis) in sliced.iter().enumerate() {
        picks[axis] = positions(from[axis], starts[position], ends[position], steps[position])?;
    }
    Ok(picks)
}

/// The positions of one sliced axis, in the slice's order.
fn positions(extent: usize, start: i64, end: i64, step: i64) -> Result<Vec<usize>, Refusal> {
    let size = extent as i64;
    let from_front = |bound: i64| if bound < 0 { bound.saturating_add(size) } else { bound };
    let step_length = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    Ok(match step {
        0 => return refuse("its step is zero", "check the exporter"),
        1.. => {
            let (start, end) = (from_front(start).clamp(0, size), from_front(end).clamp(0, size));
            (start as usize..end.max(start) as usize).step_by(step_length).collect()
        }
        _ => {
            let (start, end) = (from_front(start).clamp(-1, size - 1), from_front(end).clamp(-1, size - 1));
            ((end.min(start) + 1) as usize..(start + 1) as usize).rev().step_by(step_length).collect()
        }
    })
}
