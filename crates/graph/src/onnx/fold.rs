//! Constant folding: the arithmetic on shapes and weights that exporters leave in a file, computed at import.
//!
//! Every result is charged to the [`Budget`], so that a small file cannot ask for a large constant.

mod reduce;

pub(super) use reduce::reduce;

use super::call::Call;
use super::external::Beside;
use super::literal::{Data, Literal};
use super::names::printable;
use super::proto::{TensorProto, data_type};
use super::shape;
use super::{Budget, Refusal, refuse};
use crate::ir::ConcatOp;
use crate::ir::ops::FloatOperator;
use crate::movement;

/// Computes a node whose inputs are all constant.
pub(super) type Fold = fn(&Call, Constants<'_>, &mut Budget) -> Result<Literal, Refusal>;

/// The inputs of such a node; `None` for one that is left out.
#[derive(Clone, Copy)]
pub(super) struct Constants<'a>(pub(super) &'a [Option<&'a Literal>]);

impl<'a> Constants<'a> {
    pub(super) fn get(self, index: usize) -> Option<&'a Literal> {
        self.0.get(index).copied().flatten()
    }

    pub(super) fn need(self, index: usize) -> Result<&'a Literal, Refusal> {
        match self.get(index) {
            Some(literal) => Ok(literal),
            None => refuse(format!("its input {index} is missing"), "check the exporter"),
        }
    }
}

