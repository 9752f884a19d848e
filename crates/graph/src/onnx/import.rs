//! The walk over a file: constants, the input, every node in order, the output; and the report of it all.

mod input;
mod output;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::call::{Call, Known};
use super::draft::GraphDraft;
use super::external::Beside;
use super::fold::{self, Constants};
use super::literal::{self, Literal};
use super::names::{Labels, printable};
use super::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use super::translate::{self, Translated};
use super::{
    Budget, Import, ImportReport, NODES_MAX, NodeReport, OnnxError, Options, Refusal, Status, infer, refuse,
};

/// Operator sets that were read when this was written; newer ones are read with a note.
const OPSETS_KNOWN: std::ops::RangeInclusive<i64> = 7..=27;

/// Goes through a parsed file of `length` bytes.
pub(super) fn import(
    model: ModelProto,
    options: &Options,
    beside: Beside,
    length: usize,
) -> Result<Import, OnnxError> {
    let Some(graph) = &model.graph else { return Err(OnnxError::NoGraph) };
    if graph.node.len() > NODES_MAX {
        return Err(OnnxError::TooManyNodes { nodes: graph.node.len() });
    }
    let mut import = Importer::new(&model, graph, options, beside, length);
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
    draft: GraphDraft,
    report: ImportReport,
    beside: Beside,
    /// What the report calls nodes.
    labels: Labels,
    /// The batch that the file fixes and that was taken for 1.
    batch: Option<usize>,
    /// Names of values that are still integers, as the file states its input.
    integers: HashSet<&'a str>,
}

/// The nodes that the output depends on, and how often they use each name.
struct Needed<'a> {
    nodes: Vec<bool>,
    uses: HashMap<&'a str, usize>,
}

