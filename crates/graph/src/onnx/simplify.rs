//! Turns the draft into a [`Graph`]: dead steps are dropped, affine steps merged into the linear step before them, or at the input into
//! the one behind (or, without a scale, made additions of constants), zero padding into the convolution behind it,
//! transpositions into one another, values renumbered.
#![warn(clippy::wildcard_enum_match_arm)]

mod ahead;
mod merge;

use super::draft::{Affine, FloatStep, GraphDraft, GraphDraftNode};
use super::{Budget, ImportReport, Refusal, Status};
use crate::ir::{
    AddConstantOp, Classes, ConvOp, Graph, Head, InputRange, Node, Op, PadOp, Tensor, TransposeOp, ValueId,
    ValueInfo, Window,
};
use ahead::Ahead;
use merge::merge;

/// Turns an accepted draft into a graph; `None` with a row refused when an affine step cannot be expressed, and `None` when
/// the output does not depend on the input.
pub(super) fn simplify(
    draft: GraphDraft,
    report: &mut ImportReport,
    input: ValueId,
    output: ValueId,
    head: Head,
) -> Option<Graph> {
    let mut pass = Simplifier::new(draft, output);
    for node in std::mem::take(&mut pass.steps) {
        let (row, last) = (node.row, node.last);
        let noted = match pass.live[node.output] {
            true => pass.step(node, report),
            false => Ok(Some((Status::Folded, "removed: only its shape was used".to_owned()))),
        };
        match noted {
            Ok(Some((status, text))) if last => note(report, row, status, text),
            Ok(_) => {}
            Err(refusal) => note(report, row, Status::Refused, refusal.to_string()),
        }
    }
    if report.refused().next().is_some() {
        return None;
    }
    let output = pass.current[output];
    pass.graph(report.model.clone(), input, output, head)
}

fn note(report: &mut ImportReport, row: usize, status: Status, text: String) {
    report.rows[row].status = status;
    report.rows[row].note = text;
}

/// A new status and note for the step's row, if they change.
type Noted = Option<(Status, String)>;

struct Simplifier {
    values: Vec<ValueInfo>,
    steps: Vec<GraphDraftNode>,
    /// Finished nodes, and the report's row of each.
    nodes: Vec<Node>,
    rows: Vec<usize>,
    /// The row of the step at hand.
    row: usize,
    /// What replaces a value now.
    current: Vec<ValueId>,
    /// The finished node that makes a value.
    maker: Vec<Option<usize>>,
    /// How often a value is used, as an input or as the output.
    uses: Vec<usize>,
    /// Whether the output depends on a value.
    live: Vec<bool>,
    /// Affine steps at the input, on their way into the layers behind them.
    ahead: Ahead,
    /// The range that the file states for the input.
    input_range: Option<InputRange>,
    budget: Budget,
}

impl Simplifier {
    fn new(draft: GraphDraft, output: ValueId) -> Self {
        let count = draft.values.len();
        let (mut live, mut uses) = (vec![false; count], vec![0; count]);
        live[output] = true;
        uses[output] = 1;
        for node in draft.nodes.iter().rev() {
            if live[node.output] {
                for &value in &node.inputs {
                    live[value] = true;
                    uses[value] += 1;
                }
            }
        }
        Simplifier {
            ahead: Ahead::new(&draft, &live, output),
            input_range: draft.image.range,
            values: draft.values,
            steps: draft.nodes,
            nodes: Vec::new(),
            rows: Vec::new(),
            row: 0,
            current: (0..count).collect(),
            maker: vec![None; count],
            uses,
            live,
            budget: draft.budget,
        }
    }

    fn step(&mut self, mut node: GraphDraftNode, report: &mut ImportReport) -> Result<Noted, Refusal> {
        self.row = node.row;
        let carried = self.ahead.take(node.inputs[0]);
        for value in &mut node.inputs {
            *value = self.current[*value];
        }
        match node.step {
            FloatStep::Op(op) => {
                let mut node = Node { name: node.name, op, inputs: node.inputs, output: node.output };
                if let Some(carried) = &carried {
                    ahead::merge(&mut node.op, carried)?;
                }
                if self.turned_back(&mut node, report) {
                    return Ok(Some((Status::Folded, "removed with the transposition before it".to_owned())));
                }
                self.absorb_padding(&mut node, report);
                self.push(node);
                Ok(None)
            }
            FloatStep::Affine(affine) => {
                let affine = match carried {
                    Some(carried) => ahead::composed(&carried, &affine),
                    None => affine,
                };
                self.affine(node.name, node.inputs[0], node.output, &affine).map(Some)
            }
        }
    }

