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

mod linear;
mod mean;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::ir::{Graph, Node, Op, Tensor as FloatTensor, ValueId, Window};
use crate::plan::{AddConstant, Linear, PlanError, Problem, Step, TensorId, output_shape, split_taps};

/// Means over more elements than this are rescaled before they meet a linear layer.
const NARROW_MEAN_TAPS: usize = 16;
/// Largest divisor that is carried along.
const DIVISOR_MAX: usize = 1 << 20;

/// The steps without their numbers.
pub(crate) struct Lowered {
    pub(crate) tensors: Vec<Draft>,
    pub(crate) nodes: Vec<DraftNode>,
    pub(crate) input: TensorId,
    pub(crate) output: TensorId,
}

/// A tensor before it has a width.
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    /// The graph's value whose range holds this tensor's real values.
    pub(crate) source: ValueId,
    /// See [`crate::plan::TensorSpec::divisor`].
    pub(crate) divisor: u32,
    /// An accumulator, to be rescaled before a linear layer.
    pub(crate) wide: bool,
}

/// A step before it has numbers.
pub(crate) struct DraftNode {
    pub(crate) name: String,
    pub(crate) step: DraftStep,
    pub(crate) inputs: Vec<TensorId>,
    pub(crate) output: TensorId,
}

/// What a step does.
pub(crate) enum DraftStep {
    /// A linear layer in floats.
    Linear(FloatLayer),
    /// Rescaling, of max(x, 0) when `relu`.
    Activate { relu: bool },
    /// A constant added, in floats: as many axes as the tensor.
    AddConstant(FloatTensor),
    /// Multiplication by about 1 / divisor, which makes the tensor's divisor 1.
    Divide,
    /// Any other step; its shifts are still 0.
    Other(Step),
}

/// A linear layer in floats, arranged as the integer step wants it.
pub(crate) struct FloatLayer {
    /// Geometry; widths are still 0.
    pub(crate) linear: Linear,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// Lowers the whole graph, or names all nodes that stand in the way.
pub(crate) fn lower(graph: &Graph) -> Result<Lowered, PlanError> {
    let mut lowering = Lowering::new(graph);
    let mut problems = Vec::new();
    for node in &graph.nodes {
        if node.inputs.iter().any(|&value| lowering.made[value] == Made::Refused) {
            lowering.made[node.output] = Made::Refused;
        } else if let Err(reason) = lowering.lower_node(node) {
            problems.push(Problem { node: node.name.clone(), reason });
            lowering.made[node.output] = Made::Refused;
        }
    }
    if !problems.is_empty() {
        return Err(PlanError::Unsupported(problems));
    }
    let Made::Tensor(output) = lowering.made[graph.output] else {
        let reason = "the model's output is made by no node; export the model again".into();
        return Err(PlanError::Unsupported(vec![Problem { node: graph.name.clone(), reason }]));
    };
    Ok(Lowered { tensors: lowering.tensors, nodes: lowering.nodes, input: 0, output })
}

/// What has become of a value of the graph.
#[derive(Clone, Copy, PartialEq)]
enum Made {
    Nothing,
    Refused,
    Tensor(TensorId),
    /// A ReLU that waits for the max pool behind it; the tensor is what stands before both.
    ReluDue(TensorId),
}

struct Lowering<'a> {
    graph: &'a Graph,
    /// The nodes that read each value.
    readers: Vec<Vec<&'a Node>>,
    made: Vec<Made>,
    /// The rescaled form of wide tensors that have one.
    narrowed: HashMap<TensorId, TensorId>,
    tensors: Vec<Draft>,
    nodes: Vec<DraftNode>,
}

