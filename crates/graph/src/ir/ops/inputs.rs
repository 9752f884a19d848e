//! The inputs of a node that is evaluated: looked at, or taken when nothing reads them afterwards.

use super::Tensor;
use crate::ir::ValueId;

/// A node's inputs among the values that are there.
pub(crate) struct Inputs<'a> {
    pub(crate) values: &'a mut [Option<Tensor>],
    pub(crate) of_node: &'a [ValueId],
    /// Whether this node is the last to read a value.
    pub(crate) is_last_use: &'a dyn Fn(ValueId) -> bool,
}

impl Inputs<'_> {
    /// Input `index`.
    pub(super) fn get(&self, index: usize) -> &Tensor {
        self.values[self.of_node[index]].as_ref().expect("a node's inputs are made before it")
    }

    /// Each input in order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Tensor> {
        (0..self.of_node.len()).map(|index| self.get(index))
    }

    /// The elements of input 0 to be changed in place: a copy where something reads them afterwards.
    pub(super) fn take(self) -> Vec<f32> {
        let first = self.of_node[0];
        match (self.is_last_use)(first) {
            true => self.values[first].take().expect("a node's inputs are made before it").data,
            false => self.get(0).data.clone(),
        }
    }
}
