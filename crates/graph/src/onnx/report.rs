//! What became of every node of a file: all problems at once, each with its remedy.

use std::fmt;

use serde::Serialize;

/// The account of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The graph's name in the file.
    pub model: String,
    /// The program that wrote the file, with its version.
    pub producer: String,
    /// Version of ONNX's own operator set.
    pub opset: i64,
    /// One row a node, in the file's order.
    pub rows: Vec<Row>,
    /// Problems of the file that belong to no node: inputs, outputs, initialisers.
    pub problems: Vec<String>,
    /// What was changed silently otherwise: conversions, unused parts.
    pub notes: Vec<String>,
}

/// What became of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The node's name, or its index when it has none.
    pub node: String,
    /// The operator.
    pub op: String,
    /// What became of it.
    pub status: Status,
    /// Why, and for a refused node what to do instead.
    pub note: String,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is an operation of the graph.
    Supported,
    /// It was computed at import, merged into another node, or removed.
    Folded,
    /// It cannot be computed privately; the note says what to do instead.
    Refused,
    /// The operator is known, but the shape it works on hangs on a refused node.
    Unchecked,
}

impl Report {
    /// Whether the file can be used: nothing was refused.
    pub fn accepted(&self) -> bool {
        self.problems.is_empty() && self.refused().next().is_none()
    }

    /// The rows that stand in the way.
    pub fn refused(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| matches!(row.status, Status::Refused | Status::Unchecked))
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

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<9} {} {}", self.status, self.op, self.node)?;
        if self.note.is_empty() { Ok(()) } else { write!(f, ": {}", self.note) }
    }
}

/// What stands in the way, one line each.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "file: {problem}")?;
        }
        for row in self.refused() {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}
