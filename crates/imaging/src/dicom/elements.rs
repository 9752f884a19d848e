//! A DICOM file as a tree of data elements that borrow the file's bytes: every length is held against what is there.
//!
//! | part | form |
//! |---|---|
//! | 128 bytes, `DICM` | the mark; files without it are refused |
//! | group 0002 | always explicit VR, little endian; names the transfer syntax of what follows |
//! | data set | implicit or explicit VR, little or big endian, or deflated |
//!
//! Source: DICOM PS3.5 sections 7 and A, PS3.10 section 7. An element whose declared length reaches beyond its container
//! is damage. Sequences of undefined length end with their delimiter. Depth and number of elements are capped.

use std::borrow::Cow;
use std::collections::BTreeMap;

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};

use crate::ImagingError;
use crate::error::At;
use crate::files::{Endian, inflate};
use crate::limits::{DICOM_DEPTH_MAX, DICOM_ELEMENTS_MAX, FILE_BYTES_MAX, INFLATION_MAX};

const ITEM: Tag = Tag(0xfffe, 0xe000);
const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);
/// Retired, still met; the dictionary's constant is marked deprecated for that.
const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
const UNDEFINED: u32 = u32::MAX;

/// The sequences that are looked into. Implicit VR does not say what is a sequence, so they are known by their tags.
const SEQUENCES: [Tag; 6] = [
    tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::PLANE_POSITION_SEQUENCE,
    tags::PLANE_ORIENTATION_SEQUENCE,
    tags::PIXEL_MEASURES_SEQUENCE,
    tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
];

/// A file behind its meta group: the encoded data set, inflated where it was deflated.
pub(crate) struct Content<'a> {
    /// A UID: digits and dots only.
    pub(crate) transfer_syntax: String,
    bytes: Cow<'a, [u8]>,
    encoding: Encoding,
}

#[derive(Clone, Copy)]
struct Encoding {
    endian: Endian,
    explicit: bool,
}

/// One level of the tree.
pub(crate) struct DataSet<'a> {
    elements: BTreeMap<Tag, Value<'a>>,
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
        if file.get(128..132) != Some(b"DICM") {
            return Err(at.damaged(
                "the mark \"DICM\" at byte 128 is missing: it is no DICOM file, or one without its head",
            ));
        }
        let meta = Encoding { endian: Endian::Little, explicit: true };
        let mut parser = Parser::new(file, meta);
        let mut place = 132;
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

/// Digits and dots, at most 64 of them: what a UID may hold, and nothing else of the file.
fn uid_text(bytes: &[u8]) -> String {
    bytes.iter().take(64).filter(|b| b.is_ascii_digit() || **b == b'.').map(|&b| b as char).collect()
}

