//! Factors and shifts per channel moved to where they cost nothing, in floats and exactly: from one graph to another that gives
//! the same values.
//!
//! A batch norm that cannot be merged into the layer before it (behind a concatenation, say) is a x + b per channel. As a layer of
//! its own it costs as much as a convolution. Here it is carried along instead, until something takes it up:
//! * a linear layer takes the factors into its weights and the shifts into its biases (into a map behind it, where it pads);
//! * pools, padding, concatenations and reshapes let both pass;
//! * a ReLU needs the shift before it, and lets a positive factor pass: relu(a x + b) = a relu(x + b/a). With a < 0 it is
//!   |a| relu(x + b/a) + a x + b, so that the layer behind reads both the ReLU and x, side by side;
//! * where b/a is far larger than x, the ReLU is left out only if it is proven, for every input of the declared range, to do
//!   nothing or to give zero ([`crate::dead::intervals`]); samples prove nothing. Where a = 0 its answer is a constant.
//!
//! Whether a factor can be taken up is known from the readers of a value; where it cannot, a depthwise convolution is left.
//! Layers that feed a batch norm are scaled so that their channels are about equally large (by powers of two, which are exact):
//! all channels of a tensor share one scale, and the batch norm undoes it for nothing. How large is what the samples show and
//! what the weights allow, whichever is more.
//!
//! What this discloses: whether a layer reads a ReLU's input beside it, because a factor is not plainly positive or a shift
//! is far above zero, as one bit of the public plan's structure.
#![warn(clippy::wildcard_enum_match_arm)]

mod form;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::dead::Interval;
use crate::ir::ops::{ChannelFlow, Layer, has_channels};
use crate::ir::{AddConstantOp, ConcatOp, Graph, Node, Op, Tensor, ValueId, ValueInfo};
use form::{Form, pointwise, taking};

/// A shift this many times a tensor's largest value on the samples would cost the tensor too many bits.
const FAR: f64 = 8.0;
/// Most bits by which a channel is scaled up.
const SPREAD_BITS_MAX: f64 = 12.0;

/// What the samples showed of a value: the largest magnitude in each channel (axis 1), or one number where there is no such axis.
pub(crate) type ChannelRanges = Vec<f64>;

/// The graph with factors and shifts moved. `seen` has one entry for each value and decides about precision alone; `proven`,
/// what each channel can reach for every input, decides what is exact.
pub(crate) fn moved(graph: &Graph, seen: &[ChannelRanges], proven: &[Vec<Interval>]) -> Graph {
    let mut pass = Mover::new(graph, seen, proven);
    for node in &graph.nodes {
        let form = pass.node(node);
        pass.forms[node.output] = Some(form);
    }
    let output = pass.plain(graph.output);
    pass.finished(output)
}

/// What the readers of a value must be able to take up.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Wanted {
    /// A positive factor and a shift per channel.
    Positive,
    /// A factor of any sign and a shift.
    Signed,
    /// A sum of several channels with factors, and a shift.
    Sum,
}

