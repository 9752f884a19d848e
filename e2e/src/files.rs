//! Files made to order: volumes, slices, masks and models that no bundle brings.

use blindscan_graph::onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, data_type,
};
use prost::Message;

/// Code of unsigned bytes in a NIfTI header.
pub const UNSIGNED_BYTES: i16 = 2;
/// Code of signed 16-bit words in a NIfTI header.
pub const SIGNED_WORDS: i16 = 4;

/// A NIfTI-1 file, not compressed, with the grid of the demonstration's scan: columns run to the left, rows to the back.
/// `description` is the free text of its header.
pub fn nifti(size: [usize; 3], datatype: i16, voxels: &[u8], description: &str) -> Vec<u8> {
    let mut header = vec![0u8; 352];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348i32.to_le_bytes());
    put(40, &3i16.to_le_bytes());
    for axis in 0..3 {
        put(42 + 2 * axis, &(size[axis] as i16).to_le_bytes());
        put(80 + 4 * axis, &1f32.to_le_bytes());
    }
    for axis in 3..7 {
        put(42 + 2 * axis, &1i16.to_le_bytes());
    }
    put(70, &datatype.to_le_bytes());
    put(72, &(if datatype == UNSIGNED_BYTES { 8i16 } else { 16 }).to_le_bytes());
    put(76, &1f32.to_le_bytes());
    put(108, &352f32.to_le_bytes());
    put(112, &1f32.to_le_bytes());
    put(123, &[2]); // millimetres
    put(148, description.as_bytes());
    put(254, &1i16.to_le_bytes()); // the affine below holds
    for (row, sign) in [(0, -1f32), (1, -1.0), (2, 1.0)] {
        put(280 + 16 * row + 4 * row, &sign.to_le_bytes());
    }
    put(344, b"n+1\0");
    header.extend_from_slice(voxels);
    header
}

/// One slice of a DICOM series of 8-bit pixels, explicit little endian: `instance` is its number, `place_mm` where it lies along
/// the table, 5 mm from the next in a series that counts by `instance`. Its series and patient are those of every such slice.
pub fn dicom_slice(
    modality: &str,
    instance: u16,
    place_mm: f64,
    rows: u16,
    columns: u16,
    pixels: &[u8],
) -> Vec<u8> {
    let text = |group: u16, element: u16, kind: &[u8; 2], value: &str| {
        let padding = if kind == b"UI" { '\0' } else { ' ' };
        let mut value = value.to_string();
        if value.len() % 2 == 1 {
            value.push(padding);
        }
        short_element(group, element, kind, value.as_bytes())
    };
    let number = |element: u16, value: u16| short_element(0x28, element, b"US", &value.to_le_bytes());
    let meta = text(2, 0x10, b"UI", "1.2.840.10008.1.2.1");
    let mut file = [&[0; 128][..], b"DICM"].concat();
    file.extend(short_element(2, 0, b"UL", &(meta.len() as u32).to_le_bytes()));
    file.extend(meta);
    for part in [
        text(0x08, 0x16, b"UI", "1.2.840.10008.5.1.4.1.1.2"),
        text(0x08, 0x18, b"UI", &format!("1.2.3.{instance}")),
        text(0x08, 0x60, b"CS", modality),
        text(0x10, 0x10, b"PN", DICOM_PATIENT),
        text(0x10, 0x20, b"LO", DICOM_PATIENT),
        text(0x20, 0x0d, b"UI", "1.2.4"),
        text(0x20, 0x0e, b"UI", "1.2.5"),
        text(0x20, 0x13, b"IS", &instance.to_string()),
        text(0x20, 0x32, b"DS", &format!("-10\\-20\\{place_mm}")),
        text(0x20, 0x37, b"DS", "1\\0\\0\\0\\1\\0"),
        number(0x02, 1),
        text(0x28, 0x04, b"CS", "MONOCHROME2"),
        number(0x10, rows),
        number(0x11, columns),
        text(0x28, 0x30, b"DS", "1\\1"),
        number(0x100, 8),
        number(0x101, 8),
        number(0x102, 7),
        number(0x103, 0),
    ] {
        file.extend(part);
    }
    file.extend([0xe0, 0x7f, 0x10, 0, b'O', b'B', 0, 0]);
    file.extend((pixels.len() as u32).to_le_bytes());
    file.extend_from_slice(pixels);
    file
}

/// Name and number of the patient in every slice that is made here.
pub const DICOM_PATIENT: &str = "ROE^CANARY";

/// A data element whose length takes 16 bits.
fn short_element(group: u16, element: u16, kind: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let length = value.len() as u16;
    [&group.to_le_bytes()[..], &element.to_le_bytes(), kind, &length.to_le_bytes(), value].concat()
}

