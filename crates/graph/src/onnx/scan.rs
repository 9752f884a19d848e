//! A first walk over a file's protobuf fields, so that nothing is allocated whose size the file chose.
//!
//! An empty message takes two bytes of a file and some hundred bytes of memory; a varint takes one byte and becomes eight.
//! The walk counts both, by the schema of [`proto`](super::proto), and refuses a file that would swell.

use super::OnnxError;

/// Fields outside payloads: a network of 20,000 nodes has some 700,000.
const FIELDS_MAX: usize = 1 << 20;
/// Bytes of packed varints in all; exporters write `raw_data` instead.
const VARINT_BYTES_MAX: usize = 1 << 26;

/// What a message's field holds.
#[derive(Clone, Copy)]
enum MessageKind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    /// A message without submessages of interest.
    Flat,
    /// Packed varints.
    Varints,
}

/// Refuses truncated and swelling files.
pub(super) fn scan(bytes: &[u8]) -> Result<(), OnnxError> {
    let mut counts = Counts { fields: 0, varint_bytes: 0 };
    walk(bytes, MessageKind::Model, &mut counts)
}

struct Counts {
    fields: usize,
    varint_bytes: usize,
}

fn child(kind: MessageKind, tag: u64) -> Option<MessageKind> {
    Some(match (kind, tag) {
        (MessageKind::Model, 7) => MessageKind::Graph,
        (MessageKind::Model, 8) => MessageKind::Flat,
        (MessageKind::Graph, 1) => MessageKind::Node,
        (MessageKind::Graph, 5) => MessageKind::Tensor,
        (MessageKind::Graph, 11..=13) => MessageKind::ValueInfo,
        (MessageKind::Node, 5) => MessageKind::Attribute,
        (MessageKind::Attribute, 5) => MessageKind::Tensor,
        (MessageKind::Attribute, 8) => MessageKind::Varints,
        (MessageKind::Tensor, 13) => MessageKind::Flat,
        (MessageKind::Tensor, 1 | 5 | 7 | 11) => MessageKind::Varints,
        (MessageKind::ValueInfo, 2) => MessageKind::Type,
        (MessageKind::Type, 1) => MessageKind::TensorType,
        (MessageKind::TensorType, 2) => MessageKind::Shape,
        (MessageKind::Shape, 1) => MessageKind::Flat,
        _ => return None,
    })
}

/// The recursion is as deep as the table above: eight levels.
fn walk(mut bytes: &[u8], kind: MessageKind, counts: &mut Counts) -> Result<(), OnnxError> {
    while !bytes.is_empty() {
        counts.fields += 1;
        if counts.fields > FIELDS_MAX {
            return Err(OnnxError::TooManyFields { max: FIELDS_MAX });
        }
        let key = varint(&mut bytes)?;
        match key & 7 {
            0 => drop(varint(&mut bytes)?),
            1 => drop(take(&mut bytes, 8)?),
            5 => drop(take(&mut bytes, 4)?),
            2 => {
                let length = varint(&mut bytes)?;
                let payload = take(&mut bytes, length)?;
                match child(kind, key >> 3) {
                    Some(MessageKind::Varints) => count_varints(payload, counts)?,
                    Some(inner) => walk(payload, inner, counts)?,
                    None => {}
                }
            }
            _ => return Err(OnnxError::Malformed("a field of a kind that ONNX does not use".into())),
        }
    }
    Ok(())
}

fn count_varints(payload: &[u8], counts: &mut Counts) -> Result<(), OnnxError> {
    counts.varint_bytes += payload.len();
    if counts.varint_bytes > VARINT_BYTES_MAX {
        return Err(OnnxError::TooManyFields { max: VARINT_BYTES_MAX });
    }
    Ok(())
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], OnnxError> {
    let length = usize::try_from(length).ok().filter(|&length| length <= bytes.len());
    let Some(length) = length else {
        return Err(OnnxError::Malformed(
            "a field is longer than what is left: the file is truncated or not ONNX".into(),
        ));
    };
    let (head, rest) = bytes.split_at(length);
    *bytes = rest;
    Ok(head)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, OnnxError> {
    let mut value = 0u64;
    for position in 0..10 {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Err(OnnxError::Malformed(
                "it ends inside a number: the file is truncated or not ONNX".into(),
            ));
        };
        *bytes = rest;
        value |= u64::from(byte & 127) << (7 * position).min(63);
        if byte < 128 {
            return Ok(value);
        }
    }
    Err(OnnxError::Malformed("a number of more than ten bytes: not ONNX".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_empty_nodes_are_refused_before_they_are_allocated() {
        let nodes = [0x0a, 0x00].repeat(FIELDS_MAX + 1);
        let mut file = vec![0x3a];
        let mut length = nodes.len();
        while length >= 128 {
            file.push((length & 127) as u8 | 128);
            length >>= 7;
        }
        file.push(length as u8);
        file.extend(nodes);
        assert!(matches!(scan(&file), Err(OnnxError::TooManyFields { .. })));
    }

    #[test]
    fn a_truncated_field_is_malformed() {
        assert!(matches!(scan(&[0x3a, 0x05, 0x00]), Err(OnnxError::Malformed(_))));
        assert!(matches!(scan(&[0xff; 11]), Err(OnnxError::Malformed(_))));
    }
}
