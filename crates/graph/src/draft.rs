//! From the graph's operators to integer steps, before any number is chosen.
//!
//! A tensor is *narrow* (an activation: few bits) or *wide* (an accumulator). Linear steps take narrow tensors and give wide
//! ones; only an activation narrows. Where things are placed:
//! * a ReLU and the rescaling behind a linear layer are one step;
//! * a ReLU that feeds only a max pool comes behind it: the maximum commutes with ReLU and floor;
//! * a wide tensor that meets a linear layer, or narrow tensors in a concatenation, is rescaled with its sign, once;
//! * a constant is added where it stands, to a narrow tensor or an accumulator;
//! * a mean is a sum whose divisor is carried along and disappears in the next layer's weights; where padding is left out, each
//!   position's sum is first multiplied by a public integer, so that all have one divisor (`mean`).
#![deny(clippy::wildcard_enum_match_arm)]

mod linear;
mod mean;
#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm)]
mod tests;

use std::collections::HashMap;

use crate::ir::{
    AddConstantOp, AveragePoolOp, ConcatOp, ConvOp, ConvTransposeOp, DenseOp, GatherOp, Graph, MaxPoolOp,
    Node, Op, PadOp, Tensor as FloatTensor, TransposeOp, ValueId, Window,
};
use crate::operators::{
    Activate, Add, AddConstant, Concat, FloatSecret, Gather, Linear, MaxPool, OutputUnit, Pad, Reshape,
    Scale, SumPool, Transpose, Unit, split_power_of_two,
};
use crate::plan::{PlanError, Problem, Step, TensorId, output_shape};

/// Means over more elements than this are rescaled before they meet a linear layer.
const NARROW_MEAN_TAPS: usize = 16;
/// Largest divisor that is carried along.
const DIVISOR_MAX: usize = 1 << 20;

/// A plan whose numbers are still to be chosen: the steps, with weights and constants in floats.
pub(crate) struct IntegerDraft {
    pub(crate) tensors: Vec<DraftTensor>,
    pub(crate) nodes: Vec<StepDraft>,
    pub(crate) input: TensorId,
    pub(crate) output: TensorId,
}

/// A tensor before it has a width.
pub(crate) struct DraftTensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    /// The graph's value whose range holds this tensor's real values.
    pub(crate) source: ValueId,
    /// Whether it stands between two values of the graph: a maximum that the ReLU before it has yet to follow, or sums that
    /// their factors by position have yet to.
    pub(crate) between: bool,
    /// See [`crate::plan::TensorSpec::divisor`].
    pub(crate) divisor: u32,
    /// An accumulator, to be rescaled before a linear layer.
    pub(crate) wide: bool,
}

/// A step before it has numbers: shifts, widths, bits to drop and public factors are still 0.
pub(crate) struct StepDraft {
    pub(crate) name: String,
    pub(crate) step: Step,
    /// The secrets that belong to it.
    pub(crate) floats: Option<FloatSecret>,
    pub(crate) inputs: Vec<TensorId>,
    pub(crate) output: TensorId,
}

/// Drafts the whole graph, or names all nodes that stand in the way.
pub(crate) fn draft(graph: &Graph) -> Result<IntegerDraft, PlanError> {
    let mut drafting = Drafting::new(graph);
    let mut problems = Vec::new();
    for node in &graph.nodes {
        if node.inputs.iter().any(|&value| drafting.made[value] == Made::Refused) {
            drafting.made[node.output] = Made::Refused;
        } else if let Err(reason) = drafting.draft_node(node) {
            problems.push(Problem { node: node.name.clone(), reason });
            drafting.made[node.output] = Made::Refused;
        }
    }
    if !problems.is_empty() {
        return Err(PlanError::Unsupported(problems));
    }
    let Made::Tensor(output) = drafting.made[graph.output] else {
        let reason = "the model's output is made by no node; export the model again".into();
        return Err(PlanError::Unsupported(vec![Problem { node: graph.name.clone(), reason }]));
    };
    Ok(IntegerDraft { tensors: drafting.tensors, nodes: drafting.nodes, input: 0, output })
}

/// A ReLU with its rescaling, and a rescaling alone.
const RELU: Activate = Activate { relu: true, drop: 0 };
const RESCALE: Activate = Activate { relu: false, drop: 0 };

/// What has become of a value of the graph.
#[derive(Clone, Copy, PartialEq)]
enum Made {
    Nothing,
    Refused,
    Tensor(TensorId),
    /// A ReLU that waits for the max pool behind it; the tensor is what stands before both.
    ReluDue(TensorId),
}