impl<'a> Importer<'a> {
    fn new(
        model: &'a ModelProto,
        graph: &'a GraphProto,
        options: &'a Options,
        beside: Beside,
        length: usize,
    ) -> Self {
        let opset = model.opset_import.iter().find(|set| is_onnx(&set.domain)).map_or(0, |set| set.version);
        let mut report = ImportReport {
            model: printable(&graph.name),
            producer: printable(format!("{} {}", model.producer_name, model.producer_version).trim()),
            opset,
            ..ImportReport::default()
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
        let draft = GraphDraft::new(Budget::new(length));
        let (names, labels) = (HashMap::new(), Labels::default());
        Importer {
            graph,
            options,
            opset,
            names,
            draft,
            report,
            beside,
            labels,
            batch: None,
            integers: HashSet::new(),
        }
    }

    fn initialisers(&mut self) {
        for tensor in &self.graph.initializer {
            let (budget, notes) = (&mut self.draft.budget, &mut self.report.notes);
            let known = match literal::decode(tensor, budget, notes, &mut self.beside) {
                Ok(literal) => Known::Constant(Rc::new(literal)),
                Err(refusal) => {
                    // One file that is not there is one problem, however many tensors it has.
                    let problem = refusal.to_string();
                    if self.report.problems.last() != Some(&problem) {
                        self.report.problems.push(problem);
                    }
                    Known::unknown(format!("initialiser {:?}", printable(&tensor.name)))
                }
            };
            self.define(&tensor.name, known);
        }
    }

    fn define(&mut self, name: &'a str, known: Known) {
        if self.names.insert(name, known).is_some() {
            self.report
                .problems
                .push(format!("two things are named {:?}: export the model again", printable(name)));
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
        let mut uses = HashMap::new();
        let mut open: Vec<usize> = makers.get(wanted).copied().into_iter().collect();
        if let Some(output) = self.graph.output.iter().find(|output| output.name == wanted) {
            uses.insert(output.name.as_str(), 1);
        }
        while let Some(index) = open.pop() {
            if std::mem::replace(&mut nodes[index], true) {
                continue;
            }
            for name in &self.graph.node[index].input {
                *uses.entry(name.as_str()).or_default() += 1;
                open.extend(makers.get(name.as_str()));
            }
        }
        Needed { nodes, uses }
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
            let name = if node.name.is_empty() { &format!("#{index}") } else { &node.name };
            let label = self.labels.label(name);
            let mut row = NodeReport {
                node: label.clone(),
                op: printable(&node.op_type),
                status: Status::Folded,
                note: String::new(),
                remedy: String::new(),
            };
            if !needed.nodes[index] {
                row.note = "removed: the output does not need it".into();
                self.report.rows.push(row);
                continue;
            }
            let inputs = node.input.iter().map(|name| self.resolved(name)).collect();
            let call = Call { node, opset: self.opset, inputs, row: index, label };
            self.report.rows.push(row);
            match self.node(&call, needed) {
                Ok(translated) => self.done(&call, translated),
                Err(refusal) => {
                    let known = self.refused(&call, &refusal, &stated);
                    self.outputs(node, known, Vec::new());
                }
            }
        }
    }

    /// What an input's name refers to; `None` when it is left out.
    fn resolved(&self, name: &str) -> Option<Known> {
        if name.is_empty() {
            return None;
        }
        let missing = || Known::unknown(format!("{:?}, which nothing before it makes", printable(name)));
        Some(self.names.get(name).cloned().unwrap_or_else(missing))
    }

    fn outputs(&mut self, node: &'a NodeProto, first: Known, further: Vec<Known>) {
        let mut known = std::iter::once(first).chain(further);
        for name in &node.output {
            let known = known.next();
            if !name.is_empty() {
                let further = || Known::unknown(format!("{:?}, a further output", printable(name)));
                self.define(name, known.unwrap_or_else(further));
            }
        }
    }

    /// Folds or translates one node.
    fn node(&mut self, call: &Call<'a>, needed: &Needed) -> Result<Translated, Refusal> {
        if !is_onnx(&call.node.domain) {
            return refuse(
                format!("it belongs to the operator set {:?}", printable(&call.node.domain)),
                "export plain ONNX operators, without a runtime's own optimisation",
            );
        }
        if call.has_subgraph() {
            return refuse("it holds a subgraph", translate::operator("If").remedy);
        }
        if let Some(literal) = self.folded(call) {
            let literal = Known::Constant(Rc::new(literal?));
            return Ok(Translated::folded(literal, "a constant, computed at import"));
        }
        if !call.inputs.is_empty()
            && call.inputs.iter().flatten().all(|input| matches!(input, Known::Constant(_)))
        {
            return fold::refuse_folding(call);
        }
        let operator = translate::operator(call.op());
        let Some(translate) = operator.translate else {
            return refuse(format!("{} is not computed privately", call.op()), operator.remedy);
        };
        if let Some(because) = depends_on(call) {
            return self.unchecked(call, because);
        }
        self.watch_the_image(call, needed)?;
        let translated = translate(call, &mut self.draft, &|name| needed.uses.contains_key(name))?;
        self.check_batch(call, &translated)?;
        Ok(translated)
    }

    /// A node on data of unknown shape: refused where no shape could save it.
    fn unchecked(&mut self, call: &Call, because: Rc<str>) -> Result<Translated, Refusal> {
        let mut heads = translate::heads_below(call);
        let operator = translate::operator(call.op());
        if operator.is_head {
            heads.push(call.row);
        } else if !operator.passes_heads {
            self.refuse_heads(&heads);
            heads.clear();
            (operator.check_early)(call)?;
        }
        let note = format!("to be checked later: it depends on {because}");
        let known = Known::Unknown { because, heads };
        Ok(Translated { known, further: Vec::new(), status: Status::Unchecked, note })
    }

    /// Forgets that a value is the input's alone once something else reads it too, and refuses arithmetic on integers.
    fn watch_the_image(&mut self, call: &Call<'a>, needed: &Needed) -> Result<(), Refusal> {
        for (name, known) in call.node.input.iter().zip(&call.inputs) {
            let Some(Known::Value(value)) = known else { continue };
            if needed.uses.get(name.as_str()).is_some_and(|&uses| uses > 1) {
                self.draft.image.maps.remove(value);
            }
            if !self.integers.contains(name.as_str()) || call.op() == "Cast" {
                continue;
            }
            if !translate::operator(call.op()).moves_integers {
                return refuse(
                    "it works on the input's integers",
                    "turn the input into floats first (Cast, image.float())",
                );
            }
            self.integers.extend(call.node.output.iter().map(String::as_str));
        }
        Ok(())
    }

    /// A batch that was taken for 1 may still be written into a later shape.
    fn check_batch(&self, call: &Call, translated: &Translated) -> Result<(), Refusal> {
        let (Some(batch), Known::Value(made)) = (self.batch, &translated.known) else { return Ok(()) };
        let of_one = call.inputs.iter().flatten().any(
            |input| matches!(input, Known::Value(value) if self.draft.shape(*value).first() == Some(&1)),
        );
        match of_one && self.draft.shape(*made).first() == Some(&batch) {
            true => refuse(
                format!("it makes a first axis of {batch}, which was the batch before 1 was taken for it"),
                "export with a batch of 1",
            ),
            false => Ok(()),
        }
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
        let fold = translate::operator(call.op()).fold?;
        Some(fold(call, Constants(&literals), &mut self.draft.budget))
    }

    fn done(&mut self, call: &Call<'a>, translated: Translated) {
        let row = &mut self.report.rows[call.row];
        row.status = translated.status;
        row.note = translated.note;
        self.outputs(call.node, translated.known, translated.further);
    }

    /// Notes a refusal; the node's output keeps its shape where that is known, so that later nodes are checked too.
    fn refused(&mut self, call: &Call, refusal: &Refusal, stated: &HashMap<&str, &ValueInfoProto>) -> Known {
        self.refuse_heads(&translate::heads_below(call));
        self.report.refuse(call.row, refusal);
        let output = call.node.output.first().map_or("", String::as_str);
        let shape = infer::output_shape(call, &self.draft);
        let shape = shape.or_else(|| self.stated_shape(stated.get(output)?).ok());
        let value = shape.and_then(|shape| self.draft.value(output, shape).ok());
        let because = || Known::unknown(format!("the refused {} {}", printable(call.op()), call.label));
        value.map_or_else(because, Known::Value)
    }

    /// Refuses heads whose answer another node works on.
    fn refuse_heads(&mut self, rows: &[usize]) {
        for &row in rows {
            let remedy = translate::operator(&self.report.rows[row].op).remedy.to_owned();
            self.report.refuse(row, &Refusal { why: "it does not stand at the end".into(), remedy });
        }
    }
}

/// Why an input's shape is unknown.
fn depends_on(call: &Call) -> Option<Rc<str>> {
    call.inputs.iter().flatten().find_map(|input| match input {
        Known::Unknown { because, .. } => Some(because.clone()),
        Known::Constant(_) | Known::Value(_) | Known::Headed { .. } => None,
    })
}

fn is_onnx(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// The first names of a list, for messages.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let first = names.iter().take(SHOWN).map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{first}, ...") } else { first }
}
