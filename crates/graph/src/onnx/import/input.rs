//! The model's input, and shapes as a file states them: fixed, open, or named by the caller.

use super::super::names::printable;
use super::super::proto::{ValueInfoProto, data_type};
use super::super::{RANK_MAX, Refusal, refuse};
use super::{Importer, Known, Needed, listed};
use crate::ir::{InputRange, ValueId};

impl<'a> Importer<'a> {
    /// The one input that the output depends on.
    pub(super) fn input(&mut self, needed: &Needed) -> Option<ValueId> {
        let graph = self.graph;
        let inputs: Vec<&ValueInfoProto> =
            graph.input.iter().filter(|input| !self.names.contains_key(input.name.as_str())).collect();
        let (used, unused): (Vec<_>, Vec<_>) =
            inputs.into_iter().partition(|input| needed.uses.contains_key(input.name.as_str()));
        for input in &unused {
            self.report.notes.push(format!("input {:?} is not used", printable(&input.name)));
        }
        if used.len() != 1 {
            let names: Vec<&str> = used.iter().map(|input| input.name.as_str()).collect();
            self.report.problems.push(match used.len() {
                0 => "its output depends on no input: export the model again".into(),
                _ => format!(
                    "it has {} inputs ({}), and one is computed: make the others fixed parameters",
                    names.len(),
                    listed(&names)
                ),
            });
        }
        let mut first = None;
        for input in used {
            let uses = needed.uses.get(input.name.as_str()).copied().unwrap_or(0);
            let made = self.input_shape(input).and_then(|shape| self.draft.value(&input.name, shape));
            let known = match made {
                Ok(value) => {
                    first.get_or_insert(value);
                    if uses == 1 {
                        self.draft.image.maps.insert(value, (1.0, 0.0));
                    }
                    Known::Value(value)
                }
                Err(refusal) => {
                    self.report.problems.push(format!("input {:?}: {refusal}", printable(&input.name)));
                    Known::unknown(format!("input {:?}", printable(&input.name)))
                }
            };
            self.define(&input.name, known);
        }
        first
    }

    fn input_shape(&mut self, input: &'a ValueInfoProto) -> Result<Vec<usize>, Refusal> {
        let stated = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        self.element_type(input, stated.map_or(0, |tensor| tensor.elem_type))?;
        if let Some(shape) = &self.options.input_shape {
            self.check_given_shape(input, shape)?;
            return Ok(shape.clone());
        }
        let mut shape = self.stated_shape(input)?;
        if let [batch @ (2..), _, ..] = shape.as_mut_slice() {
            self.report.notes.push(format!(
                "input {:?} is a batch of {batch}: one image is computed at a time, so 1 is taken for it",
                printable(&input.name)
            ));
            self.batch = Some(std::mem::replace(batch, 1));
        }
        Ok(shape)
    }

    /// Floats of any width, and integers of one or two bytes, whose range is then the input's.
    fn element_type(&mut self, input: &'a ValueInfoProto, elements: i32) -> Result<(), Refusal> {
        let (low, high) = match elements {
            0 | data_type::FLOAT => return Ok(()),
            data_type::FLOAT16 | data_type::DOUBLE | data_type::BFLOAT16 => {
                self.report
                    .notes
                    .push(format!("input {:?} is read as 32-bit floats", printable(&input.name)));
                return Ok(());
            }
            data_type::UINT8 => (0.0, 255.0),
            data_type::INT8 => (-128.0, 127.0),
            data_type::UINT16 => (0.0, 65535.0),
            data_type::INT16 => (-32768.0, 32767.0),
            _ => {
                return refuse(
                    "it is not of floats or of 8- or 16-bit integers",
                    "export with a float input, and convert grey values before the model",
                );
            }
        };
        self.report.notes.push(format!(
            "input {:?} holds integers from {} to {}: grey values are taken as they are stored",
            printable(&input.name),
            low,
            high
        ));
        self.draft.image.range = Some(InputRange { low, high, clips: false });
        self.integers.insert(&input.name);
        Ok(())
    }

    /// A shape from the caller must have the file's axes, and 1 for the batch.
    fn check_given_shape(&self, input: &ValueInfoProto, given: &[usize]) -> Result<(), Refusal> {
        if let Some(name) = self.options.input_name.as_ref().filter(|&name| *name != input.name) {
            return refuse(
                format!("a shape was given for {:?}", printable(name)),
                "give the shape alone, or this input's name before it",
            );
        }
        let stated = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let axes = stated.and_then(|tensor| tensor.shape.as_ref()).map(|shape| shape.dim.len());
        if axes.is_some_and(|axes| axes != given.len()) {
            return refuse(
                format!("shape {given:?} was given, and the file states {} axes", axes.unwrap_or_default()),
                "give as many extents as the file has axes, such as --shape 1x1x512x512",
            );
        }
        match given {
            [batch @ (2..), _, _, ..] => refuse(
                format!("shape {given:?} was given, a batch of {batch}"),
                "one image is computed at a time: give 1 for the first axis",
            ),
            _ => Ok(()),
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
            return refuse("the file does not state its shape", "give it, such as --shape 1x1x512x512");
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
                    let (called, by_name) = match name {
                        "" => (String::new(), String::new()),
                        name => {
                            (format!(" ({})", printable(name)), format!(" or --dim {}=512", printable(name)))
                        }
                    };
                    return refuse(
                        format!("the file leaves axis {axis}{called} open"),
                        format!("give the input's shape, such as --shape 1x1x512x512{by_name}"),
                    );
                }
            }
        }
        Ok(extents)
    }
}
