//! Reading `.onnx` files: protobuf into [`Graph`], and a [`ImportReport`] of every node.
//!
//! The stages, each a file: `scan` bounds the file, `proto` parses it, `import` goes through its nodes, `fold` computes
//! what is constant, `translate` turns the rest into drafts of our operators with static shapes, `simplify` merges affine
//! steps into convolutions and drops what is dead.
//!
//! A file is hostile until it is imported: sizes are capped before anything is allocated, nothing is read but the file and
//! plain files of weights in its folder (`external`), subgraphs are not parsed, and no bytes make it panic.

mod call;
mod classes;
mod draft;
mod external;
mod fold;
mod geometry;
mod import;
mod infer;
mod literal;
mod names;
pub mod proto;
mod report;
mod scan;
mod shape;
mod simplify;
mod translate;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use prost::Message;
use prost::bytes::Bytes;

pub(crate) use literal::half_to_f32;
pub use report::{ImportReport, NodeReport, Obstacle, Status};

use crate::ir::Graph;
use crate::ir::ops::{Refusal, refuse};

/// Largest file that is read, 1 GiB.
pub const FILE_BYTES_MAX: u64 = 1 << 30;
/// Most nodes that a file may have.
pub const NODES_MAX: usize = 1 << 16;
/// Most axes of a tensor.
pub const RANK_MAX: usize = 8;
/// Most elements of a tensor that flows through the network.
pub const ELEMENTS_MAX: usize = 1 << 31;

/// What the caller states where the file leaves it open.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The name of the input that `input_shape` is meant for, to be held against the file's.
    pub input_name: Option<String>,
    /// The input's shape, batch (1) included, instead of the file's.
    pub input_shape: Option<Vec<usize>>,
    /// Extents of the file's named dimensions. An open first axis is the batch, 1.
    pub dimensions: BTreeMap<String, usize>,
    /// Which of several outputs is wanted, by name.
    pub output: Option<String>,
    /// The axis of the output along which classes are compared, counted from 0, where the file does not show it.
    pub class_axis: Option<usize>,
}

/// A file that could be read: the report, and the graph when nothing was refused.
#[derive(Clone, Debug)]
pub struct Import {
    /// The result of every node.
    pub report: ImportReport,
    /// The model; `None` when the report has refusals.
    pub graph: Option<Graph>,
}

impl Import {
    /// The graph, or the report as an error.
    pub fn into_graph(self) -> Result<Graph, OnnxError> {
        let Import { report, graph } = self;
        graph.ok_or(OnnxError::Refused(Box::new(report)))
    }
}

/// Why a file could not be read at all, or was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The operating system's error.
    #[error("the model cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file is longer than [`FILE_BYTES_MAX`].
    #[error(
        "the model has {bytes} bytes, at most {FILE_BYTES_MAX} are read: store it with 32-bit floats and without training state"
    )]
    TooLarge {
        /// Its length.
        bytes: u64,
    },
    /// The file has more protobuf fields than any network needs.
    #[error("the model has more than {max} fields: it is no network, or one to be exported in parts")]
    TooManyFields {
        /// The limit.
        max: usize,
    },
    /// More nodes than [`NODES_MAX`].
    #[error(
        "the model has {nodes} nodes, at most {NODES_MAX} are read: let the exporter fold constants and loops"
    )]
    TooManyNodes {
        /// Their number.
        nodes: usize,
    },
    /// The bytes are not an ONNX file.
    #[error("the model is not a readable ONNX file: {0}")]
    Malformed(String),
    /// A protobuf without a graph.
    #[error("the file holds no graph: is it an ONNX model?")]
    NoGraph,
    /// The file was read, and cannot be computed privately.
    #[error("the model cannot be used as it is:\n{0}")]
    Refused(Box<ImportReport>),
}

/// Reads a model from disk.
pub fn read(path: &Path, options: &Options) -> Result<Import, OnnxError> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(OnnxError::TooLarge { bytes });
    }
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(content.into(), options, Some(folder))
}

/// Reads a model from memory. Weights in a file beside it are then out of reach.
pub fn read_bytes(content: impl Into<Bytes>, options: &Options) -> Result<Import, OnnxError> {
    parse(content.into(), options, None)
}

fn parse(content: Bytes, options: &Options, folder: Option<&Path>) -> Result<Import, OnnxError> {
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(OnnxError::TooLarge { bytes: content.len() as u64 });
    }
    scan::scan(&content)?;
    let length = content.len();
    let model =
        proto::ModelProto::decode(content).map_err(|error| OnnxError::Malformed(error.to_string()))?;
    import::import(model, options, external::Beside::new(folder, length), length)
}

/// How many elements the import may still make: as many as the file has bytes, and some.
struct Budget {
    bytes_of_file: usize,
    left: usize,
}

impl Budget {
    fn new(bytes_of_file: usize) -> Self {
        Budget { bytes_of_file, left: 2 * bytes_of_file + (1 << 22) }
    }

    /// A file beside the model was opened.
    fn add_file(&mut self, bytes: usize) {
        self.bytes_of_file = self.bytes_of_file.saturating_add(bytes);
        self.left = self.left.saturating_add(bytes.saturating_mul(2));
    }

    fn spend(&mut self, elements: usize) -> Result<(), Refusal> {
        match self.left.checked_sub(elements) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => refuse("its constants are far larger than the file", "let the exporter fold constants"),
        }
    }

    fn spend_shape(&mut self, shape: &[usize]) -> Result<usize, Refusal> {
        let Some(count) = literal::checked_count(shape, self.left) else {
            return refuse(
                format!("a constant of shape {shape:?} is far larger than the file"),
                "let the exporter fold constants",
            );
        };
        self.spend(count)?;
        Ok(count)
    }
}
