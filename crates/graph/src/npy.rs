//! NumPy's `.npy` files: one tensor, read as `f32`, written as `f32`.
//!
//! Source: NumPy's `numpy.lib.format`, versions 1.0 to 3.0: magic, version, length of the header, a Python dictionary
//! with `descr`, `fortran_order` and `shape`, then the elements.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::ir::Tensor;
use crate::onnx::half_to_f32;

/// Largest file that is read, 4 GiB.
pub const FILE_BYTES_MAX: u64 = 1 << 32;
const HEADER_BYTES_MAX: usize = 1 << 16;
const RANK_MAX: usize = 16;
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Why a `.npy` file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The operating system's word.
    #[error("the .npy file cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// The file is longer than [`FILE_BYTES_MAX`].
    #[error("the .npy file has {bytes} bytes, at most {FILE_BYTES_MAX} are read")]
    TooLarge {
        /// Its length.
        bytes: u64,
    },
    /// Not the magic of a `.npy` file.
    #[error("not a .npy file: it does not begin with \\x93NUMPY (an .npz archive has to be unpacked first)")]
    NotNpy,
    /// Cut off, or a header that is no header.
    #[error("the .npy file's header is damaged: {0}")]
    Header(&'static str),
    /// An element type that is not read.
    #[error("the .npy file holds elements of type {0}; save it with array.astype('float32')")]
    ElementType(String),
    /// More or fewer bytes than the shape says.
    #[error("the .npy file of shape {shape:?} should hold {expected} bytes of elements, and holds {got}")]
    Length {
        /// As stated.
        shape: Vec<usize>,
        /// By the shape.
        expected: usize,
        /// Found.
        got: usize,
    },
}

/// Reads a tensor from disk.
pub fn read(path: &Path) -> Result<Tensor, NpyError> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(NpyError::TooLarge { bytes });
    }
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut content)?;
    read_bytes(&content)
}

/// Reads a tensor from memory.
pub fn read_bytes(content: &[u8]) -> Result<Tensor, NpyError> {
    let (header, elements) = split(content)?;
    let (element, big_endian) = element_type(text(header, "descr")?)?;
    let fortran = match value(header, "fortran_order")? {
        order if order.starts_with("True") => true,
        order if order.starts_with("False") => false,
        _ => return Err(NpyError::Header("fortran_order is neither True nor False")),
    };
    let shape = shape(header)?;
    let expected = shape
        .iter()
        .try_fold(element.width(), |count: usize, &extent| count.checked_mul(extent))
        .ok_or(NpyError::Header("the shape is too large"))?;
    if elements.len() != expected {
        return Err(NpyError::Length { shape, expected, got: elements.len() });
    }
    let data = element.read(elements, big_endian);
    Ok(if fortran { row_major(shape, &data) } else { Tensor { shape, data } })
}

/// The bytes of a `.npy` file of version 1.0 with elements `<f4`.
pub fn to_bytes(tensor: &Tensor) -> Vec<u8> {
    let extents: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
    let comma = if extents.len() == 1 { "," } else { "" };
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{comma}), }}", extents.join(", "));
    // The elements begin at a multiple of 64, and the header ends with a line feed.
    let length = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64);
    header.push_str(&" ".repeat(length - MAGIC.len() - 4 - header.len() - 1));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(tensor.data.iter().flat_map(|x| x.to_le_bytes()));
    bytes
}

/// Writes a tensor to disk.
pub fn write(path: &Path, tensor: &Tensor) -> Result<(), NpyError> {
    Ok(std::fs::write(path, to_bytes(tensor))?)
}

/// Header text and element bytes.
fn split(content: &[u8]) -> Result<(&str, &[u8]), NpyError> {
    let rest = content.strip_prefix(MAGIC).ok_or(NpyError::NotNpy)?;
    let cut = NpyError::Header("the file ends within it");
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [1..=3, ..] | [] => return Err(cut),
        _ => return Err(NpyError::Header("its version is none of 1, 2, 3")),
    };
    if length > HEADER_BYTES_MAX {
        return Err(NpyError::Header("it is longer than 64 KiB"));
    }
    let (header, elements) = rest.split_at_checked(length).ok_or(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| NpyError::Header("it is not text"))?;
    Ok((header, elements))
}

/// What follows a key of the dictionary.
fn value<'a>(header: &'a str, key: &str) -> Result<&'a str, NpyError> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let after = quoted.iter().find_map(|key| header.split_once(key.as_str()));
    let (_, after) = after.ok_or(NpyError::Header("descr, fortran_order or shape is missing"))?;
    let after = after.trim_start().strip_prefix(':').ok_or(NpyError::Header("a key without a value"))?;
    Ok(after.trim_start())
}

fn text<'a>(header: &'a str, key: &str) -> Result<&'a str, NpyError> {
    let value = value(header, key)?;
    let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
    let quote = quote.ok_or_else(|| NpyError::ElementType("a structure".into()))?;
    let (text, _) = value[1..].split_once(quote).ok_or(NpyError::Header("a text does not end"))?;
    Ok(text)
}

fn shape(header: &str) -> Result<Vec<usize>, NpyError> {
    let value = value(header, "shape")?;
    let list = value.strip_prefix('(').and_then(|list| list.split_once(')'));
    let (list, _) = list.ok_or(NpyError::Header("the shape is no tuple"))?;
    let extents = list.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let shape: Vec<usize> = extents
        .map(|extent| {
            extent.trim_end_matches('L').parse().map_err(|_| NpyError::Header("the shape holds no numbers"))
        })
        .collect::<Result<_, _>>()?;
    if shape.len() > RANK_MAX {
        return Err(NpyError::Header("the shape has too many axes"));
    }
    Ok(shape)
}

