//! Constant folding: the arithmetic on shapes and weights that exporters leave in a file, computed at import.
//!
//! Every result is charged to the [`Budget`], so that a small file cannot ask for a large constant.

mod reduce;

use super::call::Call;
use super::external::Beside;
use super::literal::{Data, Literal};
use super::proto::{TensorProto, data_type};
use super::shape;
use super::{Budget, Refusal, refuse};
use crate::ir::ConcatOp;
use crate::ir::ops::FloatOperator;
use crate::movement;

/// Computes a node whose inputs are all constant; `None` when the operator is not among those that are folded.
pub(super) fn fold(
    call: &Call,
    inputs: &[Option<&Literal>],
    budget: &mut Budget,
) -> Option<Result<Literal, Refusal>> {
    let first = || match inputs.first() {
        Some(Some(literal)) => Ok(*literal),
        _ => refuse("its first input is missing", "check the exporter"),
    };
    let second = || match inputs.get(1) {
        Some(Some(literal)) => Ok(*literal),
        _ => refuse("its second input is missing", "check the exporter"),
    };
    let third = || inputs.get(2).copied().flatten();
    let op = call.op();
    Some(match op {
        "Constant" => constant(call, budget),
        "Identity" | "Dropout" => first().cloned(),
        "ConstantOfShape" => first().and_then(|x| constant_of_shape(call, x, budget)),
        "Shape" => first().and_then(|x| shape_of(call, &x.shape)),
        "Size" => first().map(|x| Literal::ints(vec![], vec![x.len() as i64])),
        "Cast" => first().and_then(|x| cast(call, x)),
        "Reshape" => first().and_then(|x| reshaped(x, shape::reshape(call, &x.shape, second()?)?)),
        "Flatten" => first().and_then(|x| reshaped(x, shape::flatten(call, &x.shape)?)),
        "Squeeze" => first()
            .and_then(|x| reshaped(x, shape::squeeze(call, &x.shape, inputs.get(1).copied().flatten())?)),
        "Unsqueeze" => first()
            .and_then(|x| reshaped(x, shape::unsqueeze(call, &x.shape, inputs.get(1).copied().flatten())?)),
        "Transpose" => first().and_then(|x| transpose(x, &shape::permutation(call, x.shape.len())?, budget)),
        "Gather" => first().and_then(|x| gather(call, x, second()?, budget)),
        "Slice" => first().and_then(|x| {
            let picks = shape::slice(call, &x.shape, &inputs[1..], budget)?;
            pick(x, &picks, budget)
        }),
        "Concat" => concat(call, inputs, budget),
        "Expand" => first().and_then(|x| expand(x, second()?, budget)),
        "Tile" => first().and_then(|x| tile(x, second()?, budget)),
        "Range" => first().and_then(|x| range(x, second()?, third(), budget)),
        "Where" => first().and_then(|x| where_(x, second()?, third(), budget)),
        "Neg" | "Floor" | "Ceil" | "Sqrt" | "Abs" | "Not" | "Reciprocal" | "Exp" | "Log" | "Tanh"
        | "Relu" => first().and_then(|x| unary(op, x)),
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "Equal" | "Less" | "Greater"
        | "LessOrEqual" | "GreaterOrEqual" | "And" | "Or" => {
            first().and_then(|x| binary(op, x, second()?, budget))
        }
        op if op.starts_with("Reduce") => {
            let axes = inputs.get(1).copied().flatten();
            return first().and_then(|x| reduce::reduce(call, x, axes, budget)).transpose();
        }
        "DequantizeLinear" => first().and_then(|x| dequantise(call, x, second()?, third(), budget)),
        _ => return None,
    })
}

/// The extents that `Shape` gives, its `start` and `end` considered.
pub(super) fn shape_of(call: &Call, shape: &[usize]) -> Result<Literal, Refusal> {
    let rank = shape.len() as i64;
    let clamp = |position: i64| {
        (if position < 0 { position.saturating_add(rank) } else { position }).clamp(0, rank) as usize
    };
    let start = clamp(call.int("start", 0)?);
    let end = clamp(call.int("end", rank)?).max(start);
    Ok(Literal::list(shape[start..end].iter().map(|&extent| extent as i64).collect()))
}

fn constant(call: &Call, budget: &mut Budget) -> Result<Literal, Refusal> {
    if let Some(tensor) = call.tensor("value")? {
        return in_the_file(tensor, budget);
    }
    if let Some(value) = call.optional_float("value_float")? {
        return Ok(Literal::floats(vec![], vec![value]));
    }
    if let Some(value) = call.optional_int("value_int")? {
        return Ok(Literal::ints(vec![], vec![value]));
    }
    if let Some(values) = call.optional_ints("value_ints")? {
        return Ok(Literal::list(values.to_vec()));
    }
    if let Some(values) = call.optional_floats("value_floats")? {
        return Ok(Literal::floats(vec![values.len()], values.to_vec()));
    }
    refuse(
        "a Constant without a dense value (sparse values and strings are not read)",
        "export it as a dense tensor",
    )
}