struct Drafting<'a> {
    graph: &'a Graph,
    /// The nodes that read each value.
    readers: Vec<Vec<&'a Node>>,
    made: Vec<Made>,
    /// The rescaled form of wide tensors that have one.
    narrowed: HashMap<TensorId, TensorId>,
    tensors: Vec<DraftTensor>,
    nodes: Vec<StepDraft>,
}

impl<'a> Drafting<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut readers = vec![Vec::new(); graph.values.len()];
        for node in &graph.nodes {
            for &value in &node.inputs {
                readers[value].push(node);
            }
        }
        let input = &graph.values[graph.input];
        let mut made = vec![Made::Nothing; graph.values.len()];
        made[graph.input] = Made::Tensor(0);
        let tensors = vec![DraftTensor {
            name: input.name.clone(),
            shape: input.shape.clone(),
            source: graph.input,
            between: false,
            divisor: 1,
            wide: false,
        }];
        Self { graph, readers, made, narrowed: HashMap::new(), tensors, nodes: Vec::new() }
    }

    fn draft_node(&mut self, node: &Node) -> Result<(), String> {
        let output = match &node.op {
            Op::Relu => return self.relu(node),
            Op::Conv(ConvOp { window, groups, weight, bias }) => {
                self.convolution(node, window, *groups, weight, bias)?
            }
            Op::ConvTranspose(ConvTransposeOp { window, output_padding, groups, weight, bias }) => {
                self.transposed(node, window, output_padding, *groups, weight, bias)?
            }
            Op::Dense(DenseOp { weight, bias }) => self.dense(node, weight, bias)?,
            Op::MaxPool(MaxPoolOp { window }) => self.max_pool(node, window)?,
            Op::AveragePool(AveragePoolOp { window, count_include_pad }) => {
                self.average_pool(node, window, *count_include_pad)?
            }
            Op::Add => self.add(node)?,
            Op::AddConstant(AddConstantOp { constant }) => self.add_constant(node, constant)?,
            Op::Concat(ConcatOp { axis }) => self.concat(node, *axis)?,
            Op::Pad(PadOp { begin, end }) => {
                self.moved(node, Pad { begin: begin.clone(), end: end.clone() })?
            }
            Op::Gather(GatherOp { positions }) => {
                self.moved(node, Gather { positions: positions.clone() })?
            }
            Op::Reshape => self.moved(node, Reshape)?,
            Op::Transpose(TransposeOp { perm }) => self.moved(node, Transpose { perm: perm.clone() })?,
        };
        let declared = &self.graph.values[node.output].shape;
        if self.tensors[output].shape != *declared {
            return Err(format!(
                "it gives {:?}, the model declares {declared:?}",
                self.tensors[output].shape
            ));
        }
        self.made[node.output] = Made::Tensor(output);
        Ok(())
    }

    /// The tensor of a node's input.
    fn input(&self, node: &Node, index: usize) -> Result<TensorId, String> {
        match node.inputs.get(index).map(|&value| self.made[value]) {
            Some(Made::Tensor(tensor) | Made::ReluDue(tensor)) => Ok(tensor),
            Some(Made::Nothing | Made::Refused) | None => {
                Err(format!("its input {index} is made by no node before it"))
            }
        }
    }

    /// Adds a step without secrets that gives a value of the range of `source`, and its tensor.
    fn push(
        &mut self,
        name: String,
        step: impl Into<Step>,
        inputs: Vec<TensorId>,
        source: ValueId,
        wide: bool,
    ) -> Result<TensorId, String> {
        self.push_with(None, name, step.into(), inputs, source, wide)
    }

    fn push_with(
        &mut self,
        floats: Option<FloatSecret>,
        name: String,
        step: Step,
        inputs: Vec<TensorId>,
        source: ValueId,
        wide: bool,
    ) -> Result<TensorId, String> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&id| self.tensors[id].shape.as_slice()).collect();
        let shape = output_shape(&step, &shapes, &self.graph.values[source].shape)?;
        let divisor = self.divisor(&step, &inputs)?;
        self.tensors.push(DraftTensor { name: name.clone(), shape, source, between: false, divisor, wide });
        let output = self.tensors.len() - 1;
        self.nodes.push(StepDraft { name, step, floats, inputs, output });
        Ok(output)
    }

    /// The divisor that the output's integers have. What a public factor does is up to its numbers, and they are chosen to
    /// bring it to 1.
    fn divisor(&self, step: &Step, inputs: &[TensorId]) -> Result<u32, String> {
        let unit = |&id: &TensorId| Unit { fraction: 0, divisor: self.tensors[id].divisor.into() };
        let units: Vec<Unit> = inputs.iter().map(unit).collect();
        let divisor = match step.operator().meaning(&units) {
            OutputUnit::Is(unit) => unit.divisor,
            OutputUnit::Free => 1,
            OutputUnit::Contradictory => return Err("its inputs have different divisors".into()),
        };
        u32::try_from(divisor).map_err(|_| format!("its divisor {divisor} is too large"))
    }

    /// The tensor itself when it is narrow, else its rescaling with sign.
    fn narrow(&mut self, tensor: TensorId) -> Result<TensorId, String> {
        if !self.tensors[tensor].wide {
            return Ok(tensor);
        }
        if let Some(&narrowed) = self.narrowed.get(&tensor) {
            return Ok(narrowed);
        }
        let (name, source) = (format!("{}/rescaled", self.tensors[tensor].name), self.tensors[tensor].source);
        let narrowed = self.push(name, RESCALE, vec![tensor], source, false)?;
        self.narrowed.insert(tensor, narrowed);
        Ok(narrowed)
    }

    fn relu(&mut self, node: &Node) -> Result<(), String> {
        let input = self.input(node, 0)?;
        let feeds_only_a_max_pool = node.output != self.graph.output
            && matches!(self.readers[node.output].as_slice(), [Node { op: Op::MaxPool(_), .. }]);
        if self.tensors[input].wide && feeds_only_a_max_pool {
            self.made[node.output] = Made::ReluDue(input);
            return Ok(());
        }
        let output = self.push(node.name.clone(), RELU, vec![input], node.output, false)?;
        self.made[node.output] = Made::Tensor(output);
        Ok(())
    }

    fn max_pool(&mut self, node: &Node, window: &Window) -> Result<TensorId, String> {
        let input = self.input(node, 0)?;
        let step = MaxPool { window: window.clone() };
        let Made::ReluDue(_) = self.made[node.inputs[0]] else {
            let wide = self.tensors[input].wide;
            return self.push(node.name.clone(), step, vec![input], node.output, wide);
        };
        let source = self.tensors[input].source;
        let pooled = self.push(node.name.clone(), step, vec![input], source, true)?;
        self.tensors[pooled].between = true;
        let name = format!("{}/relu", node.name);
        self.push(name, RELU, vec![pooled], node.output, false)
    }

    fn average_pool(
        &mut self,
        node: &Node,
        window: &Window,
        padding_counts: bool,
    ) -> Result<TensorId, String> {
        let mut input = self.input(node, 0)?;
        let by_position = match padding_counts {
            true => None,
            false => mean::by_position(window, &self.tensors[input].shape),
        };
        let unit = by_position.as_ref().map_or(1, |scale| scale.unit as usize);
        let (_, odd_taps) = split_power_of_two(window.taps());
        let (_, odd_unit) = split_power_of_two(unit);
        let odd = odd_taps.saturating_mul(odd_unit);
        if (self.tensors[input].divisor as usize).saturating_mul(odd) > DIVISOR_MAX {
            input = self.undivided(input)?;
        }
        let divisor = (self.tensors[input].divisor as usize).saturating_mul(odd);
        if divisor > DIVISOR_MAX {
            return Err(format!("a mean over {} elements is too large; pool in two steps", window.taps()));
        }
        let wide = self.tensors[input].wide || window.taps().saturating_mul(unit) > NARROW_MEAN_TAPS;
        let step = SumPool { window: window.clone() };
        let Some(by_position) = by_position else {
            return self.push(node.name.clone(), step, vec![input], node.output, wide);
        };
        let sums = self.push(format!("{}/sums", node.name), step, vec![input], node.output, wide)?;
        self.tensors[sums].between = true;
        self.push(node.name.clone(), by_position, vec![sums], node.output, wide)
    }

    fn add(&mut self, node: &Node) -> Result<TensorId, String> {
        let inputs = self.with_one_divisor(&[self.input(node, 0)?, self.input(node, 1)?])?;
        let wide = inputs.iter().any(|&id| self.tensors[id].wide);
        self.push(node.name.clone(), Add { shift_left: [0, 0] }, inputs, node.output, wide)
    }

    /// The model owner's addition: a narrow tensor stays narrow, an accumulator an accumulator.
    fn add_constant(&mut self, node: &Node, constant: &FloatTensor) -> Result<TensorId, String> {
        if constant.data.len() != FloatTensor::count(&constant.shape) {
            return Err("its constants do not fill their shape".into());
        }
        if !constant.data.iter().all(|x| x.is_finite()) {
            return Err("a constant is not a finite number; the model was not exported soundly".into());
        }
        let input = self.input(node, 0)?;
        let wide = self.tensors[input].wide;
        let floats = FloatSecret::Constants(constant.data.clone());
        let step = AddConstant::unfitted(constant.shape.clone()).into();
        self.push_with(Some(floats), node.name.clone(), step, vec![input], node.output, wide)
    }

    fn concat(&mut self, node: &Node, axis: usize) -> Result<TensorId, String> {
        let inputs: Vec<TensorId> =
            (0..node.inputs.len()).map(|index| self.input(node, index)).collect::<Result<_, _>>()?;
        let mut inputs = self.with_one_divisor(&inputs)?;
        let readers = &self.readers[node.output];
        let rescaled_anyway = readers.iter().all(|reader| matches!(reader.op, Op::Relu));
        let stays_wide = rescaled_anyway && inputs.iter().all(|&id| self.tensors[id].wide);
        if !stays_wide {
            inputs = inputs.into_iter().map(|id| self.narrow(id)).collect::<Result<_, _>>()?;
        }
        let shift_left = vec![0; inputs.len()];
        self.push(node.name.clone(), Concat { axis, shift_left }, inputs, node.output, stays_wide)
    }

    /// A step that only moves elements.
    fn moved(&mut self, node: &Node, step: impl Into<Step>) -> Result<TensorId, String> {
        let input = self.input(node, 0)?;
        let wide = self.tensors[input].wide;
        self.push(node.name.clone(), step, vec![input], node.output, wide)
    }

    /// The tensors as they are when their divisors agree, else with each divisor multiplied out.
    fn with_one_divisor(&mut self, inputs: &[TensorId]) -> Result<Vec<TensorId>, String> {
        let first = self.tensors[inputs[0]].divisor;
        if inputs.iter().all(|&id| self.tensors[id].divisor == first) {
            return Ok(inputs.to_vec());
        }
        inputs.iter().map(|&id| self.undivided(id)).collect()
    }

    /// The tensor with divisor 1, narrow if it had to be changed.
    fn undivided(&mut self, tensor: TensorId) -> Result<TensorId, String> {
        if self.tensors[tensor].divisor == 1 {
            return Ok(tensor);
        }
        let narrow = self.narrow(tensor)?;
        let (name, source) = (format!("{}/divided", self.tensors[narrow].name), self.tensors[narrow].source);
        let divided = self.push(name, Scale { factor: 0 }, vec![narrow], source, true)?;
        self.narrow(divided)
    }

    /// Adds a linear step behind the narrow form of `input`; weight and bias are arranged as it wants them.
    fn linear(
        &mut self,
        name: String,
        input: TensorId,
        (linear, weight, bias): (Linear, Vec<f32>, Vec<f32>),
        source: ValueId,
    ) -> Result<TensorId, String> {
        let finite = |numbers: &[f32]| numbers.iter().all(|x| x.is_finite());
        if !finite(&weight) || !finite(&bias) {
            return Err(
                "a weight or bias is not a finite number; the model was not trained or exported soundly"
                    .into(),
            );
        }
        if linear.groups == 0 {
            return Err("it has no groups; at least one is expected".into());
        }
        if weight.len() != linear.shape().weight_count() || bias.len() != linear.out_channels {
            return Err("its weight's or bias' size does not fit its shape".into());
        }
        let input = self.narrow(input)?;
        let floats = FloatSecret::Linear { weight, bias };
        self.push_with(Some(floats), name, linear.into(), vec![input], source, true)
    }
}

impl IntegerDraft {
    /// For each tensor the graph's value that it is in integers; none where it stands between two values or has another shape.
    pub(crate) fn values(&self, graph: &Graph) -> Vec<Option<ValueId>> {
        let value = |draft: &DraftTensor| {
            let is_it = !draft.between && graph.values[draft.source].shape == draft.shape;
            is_it.then_some(draft.source)
        };
        self.tensors.iter().map(value).collect()
    }

    /// The node that makes each tensor; none for the input.
    pub(crate) fn makers(&self) -> Vec<Option<usize>> {
        let mut makers = vec![None; self.tensors.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            makers[node.output] = Some(index);
        }
        makers
    }

    /// How often each tensor is read; the answer counts.
    pub(crate) fn reader_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.tensors.len()];
        counts[self.output] += 1;
        for node in &self.nodes {
            for &input in &node.inputs {
                counts[input] += 1;
            }
        }
        counts
    }
}
