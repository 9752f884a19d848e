//! Conv, ConvTranspose, Gemm and MatMul.

use super::super::call::Call;
use super::super::draft::{FloatStep, GraphDraft};
use super::super::geometry::{self, AutoPad};
use super::super::literal::{Data, Literal};
use super::super::{Refusal, fold, refuse};
use super::Translated;
use crate::ir::{Op, Tensor, Window};

/// Convolution of rank 1 to 3.
pub(super) fn conv(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let shape = draft.shape(x).to_vec();
    let sizes = geometry::spatial(&shape)?;
    let weight = kernel_weight(call, shape.len())?;
    let groups = groups(call, shape[1])?;
    let (out_channels, per_group) = (weight.shape[0], weight.shape[1]);
    if per_group != shape[1] / groups || out_channels % groups != 0 {
        return refuse(
            format!(
                "its weight {:?} in {groups} groups does not fit data of {} channels",
                weight.shape, shape[1]
            ),
            "check the exporter",
        );
    }
    let (mut window, auto_pad) = geometry::window(call, Some(&weight.shape[2..]), sizes.len())?;
    geometry::pad_same(&mut window, auto_pad, sizes);
    let outputs = geometry::output_sizes(&window, sizes)?;
    let bias = bias(call, 2, out_channels)?;
    let answer = [&[1, out_channels], outputs.as_slice()].concat();
    let op = Op::Conv { window, groups, weight, bias };
    draft.emit(call, FloatStep::Op(op), vec![x], answer).map(Translated::supported)
}

/// Transposed convolution of rank 1 to 3.
pub(super) fn conv_transpose(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let shape = draft.shape(x).to_vec();
    let sizes = geometry::spatial(&shape)?;
    let weight = kernel_weight(call, shape.len())?;
    let groups = groups(call, shape[1])?;
    if weight.shape[0] != shape[1] {
        return refuse(
            format!("its weight {:?} does not fit data of {} channels", weight.shape, shape[1]),
            "check the exporter",
        );
    }
    let (mut window, auto_pad) = geometry::window(call, Some(&weight.shape[2..]), sizes.len())?;
    let output_padding =
        geometry::list(call, "output_padding", sizes.len(), 0)?.unwrap_or_else(|| vec![0; sizes.len()]);
    let outputs = transposed_sizes(call, &mut window, auto_pad, &output_padding, sizes)?;
    let Some(out_channels) = weight.shape[1].checked_mul(groups) else {
        return refuse("it has too many channels", "check the exporter");
    };
    let bias = bias(call, 2, out_channels)?;
    let answer = [&[1, out_channels], outputs.as_slice()].concat();
    let op = Op::ConvTranspose { window, output_padding, groups, weight, bias };
    draft.emit(call, FloatStep::Op(op), vec![x], answer).map(Translated::supported)
}

/// Output extents of a transposed convolution; sets the padding where `output_shape` or `auto_pad` decide them.
fn transposed_sizes(
    call: &Call,
    window: &mut Window,
    auto_pad: AutoPad,
    output_padding: &[usize],
    sizes: &[usize],
) -> Result<Vec<usize>, Refusal> {
    let stated = geometry::list(call, "output_shape", sizes.len(), 1)?;
    let mut outputs = Vec::new();
    for axis in 0..sizes.len() {
        let full =
            window.strides[axis] * (sizes[axis] - 1) + output_padding[axis] + geometry::span(window, axis);
        let wanted = match &stated {
            Some(stated) if stated[axis] > full => {
                return refuse(
                    format!("its output_shape {stated:?} is larger than it can fill"),
                    "export with output_padding instead of output_shape",
                );
            }
            Some(stated) => Some(stated[axis]),
            // Automatic padding wants a multiple of the input, and takes less where the kernel does not reach so far.
            None if auto_pad != AutoPad::Explicit => Some(full.min(sizes[axis] * window.strides[axis])),
            None => None,
        };
        if let Some(wanted) = wanted {
            let total = full - wanted;
            let (less, more) = (total / 2, total - total / 2);
            let begin = if auto_pad == AutoPad::SameUpper { less } else { more };
            window.pads_begin[axis] = begin;
            window.pads_end[axis] = total - begin;
        }
        match full.checked_sub(window.pads_begin[axis] + window.pads_end[axis]) {
            Some(extent @ 1..) => outputs.push(extent),
            _ => return refuse("its padding cuts away all of its answer", "check the exporter"),
        }
    }
    Ok(outputs)
}