/// A tensor of an attribute, which the model's own file must hold.
fn in_the_file(tensor: &TensorProto, budget: &mut Budget) -> Result<Literal, Refusal> {
    super::literal::decode(tensor, budget, &mut Vec::new(), &mut Beside::new(None, 0))
}

/// (x - zero point) * scale, one of each or one per entry of an axis.
fn dequantise(
    call: &Call,
    x: &Literal,
    scale: &Literal,
    zero_point: Option<&Literal>,
    budget: &mut Budget,
) -> Result<Literal, Refusal> {
    if call.int("block_size", 0)? != 0 {
        return refuse(
            "its scales belong to blocks",
            "export weights as floats, or with one scale per channel",
        );
    }
    let axis = match scale.len() {
        1 => 0,
        _ => shape::axis(call.int("axis", 1)?, x.shape.len())?,
    };
    let per = |literal: &Literal| literal.len() == 1 || Some(&literal.len()) == x.shape.get(axis);
    if !per(scale) || zero_point.is_some_and(|zero| zero.len() != scale.len()) {
        return refuse(
            format!("it has {} scales for a constant of shape {:?}", scale.len(), x.shape),
            "export weights with one scale, or one per channel",
        );
    }
    budget.spend(x.len())?;
    let inner: usize = x.shape.iter().skip(axis + 1).product();
    let entry = |index: usize| if scale.len() == 1 { 0 } else { index / inner % scale.len() };
    let (values, scales) = (x.to_floats(), scale.to_floats());
    let zeros = zero_point.map_or_else(|| vec![0.0; scale.len()], Literal::to_floats);
    let data = values.iter().enumerate().map(|(i, x)| (x - zeros[entry(i)]) * scales[entry(i)]).collect();
    Ok(Literal::floats(x.shape.clone(), data))
}

fn constant_of_shape(call: &Call, shape: &Literal, budget: &mut Budget) -> Result<Literal, Refusal> {
    let shape = shape::extents(shape.as_ints()?)?;
    let count = budget.spend_shape(&shape)?;
    let fill = match call.tensor("value")? {
        Some(tensor) => in_the_file(tensor, budget)?,
        None => Literal::floats(vec![1], vec![0.0]),
    };
    Ok(match (&fill.data, fill.len()) {
        (Data::Floats(data), 1) => Literal::floats(shape, vec![data[0]; count]),
        (Data::Ints(data), 1) => Literal::ints(shape, vec![data[0]; count]),
        _ => return refuse("its value is not one number", "check the exporter"),
    })
}

fn cast(call: &Call, x: &Literal) -> Result<Literal, Refusal> {
    let to = call.int("to", 0)?;
    let data = match (i32::try_from(to).unwrap_or(0), &x.data) {
        (data_type::FLOAT | data_type::FLOAT16 | data_type::DOUBLE | data_type::BFLOAT16, _) => {
            Data::Floats(x.to_floats())
        }
        (data_type::BOOL, Data::Floats(data)) => {
            Data::Ints(data.iter().map(|&x| i64::from(x != 0.0)).collect())
        }
        (data_type::BOOL, Data::Ints(data)) => Data::Ints(data.iter().map(|&x| i64::from(x != 0)).collect()),
        (data_type::STRING, _) => return refuse("a Cast to strings", "remove it"),
        (_, Data::Floats(data)) => Data::Ints(data.iter().map(|&x| x as i64).collect()),
        (_, Data::Ints(data)) => Data::Ints(data.clone()),
    };
    Ok(Literal { shape: x.shape.clone(), data })
}

fn reshaped(x: &Literal, shape: Vec<usize>) -> Result<Literal, Refusal> {
    Ok(Literal { shape, data: x.data.clone() })
}

/// Axes exchanged: output axis i is input axis `perm[i]`.
pub(super) fn transpose(x: &Literal, perm: &[usize], budget: &mut Budget) -> Result<Literal, Refusal> {
    budget.spend(x.len())?;
    let data = x.data.picked(&movement::transpose_offsets(&x.shape, perm));
    Ok(Literal { shape: perm.iter().map(|&axis| x.shape[axis]).collect(), data })
}