/// Refuses a node of constants that is not computed.
pub(super) fn refuse_folding<T>(call: &Call) -> Result<T, Refusal> {
    refuse(
        format!("{} of constants is not folded here", printable(call.op())),
        "let the exporter fold constants (do_constant_folding=True, or onnxsim)",
    )
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

pub(super) fn constant(call: &Call, budget: &mut Budget) -> Result<Literal, Refusal> {
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
pub(super) fn dequantise(
    call: &Call,
    inputs: Constants<'_>,
    budget: &mut Budget,
) -> Result<Literal, Refusal> {
    let (x, scale, zero_point) = (inputs.need(0)?, inputs.need(1)?, inputs.get(2));
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

pub(super) fn constant_of_shape(
    call: &Call,
    shape: &Literal,
    budget: &mut Budget,
) -> Result<Literal, Refusal> {
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

pub(super) fn cast(call: &Call, x: &Literal) -> Result<Literal, Refusal> {
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

pub(super) fn reshaped(x: &Literal, shape: Vec<usize>) -> Result<Literal, Refusal> {
    Ok(Literal { shape, data: x.data.clone() })
}

/// Axes exchanged: output axis i is input axis `perm[i]`.
pub(super) fn transpose(x: &Literal, perm: &[usize], budget: &mut Budget) -> Result<Literal, Refusal> {
    budget.spend(x.len())?;
    let data = x.data.picked(&movement::transpose_offsets(&x.shape, perm));
    Ok(Literal { shape: perm.iter().map(|&axis| x.shape[axis]).collect(), data })
}

pub(super) fn gather(call: &Call, inputs: Constants<'_>, budget: &mut Budget) -> Result<Literal, Refusal> {
    let (x, indices) = (inputs.need(0)?, inputs.need(1)?);
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

pub(super) fn slice(call: &Call, inputs: Constants<'_>, budget: &mut Budget) -> Result<Literal, Refusal> {
    let x = inputs.need(0)?;
    let picks = shape::slice(call, &x.shape, &inputs.0[1..], budget)?;
    pick(x, &picks, budget)
}

/// The elements at the chosen positions of every axis.
fn pick(x: &Literal, picks: &[Vec<usize>], budget: &mut Budget) -> Result<Literal, Refusal> {
    let shape: Vec<usize> = picks.iter().map(Vec::len).collect();
    budget.spend_shape(&shape)?;
    Ok(Literal { data: x.data.picked(&movement::gather_offsets(&x.shape, picks)), shape })
}

pub(super) fn concat(call: &Call, inputs: Constants<'_>, budget: &mut Budget) -> Result<Literal, Refusal> {
    let parts: Vec<&Literal> = inputs.0.iter().copied().flatten().collect();
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

pub(super) fn expand(inputs: Constants<'_>, budget: &mut Budget) -> Result<Literal, Refusal> {
    let (x, target) = (inputs.need(0)?, inputs.need(1)?);
    let shape = shape::broadcast(&x.shape, &shape::extents(target.as_ints()?)?)?;
    budget.spend_shape(&shape)?;
    Ok(Literal { data: x.data.picked(&movement::broadcast_offsets(&x.shape, &shape)), shape })
}

pub(super) fn tile(inputs: Constants<'_>, budget: &mut Budget) -> Result<Literal, Refusal> {
    let (x, repeats) = (inputs.need(0)?, inputs.need(1)?);
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

pub(super) fn range(inputs: Constants<'_>, budget: &mut Budget) -> Result<Literal, Refusal> {
    let number = |index: usize| inputs.need(index)?.int_scalar();
    let (start, limit, delta) = (number(0)?, number(1)?, number(2)?);
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

pub(super) fn where_(inputs: Constants<'_>, budget: &mut Budget) -> Result<Literal, Refusal> {
    let (condition, yes, no) = (inputs.need(0)?, inputs.need(1)?, inputs.need(2)?);
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

/// A function of each float.
pub(super) fn each_float(inputs: Constants<'_>, floats: fn(f32) -> f32) -> Result<Literal, Refusal> {
    let x = inputs.need(0)?;
    Ok(Literal::floats(x.shape.clone(), x.to_floats().into_iter().map(floats).collect()))
}

/// A function of each number, integers among themselves.
pub(super) fn each(
    inputs: Constants<'_>,
    ints: fn(i64) -> i64,
    floats: fn(f32) -> f32,
) -> Result<Literal, Refusal> {
    let x = inputs.need(0)?;
    match &x.data {
        Data::Ints(data) => Ok(Literal::ints(x.shape.clone(), data.iter().map(|&x| ints(x)).collect())),
        Data::Floats(_) => each_float(inputs, floats),
    }
}

/// Not.
pub(super) fn not(inputs: Constants<'_>) -> Result<Literal, Refusal> {
    let x = inputs.need(0)?;
    let Data::Ints(data) = &x.data else { return on_floats() };
    Ok(Literal::ints(x.shape.clone(), data.iter().map(|&x| i64::from(x == 0)).collect()))
}

/// A function of two numbers, integers among themselves.
pub(super) fn pairs(
    inputs: Constants<'_>,
    budget: &mut Budget,
    ints: fn(i64, i64) -> Option<i64>,
    floats: fn(f32, f32) -> f32,
) -> Result<Literal, Refusal> {
    let pairs = Pairs::new(inputs, budget)?;
    match pairs.ints() {
        Some((x, y)) => pairs.of_ints(x, y, ints),
        None => {
            let (x, y) = pairs.floats();
            let data = pairs.places.iter().map(|&(i, j)| floats(x[i], y[j])).collect();
            Ok(Literal::floats(pairs.shape, data))
        }
    }
}

/// A function of two integers.
pub(super) fn int_pairs(
    inputs: Constants<'_>,
    budget: &mut Budget,
    ints: fn(i64, i64) -> Option<i64>,
) -> Result<Literal, Refusal> {
    let pairs = Pairs::new(inputs, budget)?;
    match pairs.ints() {
        Some((x, y)) => pairs.of_ints(x, y, ints),
        None => on_floats(),
    }
}

/// A comparison of two numbers, integers among themselves.
pub(super) fn compared(
    inputs: Constants<'_>,
    budget: &mut Budget,
    ints: fn(&i64, &i64) -> bool,
    floats: fn(&f32, &f32) -> bool,
) -> Result<Literal, Refusal> {
    let pairs = Pairs::new(inputs, budget)?;
    let data = match pairs.ints() {
        Some((x, y)) => pairs.places.iter().map(|&(i, j)| i64::from(ints(&x[i], &y[j]))).collect(),
        None => {
            let (x, y) = pairs.floats();
            pairs.places.iter().map(|&(i, j)| i64::from(floats(&x[i], &y[j]))).collect()
        }
    };
    Ok(Literal::ints(pairs.shape, data))
}

/// Two constants brought to one shape.
struct Pairs<'a> {
    x: &'a Literal,
    y: &'a Literal,
    shape: Vec<usize>,
    /// The elements that meet.
    places: Vec<(usize, usize)>,
}

impl<'a> Pairs<'a> {
    fn new(inputs: Constants<'a>, budget: &mut Budget) -> Result<Self, Refusal> {
        let (x, y) = (inputs.need(0)?, inputs.need(1)?);
        let shape = shape::broadcast(&x.shape, &y.shape)?;
        budget.spend_shape(&shape)?;
        let (of_x, of_y) = (broadcast_places(&x.shape, &shape), broadcast_places(&y.shape, &shape));
        Ok(Self { x, y, shape, places: of_x.into_iter().zip(of_y).collect() })
    }

    /// Both, where both are integers.
    fn ints(&self) -> Option<(&'a [i64], &'a [i64])> {
        match (&self.x.data, &self.y.data) {
            (Data::Ints(x), Data::Ints(y)) => Some((x, y)),
            (Data::Floats(_), _) | (_, Data::Floats(_)) => None,
        }
    }

    fn floats(&self) -> (Vec<f32>, Vec<f32>) {
        (self.x.to_floats(), self.y.to_floats())
    }

    fn of_ints(
        &self,
        x: &[i64],
        y: &[i64],
        function: fn(i64, i64) -> Option<i64>,
    ) -> Result<Literal, Refusal> {
        let data: Option<Vec<i64>> = self.places.iter().map(|&(i, j)| function(x[i], y[j])).collect();
        match data {
            Some(data) => Ok(Literal::ints(self.shape.clone(), data)),
            None => refuse("it overflows or divides by zero", "check the exporter"),
        }
    }
}

fn on_floats<T>() -> Result<T, Refusal> {
    refuse("it works on floats here", "check the exporter")
}

/// For each element of `to`, the index of the element of `from` that is broadcast there.
fn broadcast_places(from: &[usize], to: &[usize]) -> Vec<usize> {
    movement::places(&movement::broadcast_offsets(from, to))
}
