//! Which channels must share a factor: those that a ReLU, a pool, a sum or a join ties together.

use std::collections::BTreeMap;

use crate::ir::ops::{ChannelFlow, channel_count, has_channels};
use crate::ir::{Graph, Node, ValueId};

/// Every channel's class, and the families that classes form.
pub(super) struct ChannelClasses {
    /// By value: the class of each channel.
    of_value: Vec<Vec<usize>>,
    /// Whether the class touches the model's input or output, or a step that mixes channels.
    fixed: Vec<bool>,
    families: Vec<Family>,
}

/// Values that are tied together, and the layers around them.
#[derive(Default)]
pub(super) struct Family {
    /// Values that are kept with few bits: all but accumulators that no linear layer reads.
    pub(super) activations: Vec<ValueId>,
    /// Linear nodes whose output is in the family.
    pub(super) makers: Vec<usize>,
    /// Linear nodes whose input is.
    pub(super) readers: Vec<usize>,
}

impl ChannelClasses {
    pub(super) fn of(graph: &Graph) -> Self {
        let mut ties = Ties::new(graph);
        ties.fix(graph.input);
        ties.fix(graph.output);
        for node in &graph.nodes {
            ties.node(graph, node);
        }
        let mut numbers = BTreeMap::new();
        let of_value: Vec<Vec<usize>> = (0..graph.values.len())
            .map(|value| {
                ties.channels(value)
                    .map(|channel| ties.root(channel))
                    .map(|root| {
                        let next = numbers.len();
                        *numbers.entry(root).or_insert(next)
                    })
                    .collect()
            })
            .collect();
        let mut fixed = vec![false; numbers.len()];
        for (channel, _) in ties.fixed.iter().enumerate().filter(|(_, fixed)| **fixed) {
            fixed[numbers[&ties.root(channel)]] = true;
        }
        let families = families(graph, &of_value);
        Self { of_value, fixed, families }
    }

    pub(super) fn count(&self) -> usize {
        self.fixed.len()
    }

    pub(super) fn of_value(&self, value: ValueId) -> &[usize] {
        &self.of_value[value]
    }

    pub(super) fn is_fixed(&self, class: usize) -> bool {
        self.fixed[class]
    }

    pub(super) fn families(&self) -> &[Family] {
        &self.families
    }
}

/// Channels of all values, numbered one after another, in sets that share a factor.
struct Ties {
    first: Vec<usize>,
    parent: Vec<usize>,
    fixed: Vec<bool>,
}

impl Ties {
    fn new(graph: &Graph) -> Self {
        let mut first = vec![0];
        first.extend(graph.values.iter().scan(0, |sum, value| {
            *sum += channel_count(&value.shape);
            Some(*sum)
        }));
        let count = first[graph.values.len()];
        let mut ties = Self { first, parent: (0..count).collect(), fixed: vec![false; count] };
        for (value, info) in graph.values.iter().enumerate() {
            if !has_channels(&info.shape) {
                ties.fix(value);
            }
        }
        ties
    }

    fn channels(&self, value: ValueId) -> std::ops::Range<usize> {
        self.first[value]..self.first[value + 1]
    }

    fn root(&self, channel: usize) -> usize {
        let mut at = channel;
        while self.parent[at] != at {
            at = self.parent[at];
        }
        at
    }

    fn tie(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The lower number leads: chains stay short, for values are numbered in the order of their making.
        self.parent[a.max(b)] = a.min(b);
    }

    fn fix(&mut self, value: ValueId) {
        let channels = self.channels(value);
        self.fixed[channels].fill(true);
    }

    fn node(&mut self, graph: &Graph, node: &Node) {
        match node.op.operator().channels() {
            ChannelFlow::Mixed(_) => {
                if graph.layer(node).is_none() {
                    self.unknown(node);
                }
            }
            ChannelFlow::Rectified
            | ChannelFlow::Largest
            | ChannelFlow::Kept { .. }
            | ChannelFlow::Summed
            | ChannelFlow::Stacked { .. } => self.alike(node),
            ChannelFlow::Shifted(constant) => {
                match constant.shape.get(1) == Some(&self.channels(node.output).len()) {
                    true => self.alike(node),
                    false => self.unknown(node),
                }
            }
            ChannelFlow::Joined => self.joined(node),
            ChannelFlow::Regrouped => self.reshaped(node.inputs[0], node.output),
            ChannelFlow::Picked | ChannelFlow::Lost => self.unknown(node),
        }
    }

    /// Channel i of each input is channel i of the output.
    fn alike(&mut self, node: &Node) {
        for &input in &node.inputs {
            let (from, to) = (self.channels(input), self.channels(node.output));
            if from.len() != to.len() {
                return self.unknown(node);
            }
            from.zip(to).for_each(|(from, to)| self.tie(from, to));
        }
    }

    /// The inputs' channels one after another are the output's.
    fn joined(&mut self, node: &Node) {
        let channels: Vec<usize> = node.inputs.iter().flat_map(|&input| self.channels(input)).collect();
        channels.into_iter().zip(self.channels(node.output)).for_each(|(from, to)| self.tie(from, to));
    }

    /// A channel may become a run of features, and the other way round.
    fn reshaped(&mut self, input: ValueId, output: ValueId) {
        let (from, to) = (self.channels(input), self.channels(output));
        let (few, many) = if from.len() < to.len() { (from, to) } else { (to, from) };
        if few.is_empty() || !many.len().is_multiple_of(few.len()) {
            self.fix(input);
            self.fix(output);
            return;
        }
        let run = many.len() / few.len();
        many.enumerate().for_each(|(index, channel)| self.tie(few.start + index / run, channel));
    }

    /// No factor passes this node.
    fn unknown(&mut self, node: &Node) {
        node.inputs.iter().for_each(|&input| self.fix(input));
        self.fix(node.output);
    }
}

/// The families: values that share a class, however far apart.
fn families(graph: &Graph, of_value: &[Vec<usize>]) -> Vec<Family> {
    // Each value's first class is tied to all its classes, which makes the family.
    let count = of_value.iter().flatten().max().map_or(0, |most| most + 1);
    let mut parent: Vec<usize> = (0..count).collect();
    let root = |parent: &[usize], mut at: usize| {
        while parent[at] != at {
            at = parent[at];
        }
        at
    };
    for classes in of_value {
        for &class in classes {
            let (a, b) = (root(&parent, classes[0]), root(&parent, class));
            parent[a.max(b)] = a.min(b);
        }
    }
    let (mut made, mut read) = (vec![false; graph.values.len()], vec![false; graph.values.len()]);
    let mut families: BTreeMap<usize, Family> = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.op.layer().is_some()) {
        (made[node.output], read[node.inputs[0]]) = (true, true);
        let family = |value: ValueId| root(&parent, of_value[value][0]);
        families.entry(family(node.output)).or_default().makers.push(index);
        families.entry(family(node.inputs[0])).or_default().readers.push(index);
    }
    for value in (0..graph.values.len()).filter(|&value| read[value] || !made[value]) {
        if let Some(family) = families.get_mut(&root(&parent, of_value[value][0])) {
            family.activations.push(value);
        }
    }
    families.into_values().collect()
}
