//! The parser behind `elements`: data elements, sequences, items and fragments, depth and number capped.
//!
//! Source: DICOM PS3.5 section 7. Sequences of undefined length end with their delimiter. A sequence of the VR UN, of defined
//! length or not, is read in implicit VR when it is one that is looked into.

use std::collections::BTreeMap;

use super::dictionary::{Tag, tags};
use super::elements::{DataSet, Encoding, Value};
use crate::files::Endian;
use crate::limits::{DICOM_DEPTH_MAX, DICOM_ELEMENTS_MAX};

const ITEM: Tag = Tag(0xfffe, 0xe000);
const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);
const UNDEFINED: u32 = u32::MAX;

/// The sequences that are looked into. Neither implicit VR nor the VR UN says what is a sequence, so
/// they are known by their tags.
const SEQUENCES: [Tag; 6] = [
    tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::PLANE_POSITION_SEQUENCE,
    tags::PLANE_ORIENTATION_SEQUENCE,
    tags::PIXEL_MEASURES_SEQUENCE,
    tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
];

/// What is wrong, as the middle of a sentence.
pub(super) type Fault = &'static str;

const BREAKS_OFF: Fault = "it breaks off within a data element";
const TOO_LONG: Fault = "a data element declares more bytes than are left in the file or in its sequence";

pub(super) struct Parser<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
    elements_left: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(bytes: &'a [u8], encoding: Encoding) -> Parser<'a> {
        Parser { bytes, encoding, elements_left: DICOM_ELEMENTS_MAX }
    }

    /// Elements up to `end`, or up to the item's end mark when `delimited`.
    pub(super) fn data_set(
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

    pub(super) fn element(
        &mut self,
        place: &mut usize,
        end: usize,
        depth: usize,
    ) -> Result<(Tag, Value<'a>), Fault> {
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
        if is_sequence || (vr == Some(b"UN") && SEQUENCES.contains(&tag)) {
            let items = match is_sequence {
                true => self.items(place, value_end, false, depth + 1)?,
                false => self.unknown_items(place, value_end, false, depth + 1)?,
            };
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
            Some(b"UN") => Ok(Value::Items(self.unknown_items(place, end, true, depth + 1)?)),
            Some(_) => Err("a data element that is no sequence has no length"),
        }
    }

    /// The items of a sequence whose VR was written as unknown: in implicit VR, little endian, whatever is around it
    /// (PS3.5 section 6.2.2).
    fn unknown_items(
        &mut self,
        place: &mut usize,
        end: usize,
        delimited: bool,
        depth: usize,
    ) -> Result<Vec<DataSet<'a>>, Fault> {
        let outside = self.encoding;
        self.encoding = Encoding { endian: Endian::Little, explicit: false };
        let items = self.items(place, end, delimited, depth);
        self.encoding = outside;
        items
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
