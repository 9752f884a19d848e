//! The walk over a file: constants, the input, every node in order, the output; and the report of it all.

mod input;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::call::{Call, Known};
use super::draft::Draft;
use super::literal::{self, Literal};
use super::lower::{self, Lowered};
use super::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use super::{
    Budget, Import, NODES_MAX, OnnxError, Options, Refusal, Report, Row, Status, fold, refuse, simplify,
};
use crate::ir::{Head, ValueId};

/// Operator sets that were read when this was written; newer ones are read with a note.
const OPSETS_KNOWN: std::ops::RangeInclusive<i64> = 7..=27;

/// Goes through a parsed file of `length` bytes.
pub(super) fn import(model: ModelProto, options: &Options, length: usize) -> Result<Import, OnnxError> {
    let Some(graph) = &model.graph else { return Err(OnnxError::NoGraph) };
    if graph.node.len() > NODES_MAX {
        return Err(OnnxError::TooManyNodes { nodes: graph.node.len() });
    }
    let mut import = Importer::new(&model, graph, options, length);
    import.initialisers();
    let wanted = import.wanted_output();
    let needed = import.needed_nodes(&wanted);
    let input = import.input(&needed);
    import.nodes(&needed);
    let output = import.output(&wanted);
    Ok(import.finish(input, output))
}

struct Importer<'a> {
    graph: &'a GraphProto,
    options: &'a Options,
    opset: i64,
    names: HashMap<&'a str, Known>,
    draft: Draft,
    report: Report,
}

/// The nodes that the output hangs on, and every name that they use.
struct Needed<'a> {
    nodes: Vec<bool>,
    names: HashSet<&'a str>,
}

impl<'a> Importer<'a> {
    fn new(model: &'a ModelProto, graph: &'a GraphProto, options: &'a Options, length: usize) -> Self {
        let opset = model.opset_import.iter().find(|set| is_onnx(&set.domain)).map_or(0, |set| set.version);
        let mut report = Report {
            model: graph.name.clone(),
            producer: format!("{} {}", model.producer_name, model.producer_version).trim().to_owned(),
            opset,
            ..Report::default()
        };
        if opset > *OPSETS_KNOWN.end() {
            report
                .notes
                .push(format!("opset {opset} is newer than {}: check the float answer", OPSETS_KNOWN.end()));
        } else if opset < *OPSETS_KNOWN.start() {
            report
                .problems
                .push(format!("opset {opset} is too old or missing: export with opset 13 or newer"));
        }
        if !graph.sparse_initializer.is_empty() {
            report.problems.push("it has sparse weights, which are not read: store them dense".into());
        }
        let draft = Draft { values: Vec::new(), nodes: Vec::new(), budget: Budget::new(length) };
        Importer { graph, options, opset, names: HashMap::new(), draft, report }
    }

    fn initialisers(&mut self) {
        for tensor in &self.graph.initializer {
            let known = match literal::decode(tensor, &mut self.draft.budget, &mut self.report.notes) {
                Ok(literal) => Known::Constant(Rc::new(literal)),
                Err(refusal) => {
                    self.report.problems.push(refusal.to_string());
                    Known::Unknown { because: format!("initialiser {:?}", shown(&tensor.name)).into() }
                }
            };
            self.define(&tensor.name, known);
        }
    }

    fn define(&mut self, name: &'a str, known: Known) {
        if self.names.insert(name, known).is_some() {
            self.report.problems.push(format!("two things are named {name:?}: export the model again"));
        }
    }

    /// The name of the output that the caller wants, or of the only one.
    fn wanted_output(&mut self) -> String {
        let names: Vec<&str> = self.graph.output.iter().map(|output| output.name.as_str()).collect();
        match (&self.options.output, names.as_slice()) {
            (Some(wanted), names) if names.contains(&wanted.as_str()) => wanted.clone(),
            (Some(wanted), names) => {
                self.report
                    .problems
                    .push(format!("it has no output {wanted:?}; its outputs are {}", listed(names)));
                names.first().copied().unwrap_or_default().to_owned()
            }
            (None, [only]) => (*only).to_owned(),
            (None, []) => {
                self.report.problems.push("it has no output: export the model again".into());
                String::new()
            }
            (None, names @ [first, ..]) => {
                self.report.problems.push(format!(
                    "it has {} outputs, and one is computed: name one of {}",
                    names.len(),
                    listed(names)
                ));
                (*first).to_owned()
            }
        }
    }

