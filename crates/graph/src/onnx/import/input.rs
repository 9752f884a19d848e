//! The model's input, and shapes as a file states them: fixed, open, or named by the caller.

use super::super::proto::{ValueInfoProto, data_type};
use super::super::{RANK_MAX, Refusal, refuse};
use super::{Importer, Known, Needed, listed, shown};
use crate::ir::ValueId;

impl Importer<'_> {
    /// The one input that the output hangs on.
    pub(super) fn input(&mut self, needed: &Needed) -> Option<ValueId> {
        let graph = self.graph;
        let inputs: Vec<&ValueInfoProto> =
            graph.input.iter().filter(|input| !self.names.contains_key(input.name.as_str())).collect();
        let (used, unused): (Vec<_>, Vec<_>) =
            inputs.into_iter().partition(|input| needed.names.contains(input.name.as_str()));
        for input in &unused {
            self.report.notes.push(format!("input {:?} is not used", input.name));
        }
        if used.len() != 1 {
            let names: Vec<&str> = used.iter().map(|input| input.name.as_str()).collect();
            self.report.problems.push(match used.len() {
                0 => "its output hangs on no input: export the model again".into(),
                _ => format!(
                    "it has {} inputs ({}), and one is computed: make the others fixed parameters",
                    names.len(),
                    listed(&names)
                ),
            });
        }
        let mut first = None;
        for input in used {
            let made = self.input_shape(input).and_then(|shape| self.draft.value(&input.name, shape));
            let known = match made {
                Ok(value) => {
                    first.get_or_insert(value);
                    Known::Value(value)
                }
                Err(refusal) => {
                    self.report.problems.push(format!("input {:?}: {refusal}", input.name));
                    Known::Unknown { because: format!("input {:?}", shown(&input.name)).into() }
                }
            };
            self.define(&input.name, known);
        }
        first
    }

    fn input_shape(&mut self, input: &ValueInfoProto) -> Result<Vec<usize>, Refusal> {
        let stated = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        match stated.map(|tensor| tensor.elem_type) {
            None | Some(0 | data_type::FLOAT) => {}
            Some(data_type::FLOAT16 | data_type::DOUBLE | data_type::BFLOAT16) => {
                self.report.notes.push(format!("input {:?} is read as 32-bit floats", input.name));
            }
            Some(_) => {
                return refuse(
                    "it is not of floats",
                    "export with a float input, and convert grey values before the model",
                );
            }
        }
        match &self.options.input_shape {
            Some(shape) => Ok(shape.clone()),
            None => match self.stated_shape(input) {
                Ok(shape) if shape.first().is_none_or(|&batch| batch == 1) || shape.len() == 1 => Ok(shape),
                Ok(shape) => refuse(
                    format!("its shape {shape:?} is a batch of {}", shape[0]),
                    "export with a batch of 1, or give the input's shape",
                ),
                Err(refusal) => Err(refusal),
            },
        }
    }

    /// A value's shape in the file: an open first axis is the batch, other names come from the caller.
    pub(super) fn stated_shape(&self, value: &ValueInfoProto) -> Result<Vec<usize>, Refusal> {
        let shape = value
            .r#type
            .as_ref()
            .and_then(|kind| kind.tensor_type.as_ref())
            .and_then(|tensor| tensor.shape.as_ref());
        let Some(shape) = shape else {
            return refuse("the file does not state its shape", "give the input's shape");
        };
        let mut extents = Vec::new();
        for (axis, dimension) in shape.dim.iter().enumerate().take(RANK_MAX + 1) {
            let fixed = dimension
                .dim_value
                .and_then(|extent| usize::try_from(extent).ok())
                .filter(|&extent| extent > 0);
            let name = dimension.dim_param.as_deref().unwrap_or("");
            let given = self.options.dimensions.get(name).copied();
            match fixed.or(given).or((axis == 0).then_some(1)) {
                Some(extent) => extents.push(extent),
                None => {
                    let called = if name.is_empty() { String::new() } else { format!(" ({name})") };
                    return refuse(
                        format!("the file leaves axis {axis}{called} open"),
                        "give the input's shape, or export with a fixed size",
                    );
                }
            }
        }
        Ok(extents)
    }
}
