//! The model's output: which one, the head on it, and where its classes are.

use super::super::names::printable;
use super::super::{Import, ImportReport, classes, simplify};
use super::{Importer, Known, listed};
use crate::ir::{Classes, Graph, Head, ValueId};

impl Importer<'_> {
    /// The name of the output that the caller wants, or of the only one.
    pub(super) fn wanted_output(&mut self) -> String {
        let names: Vec<&str> = self.graph.output.iter().map(|output| output.name.as_str()).collect();
        match (&self.options.output, names.as_slice()) {
            (Some(wanted), names) if names.contains(&wanted.as_str()) => wanted.clone(),
            (Some(wanted), names) => {
                self.report.problems.push(format!(
                    "it has no output {:?}; its outputs are {}",
                    printable(wanted),
                    listed(names)
                ));
                names.first().copied().unwrap_or_default().to_owned()
            }
            (None, [only]) => (*only).to_owned(),
            (None, []) => {
                self.report.problems.push("it has no output: export the model again".into());
                String::new()
            }
            (None, names @ [first, ..]) => {
                self.report.problems.push(format!(
                    "it has {} outputs, and one is computed: name one of {} (--output NAME)",
                    names.len(),
                    listed(names)
                ));
                (*first).to_owned()
            }
        }
    }

    /// The logits, and the head on them.
    pub(super) fn output(&mut self, wanted: &str) -> Option<(ValueId, Head)> {
        let problem = match self.names.get(wanted) {
            Some(Known::Value(value)) => return Some((*value, Head::Logits)),
            Some(Known::Headed { logits, head, .. }) => return Some((*logits, *head)),
            Some(Known::Constant(_)) => {
                format!("its output {:?} is a constant: export the model again", printable(wanted))
            }
            Some(Known::Unknown { .. }) => return None,
            None => format!("nothing makes its output {:?}: export the model again", printable(wanted)),
        };
        self.report.problems.push(problem);
        None
    }

    pub(super) fn finish(mut self, input: Option<ValueId>, output: Option<(ValueId, Head)>) -> Import {
        let accepted = self.report.accepted();
        let graph = match (input, output) {
            (Some(input), Some((output, head))) if accepted => {
                let graph = simplify::simplify(self.draft, &mut self.report, input, output, head);
                let graph = graph.map(|graph| with_classes(graph, self.options.class_axis, &mut self.report));
                if graph.is_none() && self.report.accepted() {
                    self.report
                        .problems
                        .push("its output does not depend on its input: export the model again".into());
                }
                graph
            }
            _ => None,
        };
        let graph = graph.filter(|_| self.report.accepted());
        assert_eq!(graph.is_some(), self.report.accepted(), "a graph comes exactly from an accepted file");
        Import { report: self.report, graph }
    }
}

/// Fills in where the classes are: as the caller states, else as found in the graph.
fn with_classes(graph: Graph, stated: Option<usize>, report: &mut ImportReport) -> Graph {
    let shape = &graph.values[graph.output].shape;
    let found = classes::classes(&graph);
    let classes = match (stated, graph.head, found) {
        (None, ..) => found,
        (Some(axis), ..) if axis >= shape.len() => {
            report.problems.push(format!(
                "class axis {axis} was asked for, and its output has {} axes, counted from 0: shape {shape:?}",
                shape.len()
            ));
            found
        }
        (Some(axis), Head::Softmax { axis: head } | Head::ArgMax { axis: head }, _) if axis != head => {
            report.problems.push(format!(
                "class axis {axis} was asked for, and the model's own head runs along axis {head}: leave it out"
            ));
            found
        }
        (Some(axis), ..) if shape[axis] == 1 => Classes::Single,
        (Some(axis), ..) => Classes::Along(axis),
    };
    Graph { classes, ..graph }
}
