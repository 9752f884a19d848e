//! The result of every node of a file: all problems at once, each with its remedy, and grouped by kind.

use std::fmt;

use serde::Serialize;

use super::Refusal;

/// What an import found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// The graph's name in the file.
    pub model: String,
    /// The program that wrote the file, with its version.
    pub producer: String,
    /// Version of ONNX's own operator set.
    pub opset: i64,
    /// One row per node, in the file's order.
    pub rows: Vec<NodeReport>,
    /// Problems of the file that belong to no node: inputs, outputs, initialisers.
    pub problems: Vec<String>,
    /// Changes that would otherwise be silent: conversions, unused parts.
    pub notes: Vec<String>,
}

/// The result of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeReport {
    /// The node's name, or its index when it has none.
    pub node: String,
    /// The operator.
    pub op: String,
    /// Its result.
    pub status: Status,
    /// Why, and for a refused node what to do instead.
    pub note: String,
    /// For a refused node, what to do instead.
    pub remedy: String,
}

/// The result of a node, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is an operation of the graph.
    Supported,
    /// It was computed at import, merged into another node, or removed.
    Folded,
    /// It cannot be computed privately; the note says what to do instead.
    Refused,
    /// The operator is known, but the shape it works on depends on a refused node.
    Unchecked,
}

/// Nodes that are refused or unchecked for one reason: those of one operator that have one remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// The operator.
    pub op: String,
    /// Refused or unchecked.
    pub status: Status,
    /// How many.
    pub count: usize,
    /// The first of them.
    pub first: String,
    /// Why the first is refused, and what to do instead.
    pub note: String,
}

impl ImportReport {
    /// Notes that a node is refused.
    pub(super) fn refuse(&mut self, row: usize, refusal: &Refusal) {
        let row = &mut self.rows[row];
        row.status = Status::Refused;
        row.note = refusal.to_string();
        row.remedy = refusal.remedy.clone();
    }

    /// Whether the file can be used: nothing was refused.
    pub fn accepted(&self) -> bool {
        self.problems.is_empty() && self.refused().next().is_none()
    }

    /// The rows that are refused or unchecked.
    pub fn refused(&self) -> impl Iterator<Item = &NodeReport> {
        self.rows.iter().filter(|row| matches!(row.status, Status::Refused | Status::Unchecked))
    }

    /// Refused and unchecked nodes by kind, in the order in which the kinds appear; unchecked ones last.
    pub fn kinds(&self) -> Vec<Obstacle> {
        let mut kinds: Vec<(&str, Obstacle)> = Vec::new();
        for row in self.refused() {
            let is_same = |(remedy, kind): &(&str, Obstacle)| {
                kind.op == row.op && kind.status == row.status && *remedy == row.remedy
            };
            match kinds.iter_mut().find(|kind| is_same(kind)) {
                Some((_, kind)) => kind.count += 1,
                None => {
                    let (op, first, note) = (row.op.clone(), row.node.clone(), row.note.clone());
                    kinds.push((&row.remedy, Obstacle { op, status: row.status, count: 1, first, note }));
                }
            }
        }
        kinds.sort_by_key(|(_, kind)| kind.status == Status::Unchecked);
        kinds.into_iter().map(|(_, kind)| kind).collect()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Supported => "supported",
            Status::Folded => "folded",
            Status::Refused => "refused",
            Status::Unchecked => "unchecked",
        })
    }
}

impl fmt::Display for NodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<9} {} {}", self.status, self.op, self.node)?;
        if self.note.is_empty() { Ok(()) } else { write!(f, ": {}", self.note) }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "{:<9} {} {}: {}", self.status, self.op, self.first, self.note),
            count => {
                write!(f, "{:<9} {count} x {}, first {}: {}", self.status, self.op, self.first, self.note)
            }
        }
    }
}

/// One line per problem of the file and per kind of refused or unchecked node.
impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "file: {problem}")?;
        }
        for kind in self.kinds() {
            writeln!(f, "{kind}")?;
        }
        Ok(())
    }
}
