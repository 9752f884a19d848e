//! The graph while it is being built: our operators, and affine steps that are not yet merged into a neighbour.

use super::call::Call;
use super::literal::checked_count;
use super::{Budget, ELEMENTS_MAX, RANK_MAX, Refusal, refuse};
use crate::ir::{Op, ValueId, ValueInfo};

/// What a draft node does.
pub(super) enum Step {
    Op(Op),
    Affine(Affine),
}

/// y = scale * x + shift, constant but for one axis. In 64 bits, so that merging loses nothing.
pub(super) struct Affine {
    /// The axis along which the numbers vary; `None` when there is only one of each.
    pub(super) axis: Option<usize>,
    pub(super) scale: Vec<f64>,
    pub(super) shift: Vec<f64>,
}

/// One step, and the row of the node that it came from.
pub(super) struct DraftNode {
    pub(super) step: Step,
    pub(super) name: String,
    pub(super) inputs: Vec<ValueId>,
    pub(super) output: ValueId,
    pub(super) row: usize,
    /// Whether this is the last step of its node, the one that the row speaks of.
    pub(super) last: bool,
}

/// Values and steps so far.
pub(super) struct Draft {
    pub(super) values: Vec<ValueInfo>,
    pub(super) nodes: Vec<DraftNode>,
    pub(super) budget: Budget,
}

impl Draft {
    pub(super) fn shape(&self, value: ValueId) -> &[usize] {
        &self.values[value].shape
    }

    /// A new value, its shape within bounds and without empty axes.
    pub(super) fn value(&mut self, name: &str, shape: Vec<usize>) -> Result<ValueId, Refusal> {
        if shape.len() > RANK_MAX || shape.contains(&0) || checked_count(&shape, ELEMENTS_MAX).is_none() {
            return refuse(
                format!(
                    "a tensor of shape {shape:?} is beyond what is computed (1 to {ELEMENTS_MAX} elements, {RANK_MAX} axes)"
                ),
                "use a smaller input",
            );
        }
        self.values.push(ValueInfo { name: name.to_owned(), shape });
        Ok(self.values.len() - 1)
    }

    /// Adds the step that makes the node's output.
    pub(super) fn emit(
        &mut self,
        call: &Call,
        step: Step,
        inputs: Vec<ValueId>,
        shape: Vec<usize>,
    ) -> Result<ValueId, Refusal> {
        self.emit_named(call, "", step, inputs, shape)
    }

    /// Adds a step before the last of a node, named by a suffix.
    pub(super) fn emit_named(
        &mut self,
        call: &Call,
        suffix: &str,
        step: Step,
        inputs: Vec<ValueId>,
        shape: Vec<usize>,
    ) -> Result<ValueId, Refusal> {
        let made = call.node.output.first().map_or("", String::as_str);
        let output = self.value(&format!("{made}{suffix}"), shape)?;
        self.nodes.push(DraftNode {
            step,
            name: format!("{}{suffix}", call.label),
            inputs,
            output,
            row: call.row,
            last: suffix.is_empty(),
        });
        Ok(output)
    }
}
