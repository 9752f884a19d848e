//! What the grey values of a DICOM image mean, and how this is known.

use super::dictionary::tags;
use super::elements::DataSet;
use super::frames::{Frame, group};
use super::pixel_format::{PixelFormat, Sample};
use crate::kind::{GreyKind, KnownBy};

/// The kind of the grey values.
#[derive(Clone, PartialEq)]
pub(crate) struct Unit {
    pub(crate) kind: GreyKind,
    pub(crate) known_by: KnownBy,
    /// Why it is not what one would expect of the modality: part of a refusal.
    pub(crate) remark: Option<String>,
    /// For the user, when it is taken all the same.
    pub(crate) note: Option<String>,
}

impl Unit {
    pub(crate) fn read(data: &DataSet, is_ct: bool, pixels: &PixelFormat, frames: &[Frame]) -> Unit {
        let stored = || Unit {
            kind: stored_kind(pixels, frames),
            known_by: KnownBy::Header,
            remark: None,
            note: None,
        };
        if !is_ct {
            return stored();
        }
        if frames.iter().any(|frame| frame.rescale.is_none() || frame.rescale_lacks.is_some()) {
            let remark = "it is a CT, but its RescaleSlope or RescaleIntercept is missing or empty";
            return Unit { remark: Some(remark.into()), ..stored() };
        }
        let hounsfield = |known_by, note| Unit { kind: GreyKind::Hounsfield, known_by, remark: None, note };
        match rescale_type(data) {
            Some("HU") => hounsfield(KnownBy::Header, None),
            None | Some("") => hounsfield(KnownBy::Rescale, None),
            Some("US") => hounsfield(
                KnownBy::Rescale,
                Some("its RescaleType is US (unspecified): as it is a CT, the values are taken as Hounsfield units".into()),
            ),
            Some(other) => {
                let shown = if is_code(other) { other } else { "one that is no code" };
                Unit { remark: Some(format!("it is a CT, but its RescaleType is {shown} and not HU")), ..stored() }
            }
        }
    }
}

/// The kind by pixel format alone.
fn stored_kind(pixels: &PixelFormat, frames: &[Frame]) -> GreyKind {
    let plain = frames.iter().all(|frame| frame.rescale.is_none_or(|rescale| rescale == [1.0, 0.0]));
    match pixels.sample {
        Sample::Integer { bits_stored: 8, signed: false, .. } if plain => GreyKind::EightBit,
        _ => GreyKind::Other,
    }
}

fn rescale_type<'a>(data: &DataSet<'a>) -> Option<&'a str> {
    let nested = group(data, 0, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
    nested.and_then(|group| group.text(tags::RESCALE_TYPE)).or(data.text(tags::RESCALE_TYPE))
}

/// A code of the standard and no free text: up to 16 capitals, digits, blanks and underscores.
pub(crate) fn is_code(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b' ';
    (1..=16).contains(&text.len()) && text.bytes().all(allowed)
}
