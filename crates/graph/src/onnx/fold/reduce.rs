//! Reductions of constants over some or all axes.

use super::super::call::Call;
use super::super::literal::{Data, Literal};
use super::super::{Budget, Refusal, refuse, shape};
use super::{Constants, broadcast_places, refuse_folding};

/// The reduced constant. The second input names axes, since opset 13 or 18.
pub(in super::super) fn reduce(
    call: &Call,
    inputs: Constants<'_>,
    budget: &mut Budget,
) -> Result<Literal, Refusal> {
    let x = inputs.need(0)?;
    let named = shape::axes_of(call, inputs.get(1))?.unwrap_or_default();
    let reduced: Vec<bool> = match named.is_empty() {
        true => vec![call.int("noop_with_empty_axes", 0)? == 0; x.shape.len()],
        false => {
            let mut reduced = vec![false; x.shape.len()];
            for axis in named {
                reduced[shape::axis(axis, x.shape.len())?] = true;
            }
            reduced
        }
    };
    budget.spend(x.len())?;
    let with_axes: Vec<usize> =
        x.shape.iter().zip(&reduced).map(|(&extent, &gone)| if gone { 1 } else { extent }).collect();
    let count: usize = with_axes.iter().product();
    if x.len() == 0 {
        return refuse("it reduces nothing", "check the exporter");
    }
    let places = broadcast_places(&with_axes, &x.shape);
    let data = match &x.data {
        Data::Ints(data) => match of_integers(call.op(), data, &places, count) {
            Some(sums) => Data::Ints(sums?),
            None => return refuse_folding(call),
        },
        Data::Floats(data) => match of_floats(call.op(), data, &places, count) {
            Some(sums) => Data::Floats(sums),
            None => return refuse_folding(call),
        },
    };
    let shape = match call.int("keepdims", 1)? != 0 {
        true => with_axes,
        false => {
            x.shape.iter().zip(&reduced).filter(|(_, gone)| !**gone).map(|(&extent, _)| extent).collect()
        }
    };
    Ok(Literal { shape, data })
}

/// Sums in 64 bits, as other frameworks give them to a few units of the last place.
fn of_floats(op: &str, data: &[f32], places: &[usize], count: usize) -> Option<Vec<f32>> {
    let (start, fold): (f64, fn(f64, f64) -> f64) = match op {
        "ReduceSum" | "ReduceMean" => (0.0, |sum, x| sum + x),
        "ReduceL1" => (0.0, |sum, x| sum + x.abs()),
        "ReduceL2" | "ReduceSumSquare" => (0.0, |sum, x| sum + x * x),
        "ReduceProd" => (1.0, |product, x| product * x),
        "ReduceMax" => (f64::NEG_INFINITY, f64::max),
        "ReduceMin" => (f64::INFINITY, f64::min),
        "ReduceLogSum" => (0.0, |sum, x| sum + x),
        "ReduceLogSumExp" => (0.0, |sum, x| sum + x.exp()),
        _ => return None,
    };
    let mut folded = vec![start; count];
    for (&x, &place) in data.iter().zip(places) {
        folded[place] = fold(folded[place], x.into());
    }
    let length = (data.len() / count) as f64;
    let finish = |sum: f64| match op {
        "ReduceMean" => sum / length,
        "ReduceL2" => sum.sqrt(),
        "ReduceLogSum" | "ReduceLogSumExp" => sum.ln(),
        _ => sum,
    };
    Some(folded.into_iter().map(|sum| finish(sum) as f32).collect())
}

fn of_integers(op: &str, data: &[i64], places: &[usize], count: usize) -> Option<Result<Vec<i64>, Refusal>> {
    let fold: fn(i64, i64) -> Option<i64> = match op {
        "ReduceSum" => i64::checked_add,
        "ReduceProd" => i64::checked_mul,
        "ReduceMax" => |a, b| Some(a.max(b)),
        "ReduceMin" => |a, b| Some(a.min(b)),
        _ => return None,
    };
    let mut folded: Vec<Option<i64>> = vec![None; count];
    for (&x, &place) in data.iter().zip(places) {
        folded[place] = match folded[place] {
            None => Some(x),
            Some(so_far) => match fold(so_far, x) {
                Some(next) => Some(next),
                None => return Some(refuse("it overflows", "check the exporter")),
            },
        };
    }
    Some(Ok(folded.into_iter().flatten().collect()))
}
