//! Small ONNX files, encoded by hand.

use blindscan_graph::ir::{Graph, Op, Tensor};
use blindscan_graph::onnx::proto::*;
use blindscan_graph::onnx::{self, Import, NodeReport, Options};
use blindscan_graph::{float, npy};
use prost::Message;

/// A model under construction; its input is `x`.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) proto: ModelProto,
}

impl Model {
    /// Opset 18; the input `x` has the given shape.
    pub(crate) fn new(input: &[i64]) -> Self {
        let dim =
            input.iter().map(|&extent| DimensionProto { dim_value: Some(extent), dim_param: None }).collect();
        let graph =
            GraphProto { name: "small".into(), input: vec![value("x", dim)], ..GraphProto::default() };
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 18 }];
        let producer_name = "hand".into();
        Model {
            proto: ModelProto {
                ir_version: 8,
                producer_name,
                graph: Some(graph),
                opset_import,
                ..ModelProto::default()
            },
        }
    }

    pub(crate) fn opset(mut self, version: i64) -> Self {
        self.proto.opset_import[0].version = version;
        self
    }

    pub(crate) fn graph_mut(&mut self) -> &mut GraphProto {
        self.proto.graph.as_mut().unwrap()
    }

    /// A float weight.
    pub(crate) fn weight(mut self, name: &str, dims: &[i64], data: &[f32]) -> Self {
        let tensor = TensorProto { name: name.into(), ..floats(dims, data) };
        self.graph_mut().initializer.push(tensor);
        self
    }

    /// A list of integers.
    pub(crate) fn list(mut self, name: &str, data: &[i64]) -> Self {
        let tensor = TensorProto { name: name.into(), ..integers(&[data.len() as i64], data) };
        self.graph_mut().initializer.push(tensor);
        self
    }

    /// A node, named after its output.
    pub(crate) fn node(
        mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) -> Self {
        self.graph_mut().node.push(NodeProto {
            input: inputs.iter().map(|&name| name.into()).collect(),
            output: vec![output.into()],
            name: format!("the {output}"),
            op_type: op.into(),
            attribute,
            domain: String::new(),
        });
        self
    }

    /// The node of the file's bytes, its output the last node's.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut proto = self.proto.clone();
        let graph = proto.graph.as_mut().unwrap();
        if graph.output.is_empty() {
            let last = graph.node.last().map_or("x", |node| node.output[0].as_str());
            graph.output = vec![value(last, vec![])];
            graph.output[0].r#type = None;
        }
        proto.encode_to_vec()
    }

    pub(crate) fn import(&self) -> Import {
        self.import_with(&Options::default())
    }

    pub(crate) fn import_with(&self, options: &Options) -> Import {
        onnx::read_bytes(self.bytes(), options).unwrap()
    }

    pub(crate) fn graph(&self) -> Graph {
        self.import().into_graph().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The answer, head applied, to an input given as numbers.
    pub(crate) fn answer(&self, input: &[f32]) -> Tensor {
        let graph = self.graph();
        let shape = graph.values[graph.input].shape.clone();
        let logits = float::evaluate(&graph, &Tensor { shape, data: input.to_vec() }).unwrap();
        float::head_applied(graph.head, &logits)
    }

    /// The report's row of a node.
    pub(crate) fn row(&self, output: &str) -> NodeReport {
        let name = format!("the {output}");
        self.import().report.rows.into_iter().find(|row| row.node == name).unwrap()
    }

    /// The operators of the graph, in order.
    pub(crate) fn ops(&self) -> Vec<&'static str> {
        self.graph().nodes.iter().map(|node| op_name(&node.op)).collect()
    }
}

fn op_name(op: &Op) -> &'static str {
    match op {
        Op::Conv(_) => "Conv",
        Op::ConvTranspose(_) => "ConvTranspose",
        Op::Dense(_) => "Dense",
        Op::Relu => "Relu",
        Op::MaxPool(_) => "MaxPool",
        Op::AveragePool(_) => "AveragePool",
        Op::Add => "Add",
        Op::AddConstant(_) => "AddConstant",
        Op::Concat(_) => "Concat",
        Op::Pad(_) => "Pad",
        Op::Gather(_) => "Gather",
        Op::Reshape => "Reshape",
        Op::Transpose(_) => "Transpose",
    }
}

/// A value with axes of numbers or names.
pub(crate) fn value(name: &str, dim: Vec<DimensionProto>) -> ValueInfoProto {
    let tensor_type = TensorTypeProto { elem_type: data_type::FLOAT, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

/// An axis with a name.
pub(crate) fn named(name: &str) -> DimensionProto {
    DimensionProto { dim_value: None, dim_param: Some(name.into()) }
}

pub(crate) fn floats(dims: &[i64], data: &[f32]) -> TensorProto {
    let raw: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
    TensorProto {
        dims: dims.to_vec(),
        data_type: data_type::FLOAT,
        raw_data: Some(raw.into()),
        ..TensorProto::default()
    }
}

pub(crate) fn integers(dims: &[i64], data: &[i64]) -> TensorProto {
    TensorProto {
        dims: dims.to_vec(),
        data_type: data_type::INT64,
        int64_data: data.to_vec(),
        ..TensorProto::default()
    }
}

pub(crate) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(i), r#type: 2, ..AttributeProto::default() }
}

pub(crate) fn float_attribute(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), f: Some(f), r#type: 1, ..AttributeProto::default() }
}

pub(crate) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: ints.to_vec(), r#type: 7, ..AttributeProto::default() }
}

pub(crate) fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { name: name.into(), s: Some(s.to_owned().into()), r#type: 3, ..AttributeProto::default() }
}

pub(crate) fn tensor(name: &str, t: TensorProto) -> AttributeProto {
    AttributeProto { name: name.into(), t: Some(t), r#type: 4, ..AttributeProto::default() }
}

/// 1, 2, 3 ... as an image.
pub(crate) fn counting(count: usize) -> Vec<f32> {
    (1..=count).map(|i| i as f32).collect()
}

/// Whether two lists of numbers agree to 1e-5.
#[track_caller]
pub(crate) fn assert_close(got: &[f32], expected: &[f32]) {
    let close = got.len() == expected.len()
        && got.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-5 * (1.0 + b.abs()));
    assert!(close, "{got:?} instead of {expected:?}");
}

#[test]
fn a_small_model_survives_the_way_over_a_file() {
    let folder = std::env::temp_dir().join(format!("blindscan-onnx-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("relu.onnx");
    std::fs::write(&path, Model::new(&[1, 4]).node("Relu", &["x"], "y", vec![]).bytes()).unwrap();
    let graph = onnx::read(&path, &Options::default()).unwrap().into_graph().unwrap();
    let tensor = Tensor { shape: vec![1, 4], data: vec![-1.0, 2.0, -3.0, 4.0] };
    npy::write(&folder.join("x.npy"), &tensor).unwrap();
    let read_back = npy::read(&folder.join("x.npy")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(float::evaluate(&graph, &read_back).unwrap().data, [0.0, 2.0, 0.0, 4.0]);
    assert!(matches!(onnx::read(&path, &Options::default()), Err(onnx::OnnxError::Io(_))));
}