fn encoding(transfer_syntax: &str, at: &At) -> Result<Encoding, ImagingError> {
    let (endian, explicit) = match transfer_syntax {
        uids::IMPLICIT_VR_LITTLE_ENDIAN => (Endian::Little, false),
        EXPLICIT_VR_BIG_ENDIAN => (Endian::Big, true),
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

/// What is wrong, as the middle of a sentence.
type Fault = &'static str;

const BREAKS_OFF: Fault = "it breaks off within a data element";
const TOO_LONG: Fault = "a data element declares more bytes than are left in the file or in its sequence";

struct Parser<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
    elements_left: usize,
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8], encoding: Encoding) -> Parser<'a> {
        Parser { bytes, encoding, elements_left: DICOM_ELEMENTS_MAX }
    }

    /// Elements up to `end`, or up to the item's end mark when `delimited`.
    fn data_set(
        &mut self,
        place: &mut usize,
        end: usize,
        delimited: bool,
        depth: usize,
    ) -> Result<DataSet<'a>, Fault> {
        if depth > DICOM_DEPTH_MAX {
            return Err("its sequences are nested too deeply");
        }
        let endian = self.encoding.endian;
        let mut elements = BTreeMap::new();
        while *place < end {
            if delimited && self.tag(*place, end) == Some(ITEM_END) {
                *place += 8;
                return Ok(DataSet { elements, endian });
            }
            match self.element(place, end, depth) {
                Ok((tag, value)) => elements.insert(tag, value),
                // Behind the pixels some writers leave padding that is no element.
                Err(_) if depth == 0 && elements.contains_key(&tags::PIXEL_DATA) => break,
                Err(fault) => return Err(fault),
            };
        }
        if delimited { Err("an item lacks its end mark") } else { Ok(DataSet { elements, endian }) }
    }

    fn element(&mut self, place: &mut usize, end: usize, depth: usize) -> Result<(Tag, Value<'a>), Fault> {
        self.elements_left = self.elements_left.checked_sub(1).ok_or("it holds too many data elements")?;
        let tag = self.tag(*place, end).ok_or(BREAKS_OFF)?;
        *place += 4;
        let (vr, length) = self.vr_and_length(place, end)?;
        if length == UNDEFINED {
            return Ok((tag, self.undefined_length(tag, vr, place, end, depth)?));
        }
        let value_end = place.checked_add(length as usize).filter(|&e| e <= end).ok_or(TOO_LONG)?;
        let is_sequence = match vr {
            Some(vr) => vr == b"SQ",
            None => SEQUENCES.contains(&tag),
        };
        if is_sequence {
            let items = self.items(place, value_end, false, depth + 1)?;
            *place = value_end;
            return Ok((tag, Value::Items(items)));
        }
        let value = &self.bytes[*place..value_end];
        *place = value_end;
        Ok((tag, Value::Bytes(value)))
    }

    fn undefined_length(
        &mut self,
        tag: Tag,
        vr: Option<&[u8]>,
        place: &mut usize,
        end: usize,
        depth: usize,
    ) -> Result<Value<'a>, Fault> {
        match vr {
            Some(b"OB" | b"OW") if tag == tags::PIXEL_DATA => {
                Ok(Value::Fragments(self.fragments(place, end)?))
            }
            Some(b"SQ") | None => Ok(Value::Items(self.items(place, end, true, depth + 1)?)),
            // PS3.5 section 6.2.2, note 2: unknown values of undefined length are sequences in implicit VR, little endian.
            Some(b"UN") => {
                let outside = self.encoding;
                self.encoding = Encoding { endian: Endian::Little, explicit: false };
                let items = self.items(place, end, true, depth + 1);
                self.encoding = outside;
                Ok(Value::Items(items?))
            }
            Some(_) => Err("a data element that is no sequence has no length"),
        }
    }

    fn items(
        &mut self,
        place: &mut usize,
        end: usize,
        delimited: bool,
        depth: usize,
    ) -> Result<Vec<DataSet<'a>>, Fault> {
        let mut items = Vec::new();
        while *place < end {
            let (tag, length) = self.item_header(place, end)?;
            match (tag, length) {
                (SEQUENCE_END, _) => return Ok(items),
                (ITEM, UNDEFINED) => items.push(self.data_set(place, end, true, depth)?),
                (ITEM, length) => {
                    let item_end =
                        place.checked_add(length as usize).filter(|&e| e <= end).ok_or(TOO_LONG)?;
                    items.push(self.data_set(place, item_end, false, depth)?);
                    *place = item_end;
                }
                _ => return Err("a sequence holds something that is no item"),
            }
        }
        if delimited { Err("a sequence lacks its end mark") } else { Ok(items) }
    }

    fn fragments(&mut self, place: &mut usize, end: usize) -> Result<Vec<&'a [u8]>, Fault> {
        let mut fragments = Vec::new();
        loop {
            let (tag, length) = self.item_header(place, end)?;
            match (tag, length) {
                (SEQUENCE_END, _) => return Ok(fragments),
                (ITEM, length) => {
                    let fragment_end =
                        place.checked_add(length as usize).filter(|&e| e <= end).ok_or(TOO_LONG)?;
                    fragments.push(&self.bytes[*place..fragment_end]);
                    *place = fragment_end;
                }
                _ => return Err("its encapsulated pixel data hold something that is no fragment"),
            }
        }
    }

    /// Items and end marks have a tag and a length, never a VR.
    fn item_header(&mut self, place: &mut usize, end: usize) -> Result<(Tag, u32), Fault> {
        self.elements_left = self.elements_left.checked_sub(1).ok_or("it holds too many items")?;
        let tag = self.tag(*place, end).ok_or(BREAKS_OFF)?;
        let length = self.u32(*place + 4, end).ok_or(BREAKS_OFF)?;
        *place += 8;
        Ok((tag, length))
    }

    fn vr_and_length(&self, place: &mut usize, end: usize) -> Result<(Option<&'a [u8]>, u32), Fault> {
        if !self.encoding.explicit {
            let length = self.u32(*place, end).ok_or(BREAKS_OFF)?;
            *place += 4;
            return Ok((None, length));
        }
        let vr = self.bytes[..end].get(*place..*place + 2).ok_or(BREAKS_OFF)?;
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return Err("a data element has no value representation (VR) where its coding demands one");
        }
        let is_long =
            [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"]
                .iter()
                .any(|long| *long == vr);
        let length = if is_long {
            self.u32(*place + 4, end)
        } else {
            self.encoding.endian.u16(&self.bytes[..end], *place + 2).map(u32::from)
        };
        *place += if is_long { 8 } else { 4 };
        Ok((Some(vr), length.ok_or(BREAKS_OFF)?))
    }

    fn tag(&self, place: usize, end: usize) -> Option<Tag> {
        let within = &self.bytes[..end];
        Some(Tag(self.encoding.endian.u16(within, place)?, self.encoding.endian.u16(within, place + 2)?))
    }

    fn u32(&self, place: usize, end: usize) -> Option<u32> {
        self.encoding.endian.u32(&self.bytes[..end], place)
    }
}
