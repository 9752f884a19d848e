//! The graph while it is being built: our operators, and affine steps that are not yet merged into a neighbour.

use std::collections::HashMap;

use super::call::Call;
use super::literal::checked_count;
use super::names::Labels;
use super::{Budget, ELEMENTS_MAX, RANK_MAX, Refusal, refuse};
use crate::ir::{InputRange, Op, ValueId, ValueInfo};

/// What a draft node does.
pub(super) enum FloatStep {
    Op(Op),
    Affine(Affine),
}

impl From<Op> for FloatStep {
    fn from(op: Op) -> Self {
        FloatStep::Op(op)
    }
}

impl From<Affine> for FloatStep {
    fn from(affine: Affine) -> Self {
        FloatStep::Affine(affine)
    }
}

/// y = scale * x + shift, constant but for one axis. In 64 bits, so that merging loses nothing.
#[derive(Clone)]
pub(super) struct Affine {
    /// The axis along which the numbers vary; `None` when there is only one of each.
    pub(super) axis: Option<usize>,
    pub(super) scale: Vec<f64>,
    pub(super) shift: Vec<f64>,
}

/// One step, and the row of the node that it came from.
pub(super) struct GraphDraftNode {
    pub(super) step: FloatStep,
    pub(super) name: String,
    pub(super) inputs: Vec<ValueId>,
    pub(super) output: ValueId,
    pub(super) row: usize,
    /// Whether this is the last step of its node, which the report's row describes.
    pub(super) last: bool,
}

/// Values and steps so far.
pub(super) struct GraphDraft {
    pub(super) values: Vec<ValueInfo>,
    pub(super) nodes: Vec<GraphDraftNode>,
    pub(super) budget: Budget,
    pub(super) image: Image,
    labels: Labels,
}

/// What is known of values that are the input itself, moved, scaled and shifted, and that nothing else reads on the way.
#[derive(Default)]
pub(super) struct Image {
    /// The value is scale * input + shift. The scale is not 0.
    pub(super) maps: HashMap<ValueId, (f64, f64)>,
    /// The range that the file states for the input.
    pub(super) range: Option<InputRange>,
}

impl Image {
    /// `to` is scale * `from` + shift.
    pub(super) fn scaled(&mut self, from: ValueId, to: ValueId, scale: f64, shift: f64) {
        if let Some(&(s, t)) = self.maps.get(&from)
            && scale * s != 0.0
        {
            self.maps.insert(to, (scale * s, scale * t + shift));
        }
    }

    /// Narrows the input's range to what `value` within `low..high` means for it; false when that is no range, or when the
    /// value is not the input's alone.
    pub(super) fn clip(&mut self, value: ValueId, low: f32, high: f32) -> bool {
        let Some(&(scale, shift)) = self.maps.get(&value) else { return false };
        let back =
            |bound: f32| ((f64::from(bound) - shift) / scale).clamp(f32::MIN.into(), f32::MAX.into()) as f32;
        let (a, b) = (back(low), back(high));
        let (least, most) = self.range.map_or((f32::MIN, f32::MAX), |range| (range.low, range.high));
        let range = InputRange { low: a.min(b).max(least), high: a.max(b).min(most), clips: true };
        let sound = low < high && range.low < range.high;
        if sound {
            self.range = Some(range);
        }
        sound
    }
}

impl GraphDraft {
    pub(super) fn new(budget: Budget) -> Self {
        GraphDraft {
            values: Vec::new(),
            nodes: Vec::new(),
            budget,
            image: Image::default(),
            labels: Labels::default(),
        }
    }

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
        let name = self.labels.label(name);
        self.values.push(ValueInfo { name, shape });
        Ok(self.values.len() - 1)
    }

    /// Adds the step that makes the node's output.
    pub(super) fn emit(
        &mut self,
        call: &Call,
        step: impl Into<FloatStep>,
        inputs: Vec<ValueId>,
    ) -> Result<ValueId, Refusal> {
        self.emit_named(call, "", step, inputs)
    }

    /// Adds a step before the last of a node, named by a suffix.
    pub(super) fn emit_named(
        &mut self,
        call: &Call,
        suffix: &str,
        step: impl Into<FloatStep>,
        inputs: Vec<ValueId>,
    ) -> Result<ValueId, Refusal> {
        self.add(call, &made_by(call, suffix), suffix, step.into(), inputs, &[])
    }

    /// Adds a step that makes a value of any name.
    pub(super) fn emit_as(
        &mut self,
        call: &Call,
        value: &str,
        suffix: &str,
        op: Op,
        inputs: Vec<ValueId>,
    ) -> Result<ValueId, Refusal> {
        self.add(call, value, suffix, op.into(), inputs, &[])
    }

    /// Adds the same elements under another shape.
    pub(super) fn reshape(
        &mut self,
        call: &Call,
        suffix: &str,
        x: ValueId,
        shape: &[usize],
    ) -> Result<ValueId, Refusal> {
        self.add(call, &made_by(call, suffix), suffix, Op::Reshape.into(), vec![x], shape)
    }

    fn add(
        &mut self,
        call: &Call,
        value: &str,
        suffix: &str,
        step: FloatStep,
        inputs: Vec<ValueId>,
        declared: &[usize],
    ) -> Result<ValueId, Refusal> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&input| self.shape(input)).collect();
        let (shape, moves_only) = match &step {
            FloatStep::Op(op) => (op.operator().output_shape(&shapes, declared)?, op.operator().moves_only()),
            FloatStep::Affine(_) => (shapes[0].to_vec(), false),
        };
        let output = self.value(value, shape)?;
        if moves_only {
            self.image.scaled(inputs[0], output, 1.0, 0.0);
        }
        self.nodes.push(GraphDraftNode {
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

/// The name of the value that a node makes, or that a step before its last makes.
fn made_by(call: &Call, suffix: &str) -> String {
    format!("{}{suffix}", call.node.output.first().map_or("", String::as_str))
}
