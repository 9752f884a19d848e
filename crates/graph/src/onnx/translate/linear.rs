//! Conv, ConvTranspose, Gemm and MatMul.

use super::super::call::Call;
use super::super::draft::GraphDraft;
use super::super::geometry::{self, AutoPad};
use super::super::literal::{Data, Literal};
use super::super::{Refusal, fold, infer, refuse};
use super::Translated;
use super::table::OnnxOperator;
use crate::ir::ops::FloatOperator;
use crate::ir::{ConvOp, ConvTransposeOp, DenseOp, Op, Tensor, TransposeOp};

pub(super) const OPERATORS: &[OnnxOperator] = &[
    OnnxOperator::computed("Conv", |call, draft, _| conv(call, draft)),
    OnnxOperator::computed("ConvTranspose", |call, draft, _| conv_transpose(call, draft)),
    OnnxOperator::computed("Gemm", |call, draft, _| gemm(call, draft)),
    OnnxOperator::computed("MatMul", |call, draft, _| mat_mul(call, draft)).shaped(infer::mat_mul),
];

/// Convolution of rank 1 to 3.
fn conv(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let shape = draft.shape(x).to_vec();
    let sizes = geometry::spatial(&shape)?;
    let weight = kernel_weight(call, shape.len())?;
    let groups = groups(call, shape[1])?;
    let (mut window, auto_pad) = geometry::window(call, Some(&weight.shape[2..]), sizes.len())?;
    geometry::pad_same(&mut window, auto_pad, sizes);
    let bias = bias(call, 2, weight.shape[0])?;
    draft.emit(call, Op::Conv(ConvOp { window, groups, weight, bias }), vec![x]).map(Translated::supported)
}

/// Transposed convolution of rank 1 to 3.
fn conv_transpose(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let x = call.value(0)?;
    let shape = draft.shape(x).to_vec();
    let sizes = geometry::spatial(&shape)?;
    let weight = kernel_weight(call, shape.len())?;
    let groups = groups(call, shape[1])?;
    let (window, auto_pad) = geometry::window(call, Some(&weight.shape[2..]), sizes.len())?;
    let output_padding =
        geometry::list(call, "output_padding", sizes.len(), 0)?.unwrap_or_else(|| vec![0; sizes.len()]);
    let mut op = ConvTransposeOp { window, output_padding, groups, weight, bias: Vec::new() };
    set_padding(call, &mut op, auto_pad, sizes)?;
    let out_channels = op.output_shape(&[&shape], &[])?[1];
    op.bias = bias(call, 2, out_channels)?;
    draft.emit(call, Op::ConvTranspose(op), vec![x]).map(Translated::supported)
}

/// Sets the padding where `output_shape` or `auto_pad` decide it.
fn set_padding(
    call: &Call,
    op: &mut ConvTransposeOp,
    auto_pad: AutoPad,
    sizes: &[usize],
) -> Result<(), Refusal> {
    let stated = geometry::list(call, "output_shape", sizes.len(), 1)?;
    for (axis, &size) in sizes.iter().enumerate() {
        let full = op.uncut(axis, size);
        let wanted = match &stated {
            Some(stated) if stated[axis] > full => {
                return refuse(
                    format!("its output_shape {stated:?} is larger than it can fill"),
                    "export with output_padding instead of output_shape",
                );
            }
            Some(stated) => stated[axis],
            // Automatic padding wants a multiple of the input, and takes less where the kernel does not reach so far.
            None if auto_pad != AutoPad::Explicit => full.min(size * op.window.strides[axis]),
            None => continue,
        };
        geometry::divide_padding(&mut op.window, auto_pad, axis, full - wanted);
    }
    Ok(())
}

/// y = alpha * A' * B' + beta * C with constant B and C.
fn gemm(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
    let mut x = call.value(0)?;
    if call.int("transA", 0)? != 0 {
        two_axes(draft.shape(x))?;
        let op = Op::Transpose(TransposeOp { perm: vec![1, 0] });
        x = draft.emit_named(call, "/transposed", op, vec![x])?;
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
    two_axes(draft.shape(x))?;
    dense(call, draft, x, scaled, bias)
}

fn two_axes(shape: &[usize]) -> Result<(), Refusal> {
    match shape.len() {
        2 => Ok(()),
        _ => {
            refuse(format!("its data has shape {shape:?} instead of two axes"), "flatten the data before it")
        }
    }
}

/// y = x * B with a constant matrix B.
fn mat_mul(call: &Call, draft: &mut GraphDraft) -> Result<Translated, Refusal> {
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
    if !weight.data.iter().chain(&bias).all(|x| x.is_finite()) {
        return refuse("its weight is beyond 32-bit floats", "check the training");
    }
    draft.emit(call, Op::Dense(DenseOp { weight, bias }), vec![x]).map(Translated::supported)
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