impl<'a> Lowering<'a> {
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
        let tensors = vec![Draft {
            name: input.name.clone(),
            shape: input.shape.clone(),
            source: graph.input,
            divisor: 1,
            wide: false,
        }];
        Self { graph, readers, made, narrowed: HashMap::new(), tensors, nodes: Vec::new() }
    }

    fn lower_node(&mut self, node: &Node) -> Result<(), String> {
        let output = match &node.op {
            Op::Relu => return self.relu(node),
            Op::Conv { window, groups, weight, bias } => {
                self.convolution(node, window, *groups, weight, bias)?
            }
            Op::ConvTranspose { window, output_padding, groups, weight, bias } => {
                self.transposed(node, window, output_padding, *groups, weight, bias)?
            }
            Op::Dense { weight, bias } => self.dense(node, weight, bias)?,
            Op::MaxPool { window } => self.max_pool(node, window)?,
            Op::AveragePool { window, count_include_pad } => {
                self.average_pool(node, window, *count_include_pad)?
            }
            Op::Add => self.add(node)?,
            Op::AddConstant { constant } => self.add_constant(node, constant)?,
            Op::Concat { axis } => self.concat(node, *axis)?,
            Op::Pad { begin, end } => {
                self.moved(node, Step::Pad { begin: begin.clone(), end: end.clone() })?
            }
            Op::Gather { positions } => self.moved(node, Step::Gather { positions: positions.clone() })?,
            Op::Reshape => self.moved(node, Step::Reshape)?,
            Op::Transpose { perm } => self.moved(node, Step::Transpose { perm: perm.clone() })?,
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
            _ => Err(format!("its input {index} is made by no node before it")),
        }
    }

    /// Adds a step that gives a value of the range of `source`, and its tensor.
    fn push(
        &mut self,
        name: String,
        step: DraftStep,
        inputs: Vec<TensorId>,
        source: ValueId,
        wide: bool,
    ) -> Result<TensorId, String> {
        let first = &self.tensors[inputs[0]];
        let shapes: Vec<&[usize]> = inputs.iter().map(|&id| self.tensors[id].shape.as_slice()).collect();
        let (shape, divisor) = match &step {
            DraftStep::Linear(layer) => (output_shape(&Step::Linear(layer.linear.clone()), &shapes, &[])?, 1),
            DraftStep::Activate { .. } => (first.shape.clone(), first.divisor),
            DraftStep::AddConstant(constant) => {
                (output_shape(&constant_step(constant, 2, 0), &shapes, &[])?, first.divisor)
            }
            DraftStep::Divide => (first.shape.clone(), 1),
            DraftStep::Other(step) => {
                let shape = output_shape(step, &shapes, &self.graph.values[source].shape)?;
                (shape, first.divisor)
            }
        };
        self.tensors.push(Draft { name: name.clone(), shape, source, divisor, wide });
        let output = self.tensors.len() - 1;
        self.nodes.push(DraftNode { name, step, inputs, output });
        Ok(output)
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
        let narrowed = self.push(name, DraftStep::Activate { relu: false }, vec![tensor], source, false)?;
        self.narrowed.insert(tensor, narrowed);
        Ok(narrowed)
    }

    fn relu(&mut self, node: &Node) -> Result<(), String> {
        let input = self.input(node, 0)?;
        let feeds_only_a_max_pool = node.output != self.graph.output
            && matches!(self.readers[node.output].as_slice(), [Node { op: Op::MaxPool { .. }, .. }]);
        if self.tensors[input].wide && feeds_only_a_max_pool {
            self.made[node.output] = Made::ReluDue(input);
            return Ok(());
        }
        let step = DraftStep::Activate { relu: true };
        let output = self.push(node.name.clone(), step, vec![input], node.output, false)?;
        self.made[node.output] = Made::Tensor(output);
        Ok(())
    }

    fn max_pool(&mut self, node: &Node, window: &Window) -> Result<TensorId, String> {
        let input = self.input(node, 0)?;
        let step = DraftStep::Other(Step::MaxPool(window.clone()));
        let Made::ReluDue(_) = self.made[node.inputs[0]] else {
            let wide = self.tensors[input].wide;
            return self.push(node.name.clone(), step, vec![input], node.output, wide);
        };
        let source = self.tensors[input].source;
        let pooled = self.push(node.name.clone(), step, vec![input], source, true)?;
        let name = format!("{}/relu", node.name);
        self.push(name, DraftStep::Activate { relu: true }, vec![pooled], node.output, false)
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
            false => mean::ByPosition::new(window, &self.tensors[input].shape),
        };
        let unit = by_position.as_ref().map_or(1, |scale| scale.unit as usize);
        let (_, odd_taps) = split_taps(window.taps());
        let (_, odd_unit) = split_taps(unit);
        let odd = odd_taps.saturating_mul(odd_unit);
        if (self.tensors[input].divisor as usize).saturating_mul(odd) > DIVISOR_MAX {
            input = self.undivided(input)?;
        }
        let divisor = (self.tensors[input].divisor as usize).saturating_mul(odd);
        if divisor > DIVISOR_MAX {
            return Err(format!("a mean over {} elements is too large; pool in two steps", window.taps()));
        }
        let wide = self.tensors[input].wide || window.taps().saturating_mul(unit) > NARROW_MEAN_TAPS;
        let step = DraftStep::Other(Step::SumPool(window.clone()));
        let Some(mean::ByPosition { factors, unit }) = by_position else {
            let output = self.push(node.name.clone(), step, vec![input], node.output, wide)?;
            self.tensors[output].divisor = divisor as u32;
            return Ok(output);
        };
        let sums = self.push(format!("{}/sums", node.name), step, vec![input], node.output, wide)?;
        self.tensors[sums].divisor = (divisor / odd_unit) as u32;
        let step = DraftStep::Other(Step::ScaleByPosition { factors, unit });
        let output = self.push(node.name.clone(), step, vec![sums], node.output, wide)?;
        self.tensors[output].divisor = divisor as u32;
        Ok(output)
    }

    fn add(&mut self, node: &Node) -> Result<TensorId, String> {
        let inputs = self.with_one_divisor(&[self.input(node, 0)?, self.input(node, 1)?])?;
        let wide = inputs.iter().any(|&id| self.tensors[id].wide);
        let step = DraftStep::Other(Step::Add { shift_left: [0, 0] });
        self.push(node.name.clone(), step, inputs, node.output, wide)
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
        let step = DraftStep::AddConstant(constant.clone());
        self.push(node.name.clone(), step, vec![input], node.output, wide)
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
        let step = DraftStep::Other(Step::Concat { axis, shift_left });
        self.push(node.name.clone(), step, inputs, node.output, stays_wide)
    }

    /// A step that only moves elements.
    fn moved(&mut self, node: &Node, step: Step) -> Result<TensorId, String> {
        let input = self.input(node, 0)?;
        let wide = self.tensors[input].wide;
        self.push(node.name.clone(), DraftStep::Other(step), vec![input], node.output, wide)
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
        let divided = self.push(name, DraftStep::Divide, vec![narrow], source, true)?;
        self.narrow(divided)
    }

    /// Adds a linear step behind the narrow form of `input`.
    fn linear(
        &mut self,
        name: String,
        input: TensorId,
        layer: FloatLayer,
        source: ValueId,
    ) -> Result<TensorId, String> {
        let finite = |numbers: &[f32]| numbers.iter().all(|x| x.is_finite());
        if !finite(&layer.weight) || !finite(&layer.bias) {
            return Err(
                "a weight or bias is not a finite number; the model was not trained or exported soundly"
                    .into(),
            );
        }
        if layer.linear.groups == 0 {
            return Err("it has no groups; at least one is expected".into());
        }
        if layer.weight.len() != layer.linear.shape().weight_count()
            || layer.bias.len() != layer.linear.out_channels
        {
            return Err("its weight's or bias' size does not fit its shape".into());
        }
        let input = self.narrow(input)?;
        self.push(name, DraftStep::Linear(layer), vec![input], source, true)
    }
}

/// The integer step of a constant.
pub(crate) fn constant_step(constant: &FloatTensor, bits: u32, shift_left: u32) -> Step {
    Step::AddConstant(AddConstant { shape: constant.shape.clone(), bits, shift_left })
}

impl Lowered {
    /// For each tensor the graph's value that it is in integers; none where it stands between two values: it has another
    /// shape, is a maximum that the ReLU before it has yet to follow, or sums that their factors by position have yet to.
    pub(crate) fn values(&self, graph: &Graph) -> Vec<Option<ValueId>> {
        let mut values: Vec<Option<ValueId>> = self
            .tensors
            .iter()
            .map(|draft| Some(draft.source).filter(|&value| graph.values[value].shape == draft.shape))
            .collect();
        for node in &self.nodes {
            let pooled = matches!(node.step, DraftStep::Other(Step::MaxPool(_)));
            if pooled && self.tensors[node.output].source == self.tensors[node.inputs[0]].source {
                values[node.output] = None;
            }
            if let DraftStep::Other(Step::ScaleByPosition { .. }) = node.step {
                values[node.inputs[0]] = None;
            }
        }
        values
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
