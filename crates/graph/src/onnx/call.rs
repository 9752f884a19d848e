//! One node of the file for its translation: inputs resolved, attributes checked when they are read.

use std::rc::Rc;

use super::literal::Literal;
use super::proto::{AttributeProto, NodeProto, TensorProto};
use super::{Refusal, refuse};
use crate::ir::{Head, ValueId};

/// What a name of the file refers to.
#[derive(Clone)]
pub(super) enum Known {
    /// A constant.
    Constant(Rc<Literal>),
    /// A value of the graph.
    Value(ValueId),
    /// The answer of a head: order-preserving functions of `logits`, only good to be the output. `rows` are the head's in the
    /// report; `reshaped` when its axes are no longer those of the logits.
    Headed { logits: ValueId, head: Head, rows: Vec<usize>, reshaped: bool },
    /// Its shape is unknown, because it depends on what is named here. `heads` are the rows of heads that may be the last nodes.
    Unknown { because: Rc<str>, heads: Vec<usize> },
}

impl Known {
    pub(super) fn unknown(because: impl Into<Rc<str>>) -> Self {
        Known::Unknown { because: because.into(), heads: Vec::new() }
    }
}

/// A node with its inputs.
pub(super) struct Call<'a> {
    pub(super) node: &'a NodeProto,
    /// Version of ONNX's own operator set.
    pub(super) opset: i64,
    /// `None` for an optional input that is left out.
    pub(super) inputs: Vec<Option<Known>>,
    /// The node's row in the report.
    pub(super) row: usize,
    /// How the report names it.
    pub(super) label: String,
}

impl<'a> Call<'a> {
    pub(super) fn op(&self) -> &'a str {
        &self.node.op_type
    }

    /// The value that input `index` must be.
    pub(super) fn value(&self, index: usize) -> Result<ValueId, Refusal> {
        match self.inputs.get(index) {
            Some(Some(Known::Value(id))) => Ok(*id),
            Some(Some(Known::Constant(_))) => refuse(
                format!("input {index} is a constant where data was expected"),
                "feed it data only: a constant can be added or multiplied, one number per channel",
            ),
            Some(Some(Known::Headed { head, .. })) => refuse(
                format!("it works on the answer of {head:?}, which is only computed at the end"),
                "remove it, or move it before the head",
            ),
            _ => refuse(format!("input {index} is missing"), "check the exporter"),
        }
    }

    /// The constant that input `index` is, if it is one.
    pub(super) fn as_constant(&self, index: usize) -> Option<&Literal> {
        match self.inputs.get(index)?.as_ref()? {
            Known::Constant(literal) => Some(literal),
            Known::Value(_) | Known::Headed { .. } | Known::Unknown { .. } => None,
        }
    }

    /// The constant that input `index` is, if it is there.
    pub(super) fn optional_constant(&self, index: usize) -> Result<Option<&Literal>, Refusal> {
        match self.inputs.get(index) {
            Some(Some(Known::Constant(literal))) => Ok(Some(literal)),
            Some(Some(_)) => refuse(
                format!("input {index} is computed from the image, and must be a constant"),
                "make it a fixed parameter of the model",
            ),
            _ => Ok(None),
        }
    }

    /// The constant that input `index` must be.
    pub(super) fn constant(&self, index: usize) -> Result<&Literal, Refusal> {
        match self.optional_constant(index)? {
            Some(literal) => Ok(literal),
            None => refuse(format!("input {index} is missing"), "check the exporter"),
        }
    }

    /// Refuses a use of any output but the first.
    pub(super) fn only_first_output(&self, what: &str, used: &dyn Fn(&str) -> bool) -> Result<(), Refusal> {
        match self.node.output.iter().skip(1).any(|name| !name.is_empty() && used(name)) {
            true => refuse(format!("{what} is used"), "remove what uses it"),
            false => Ok(()),
        }
    }

    fn attribute(&self, name: &str) -> Result<Option<&'a AttributeProto>, Refusal> {
        match self.node.attribute.iter().find(|attribute| attribute.name == name) {
            Some(attribute) if !attribute.ref_attr_name.is_empty() => {
                refuse(format!("attribute {name} refers to a function's"), "export without local functions")
            }
            found => Ok(found),
        }
    }

    pub(super) fn optional_int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(attribute) = self.attribute(name)? else { return Ok(None) };
        match attribute.i {
            None if attribute.r#type != 2 => wrong_type(name, "an integer"),
            // A zero may be left out by an encoder.
            value => Ok(Some(value.unwrap_or(0))),
        }
    }

    pub(super) fn int(&self, name: &str, default: i64) -> Result<i64, Refusal> {
        Ok(self.optional_int(name)?.unwrap_or(default))
    }

    pub(super) fn optional_float(&self, name: &str) -> Result<Option<f32>, Refusal> {
        let Some(attribute) = self.attribute(name)? else { return Ok(None) };
        match attribute.f {
            None if attribute.r#type != 1 => wrong_type(name, "a float"),
            value => Ok(Some(value.unwrap_or(0.0))),
        }
    }

    pub(super) fn float(&self, name: &str, default: f32) -> Result<f32, Refusal> {
        Ok(self.optional_float(name)?.unwrap_or(default))
    }

    pub(super) fn optional_ints(&self, name: &str) -> Result<Option<&'a [i64]>, Refusal> {
        Ok(self.attribute(name)?.map(|attribute| attribute.ints.as_slice()))
    }

    pub(super) fn optional_floats(&self, name: &str) -> Result<Option<&'a [f32]>, Refusal> {
        Ok(self.attribute(name)?.map(|attribute| attribute.floats.as_slice()))
    }

    pub(super) fn text(&self, name: &str, default: &'a str) -> Result<&'a str, Refusal> {
        let Some(attribute) = self.attribute(name)? else { return Ok(default) };
        match attribute.s.as_deref().map(std::str::from_utf8) {
            Some(Ok(text)) => Ok(text),
            _ => wrong_type(name, "text"),
        }
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Option<&'a TensorProto>, Refusal> {
        let Some(attribute) = self.attribute(name)? else { return Ok(None) };
        match &attribute.t {
            Some(tensor) => Ok(Some(tensor)),
            None => wrong_type(name, "a tensor"),
        }
    }

    /// Whether an attribute holds a subgraph.
    pub(super) fn has_subgraph(&self) -> bool {
        self.node.attribute.iter().any(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty())
    }
}

fn wrong_type<T>(name: &str, wanted: &str) -> Result<T, Refusal> {
    refuse(format!("attribute {name} is not {wanted}"), "check the exporter")
}
