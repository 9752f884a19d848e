//! Constants of a file: weights and the numbers of shape arithmetic.

use super::external::Beside;
use super::names::printable;
use super::proto::{TensorProto, data_type};
use super::{Budget, RANK_MAX, Refusal, refuse};
use crate::ir::Tensor;
use crate::movement;

/// A constant tensor.
#[derive(Clone, PartialEq)]
pub(super) struct Literal {
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

/// Elements: floats of any width are `f32`, integers and booleans `i64`.
#[derive(Clone, PartialEq)]
pub(super) enum Data {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

impl Data {
    pub(super) fn len(&self) -> usize {
        match self {
            Data::Floats(data) => data.len(),
            Data::Ints(data) => data.len(),
        }
    }

    /// The elements at the places of these offsets, see [`movement`].
    pub(super) fn picked(&self, offsets: &[Vec<usize>]) -> Self {
        match self {
            Data::Floats(data) => Data::Floats(movement::picked(data, offsets)),
            Data::Ints(data) => Data::Ints(movement::picked(data, offsets)),
        }
    }
}

impl Literal {
    pub(super) fn floats(shape: Vec<usize>, data: Vec<f32>) -> Self {
        Literal { shape, data: Data::Floats(data) }
    }

    pub(super) fn ints(shape: Vec<usize>, data: Vec<i64>) -> Self {
        Literal { shape, data: Data::Ints(data) }
    }

    /// A one-dimensional list of integers.
    pub(super) fn list(data: Vec<i64>) -> Self {
        Literal::ints(vec![data.len()], data)
    }

    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// The integers, for axes, shapes and amounts.
    pub(super) fn as_ints(&self) -> Result<&[i64], Refusal> {
        match &self.data {
            Data::Ints(data) => Ok(data),
            Data::Floats(_) => refuse("a constant has floats where integers belong", "check the exporter"),
        }
    }

    /// The floats; integers are converted.
    pub(super) fn to_floats(&self) -> Vec<f32> {
        match &self.data {
            Data::Floats(data) => data.clone(),
            Data::Ints(data) => data.iter().map(|&x| x as f32).collect(),
        }
    }

    /// The only element.
    pub(super) fn scalar(&self) -> Result<f32, Refusal> {
        match (&self.data, self.len()) {
            (Data::Floats(data), 1) => Ok(data[0]),
            (Data::Ints(data), 1) => Ok(data[0] as f32),
            _ => refuse(
                format!("a constant of shape {:?} stands where one number belongs", self.shape),
                "check the exporter",
            ),
        }
    }

    /// The only element, an integer.
    pub(super) fn int_scalar(&self) -> Result<i64, Refusal> {
        match self.as_ints()? {
            [only] => Ok(*only),
            _ => refuse(
                format!("a constant of shape {:?} stands where one integer belongs", self.shape),
                "check the exporter",
            ),
        }
    }