    /// Two transpositions in a row are one; true when nothing is left of them.
    fn turned_back(&mut self, node: &mut Node, report: &mut ImportReport) -> bool {
        let Op::Transpose(TransposeOp { perm }) = &mut node.op else { return false };
        let input = node.inputs[0];
        let Some(maker) = self.maker[input] else { return false };
        let Op::Transpose(TransposeOp { perm: first }) = &self.nodes[maker].op else { return false };
        let origin = self.nodes[maker].inputs[0];
        *perm = perm.iter().map(|&axis| first[axis]).collect();
        node.inputs[0] = origin;
        let identity = perm.iter().enumerate().all(|(to, &from)| to == from);
        self.uses[input] -= 1;
        match self.uses[input] {
            0 => note(report, self.rows[maker], Status::Folded, format!("merged into {}", node.name)),
            _ => self.uses[origin] += 1,
        }
        if identity {
            self.replace(node.output, origin);
        }
        identity
    }

    fn push(&mut self, node: Node) {
        self.maker[node.output] = Some(self.nodes.len());
        self.nodes.push(node);
        self.rows.push(self.row);
    }

    fn new_value(&mut self, name: String, shape: Vec<usize>) -> ValueId {
        self.values.push(ValueInfo { name, shape });
        self.current.push(self.values.len() - 1);
        self.maker.push(None);
        self.uses.push(1);
        self.live.push(true);
        self.values.len() - 1
    }

    /// A convolution takes over the zeros that only it reads.
    fn absorb_padding(&mut self, node: &mut Node, report: &mut ImportReport) {
        let Op::Conv(ConvOp { window, .. }) = &mut node.op else { return };
        let Some(maker) = self.maker[node.inputs[0]] else { return };
        let Op::Pad(PadOp { begin, end }) = &self.nodes[maker].op else { return };
        let spatial_only = begin[..2] == [0, 0] && end[..2] == [0, 0];
        if self.uses[node.inputs[0]] != 1 || !spatial_only {
            return;
        }
        for axis in 0..window.kernel.len() {
            window.pads_begin[axis] += begin[axis + 2];
            window.pads_end[axis] += end[axis + 2];
        }
        note(report, self.rows[maker], Status::Folded, format!("merged into {}", node.name));
        node.inputs[0] = self.nodes[maker].inputs[0];
        // The padding's node stays behind without a use, and is dropped with the dead.
    }

    fn affine(
        &mut self,
        name: String,
        input: ValueId,
        output: ValueId,
        affine: &Affine,
    ) -> Result<(Status, String), Refusal> {
        if affine.scale.iter().all(|&s| s == 1.0) && affine.shift.iter().all(|&s| s == 0.0) {
            self.replace(output, input);
            return Ok((Status::Folded, "removed: it changes nothing".to_owned()));
        }
        if self.maker[input].is_none() && self.ahead.hold(output, affine) {
            self.replace(output, input);
            return Ok((Status::Folded, "merged into the layer behind it".to_owned()));
        }
        let maker = self.maker[input].filter(|_| self.uses[input] == 1);
        if let Some(maker) = maker
            && merge(&mut self.nodes[maker].op, affine, &self.values[input].shape)?
        {
            self.values[input].name = std::mem::take(&mut self.values[output].name);
            self.replace(output, input);
            return Ok((Status::Folded, format!("merged into {}", self.nodes[maker].name)));
        }
        if affine.scale.iter().all(|&s| s == 1.0) {
            let op = self.constant_op(affine, self.values[input].shape.len())?;
            self.push(Node { name, op, inputs: vec![input], output });
            return Ok((Status::Supported, "a constant that the model owner adds".to_owned()));
        }
        self.depthwise(name, input, output, affine)?;
        Ok((Status::Supported, "a depthwise convolution with a window of 1".to_owned()))
    }

    /// `output` is `input` from now on.
    fn replace(&mut self, output: ValueId, input: ValueId) {
        self.uses[input] += self.uses[output];
        self.uses[input] -= 1;
        self.current[output] = input;
    }

    /// A shift without a scale, for data of `rank` axes.
    fn constant_op(&mut self, affine: &Affine, rank: usize) -> Result<Op, Refusal> {
        self.budget.spend(affine.shift.len())?;
        let mut shape = vec![1; rank];
        if let Some(axis) = affine.axis {
            shape[axis] = affine.shift.len();
        }
        let data = affine.shift.iter().map(|&number| number as f32).collect();
        Ok(Op::AddConstant(AddConstantOp { constant: Tensor { shape, data } }))
    }

