//! A DICOM file as a tree of data elements that borrow the file's bytes: every length is held against what is there.
//!
//! | part | form |
//! |---|---|
//! | 128 bytes, `DICM` | the mark; a file that lost it is read when group 0002 is there, else refused |
//! | group 0002 | always explicit VR, little endian; names the transfer syntax of what follows |
//! | data set | implicit or explicit VR, little or big endian, or deflated |
//!
//! Source: DICOM PS3.5 sections 7 and A, PS3.10 section 7. An element whose declared length reaches beyond its container
//! is damage. The tree itself grows in `parser`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::dictionary::{Tag, tags, uids};
use super::parser::Parser;

use crate::ImagingError;
use crate::error::At;
use crate::files::{Endian, dicom_head, inflate};
use crate::limits::{FILE_BYTES_MAX, INFLATION_MAX};

/// A file behind its meta group: the encoded data set, inflated where it was deflated.
pub(crate) struct Content<'a> {
    /// A UID: digits and dots only.
    pub(crate) transfer_syntax: String,
    bytes: Cow<'a, [u8]>,
    encoding: Encoding,
}

/// How numbers and elements are written.
#[derive(Clone, Copy)]
pub(crate) struct Encoding {
    pub(crate) endian: Endian,
    pub(crate) explicit: bool,
}

/// One level of the tree.
pub(crate) struct DataSet<'a> {
    pub(crate) elements: BTreeMap<Tag, Value<'a>>,
    /// Byte order of its numbers.
    pub(crate) endian: Endian,
}

/// What an element holds.
pub(crate) enum Value<'a> {
    /// A plain value.
    Bytes(&'a [u8]),
    /// A sequence.
    Items(Vec<DataSet<'a>>),
    /// Encapsulated pixel data: the offset table, then the fragments.
    Fragments(Vec<&'a [u8]>),
}

impl<'a> Content<'a> {
    /// Reads the mark and the meta group.
    pub(crate) fn open(file: &'a [u8], at: &At) -> Result<Content<'a>, ImagingError> {
        let Some(mut place) = dicom_head(file) else {
            return Err(without_head(file, at));
        };
        let meta = Encoding { endian: Endian::Little, explicit: true };
        let mut parser = Parser::new(file, meta);
        let mut transfer_syntax = None;
        // The group's declared length is not used: some writers leave it out.
        while Endian::Little.u16(file, place) == Some(0x0002) {
            let (tag, value) =
                parser.element(&mut place, file.len(), 0).map_err(|fault| at.damaged(fault))?;
            if let (tags::TRANSFER_SYNTAX_UID, Value::Bytes(uid)) = (tag, value) {
                transfer_syntax = Some(uid_text(uid));
            }
        }
        let Some(transfer_syntax) = transfer_syntax else {
            return Err(at.damaged("its head does not name a transfer syntax, so its coding is unknown"));
        };
        let rest = &file[place..];
        let encoding = encoding(&transfer_syntax, at)?;
        let bytes = if transfer_syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
            let bytes_max = (rest.len() as u64).saturating_mul(INFLATION_MAX).min(FILE_BYTES_MAX);
            let inflated = inflate(flate2::read::DeflateDecoder::new(rest), bytes_max);
            Cow::Owned(inflated.map_err(|e| at.damaged(format!("its deflated data set breaks off ({e})")))?)
        } else {
            Cow::Borrowed(rest)
        };
        Ok(Content { transfer_syntax, bytes, encoding })
    }

    /// Reads the tree.
    pub(crate) fn data_set(&self, at: &At) -> Result<DataSet<'_>, ImagingError> {
        let mut place = 0;
        let end = self.bytes.len();
        Parser::new(&self.bytes, self.encoding)
            .data_set(&mut place, end, false, 0)
            .map_err(|fault| at.damaged(fault))
    }
}

impl<'a> DataSet<'a> {
    /// Whether there is such an element.
    pub(crate) fn has(&self, tag: Tag) -> bool {
        self.elements.contains_key(&tag)
    }

    /// A plain value, when there is one that is not empty.
    pub(crate) fn bytes(&self, tag: Tag) -> Option<&'a [u8]> {
        match self.elements.get(&tag) {
            Some(Value::Bytes(bytes)) if !bytes.is_empty() => Some(bytes),
            _ => None,
        }
    }

    /// The fragments of encapsulated pixel data, without the offset table.
    pub(crate) fn fragments(&self, tag: Tag) -> Option<&[&'a [u8]]> {
        match self.elements.get(&tag) {
            Some(Value::Fragments(all)) => Some(all.get(1..).unwrap_or_default()),
            _ => None,
        }
    }

    /// The items of a sequence; none when there is no such sequence.
    pub(crate) fn items(&self, tag: Tag) -> &[DataSet<'a>] {
        match self.elements.get(&tag) {
            Some(Value::Items(items)) => items,
            _ => &[],
        }
    }

    /// An unsigned 16-bit number.
    pub(crate) fn u16(&self, tag: Tag) -> Option<u16> {
        self.endian.u16(self.bytes(tag)?, 0)
    }

    /// A short text without padding.
    pub(crate) fn text(&self, tag: Tag) -> Option<&'a str> {
        let text = std::str::from_utf8(self.bytes(tag)?).ok()?;
        Some(text.trim_matches([' ', '\0']))
    }

    /// Decimal numbers in text, when all are finite.
    pub(crate) fn list(&self, tag: Tag) -> Option<Vec<f64>> {
        let number = |part: &str| part.trim().parse().ok().filter(|n: &f64| n.is_finite());
        self.text(tag)?.split('\\').map(number).collect()
    }

    /// `N` decimal numbers in text, all finite.
    pub(crate) fn numbers<const N: usize>(&self, tag: Tag) -> Option<[f64; N]> {
        let mut parts = self.text(tag)?.split('\\');
        let mut numbers = [0.0; N];
        for number in &mut numbers {
            *number = parts.next()?.trim().parse().ok().filter(|n: &f64| n.is_finite())?;
        }
        Some(numbers)
    }
}