    /// A weight: finite floats, no empty axis.
    pub(super) fn weight(&self) -> Result<Tensor, Refusal> {
        let Data::Floats(data) = &self.data else {
            return refuse("its weight holds integers", "export a float model, before quantisation");
        };
        if data.is_empty() {
            return refuse(format!("its weight is empty (shape {:?})", self.shape), "check the exporter");
        }
        if !data.iter().all(|x| x.is_finite()) {
            return refuse(
                "its weight holds infinities or NaN",
                "check the training: the weights have diverged",
            );
        }
        Ok(Tensor { shape: self.shape.clone(), data: data.clone() })
    }
}

/// Elements of a shape, when the product of its extents, empty ones left out, is at most `max`.
pub(super) fn checked_count(shape: &[usize], max: usize) -> Option<usize> {
    let mut bound = 1u64;
    for &extent in shape {
        bound = bound.checked_mul(extent.max(1) as u64).filter(|&bound| bound <= max as u64)?;
    }
    Some(shape.iter().product())
}

/// Reads a tensor of the file, or of a file beside it; `notes` gets a line when precision is lost.
pub(super) fn decode(
    tensor: &TensorProto,
    budget: &mut Budget,
    notes: &mut Vec<String>,
    beside: &mut Beside,
) -> Result<Literal, Refusal> {
    if Beside::holds(tensor) {
        beside.open(tensor, budget)?;
    }
    let shape = tensor_shape(tensor)?;
    // Element types narrower than what they become are charged to the budget; the others are as long as the file.
    let Some(count) = checked_count(&shape, budget.bytes_of_file.saturating_add(1)) else {
        return refuse(
            format!("tensor {:?} claims more elements than the file has bytes", printable(&tensor.name)),
            "check the file",
        );
    };
    let from_beside = match Beside::holds(tensor) {
        true => Some(beside.read(tensor, (count * width(tensor)?) as u64)?),
        false => None,
    };
    let data = elements(tensor, from_beside.as_deref().or(tensor.raw_data.as_deref()), count, budget)?;
    if data.len() != count {
        return refuse(
            format!(
                "tensor {:?} of shape {shape:?} should have {count} elements, and has {}",
                printable(&tensor.name),
                data.len()
            ),
            "export the model again: the file is damaged",
        );
    }
    if matches!(tensor.data_type, data_type::FLOAT16 | data_type::DOUBLE | data_type::BFLOAT16) && count > 1 {
        notes.push(format!("tensor {:?}: converted to 32-bit floats", printable(&tensor.name)));
    }
    Ok(Literal { shape, data })
}

fn tensor_shape(tensor: &TensorProto) -> Result<Vec<usize>, Refusal> {
    if tensor.dims.len() > RANK_MAX {
        return refuse(
            format!(
                "tensor {:?} has {} axes, at most {RANK_MAX} are read",
                printable(&tensor.name),
                tensor.dims.len()
            ),
            "reshape it",
        );
    }
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&extent| usize::try_from(extent).ok()).collect();
    match shape {
        Some(shape) => Ok(shape),
        None => refuse(
            format!("tensor {:?} has a negative extent", printable(&tensor.name)),
            "export the model again: the file is damaged",
        ),
    }
}

/// Bytes of an element.
fn width(tensor: &TensorProto) -> Result<usize, Refusal> {
    Ok(match tensor.data_type {
        data_type::UINT8 | data_type::INT8 | data_type::BOOL => 1,
        data_type::UINT16 | data_type::INT16 | data_type::FLOAT16 | data_type::BFLOAT16 => 2,
        data_type::FLOAT | data_type::INT32 | data_type::UINT32 => 4,
        data_type::DOUBLE | data_type::INT64 | data_type::UINT64 => 8,
        other => {
            return refuse(
                format!(
                    "tensor {:?} has elements of type {other}, which is not read",
                    printable(&tensor.name)
                ),
                "export with 32-bit floats",
            );
        }
    })
}

fn elements(
    tensor: &TensorProto,
    raw: Option<&[u8]>,
    count: usize,
    budget: &mut Budget,
) -> Result<Data, Refusal> {
    let width = width(tensor)?;
    if let Some(raw) = raw
        && raw.len() != count * width
    {
        return refuse(
            format!(
                "tensor {:?} of shape {:?} should have {} bytes, and has {}",
                printable(&tensor.name),
                tensor.dims,
                count * width,
                raw.len()
            ),
            "export the model again: the file is damaged",
        );
    }
    budget.spend(count)?;
    Ok(match (tensor.data_type, raw) {
        (data_type::FLOAT, Some(raw)) => Data::Floats(each(raw, f32::from_le_bytes)),
        (data_type::FLOAT, None) => Data::Floats(tensor.float_data.clone()),
        (data_type::DOUBLE, Some(raw)) => Data::Floats(each(raw, |b| f64::from_le_bytes(b) as f32)),
        (data_type::DOUBLE, None) => Data::Floats(tensor.double_data.iter().map(|&x| x as f32).collect()),
        (data_type::FLOAT16, Some(raw)) => Data::Floats(each(raw, |b| half_to_f32(u16::from_le_bytes(b)))),
        (data_type::FLOAT16, None) => {
            Data::Floats(tensor.int32_data.iter().map(|&x| half_to_f32(x as u16)).collect())
        }
        (data_type::BFLOAT16, Some(raw)) => Data::Floats(each(raw, |b| bfloat_to_f32(u16::from_le_bytes(b)))),
        (data_type::BFLOAT16, None) => {
            Data::Floats(tensor.int32_data.iter().map(|&x| bfloat_to_f32(x as u16)).collect())
        }
        (data_type::INT64, Some(raw)) => Data::Ints(each(raw, i64::from_le_bytes)),
        (data_type::INT64, None) => Data::Ints(tensor.int64_data.clone()),
        (data_type::UINT64, Some(raw)) => Data::Ints(each(raw, |b| u64::from_le_bytes(b) as i64)),
        (data_type::UINT64 | data_type::UINT32, None) => {
            Data::Ints(tensor.uint64_data.iter().map(|&x| x as i64).collect())
        }
        (data_type::UINT32, Some(raw)) => Data::Ints(each(raw, |b| u32::from_le_bytes(b).into())),
        (data_type::INT32, Some(raw)) => Data::Ints(each(raw, |b| i32::from_le_bytes(b).into())),
        (data_type::INT16, Some(raw)) => Data::Ints(each(raw, |b| i16::from_le_bytes(b).into())),
        (data_type::UINT16, Some(raw)) => Data::Ints(each(raw, |b| u16::from_le_bytes(b).into())),
        (data_type::INT8, Some(raw)) => Data::Ints(each(raw, |b| i8::from_le_bytes(b).into())),
        (_, Some(raw)) => Data::Ints(raw.iter().map(|&x| x.into()).collect()),
        (_, None) => Data::Ints(tensor.int32_data.iter().map(|&x| x.into()).collect()),
    })
}

fn each<const N: usize, T>(raw: &[u8], convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>().0.iter().map(|&chunk| convert(chunk)).collect()
}

fn bfloat_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE 754 binary16.
pub(crate) fn half_to_f32(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = f32::from(bits & 0x03ff);
    match (bits >> 10) & 0x1f {
        0 => sign * fraction * 2f32.powi(-24),
        0x1f if fraction == 0.0 => sign * f32::INFINITY,
        0x1f => f32::NAN,
        exponent => sign * (1024.0 + fraction) * 2f32.powi(i32::from(exponent) - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_are_read() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half_to_f32(bits), value);
        }
        assert!(half_to_f32(0x7e00).is_nan());
        assert_eq!(half_to_f32(0xfc00), f32::NEG_INFINITY);
    }

    #[test]
    fn a_count_that_overflows_is_none() {
        assert_eq!(checked_count(&[1 << 40, 1 << 40], usize::MAX), None);
        assert_eq!(checked_count(&[3, 4], 12), Some(12));
        assert_eq!(checked_count(&[3, 4], 11), None);
        assert_eq!(checked_count(&[0, 1 << 20], 100), None, "an empty tensor's other axes are bounded too");
    }
}