/// Types of elements that are read.
#[derive(Clone, Copy)]
enum Element {
    Float(usize),
    Signed(usize),
    Unsigned(usize),
}

fn element_type(descr: &str) -> Result<(Element, bool), NpyError> {
    let unknown = || NpyError::ElementType(descr.chars().take(32).collect());
    let (order, kind) = match descr.as_bytes() {
        [order @ (b'<' | b'>' | b'|' | b'='), kind @ ..] => (*order, kind),
        kind => (b'|', kind),
    };
    let element = match kind {
        b"f2" => Element::Float(2),
        b"f4" => Element::Float(4),
        b"f8" => Element::Float(8),
        b"i1" => Element::Signed(1),
        b"i2" => Element::Signed(2),
        b"i4" => Element::Signed(4),
        b"i8" => Element::Signed(8),
        b"u1" | b"b1" => Element::Unsigned(1),
        b"u2" => Element::Unsigned(2),
        b"u4" => Element::Unsigned(4),
        b"u8" => Element::Unsigned(8),
        _ => return Err(unknown()),
    };
    Ok((element, order == b'>'))
}

impl Element {
    fn width(self) -> usize {
        match self {
            Element::Float(width) | Element::Signed(width) | Element::Unsigned(width) => width,
        }
    }

    fn read(self, bytes: &[u8], big_endian: bool) -> Vec<f32> {
        bytes.chunks_exact(self.width()).map(|chunk| self.one(chunk, big_endian)).collect()
    }

    fn one(self, chunk: &[u8], big_endian: bool) -> f32 {
        let place = |index: usize| if big_endian { chunk.len() - 1 - index } else { index };
        let bits =
            (0..chunk.len()).fold(0u64, |bits, index| bits | u64::from(chunk[place(index)]) << (8 * index));
        match self {
            Element::Float(2) => half_to_f32(bits as u16),
            Element::Float(4) => f32::from_bits(bits as u32),
            Element::Float(_) => f64::from_bits(bits) as f32,
            Element::Signed(width) => {
                let unused = 64 - 8 * width as u32;
                (((bits << unused) as i64) >> unused) as f32
            }
            Element::Unsigned(_) => bits as f32,
        }
    }
}

/// From column major to row major.
fn row_major(shape: Vec<usize>, columns: &[f32]) -> Tensor {
    let mut data = Vec::with_capacity(columns.len());
    for index in 0..columns.len() {
        let (mut rest, mut stride) = (index, columns.len());
        let mut from = 0;
        for &extent in shape.iter().rev() {
            stride /= extent;
            from += rest % extent * stride;
            rest /= extent;
        }
        data.push(columns[from]);
    }
    Tensor { shape, data }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(descr: &str, fortran: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = MAGIC.to_vec();
        bytes.extend([2, 0]);
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(elements);
        bytes
    }

    #[test]
    fn what_is_written_is_read_back() {
        for shape in [vec![], vec![3], vec![2, 3], vec![1, 2, 3, 4]] {
            let data = (0..Tensor::count(&shape)).map(|i| i as f32 / 7.0 - 1.0).collect();
            let tensor = Tensor { shape, data };
            let bytes = to_bytes(&tensor);
            assert_eq!((bytes.len() - 4 * tensor.data.len()) % 64, 0);
            assert_eq!(read_bytes(&bytes).unwrap(), tensor);
        }
    }

    #[test]
    fn every_element_type_becomes_floats() {
        let read =
            |descr: &str, bytes: &[u8]| read_bytes(&file(descr, "False", "(1,)", bytes)).unwrap().data[0];
        assert_eq!(read("<f8", &(-2.5f64).to_le_bytes()), -2.5);
        assert_eq!(read(">f4", &1.5f32.to_be_bytes()), 1.5);
        assert_eq!(read("<f2", &[0x00, 0xc0]), -2.0);
        assert_eq!(read("|i1", &[0xff]), -1.0);
        assert_eq!(read("<i2", &(-300i16).to_le_bytes()), -300.0);
        assert_eq!(read("<i8", &(-70_000i64).to_le_bytes()), -70_000.0);
        assert_eq!(read("|u1", &[200]), 200.0);
        assert_eq!(read("<u4", &3_000_000_000u32.to_le_bytes()), 3e9);
        assert_eq!(read("|b1", &[1]), 1.0);
    }

    #[test]
    fn column_major_files_are_turned() {
        let tensor = read_bytes(&file("|u1", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(tensor, Tensor { shape: vec![2, 3], data: vec![1., 2., 3., 4., 5., 6.] });
    }

    #[test]
    fn bad_files_are_refused_with_a_reason() {
        assert!(matches!(read_bytes(b"PK\x03\x04"), Err(NpyError::NotNpy)));
        assert!(matches!(read_bytes(b"\x93NUMPY\x01\x00\xff"), Err(NpyError::Header(_))));
        assert!(matches!(read_bytes(&file("<c8", "False", "(1,)", &[0; 8])), Err(NpyError::ElementType(_))));
        assert!(matches!(
            read_bytes(&file("<f4", "False", "(2,)", &[0; 4])),
            Err(NpyError::Length { expected: 8, got: 4, .. })
        ));
        let huge = "(4294967296, 4294967296, 4294967296)";
        assert!(matches!(read_bytes(&file("<f4", "False", huge, &[])), Err(NpyError::Header(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            mut bytes in Just(file("<f4", "True", "(2, 0, 3)", &[])),
            edits in prop::collection::vec((0usize..100, any::<u8>()), 0..6),
        ) {
            for (at, byte) in edits {
                let length = bytes.len();
                bytes[at % length] = byte;
            }
            let _ = read_bytes(&bytes);
        }
    }
}