/// What a node does to a factor and a shift per channel of its input.
enum Passage<'a> {
    /// It is a factor and a shift per channel itself.
    Affine(Layer<'a>),
    /// It takes both into its weights.
    Layer(Layer<'a>),
    /// It is a shift itself.
    Shift(&'a Tensor),
    /// max(x, 0).
    Rectifier,
    /// A maximum within each channel.
    Maximum,
    /// The inputs' channels one after another.
    Join,
    /// Both pass it.
    Free,
    /// Neither does.
    Closed,
}

impl<'a> Passage<'a> {
    fn of(node: &'a Node, input: &[usize], output: &[usize]) -> Self {
        let has_axis = |shape: &[usize]| shape.len() >= 2 && shape[0] == 1;
        let both = has_axis(input) && has_axis(output);
        match node.op.operator().channels() {
            ChannelFlow::Mixed(layer) if layer.is_affine(input) => Passage::Affine(layer),
            ChannelFlow::Mixed(layer) => Passage::Layer(layer),
            ChannelFlow::Shifted(constant) if has_channels(output) => Passage::Shift(constant),
            ChannelFlow::Rectified => Passage::Rectifier,
            ChannelFlow::Largest => Passage::Maximum,
            ChannelFlow::Joined if output[0] == 1 => Passage::Join,
            ChannelFlow::Kept { .. } if both => Passage::Free,
            ChannelFlow::Regrouped if both && output[1].is_multiple_of(input[1]) => Passage::Free,
            ChannelFlow::Shifted(_)
            | ChannelFlow::Joined
            | ChannelFlow::Kept { .. }
            | ChannelFlow::Regrouped
            | ChannelFlow::Summed
            | ChannelFlow::Stacked { .. }
            | ChannelFlow::Picked
            | ChannelFlow::Lost => Passage::Closed,
        }
    }
}

struct Mover<'a> {
    old: &'a Graph,
    readers: Vec<Vec<&'a Node>>,
    seen: &'a [ChannelRanges],
    proven: &'a [Vec<Interval>],
    /// What each old value is in the new graph.
    forms: Vec<Option<Form>>,
    plain: HashMap<ValueId, ValueId>,
    takes: HashMap<(ValueId, Wanted), bool>,
    values: Vec<ValueInfo>,
    /// The largest magnitude of each new value, at most.
    most: Vec<f64>,
    nodes: Vec<Node>,
}

impl<'a> Mover<'a> {
    fn new(old: &'a Graph, seen: &'a [ChannelRanges], proven: &'a [Vec<Interval>]) -> Self {
        let mut readers = vec![Vec::new(); old.values.len()];
        for node in &old.nodes {
            node.inputs.iter().for_each(|&value| readers[value].push(node));
        }
        let mut forms = vec![None; old.values.len()];
        forms[old.input] = Some(Form::of(0));
        let (values, most) = (vec![old.values[old.input].clone()], vec![largest(&seen[old.input])]);
        let (plain, takes) = (HashMap::new(), HashMap::new());
        Self { old, readers, seen, proven, forms, plain, takes, values, most, nodes: Vec::new() }
    }

    fn finished(self, output: ValueId) -> Graph {
        Graph {
            name: self.old.name.clone(),
            values: self.values,
            nodes: self.nodes,
            input: 0,
            output,
            head: self.old.head,
            classes: self.old.classes,
            input_range: self.old.input_range,
        }
    }

    fn shape(&self, old: ValueId) -> &'a [usize] {
        &self.old.values[old].shape
    }

    fn form(&self, old: ValueId) -> Form {
        self.forms[old].clone().expect("nodes stand in a runnable order")
    }

    /// Adds a node to the new graph.
    fn emit(&mut self, name: String, op: Op, inputs: Vec<ValueId>, shape: Vec<usize>, most: f64) -> ValueId {
        let output = self.values.len();
        self.values.push(ValueInfo { name: name.clone(), shape });
        self.most.push(most);
        self.nodes.push(Node { name, op, inputs, output });
        output
    }

    /// As `emit`, for the node that makes an old value itself: under its name.
    fn emit_same(&mut self, node: &Node, op: Op, inputs: Vec<ValueId>) -> ValueId {
        let most = largest(&self.seen[node.output]);
        let made = self.emit(node.name.clone(), op, inputs, self.shape(node.output).to_vec(), most);
        self.values[made].name.clone_from(&self.old.values[node.output].name);
        made
    }

    fn node(&mut self, node: &'a Node) -> Form {
        match Passage::of(node, self.shape(node.inputs[0]), self.shape(node.output)) {
            Passage::Affine(layer) => self.affine(node, &layer.weight.data, layer.bias),
            Passage::Layer(layer) => self.linear(node, layer),
            Passage::Shift(constant) => self.add_constant(node, constant),
            Passage::Rectifier => self.relu(node),
            Passage::Maximum => self.max_pool(node),
            Passage::Join => self.concat(node),
            Passage::Free => self.carried(node),
            Passage::Closed => self.unchanged(node),
        }
    }

    /// Whether whatever reads a value, directly or behind what lets factors pass, takes them up.
    fn takes(&mut self, old: ValueId, wanted: Wanted) -> bool {
        if let Some(&known) = self.takes.get(&(old, wanted)) {
            return known;
        }
        let shape = self.shape(old);
        let channels = shape.len() >= 2 && shape[0] == 1;
        let readers = self.readers[old].clone();
        let answer = channels
            && old != self.old.output
            && readers.into_iter().all(|reader| self.reader_takes(reader, shape, wanted));
        self.takes.insert((old, wanted), answer);
        answer
    }

    fn reader_takes(&mut self, reader: &Node, shape: &[usize], wanted: Wanted) -> bool {
        let behind = reader.output;
        match Passage::of(reader, shape, self.shape(behind)) {
            Passage::Affine(_) => wanted != Wanted::Sum || self.takes(behind, wanted),
            Passage::Layer(layer) if layer.is_dense() => shape.len() == 2,
            Passage::Layer(layer) => wanted != Wanted::Sum || layer.groups() == 1,
            Passage::Rectifier => wanted != Wanted::Sum && self.takes(behind, Wanted::Positive),
            Passage::Maximum => wanted == Wanted::Positive && self.takes(behind, wanted),
            Passage::Shift(_) | Passage::Join | Passage::Free => self.takes(behind, wanted),
            Passage::Closed => false,
        }
    }

    /// The new value that equals an old one: a layer of its own where factors are left.
    fn plain(&mut self, old: ValueId) -> ValueId {
        if let Some(&made) = self.plain.get(&old) {
            return made;
        }
        let (form, shape) = (self.form(old), self.shape(old).to_vec());
        let name = self.old.values[old].name.clone();
        let most = largest(&self.seen[old]);
        let mut made = form.value;
        let mut constant = form.constant.clone();
        if let Some(parts) = &form.parts {
            let bias = constant.take_if(|constant| form::per_channel(constant));
            let channels = self.values[made].shape[1];
            // A layer over channels has places; features become channels of one place.
            let places = if shape.len() == 2 { vec![1] } else { shape[2..].to_vec() };
            let (flat, own) =
                ([vec![1, channels], places.clone()].concat(), [vec![1, shape[1]], places].concat());
            if shape.len() == 2 {
                made = self.emit(format!("{name}/flat"), Op::Reshape, vec![made], flat, self.most[made]);
            }
            let op = pointwise(parts, channels, own.len() - 2, bias.as_ref());
            made = self.emit(format!("{name}/scaled"), op, vec![made], own, most);
            if shape.len() == 2 {
                made = self.emit(format!("{name}/shaped"), Op::Reshape, vec![made], shape.clone(), most);
            }
        }
        if let Some(constant) = constant {
            made = self.emit(
                format!("{name}/shifted"),
                Op::AddConstant(AddConstantOp { constant }),
                vec![made],
                shape,
                most,
            );
        }
        self.values[made].name = name;
        self.plain.insert(old, made);
        made
    }

    /// An operator that lets nothing pass.
    fn unchanged(&mut self, node: &Node) -> Form {
        let inputs = node.inputs.iter().map(|&old| self.plain(old)).collect();
        Form::of(self.emit_same(node, node.op.clone(), inputs))
    }

    fn affine(&mut self, node: &Node, factors: &[f32], shifts: &[f32]) -> Form {
        let form = self.form(node.inputs[0]).scaled_and_shifted(factors, shifts, self.shape(node.output));
        let wanted = if form.is_diagonal() { Wanted::Signed } else { Wanted::Sum };
        self.kept(node, form, wanted)
    }

    fn add_constant(&mut self, node: &Node, constant: &Tensor) -> Form {
        let form = self.form(node.inputs[0]).plus(constant, self.shape(node.output));
        let wanted = if form.is_diagonal() { Wanted::Signed } else { Wanted::Sum };
        self.kept(node, form, wanted)
    }

    /// The form itself when the readers take it up, else a value that equals it.
    fn kept(&mut self, node: &Node, form: Form, wanted: Wanted) -> Form {
        if self.takes(node.output, wanted) {
            return form;
        }
        self.forms[node.output] = Some(form);
        Form::of(self.plain(node.output))
    }

    fn linear(&mut self, node: &Node, layer: Layer<'_>) -> Form {
        let old = node.inputs[0];
        let (input, output) = (self.shape(old), self.shape(node.output));
        let form = self.form(old);
        let channels = |form: &Form| self.values[form.value].shape.get(1).copied().unwrap_or(1);
        let one_to_one = form.is_diagonal() && input.get(1) == Some(&channels(&form));
        let fits = match layer.is_dense() {
            true => input.len() == 2 || form.is_plain(),
            false => layer.groups() == 1 || one_to_one,
        };
        let form = if fits && input[0] == 1 { form } else { Form::of(self.plain(old)) };
        let channels = self.values[form.value].shape.get(1).copied().unwrap_or(1);
        let (mut op, map) = taking(&node.op, layer, &form, (channels, input, output));
        let mut answer = Form { value: 0, parts: None, constant: map };
        if let Some(factors) = self.equalising(node, &op, form.value) {
            answer = answer.divided_by(&mut op, &factors);
        }
        answer.value = self.emit_same(node, op, vec![form.value]);
        if let Some(constant) = &answer.constant {
            // The new value is the old one without its map.
            self.most[answer.value] +=
                constant.data.iter().fold(0f64, |most, c| most.max(f64::from(c.abs())));
        }
        if answer.parts.is_some() {
            self.values[answer.value].name.push_str("/equalised");
        }
        if answer.constant.is_some() {
            return self.kept(node, answer, Wanted::Signed);
        }
        answer
    }

    /// Powers of two that make a layer's channels about equally large, where a batch norm behind it undoes them for nothing.
    /// `op` is the layer as it reads `input` in the new graph. A channel may be zero on all samples and not elsewhere, so none is made larger
    /// than its weights allow: for inputs as large as on the samples, it reaches no further than the layer's furthest channel.
    fn equalising(&mut self, node: &Node, op: &Op, input: ValueId) -> Option<Vec<f64>> {
        let seen = &self.seen[node.output];
        if seen.len() < 2 || !self.meets_affine(node.output) || !self.takes(node.output, Wanted::Positive) {
            return None;
        }
        let reach = form::reach(op.layer()?, self.most[input]);
        let (most, furthest) = (largest(seen), largest(&reach));
        let factor = |(&own, &reach): (&f64, &f64)| match own > 0.0 {
            true => (most / own).min(furthest / reach).log2().floor().min(SPREAD_BITS_MAX).exp2(),
            false => 1.0,
        };
        let factors: Vec<f64> = seen.iter().zip(&reach).map(factor).collect();
        factors.iter().any(|&factor| factor != 1.0).then_some(factors)
    }

    /// Whether a batch norm reads a value, directly or behind what lets factors pass.
    fn meets_affine(&self, old: ValueId) -> bool {
        self.readers[old].iter().any(|reader| {
            match Passage::of(reader, self.shape(old), self.shape(reader.output)) {
                Passage::Affine(_) => true,
                Passage::Join | Passage::Free => self.meets_affine(reader.output),
                Passage::Layer(_)
                | Passage::Shift(_)
                | Passage::Rectifier
                | Passage::Maximum
                | Passage::Closed => false,
            }
        })
    }

    fn relu(&mut self, node: &Node) -> Form {
        let form = self.form(node.inputs[0]);
        let shape = self.shape(node.output);
        if form.is_plain() || !form.is_diagonal() {
            return self.unchanged(node);
        }
        let proven = &self.proven[node.inputs[0]];
        let Some(split) = form.through_relu(shape, FAR * self.most[form.value], proven) else {
            return self.unchanged(node);
        };
        let wanted = if split.reads_input { Wanted::Sum } else { Wanted::Positive };
        let free = form.parts.is_none() && !split.reads_input && split.constant.is_none();
        if !free && !self.takes(node.output, wanted) {
            return self.unchanged(node);
        }
        let inner = self.values[form.value].shape.clone();
        let mut x = form.value;
        if let Some(constant) = split.shift {
            let most = self.most[x] + constant.data.iter().fold(0f64, |most, c| most.max(f64::from(c.abs())));
            x = self.emit(
                format!("{}/shifted", node.name),
                Op::AddConstant(AddConstantOp { constant }),
                vec![x],
                inner.clone(),
                most,
            );
        }
        let most = self.most[x];
        let relu = self.emit(node.name.clone(), Op::Relu, vec![x], inner.clone(), most);
        if !split.reads_input {
            return Form { value: relu, parts: split.parts, constant: split.constant };
        }
        let mut both = inner;
        both[1] *= 2;
        let value = self.emit(
            format!("{}/both", node.name),
            Op::Concat(ConcatOp { axis: 1 }),
            vec![relu, form.value],
            both,
            most,
        );
        Form { value, parts: split.parts, constant: split.constant }
    }

    fn max_pool(&mut self, node: &Node) -> Form {
        let form = self.form(node.inputs[0]);
        let uniform = form.constant.as_ref().is_none_or(form::per_channel);
        if form.is_plain() || !form.is_diagonal() || !form.is_positive() || !uniform {
            return self.unchanged(node);
        }
        if !self.takes(node.output, Wanted::Positive) {
            return self.unchanged(node);
        }
        let shape = self.shape(node.output).to_vec();
        let value =
            self.emit(node.name.clone(), node.op.clone(), vec![form.value], shape, self.most[form.value]);
        Form { value, ..form }
    }

    /// An operator that treats channels alike and adds them up at most.
    fn carried(&mut self, node: &Node) -> Form {
        let form = self.form(node.inputs[0]);
        if form.is_plain() {
            return self.unchanged(node);
        }
        let (input, output) = (self.shape(node.inputs[0]), self.shape(node.output));
        let apart = output[1] / input[1];
        let mut shape = output.to_vec();
        shape[1] = self.values[form.value].shape[1] * apart;
        let value =
            self.emit(node.name.clone(), node.op.clone(), vec![form.value], shape, self.most[form.value]);
        let moved = Form {
            value,
            parts: form.parts.map(|parts| form::spread(&parts, apart)),
            constant: form
                .constant
                .map(|constant| form::constant_through(&node.op, &constant, input, output)),
        };
        let wanted = if moved.is_diagonal() { Wanted::Signed } else { Wanted::Sum };
        self.kept(node, moved, wanted)
    }

    fn concat(&mut self, node: &Node) -> Form {
        let forms: Vec<Form> = node.inputs.iter().map(|&old| self.form(old)).collect();
        if forms.iter().all(Form::is_plain) {
            return self.unchanged(node);
        }
        let (mut parts, mut first) = (Vec::new(), 0);
        for (form, &old) in forms.iter().zip(&node.inputs) {
            parts.extend(form.parts_from(first, self.shape(old)[1]));
            first += self.values[form.value].shape[1];
        }
        let shapes: Vec<&[usize]> = node.inputs.iter().map(|&old| self.shape(old)).collect();
        let constant = form::joined(&forms, &shapes);
        let mut shape = self.shape(node.output).to_vec();
        shape[1] = first;
        let inputs: Vec<ValueId> = forms.iter().map(|form| form.value).collect();
        let most = inputs.iter().map(|&value| self.most[value]).fold(0.0, f64::max);
        let value = self.emit(node.name.clone(), node.op.clone(), inputs, shape, most);
        let form = Form { value, parts: Some(parts), constant };
        let wanted = if form.is_diagonal() { Wanted::Signed } else { Wanted::Sum };
        self.kept(node, form, wanted)
    }
}

/// Whether a graph has factors or shifts of its own.
pub(crate) fn has_any(graph: &Graph) -> bool {
    graph.nodes.iter().any(|node| {
        let flow = node.op.operator().channels();
        let shifts = matches!(flow, ChannelFlow::Shifted(_));
        shifts || flow.layer().is_some_and(|layer| layer.is_affine(&graph.values[node.inputs[0]].shape))
    })
}

/// The largest of all channels.
pub(crate) fn largest(seen: &[f64]) -> f64 {
    seen.iter().copied().fold(0.0, f64::max)
}