fn gather(call: &Call, x: &Literal, indices: &Literal, budget: &mut Budget) -> Result<Literal, Refusal> {
    let axis = shape::axis(call.int("axis", 0)?, x.shape.len())?;
    let extent = x.shape[axis] as i64;
    let mut chosen = Vec::with_capacity(indices.len());
    for &index in indices.as_ints()? {
        let index = if index < 0 { index.saturating_add(extent) } else { index };
        if !(0..extent).contains(&index) {
            return refuse(format!("it gathers element {index} of {extent}"), "check the exporter");
        }
        chosen.push(index as usize);
    }
    let mut picks: Vec<Vec<usize>> = x.shape.iter().map(|&extent| (0..extent).collect()).collect();
    picks[axis] = chosen;
    let picked = pick(x, &picks, budget)?;
    let mut shape = x.shape[..axis].to_vec();
    shape.extend(&indices.shape);
    shape.extend(&x.shape[axis + 1..]);
    if shape.len() > super::RANK_MAX {
        return refuse("its answer has too many axes", "gather with fewer indices");
    }
    Ok(Literal { shape, data: picked.data })
}

/// The elements at the chosen positions of every axis.
fn pick(x: &Literal, picks: &[Vec<usize>], budget: &mut Budget) -> Result<Literal, Refusal> {
    let shape: Vec<usize> = picks.iter().map(Vec::len).collect();
    budget.spend_shape(&shape)?;
    Ok(Literal { data: x.data.picked(&movement::gather_offsets(&x.shape, picks)), shape })
}

fn concat(call: &Call, inputs: &[Option<&Literal>], budget: &mut Budget) -> Result<Literal, Refusal> {
    let parts: Vec<&Literal> = inputs.iter().copied().flatten().collect();
    let shapes: Vec<&[usize]> = parts.iter().map(|part| part.shape.as_slice()).collect();
    let axis = shape::concat_axis(call, &shapes)?;
    let shape = ConcatOp { axis }.output_shape(&shapes, &[])?;
    budget.spend_shape(&shape)?;
    let outer: usize = shape[..axis].iter().product();
    if parts.iter().all(|part| matches!(part.data, Data::Ints(_))) {
        let parts: Vec<&[i64]> = parts.iter().map(|part| part.as_ints()).collect::<Result<_, _>>()?;
        return Ok(Literal::ints(shape, movement::concat(&parts, outer, |_, x| x)));
    }
    let floats: Vec<Vec<f32>> = parts.iter().map(|part| part.to_floats()).collect();
    let floats: Vec<&[f32]> = floats.iter().map(Vec::as_slice).collect();
    Ok(Literal::floats(shape, movement::concat(&floats, outer, |_, x| x)))
}

fn expand(x: &Literal, target: &Literal, budget: &mut Budget) -> Result<Literal, Refusal> {
    let shape = shape::broadcast(&x.shape, &shape::extents(target.as_ints()?)?)?;
    budget.spend_shape(&shape)?;
    Ok(Literal { data: x.data.picked(&movement::broadcast_offsets(&x.shape, &shape)), shape })
}

fn tile(x: &Literal, repeats: &Literal, budget: &mut Budget) -> Result<Literal, Refusal> {
    let repeats = shape::extents(repeats.as_ints()?)?;
    if repeats.len() != x.shape.len() {
        return refuse("it has not one repeat for each axis", "check the exporter");
    }
    let shape: Option<Vec<usize>> = x.shape.iter().zip(&repeats).map(|(a, b)| a.checked_mul(*b)).collect();
    let Some(shape) = shape else { return refuse("its answer is too large", "check the exporter") };
    budget.spend_shape(&shape)?;
    let picks: Vec<Vec<usize>> =
        x.shape.iter().zip(&repeats).map(|(&extent, &n)| (0..n).flat_map(|_| 0..extent).collect()).collect();
    pick(x, &picks, budget)
}

fn range(
    start: &Literal,
    limit: &Literal,
    delta: Option<&Literal>,
    budget: &mut Budget,
) -> Result<Literal, Refusal> {
    let Some(delta) = delta else { return refuse("its step is missing", "check the exporter") };
    let (start, limit, delta) = (start.int_scalar()?, limit.int_scalar()?, delta.int_scalar()?);
    if delta == 0 {
        return refuse("its step is zero", "check the exporter");
    }
    let span = i128::from(limit) - i128::from(start);
    let step = i128::from(delta);
    let count = ((span + step - step.signum()) / step).max(0);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    budget.spend(count)?;
    Ok(Literal::list((0..count as i64).map(|i| start.wrapping_add(i.wrapping_mul(delta))).collect()))
}