    fn needed_nodes(&self, wanted: &str) -> Needed<'a> {
        let mut makers: HashMap<&str, usize> = HashMap::new();
        for (index, node) in self.graph.node.iter().enumerate() {
            makers.extend(
                node.output.iter().filter(|name| !name.is_empty()).map(|name| (name.as_str(), index)),
            );
        }
        let mut nodes = vec![false; self.graph.node.len()];
        let mut names = HashSet::new();
        let mut open: Vec<usize> = makers.get(wanted).copied().into_iter().collect();
        if let Some(output) = self.graph.output.iter().find(|output| output.name == wanted) {
            names.insert(output.name.as_str());
        }
        while let Some(index) = open.pop() {
            if std::mem::replace(&mut nodes[index], true) {
                continue;
            }
            for name in &self.graph.node[index].input {
                names.insert(name.as_str());
                open.extend(makers.get(name.as_str()));
            }
        }
        Needed { nodes, names }
    }

    fn nodes(&mut self, needed: &Needed) {
        let stated: HashMap<&str, &ValueInfoProto> = self
            .graph
            .value_info
            .iter()
            .chain(&self.graph.output)
            .map(|info| (info.name.as_str(), info))
            .collect();
        for (index, node) in self.graph.node.iter().enumerate() {
            let label = if node.name.is_empty() { format!("#{index}") } else { shown(&node.name) };
            let mut row = Row {
                node: label.clone(),
                op: node.op_type.clone(),
                status: Status::Folded,
                note: String::new(),
            };
            if !needed.nodes[index] {
                row.note = "removed: the output does not need it".into();
                self.report.rows.push(row);
                continue;
            }
            let inputs = node.input.iter().map(|name| self.resolved(name)).collect();
            let call = Call { node, opset: self.opset, inputs, row: index, label };
            self.report.rows.push(row);
            let known =
                self.node(&call, needed).unwrap_or_else(|refusal| self.refused(&call, &refusal, &stated));
            self.outputs(node, known);
        }
    }

    /// What an input's name stands for; `None` when it is left out.
    fn resolved(&self, name: &str) -> Option<Known> {
        if name.is_empty() {
            return None;
        }
        let missing =
            || Known::Unknown { because: format!("{:?}, which nothing before it makes", shown(name)).into() };
        Some(self.names.get(name).cloned().unwrap_or_else(missing))
    }

    fn outputs(&mut self, node: &'a NodeProto, known: Known) {
        let mut names = node.output.iter().map(String::as_str);
        if let Some(first) = names.next().filter(|name| !name.is_empty()) {
            self.define(first, known);
        }
        for name in names.filter(|name| !name.is_empty()) {
            let because = format!("{:?}, a further output", shown(name)).into();
            self.define(name, Known::Unknown { because });
        }
    }

    /// Folds or lowers one node.
    fn node(&mut self, call: &Call, needed: &Needed) -> Result<Known, Refusal> {
        if !is_onnx(&call.node.domain) {
            return refuse(
                format!("it belongs to the operator set {:?}", call.node.domain),
                "export plain ONNX operators, without a runtime's own optimisation",
            );
        }
        if call.has_subgraph() {
            return refuse("it holds a subgraph", super::remedy::remedy("If"));
        }
        if let Some(literal) = self.folded(call) {
            let note = "a constant, computed at import".to_owned();
            return Ok(self.done(
                call,
                Lowered { known: Known::Constant(Rc::new(literal?)), status: Status::Folded, note },
            ));
        }
        if !call.inputs.is_empty()
            && call.inputs.iter().flatten().all(|input| matches!(input, Known::Constant(_)))
        {
            return refuse(
                format!("{} of constants is not folded here", call.op()),
                "let the exporter fold constants (do_constant_folding=True, or onnxsim)",
            );
        }
        let Some(lower) = lower::lowering(call.op()) else { return Err(lower::unknown(call.op())) };
        if let Some(because) = hangs_on(call) {
            let note = format!("to be checked later: it hangs on {because}");
            return Ok(self.done(
                call,
                Lowered {
                    known: Known::Unknown { because: because.clone() },
                    status: Status::Unchecked,
                    note,
                },
            ));
        }
        let lowered = lower(call, &mut self.draft, &|name| needed.names.contains(name))?;
        Ok(self.done(call, lowered))
    }

    /// The node's constant answer, when all its inputs are constant.
    fn folded(&mut self, call: &Call) -> Option<Result<Literal, Refusal>> {
        let mut literals = Vec::with_capacity(call.inputs.len());
        for input in &call.inputs {
            literals.push(match input {
                None => None,
                Some(Known::Constant(literal)) => Some(literal.as_ref()),
                Some(_) => return None,
            });
        }
        fold::fold(call, &literals, &mut self.draft.budget)
    }

    fn done(&mut self, call: &Call, lowered: Lowered) -> Known {
        let row = &mut self.report.rows[call.row];
        row.status = lowered.status;
        row.note = lowered.note;
        lowered.known
    }

    /// Notes a refusal; the node's output keeps its shape where that is known, so that later nodes are checked too.
    fn refused(&mut self, call: &Call, refusal: &Refusal, stated: &HashMap<&str, &ValueInfoProto>) -> Known {
        for input in call.inputs.iter().flatten() {
            if let Known::Headed { rows, .. } = input {
                for &row in rows {
                    self.report.rows[row].status = Status::Refused;
                    let op = &self.report.rows[row].op;
                    self.report.rows[row].note =
                        format!("it does not stand at the end; {}", super::remedy::remedy(op));
                }
            }
        }
        let row = &mut self.report.rows[call.row];
        row.status = Status::Refused;
        row.note = refusal.to_string();
        let output = call.node.output.first().map_or("", String::as_str);
        let same = match call.inputs.first() {
            Some(Some(Known::Value(value) | Known::Headed { logits: value, .. }))
                if lower::keeps_shape(call.op()) =>
            {
                Some(self.draft.shape(*value).to_vec())
            }
            _ => None,
        };
        let shape = same.or_else(|| self.stated_shape(stated.get(output)?).ok());
        let value = shape.and_then(|shape| self.draft.value(output, shape).ok());
        let because =
            || Known::Unknown { because: format!("the refused {} {}", shown(call.op()), call.label).into() };
        value.map_or_else(because, Known::Value)
    }

    /// The logits, and the head on them.
    fn output(&mut self, wanted: &str) -> Option<(ValueId, Head)> {
        let problem = match self.names.get(wanted) {
            Some(Known::Value(value)) => return Some((*value, Head::Logits)),
            Some(Known::Headed { logits, head, .. }) => return Some((*logits, *head)),
            Some(Known::Constant(_)) => {
                format!("its output {wanted:?} is a constant: export the model again")
            }
            Some(Known::Unknown { .. }) => return None,
            None => format!("nothing makes its output {wanted:?}: export the model again"),
        };
        self.report.problems.push(problem);
        None
    }

    fn finish(mut self, input: Option<ValueId>, output: Option<(ValueId, Head)>) -> Import {
        let accepted = self.report.accepted();
        let graph = match (input, output) {
            (Some(input), Some((output, head))) if accepted => {
                let graph = simplify::simplify(self.draft, &mut self.report, input, output, head);
                if graph.is_none() && self.report.accepted() {
                    self.report
                        .problems
                        .push("its output does not depend on its input: export the model again".into());
                }
                graph
            }
            _ => None,
        };
        assert_eq!(graph.is_some(), self.report.accepted(), "a graph comes exactly from an accepted file");
        Import { report: self.report, graph }
    }
}

/// Why an input's shape is unknown.
fn hangs_on(call: &Call) -> Option<Rc<str>> {
    call.inputs.iter().flatten().find_map(|input| match input {
        Known::Unknown { because } => Some(because.clone()),
        _ => None,
    })
}

fn is_onnx(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// A name as messages show it: many of them may repeat one, and the file chose its length.
fn shown(name: &str) -> String {
    const CHARACTERS: usize = 120;
    match name.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

/// The first names of a list, for messages.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let first = names.iter().take(SHOWN).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{first}, ...") } else { first }
}
