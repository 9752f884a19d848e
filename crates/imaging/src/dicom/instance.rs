//! The few attributes of an image that are used: pixel format, grey scale, place in space, and to which series it belongs.
//! No attribute that says who the patient is has a name in this crate.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::elements::DataSet;
use crate::ImagingError;
use crate::error::At;
use crate::facts::KnownBy;
use crate::limits::{PICTURE_SIDE_MAX, VOXELS_MAX};
use crate::volume::Kind;

/// One image object.
pub(crate) struct Instance {
    pub(crate) series_uid: String,
    modality: Modality,
    /// The code itself, when it is one: `CT`, `MR`, ...
    pub(crate) modality_code: Option<String>,
    /// InstanceNumber: what a PACS shows.
    pub(crate) number: Option<i64>,
    pub(crate) pixels: PixelFormat,
    pub(crate) frames: Vec<Frame>,
    rescale_is_hounsfield: bool,
}

/// Modalities that change how an image is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Modality {
    ComputedTomography,
    OtherCrossSection,
    Projection,
}

/// How grey values are stored.
pub(crate) struct PixelFormat {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) sample: Sample,
    /// MONOCHROME1: the smallest value is white.
    pub(crate) inverted: bool,
}

/// One stored grey value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    Integer { bytes: usize, bits_stored: u32, high_bit: u32, signed: bool },
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

/// What may differ from frame to frame.
#[derive(Clone, Copy, Default)]
pub(crate) struct Frame {
    /// Centre of the first pixel, mm, in DICOM's LPS.
    pub(crate) position: Option<[f64; 3]>,
    /// Direction of a row (along columns), then of a column.
    pub(crate) orientation: Option<[f64; 6]>,
    /// Between rows, then between columns.
    pub(crate) spacing_mm: Option<[f64; 2]>,
    pub(crate) thickness_mm: Option<f64>,
    /// Slope, intercept.
    pub(crate) rescale: Option<[f64; 2]>,
}

impl Instance {
    pub(crate) fn read(data: &DataSet, at: &At) -> Result<Instance, ImagingError> {
        let pixels = PixelFormat::read(data, at)?;
        let count = frame_count(data, at)?;
        let voxels = (pixels.rows as u64 * pixels.columns as u64).saturating_mul(count as u64);
        at.at_most("its voxels", voxels, VOXELS_MAX)?;
        if data.has(tags::MODALITY_LUT_SEQUENCE) {
            return Err(at.unsupported(
                "its grey values are given by a table (Modality LUT), not by slope and intercept",
                "export it with rescaled values",
            ));
        }
        let frames = frames(data, count);
        if frames.iter().filter_map(|frame| frame.rescale).any(|[slope, _]| slope == 0.0) {
            return Err(at.damaged("its rescale slope is 0, which would make all voxels equal"));
        }
        Ok(Instance {
            series_uid: data.text(tags::SERIES_INSTANCE_UID).unwrap_or_default().to_string(),
            modality: modality(data),
            modality_code: data.text(tags::MODALITY).filter(|code| is_code(code)).map(str::to_string),
            number: data.text(tags::INSTANCE_NUMBER).and_then(|text| text.trim().parse().ok()),
            pixels,
            frames,
            rescale_is_hounsfield: rescale_is_hounsfield(data),
        })
    }

    /// A single image that is no cross-section: without a place in space, and of no modality that makes slices.
    pub(crate) fn is_picture(&self) -> bool {
        self.modality == Modality::Projection
            && self.frames.len() == 1
            && (self.frames[0].position.is_none() || self.frames[0].orientation.is_none())
    }

    /// Several frames, none of which says where it lies.
    pub(crate) fn is_unplaced_stack(&self) -> bool {
        self.frames.len() > 1 && self.frames.iter().all(|frame| frame.position.is_none())
    }

    /// How the kind is known.
    pub(crate) fn known_by(&self) -> KnownBy {
        if self.kind() == Kind::Hounsfield { KnownBy::Rescale } else { KnownBy::Header }
    }

    pub(crate) fn kind(&self) -> Kind {
        let rescaled = self.frames.iter().all(|frame| frame.rescale.is_some());
        if self.modality == Modality::ComputedTomography && rescaled && self.rescale_is_hounsfield {
            return Kind::Hounsfield;
        }
        let plain = self.frames.iter().all(|frame| frame.rescale.is_none_or(|rescale| rescale == [1.0, 0.0]));
        match self.pixels.sample {
            Sample::Integer { bits_stored: 8, signed: false, .. } if plain => Kind::EightBit,
            _ => Kind::Other,
        }
    }

    pub(crate) fn voxel_count(&self) -> u64 {
        self.pixels.rows as u64 * self.pixels.columns as u64 * self.frames.len() as u64
    }
}