fn where_(
    condition: &Literal,
    yes: &Literal,
    no: Option<&Literal>,
    budget: &mut Budget,
) -> Result<Literal, Refusal> {
    let Some(no) = no else { return refuse("its third input is missing", "check the exporter") };
    let shape = shape::broadcast(&shape::broadcast(&condition.shape, &yes.shape)?, &no.shape)?;
    budget.spend_shape(&shape)?;
    let [c, y, n] = [condition, yes, no].map(|x| broadcast_places(&x.shape, &shape));
    let chosen = condition.as_ints()?;
    let sides = c.iter().zip(y.iter().zip(&n)).map(|(&c, (&y, &n))| (chosen[c] != 0, y, n));
    let data = match (&yes.data, &no.data) {
        (Data::Ints(yes), Data::Ints(no)) => {
            Data::Ints(sides.map(|(c, y, n)| if c { yes[y] } else { no[n] }).collect())
        }
        _ => {
            let (yes, no) = (yes.to_floats(), no.to_floats());
            Data::Floats(sides.map(|(c, y, n)| if c { yes[y] } else { no[n] }).collect())
        }
    };
    Ok(Literal { shape, data })
}

fn unary(op: &str, x: &Literal) -> Result<Literal, Refusal> {
    let data = match (&x.data, op) {
        (Data::Ints(data), "Neg") => Data::Ints(data.iter().map(|x| x.wrapping_neg()).collect()),
        (Data::Ints(data), "Abs") => Data::Ints(data.iter().map(|x| x.wrapping_abs()).collect()),
        (Data::Ints(data), "Not") => Data::Ints(data.iter().map(|&x| i64::from(x == 0)).collect()),
        (Data::Ints(data), "Floor" | "Ceil") => Data::Ints(data.clone()),
        _ => {
            let f: fn(f32) -> f32 = match op {
                "Neg" => |x| -x,
                "Abs" => f32::abs,
                "Floor" => f32::floor,
                "Ceil" => f32::ceil,
                "Sqrt" => f32::sqrt,
                "Reciprocal" => |x| 1.0 / x,
                "Exp" => f32::exp,
                "Log" => f32::ln,
                "Tanh" => f32::tanh,
                "Relu" => |x| x.max(0.0),
                _ => return refuse("it works on floats here", "check the exporter"),
            };
            Data::Floats(x.to_floats().into_iter().map(f).collect())
        }
    };
    Ok(Literal { shape: x.shape.clone(), data })
}

fn binary(op: &str, x: &Literal, y: &Literal, budget: &mut Budget) -> Result<Literal, Refusal> {
    let shape = shape::broadcast(&x.shape, &y.shape)?;
    budget.spend_shape(&shape)?;
    let pairs = broadcast_places(&x.shape, &shape).into_iter().zip(broadcast_places(&y.shape, &shape));
    let data = match (&x.data, &y.data) {
        (Data::Ints(x), Data::Ints(y)) => {
            let data: Option<Vec<i64>> = pairs.map(|(i, j)| int_binary(op, x[i], y[j])).collect();
            match data {
                Some(data) => Data::Ints(data),
                None => return refuse("it overflows or divides by zero", "check the exporter"),
            }
        }
        _ => {
            let (x, y) = (x.to_floats(), y.to_floats());
            match op {
                "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual" => {
                    Data::Ints(pairs.map(|(i, j)| i64::from(float_compare(op, x[i], y[j]))).collect())
                }
                "Mod" | "And" | "Or" => return refuse("it works on floats here", "check the exporter"),
                _ => Data::Floats(pairs.map(|(i, j)| float_binary(op, x[i], y[j])).collect()),
            }
        }
    };
    Ok(Literal { shape, data })
}

fn int_binary(op: &str, x: i64, y: i64) -> Option<i64> {
    Some(match op {
        "Add" => x.checked_add(y)?,
        "Sub" => x.checked_sub(y)?,
        "Mul" => x.checked_mul(y)?,
        "Div" => x.checked_div(y)?,
        "Mod" => {
            let rest = x.checked_rem(y)?;
            if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }
        }
        "Pow" => x.checked_pow(u32::try_from(y).ok()?)?,
        "Min" => x.min(y),
        "Max" => x.max(y),
        "Equal" => i64::from(x == y),
        "Less" => i64::from(x < y),
        "Greater" => i64::from(x > y),
        "LessOrEqual" => i64::from(x <= y),
        "GreaterOrEqual" => i64::from(x >= y),
        "And" => i64::from(x != 0 && y != 0),
        _ => i64::from(x != 0 || y != 0),
    })
}

fn float_compare(op: &str, x: f32, y: f32) -> bool {
    match op {
        "Equal" => x == y,
        "Less" => x < y,
        "Greater" => x > y,
        "LessOrEqual" => x <= y,
        _ => x >= y,
    }
}

fn float_binary(op: &str, x: f32, y: f32) -> f32 {
    match op {
        "Add" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "Pow" => x.powf(y),
        "Min" => x.min(y),
        _ => x.max(y),
    }
}

/// For each element of `to`, the index of the element of `from` that is broadcast there.
fn broadcast_places(from: &[usize], to: &[usize]) -> Vec<usize> {
    movement::places(&movement::broadcast_offsets(from, to))
}
