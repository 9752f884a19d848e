//! How the grey values of a DICOM image are stored: size, bits, sign, direction of grey, padding.
//!
//! A value is taken from the low bits of its word, as many as BitsStored says, also where HighBit says otherwise: the standard
//! allows no other HighBit than BitsStored - 1 (PS3.5 section 8.1.1), and other readers look at the low bits alone.

use super::dictionary::tags;
use super::elements::DataSet;
use crate::ImagingError;
use crate::error::At;
use crate::limits::PICTURE_SIDE_MAX;

/// How grey values are stored.
pub(crate) struct PixelFormat {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) sample: Sample,
    /// MONOCHROME1: the smallest value is white.
    pub(crate) inverted: bool,
    /// Stored values from the first to the second mark pixels that show nothing (PixelPaddingValue, its range limit).
    pub(crate) padding: Option<[f64; 2]>,
    /// What was not as the standard wants it.
    pub(crate) note: Option<String>,
}

/// One stored grey value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    Integer { bytes: usize, bits_stored: u32, signed: bool },
    Float,
    Double,
}

impl Sample {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Sample::Integer { bytes, .. } => bytes,
            Sample::Float => 4,
            Sample::Double => 8,
        }
    }
}

impl PixelFormat {
    pub(crate) fn read(data: &DataSet, at: &At) -> Result<PixelFormat, ImagingError> {
        let (Some(rows), Some(columns)) = (data.u16(tags::ROWS), data.u16(tags::COLUMNS)) else {
            return Err(at.unsupported(
                "it holds no image (rows and columns are missing): a report, contours, a plan, a curve or the like",
                "give the image series",
            ));
        };
        if rows == 0 || columns == 0 {
            return Err(at.damaged("its image has a side of 0 pixels"));
        }
        at.at_most("its rows", rows.into(), PICTURE_SIDE_MAX.into())?;
        at.at_most("its columns", columns.into(), PICTURE_SIDE_MAX.into())?;
        let (sample, note) = sample(data, at)?;
        Ok(PixelFormat {
            rows: rows.into(),
            columns: columns.into(),
            sample,
            inverted: grey_direction(data, at)?,
            padding: padding(data, sample),
            note,
        })
    }
}

/// Whether grey runs backwards; colours are refused.
fn grey_direction(data: &DataSet, at: &At) -> Result<bool, ImagingError> {
    const ADVICE: &str =
        "give the scan itself; a grey picture saved in colours can be converted to a grey PNG";
    if let Some(samples) = data.u16(tags::SAMPLES_PER_PIXEL)
        && samples != 1
    {
        return Err(at.unsupported(
            format!("it has {samples} samples per pixel (colour), expected one grey value"),
            ADVICE,
        ));
    }
    match data.text(tags::PHOTOMETRIC_INTERPRETATION) {
        Some("MONOCHROME1") => Ok(true),
        Some("MONOCHROME2") | None => Ok(false),
        Some("PALETTE COLOR") => {
            Err(at.unsupported("its pixels are indices into a palette of colours", ADVICE))
        }
        Some(_) => Err(at.unsupported("its pixels are colours", ADVICE)),
    }
}

fn sample(data: &DataSet, at: &At) -> Result<(Sample, Option<String>), ImagingError> {
    if data.has(tags::FLOAT_PIXEL_DATA) {
        return Ok((Sample::Float, None));
    }
    if data.has(tags::DOUBLE_FLOAT_PIXEL_DATA) {
        return Ok((Sample::Double, None));
    }
    let allocated: u32 = match data.u16(tags::BITS_ALLOCATED) {
        Some(bits @ (8 | 16 | 32)) => bits.into(),
        Some(1) => {
            return Err(at.unsupported(
                "its pixels have 1 bit: a segmentation, not an image",
                "give the image series",
            ));
        }
        Some(bits) => {
            return Err(at.damaged(format!("it allocates {bits} bits per pixel, expected 8, 16 or 32")));
        }
        None => return Err(at.damaged("it does not say how many bits there are per pixel")),
    };
    let bits_stored = data.u16(tags::BITS_STORED).map_or(allocated, u32::from);
    let high_bit = data.u16(tags::HIGH_BIT).map_or(bits_stored.saturating_sub(1), u32::from);
    if bits_stored == 0 || bits_stored > allocated || high_bit >= allocated || high_bit + 1 < bits_stored {
        return Err(
            at.damaged(format!("{bits_stored} bits up to bit {high_bit} do not fit into {allocated}"))
        );
    }
    let signed = match data.u16(tags::PIXEL_REPRESENTATION) {
        Some(0) | None => false,
        Some(1) => true,
        Some(other) => {
            return Err(at.damaged(format!("its pixel representation is {other}, expected 0 or 1")));
        }
    };
    let note = (high_bit != bits_stored - 1).then(|| {
        format!(
            "its HighBit is {high_bit} where {bits_stored} stored bits allow {} only: the low {bits_stored} bits are read, as other readers do",
            bits_stored - 1
        )
    });
    Ok((Sample::Integer { bytes: allocated as usize / 8, bits_stored, signed }, note))
}

/// The stored values that mark padding, in order (PS3.3 section C.7.5.1.1.2). They go through the same bits as the pixels, for
/// some writers set bits above the stored ones; a range that this would tear apart stays as it is stated.
fn padding(data: &DataSet, sample: Sample) -> Option<[f64; 2]> {
    let Sample::Integer { bits_stored, signed, .. } = sample else { return None };
    let value = data.u16(tags::PIXEL_PADDING_VALUE)?;
    let words = [value, data.u16(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value)];
    let read = |bits| words.map(|word| low_bits(word.into(), bits, signed));
    let (stated, stored) = (read(16), read(bits_stored.min(16)));
    let [value, limit] = if stored[1] - stored[0] == stated[1] - stated[0] { stored } else { stated };
    Some([value.min(limit), value.max(limit)])
}

/// The number in the low bits of a word. Bits above them may hold old overlays; they are shifted out, and the sign is drawn
/// down.
pub(crate) fn low_bits(word: u32, bits: u32, signed: bool) -> f64 {
    let unused = 32 - bits;
    let top = word << unused;
    if signed { f64::from((top as i32) >> unused) } else { f64::from(top >> unused) }
}
