//! From the file's operators to ours, one node at a time, with static shapes.

mod activation;
mod affine;
mod elsewhere;
mod head;
mod layout;
mod linear;
mod pad;
mod pick;
mod pool;
mod table;

use super::Status;
use super::call::{Call, Known};
use crate::ir::ValueId;

pub(super) use table::{ShapeRule, operator};

/// A translated node: what its outputs are, and what the report's row states.
pub(super) struct Translated {
    pub(super) known: Known,
    /// What its outputs behind the first are.
    pub(super) further: Vec<Known>,
    pub(super) status: Status,
    pub(super) note: String,
}

impl Translated {
    fn supported(value: ValueId) -> Self {
        let known = Known::Value(value);
        Translated { known, further: Vec::new(), status: Status::Supported, note: String::new() }
    }

    pub(super) fn folded(known: Known, note: impl Into<String>) -> Self {
        Translated { known, further: Vec::new(), status: Status::Folded, note: note.into() }
    }
}

/// Whether a name is used by a node that the output needs.
pub(super) type Used<'a> = &'a dyn Fn(&str) -> bool;

/// The rows of the heads that a node works on.
pub(super) fn heads_below(call: &Call) -> Vec<usize> {
    let rows = call.inputs.iter().flatten().map(|input| match input {
        Known::Headed { rows, .. } | Known::Unknown { heads: rows, .. } => rows.as_slice(),
        Known::Constant(_) | Known::Value(_) => &[],
    });
    rows.flatten().copied().collect()
}