    /// An affine step of its own: a depthwise convolution, between reshapes where the data has another form.
    fn depthwise(
        &mut self,
        name: String,
        input: ValueId,
        output: ValueId,
        affine: &Affine,
    ) -> Result<(), Refusal> {
        let shape = self.values[input].shape.clone();
        let count: usize = shape.iter().product();
        let direct = matches!(affine.axis, None | Some(1)) && shape[0] == 1 && (3..=5).contains(&shape.len());
        if direct {
            let op = self.depthwise_op(affine, shape[1], shape.len() - 2)?;
            self.push(Node { name, op, inputs: vec![input], output });
            return Ok(());
        }
        let axis = affine.axis.unwrap_or(0);
        let channels = affine.axis.map_or(1, |axis| shape[axis]);
        let moved = shape[..axis].iter().any(|&extent| extent != 1);
        let mut value = input;
        let perm: Vec<usize> =
            [axis].into_iter().chain((0..shape.len()).filter(|&other| other != axis)).collect();
        let front: Vec<usize> = perm.iter().map(|&from| shape[from]).collect();
        if moved {
            value = self.push_to_new(
                &name,
                "/front",
                Op::Transpose(TransposeOp { perm: perm.clone() }),
                value,
                front.clone(),
            );
        }
        let flat = vec![1, channels, count / channels];
        value = self.push_to_new(&name, "/flat", Op::Reshape, value, flat.clone());
        let op = self.depthwise_op(affine, channels, 1)?;
        value = self.push_to_new(&name, "/affine", op, value, flat);
        if moved {
            value = self.push_to_new(&name, "/shaped", Op::Reshape, value, front);
            let mut back = vec![0; perm.len()];
            perm.iter().enumerate().for_each(|(to, &from)| back[from] = to);
            self.push(Node {
                name,
                op: Op::Transpose(TransposeOp { perm: back }),
                inputs: vec![value],
                output,
            });
        } else {
            self.push(Node { name, op: Op::Reshape, inputs: vec![value], output });
        }
        Ok(())
    }

    fn push_to_new(
        &mut self,
        name: &str,
        suffix: &str,
        op: Op,
        input: ValueId,
        shape: Vec<usize>,
    ) -> ValueId {
        let name = format!("{name}{suffix}");
        let output = self.new_value(name.clone(), shape);
        self.push(Node { name, op, inputs: vec![input], output });
        output
    }

    fn depthwise_op(&mut self, affine: &Affine, channels: usize, rank: usize) -> Result<Op, Refusal> {
        self.budget.spend(2 * channels)?;
        let number =
            |list: &[f64], channel: usize| list[if affine.axis.is_some() { channel } else { 0 }] as f32;
        let window = Window::plain(vec![1; rank]);
        let shape = [&[channels, 1], window.kernel.as_slice()].concat();
        let weight = Tensor { shape, data: (0..channels).map(|c| number(&affine.scale, c)).collect() };
        let bias = (0..channels).map(|c| number(&affine.shift, c)).collect();
        Ok(Op::Conv(ConvOp { window, groups: channels, weight, bias }))
    }

    /// The graph of what the output still depends on, values renumbered.
    fn graph(self, name: String, input: ValueId, output: ValueId, head: Head) -> Option<Graph> {
        let mut live = vec![false; self.values.len()];
        live[output] = true;
        for node in self.nodes.iter().rev() {
            if live[node.output] {
                node.inputs.iter().for_each(|&value| live[value] = true);
            }
        }
        if !live[input] {
            return None;
        }
        let mut number = vec![usize::MAX; self.values.len()];
        let mut values = vec![self.values[input].clone()];
        number[input] = 0;
        let mut nodes = Vec::new();
        for mut node in self.nodes.into_iter().filter(|node| live[node.output]) {
            number[node.output] = values.len();
            values.push(self.values[node.output].clone());
            node.output = number[node.output];
            for value in &mut node.inputs {
                *value = number[*value];
                assert!(*value < node.output, "a node's inputs are made before it");
            }
            nodes.push(node);
        }
        Some(Graph {
            name,
            values,
            nodes,
            input: 0,
            output: number[output],
            head,
            classes: Classes::Unknown,
            input_range: self.input_range,
        })
    }
}