/// Whether it begins as a data set does that never had a head: with an element of group 0008.
pub(crate) fn is_bare_data_set(file: &[u8]) -> bool {
    let explicit = file.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase));
    let short = file.get(6..8) == Some(&[0, 0]);
    file.starts_with(&[8, 0]) && file.get(3) == Some(&0) && (explicit || short)
}

/// Why a file is refused that has no head.
pub(crate) fn without_head(file: &[u8], at: &At) -> ImagingError {
    if file.is_empty() {
        return at.damaged("it is empty");
    }
    if is_bare_data_set(file) {
        return at.unsupported(
            "it is a DICOM data set without its head (group 0002), so that nothing names its coding",
            "export it as a DICOM file, or convert it with dcmconv",
        );
    }
    at.damaged("the mark \"DICM\" at byte 128 is missing: it is no DICOM file, or one without its head")
}

/// Digits and dots, at most 64 of them: what a UID may hold, and nothing else of the file.
fn uid_text(bytes: &[u8]) -> String {
    bytes.iter().take(64).filter(|b| b.is_ascii_digit() || **b == b'.').map(|&b| b as char).collect()
}

fn encoding(transfer_syntax: &str, at: &At) -> Result<Encoding, ImagingError> {
    let (endian, explicit) = match transfer_syntax {
        uids::IMPLICIT_VR_LITTLE_ENDIAN => (Endian::Little, false),
        uids::EXPLICIT_VR_BIG_ENDIAN => (Endian::Big, true),
        uids::EXPLICIT_VR_LITTLE_ENDIAN | uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN | uids::RLE_LOSSLESS => {
            (Endian::Little, true)
        }
        // All JPEG family syntaxes.
        other if other.starts_with("1.2.840.10008.1.2.4.") => (Endian::Little, true),
        other => {
            return Err(at.unsupported(
                format!("its transfer syntax {other} is not known here"),
                "convert it to Explicit VR Little Endian, for instance with dcmconv or gdcmconv --raw",
            ));
        }
    };
    Ok(Encoding { endian, explicit })
}
