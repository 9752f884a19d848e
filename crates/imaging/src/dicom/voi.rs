//! How a DICOM file asks to be shown: its first window, or a table. Read for the rule that makes 8-bit grey of a detector's
//! values, and noted where nothing is done about it.
//!
//! Source: DICOM PS3.3 section C.11.2. A window's function other than a straight line is taken as one.

use super::dictionary::tags;
use super::elements::DataSet;
use super::pixel_format::PixelFormat;
use crate::kind::GreyKind;

/// The values that become black and white.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct Voi {
    /// In rescaled grey values, the lower first.
    pub(crate) window: Option<[f32; 2]>,
    has_table: bool,
}

impl Voi {
    pub(crate) fn read(data: &DataSet) -> Voi {
        let first = |tag| data.list(tag).and_then(|all| all.first().copied());
        let (centre, width) = (first(tags::WINDOW_CENTER), first(tags::WINDOW_WIDTH));
        let window = centre.zip(width).filter(|&(_, width)| width >= 1.0).map(|(centre, width)| {
            // LINEAR counts from half a grey value below, over one grey value less than the width.
            match data.text(tags::VOILUT_FUNCTION) {
                Some("LINEAR_EXACT" | "SIGMOID") => [centre - width / 2.0, centre + width / 2.0],
                _ => [centre - 0.5 - (width - 1.0) / 2.0, centre - 0.5 + (width - 1.0) / 2.0],
            }
        });
        let window = window.map(|ends| ends.map(|end| end as f32)).filter(|[low, high]| low < high);
        Voi { window, has_table: data.has(tags::VOILUT_SEQUENCE) }
    }

    /// The same for grey values that were mirrored: `mirror` less each.
    pub(crate) fn mirrored(self, mirror: f32) -> Voi {
        Voi { window: self.window.map(|[low, high]| [mirror - high, mirror - low]), ..self }
    }
}

/// Notes on what the file asks for and is not done.
pub(crate) fn note(data: &DataSet, voi: &Voi, pixels: &PixelFormat, kind: GreyKind) -> Vec<String> {
    let mut notes = Vec::new();
    if kind == GreyKind::EightBit && (voi.window.is_some() || voi.has_table) {
        notes.push(
            "the file asks to be shown through a window or table (VOI), which is not applied: the stored 8-bit values are taken"
                .into(),
        );
    } else if kind == GreyKind::Other && voi.has_table {
        notes.push(
            "the file asks to be shown through a table (VOI LUT Sequence), which is not applied".into(),
        );
    }
    if data.text(tags::PRESENTATION_LUT_SHAPE) == Some("INVERSE") && !pixels.inverted {
        notes.push(
            "the file asks to be shown inverted (PresentationLUTShape INVERSE), which is not done: its stored values are taken"
                .into(),
        );
    }
    notes
}