/// An ONNX model of one dense layer on a vector of four and a sigmoid over its rows: a finding for each row of weights.
pub fn findings(rows: &[[f32; 4]]) -> Vec<u8> {
    let weights = TensorProto {
        dims: vec![rows.len() as i64, 4],
        data_type: data_type::FLOAT,
        float_data: rows.concat(),
        name: "weights".into(),
        ..TensorProto::default()
    };
    let transposed =
        AttributeProto { name: "transB".into(), i: Some(1), r#type: 2, ..AttributeProto::default() };
    let node = |op: &str, input: &[&str], output: &str, attribute: Vec<AttributeProto>| NodeProto {
        input: input.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        name: op.to_lowercase(),
        op_type: op.into(),
        attribute,
        ..NodeProto::default()
    };
    let graph = GraphProto {
        node: vec![
            node("Gemm", &["image", "weights"], "logits", vec![transposed]),
            node("Sigmoid", &["logits"], "probabilities", Vec::new()),
        ],
        name: "findings".into(),
        initializer: vec![weights],
        input: vec![vector("image", 4)],
        output: vec![vector("probabilities", rows.len())],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() }
        .encode_to_vec()
}

/// An ONNX model whose nodes are these operators, one after another, on a vector of four.
pub fn chain(operators: &[&str]) -> Vec<u8> {
    let value = |index: usize| format!("value{index}");
    let node = |(index, operator): (usize, &&str)| NodeProto {
        input: vec![value(index)],
        output: vec![value(index + 1)],
        name: format!("node{index}"),
        op_type: operator.to_string(),
        ..NodeProto::default()
    };
    let graph = GraphProto {
        node: operators.iter().enumerate().map(node).collect(),
        name: "chain".into(),
        input: vec![vector(&value(0), 4)],
        output: vec![vector(&value(operators.len()), 4)],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() }
        .encode_to_vec()
}

/// An ONNX model of dense layers with so many features each, the input's first; its weights have no pattern.
pub fn dense(features: &[usize]) -> Vec<u8> {
    let layers = || features.windows(2).enumerate();
    let tensor = |name: String, dims: Vec<i64>| {
        let count: i64 = dims.iter().product();
        let number = |at: i64| ((at * 7919) % 1009) as f32 / 1009.0 - 0.5;
        let scale = 1.0 / (*dims.last().expect("a tensor has axes") as f32).sqrt();
        let float_data = (0..count).map(|at| number(at) * scale).collect();
        TensorProto { name, dims, data_type: data_type::FLOAT, float_data, ..TensorProto::default() }
    };
    let value = |index: usize| format!("value{index}");
    let node = |(index, _): (usize, &[usize])| NodeProto {
        input: vec![value(index), format!("weight{index}")],
        output: vec![value(index + 1)],
        name: format!("node{index}"),
        op_type: "MatMul".into(),
        ..NodeProto::default()
    };
    let weight = |(index, pair): (usize, &[usize])| {
        tensor(format!("weight{index}"), vec![pair[0] as i64, pair[1] as i64])
    };
    let last = features.len() - 1;
    let graph = GraphProto {
        node: layers().map(node).collect(),
        name: "dense".into(),
        initializer: layers().map(weight).collect(),
        input: vec![vector(&value(0), features[0])],
        output: vec![vector(&value(last), features[last])],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() }
        .encode_to_vec()
}

/// An ONNX model of two inputs: 2 relu(x + y - 3) + relu(x). Its first feature never fires for inputs up to 1.
pub fn sleeper() -> Vec<u8> {
    let tensor = |name: &str, dims: &[i64], data: &[f32]| TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: data_type::FLOAT,
        float_data: data.to_vec(),
        ..TensorProto::default()
    };
    let node = |op: &str, inputs: &[&str], output: &str| NodeProto {
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        name: op.to_lowercase() + output,
        op_type: op.into(),
        ..NodeProto::default()
    };
    let graph = GraphProto {
        node: vec![
            node("MatMul", &["x", "first"], "products"),
            node("Add", &["products", "bias"], "sums"),
            node("Relu", &["sums"], "features"),
            node("MatMul", &["features", "second"], "answer"),
        ],
        name: "sleeper".into(),
        initializer: vec![
            tensor("first", &[2, 2], &[1.0, 1.0, 1.0, 0.0]),
            tensor("bias", &[2], &[-3.0, 0.0]),
            tensor("second", &[2, 1], &[2.0, 1.0]),
        ],
        input: vec![vector("x", 2)],
        output: vec![vector("answer", 1)],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() }
        .encode_to_vec()
}

/// The declaration of a vector of floats.
fn vector(name: &str, extent: usize) -> ValueInfoProto {
    let dimension = |extent| DimensionProto { dim_value: Some(extent), dim_param: None };
    let shape = TensorShapeProto { dim: vec![dimension(1), dimension(extent as i64)] };
    let tensor = TensorTypeProto { elem_type: data_type::FLOAT, shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