/// y = alpha * A' * B' + beta * C with constant B and C.
pub(super) fn gemm(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let mut x = call.value(0)?;
    if call.int("transA", 0)? != 0 {
        let shape = draft.shape(x).to_vec();
        let &[rows, columns] = shape.as_slice() else {
            return refuse(
                format!("its data has shape {shape:?} instead of two axes"),
                "flatten the data before it",
            );
        };
        x = draft.emit_named(
            call,
            "/transposed",
            FloatStep::Op(Op::Transpose { perm: vec![1, 0] }),
            vec![x],
            vec![columns, rows],
        )?;
    }
    let weight = matrix(call.constant(1)?)?;
    let weight = if call.int("transB", 0)? != 0 { weight } else { transposed(&weight, draft)? };
    let alpha = f64::from(call.float("alpha", 1.0)?);
    let beta = f64::from(call.float("beta", 1.0)?);
    let scaled = Tensor {
        data: weight.data.iter().map(|&w| (f64::from(w) * alpha) as f32).collect(),
        shape: weight.shape,
    };
    let bias = match call.optional_constant(2)? {
        None => vec![0.0; scaled.shape[0]],
        Some(literal) => {
            row_of(literal, scaled.shape[0])?.iter().map(|&b| (f64::from(b) * beta) as f32).collect()
        }
    };
    if draft.shape(x).len() != 2 {
        return refuse(
            format!("its data has shape {:?} instead of two axes", draft.shape(x)),
            "flatten the data before it",
        );
    }
    dense(call, draft, x, scaled, bias)
}

/// y = x * B with a constant matrix B.
pub(super) fn mat_mul(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    use super::super::call::Known;
    match call.inputs.as_slice() {
        [Some(Known::Value(_)), Some(Known::Value(_))] => {
            return refuse(
                "it multiplies two matrices that both depend on the image (attention)",
                "use a convolutional network: one side must be a constant",
            );
        }
        [Some(Known::Constant(_)), Some(Known::Value(_))] => {
            return refuse(
                "its constant stands on the left",
                "transpose the product: constants stand on the right",
            );
        }
        _ => {}
    }
    let x = call.value(0)?;
    let literal = call.constant(1)?;
    let lead = literal.shape.len().saturating_sub(2);
    if literal.shape.len() < 2
        || literal.shape[..lead].iter().any(|&extent| extent != 1)
        || lead > draft.shape(x).len()
    {
        return refuse(
            format!("its constant has shape {:?}, not a matrix", literal.shape),
            "use one matrix for all rows",
        );
    }
    let flat = Literal { shape: literal.shape[lead..].to_vec(), data: literal.data.clone() };
    let weight = transposed(&matrix(&flat)?, draft)?;
    let bias = vec![0.0; weight.shape[0]];
    dense(call, draft, x, weight, bias)
}

fn dense(
    call: &Call,
    draft: &mut GraphDraft,
    x: usize,
    weight: Tensor,
    bias: Vec<f32>,
) -> Result<Translated, Refusal> {
    let mut shape = draft.shape(x).to_vec();
    match shape.last_mut() {
        Some(features) if *features == weight.shape[1] => *features = weight.shape[0],
        _ => {
            return refuse(
                format!("its matrix takes {} features, and its data has shape {shape:?}", weight.shape[1]),
                "export with the input size that will be used",
            );
        }
    }
    if !weight.data.iter().chain(&bias).all(|x| x.is_finite()) {
        return refuse("its weight is beyond 32-bit floats", "check the training");
    }
    draft.emit(call, FloatStep::Op(Op::Dense { weight, bias }), vec![x], shape).map(Translated::supported)
}

fn matrix(literal: &Literal) -> Result<Tensor, Refusal> {
    match literal.weight()? {
        weight if weight.shape.len() == 2 => Ok(weight),
        weight => {
            refuse(format!("its constant has shape {:?}, not a matrix", weight.shape), "check the exporter")
        }
    }
}

fn transposed(weight: &Tensor, draft: &mut GraphDraft) -> Result<Tensor, Refusal> {
    let literal = Literal { shape: weight.shape.clone(), data: Data::Floats(weight.data.clone()) };
    fold::transpose(&literal, &[1, 0], &mut draft.budget)?.weight()
}

/// A bias that is the same for every row.
fn row_of(literal: &Literal, features: usize) -> Result<Vec<f32>, Refusal> {
    let weight = literal.weight()?;
    let same_for_rows = weight.shape.iter().rev().skip(1).all(|&extent| extent == 1);
    match (weight.data.len(), same_for_rows) {
        (1, _) => Ok(vec![weight.data[0]; features]),
        (count, true) if count == features => Ok(weight.data),
        _ => refuse(
            format!("its bias has shape {:?} for {features} features", weight.shape),
            "use one bias for all rows",
        ),
    }
}

fn kernel_weight(call: &Call, rank: usize) -> Result<Tensor, Refusal> {
    match call.constant(1)?.weight()? {
        weight if weight.shape.len() == rank => Ok(weight),
        weight => refuse(
            format!("its weight {:?} does not fit data of {rank} axes", weight.shape),
            "check the exporter",
        ),
    }
}

fn groups(call: &Call, channels: usize) -> Result<usize, Refusal> {
    let group = call.int("group", 1)?;
    match usize::try_from(group) {
        Ok(groups @ 1..) if channels.is_multiple_of(groups) => Ok(groups),
        _ => refuse(format!("it has {group} groups for {channels} channels"), "check the exporter"),
    }
}

fn bias(call: &Call, index: usize, channels: usize) -> Result<Vec<f32>, Refusal> {
    let Some(literal) = call.optional_constant(index)? else { return Ok(vec![0.0; channels]) };
    match literal.weight()?.data {
        bias if bias.len() == channels => Ok(bias),
        bias => refuse(format!("it has {} biases for {channels} channels", bias.len()), "check the exporter"),
    }
}