impl PixelFormat {
    fn read(data: &DataSet, at: &At) -> Result<PixelFormat, ImagingError> {
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
        Ok(PixelFormat {
            rows: rows.into(),
            columns: columns.into(),
            sample: sample(data, at)?,
            inverted: grey_direction(data, at)?,
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
            format!("it has {samples} samples a pixel (colour), expected one grey value"),
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

fn sample(data: &DataSet, at: &At) -> Result<Sample, ImagingError> {
    if data.has(tags::FLOAT_PIXEL_DATA) {
        return Ok(Sample::Float);
    }
    if data.has(tags::DOUBLE_FLOAT_PIXEL_DATA) {
        return Ok(Sample::Double);
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
            return Err(at.damaged(format!("it allocates {bits} bits a pixel, expected 8, 16 or 32")));
        }
        None => return Err(at.damaged("it does not say how many bits a pixel has")),
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
    Ok(Sample::Integer { bytes: allocated as usize / 8, bits_stored, high_bit, signed })
}

fn frame_count(data: &DataSet, at: &At) -> Result<usize, ImagingError> {
    if !data.has(tags::NUMBER_OF_FRAMES) || data.bytes(tags::NUMBER_OF_FRAMES).is_none() {
        return Ok(1);
    }
    match data.text(tags::NUMBER_OF_FRAMES).and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(0) | None => Err(at.damaged("its number of frames is no number above 0")),
        Some(count) => Ok(count as usize),
    }
}

fn modality(data: &DataSet) -> Modality {
    match data.text(tags::MODALITY) {
        Some("CT") => Modality::ComputedTomography,
        Some("MR" | "PT") => Modality::OtherCrossSection,
        _ => Modality::Projection,
    }
}

/// A code of the standard and no free text: up to 16 capitals, digits, blanks and underscores.
fn is_code(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b' ';
    (1..=16).contains(&text.len()) && text.bytes().all(allowed)
}

fn rescale_is_hounsfield(data: &DataSet) -> bool {
    let nested = groups(data, 0, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
    let unit = nested.and_then(|group| group.text(tags::RESCALE_TYPE)).or(data.text(tags::RESCALE_TYPE));
    matches!(unit, None | Some("HU" | ""))
}

fn frames(data: &DataSet, count: usize) -> Vec<Frame> {
    let enhanced = data.has(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE)
        || data.has(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    if !enhanced {
        let frame = Frame {
            position: data.numbers(tags::IMAGE_POSITION_PATIENT),
            orientation: data.numbers(tags::IMAGE_ORIENTATION_PATIENT),
            spacing_mm: data.numbers(tags::PIXEL_SPACING),
            thickness_mm: thickness(data),
            rescale: rescale(data),
        };
        // Older objects of several frames give one position for all: no frame but the first has a place.
        let further = Frame { position: None, ..frame };
        return (0..count).map(|number| if number == 0 { frame } else { further }).collect();
    }
    (0..count)
        .map(|number| {
            let group = |tag| groups(data, number, tag);
            let measures = group(tags::PIXEL_MEASURES_SEQUENCE);
            let transformation = group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
            Frame {
                position: group(tags::PLANE_POSITION_SEQUENCE)
                    .and_then(|g| g.numbers(tags::IMAGE_POSITION_PATIENT)),
                orientation: group(tags::PLANE_ORIENTATION_SEQUENCE)
                    .and_then(|g| g.numbers(tags::IMAGE_ORIENTATION_PATIENT)),
                spacing_mm: measures.and_then(|g| g.numbers(tags::PIXEL_SPACING)),
                thickness_mm: measures.and_then(thickness),
                rescale: transformation.and_then(rescale).or_else(|| rescale(data)),
            }
        })
        .collect()
}

/// The functional group of a frame: its own, or the one that all frames share.
fn groups<'d, 'a>(data: &'d DataSet<'a>, frame: usize, tag: Tag) -> Option<&'d DataSet<'a>> {
    let own = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).get(frame);
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
    own.and_then(|group| group.items(tag).first()).or_else(|| shared?.items(tag).first())
}

fn thickness(data: &DataSet) -> Option<f64> {
    let [mm] = data.numbers(tags::SPACING_BETWEEN_SLICES).or_else(|| data.numbers(tags::SLICE_THICKNESS))?;
    Some(mm.abs()).filter(|&mm| mm > 0.0)
}

fn rescale(data: &DataSet) -> Option<[f64; 2]> {
    let [slope] = data.numbers(tags::RESCALE_SLOPE)?;
    let [intercept] = data.numbers(tags::RESCALE_INTERCEPT)?;
    Some([slope, intercept])
}
