//! DICOM objects that are no image of a scan: by their class, and by what they lack.
//!
//! | object | in a folder | alone |
//! |---|---|---|
//! | segmentation, contours, plan, report, presentation state, document, raw data | left aside | refused |
//! | dose | left aside | read |
//! | colour image (a dose page, a screen), capture without a place in space | left aside | its own refusal, or read as a picture |
//! | image class without rows or pixels | refused: a slice has lost them | refused |

use super::dictionary::tags;
use super::elements::DataSet;
use crate::ImagingError;
use crate::error::At;

/// Why an object is not read.
pub(crate) enum Reason {
    /// It holds no image at all.
    NoImage(&'static str),
    /// It holds an image that belongs to no stack.
    NotThisScan(&'static str),
}

/// Classes of storage, by the part of their UID behind 1.2.840.10008.5.1.4.1.1 (PS3.4 section B.5).
const NO_IMAGES: [(&str, &str); 11] = [
    (".66.4", "a segmentation, no image"),
    (".66.7", "a segmentation, no image"),
    (".66", "raw or derived data, no image"),
    (".11", "a presentation state, no image"),
    (".88", "a report, no image"),
    (".104", "a document, no image"),
    (".481.3", "contours (RT structure set), no image"),
    (".481.5", "a treatment plan, no image"),
    (".481.8", "a treatment plan, no image"),
    (".9", "a curve or signal, no image"),
    (".4.2", "a spectrum, no image"),
];
const DOSE: &str = ".481.2";
const SECONDARY_CAPTURE: &str = ".7";
/// CT, MR, PET, CR, DX and their enhanced kin: objects that are nothing without pixels.
const IMAGES: [&str; 9] = [".1", ".1.1", ".2", ".2.1", ".4", ".4.1", ".128", ".130", ".1.1.1"];

/// Why an object is not read, if so; an error when it is an image that lost its pixels.
pub(crate) fn reason(data: &DataSet, at: &At) -> Result<Option<Reason>, ImagingError> {
    let class = data.text(tags::SOP_CLASS_UID).unwrap_or_default();
    let tail = class.strip_prefix("1.2.840.10008.5.1.4.1.1").unwrap_or_default();
    let is =
        |wanted: &str| tail.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if let Some((_, what)) = NO_IMAGES.iter().find(|(wanted, _)| is(wanted)) {
        return Ok(Some(Reason::NoImage(what)));
    }
    if data.u16(tags::BITS_ALLOCATED) == Some(1) {
        return Ok(Some(Reason::NoImage("a segmentation (1 bit per pixel), no image")));
    }
    let has_pixels = [tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA]
        .iter()
        .any(|&tag| data.has(tag));
    if !data.has(tags::ROWS) || !has_pixels {
        if data.has(tags::ROWS) || IMAGES.contains(&tail) {
            return Err(at.damaged("it is an image, but its rows or its pixels are missing"));
        }
        return Ok(Some(Reason::NoImage("an object without rows and pixels, no image")));
    }
    if is(DOSE) || data.text(tags::MODALITY) == Some("RTDOSE") {
        return Ok(Some(Reason::NotThisScan("a dose distribution, no scan")));
    }
    if is_coloured(data) {
        return Ok(Some(Reason::NotThisScan("a colour image (a dose page, a screen or the like), no slice")));
    }
    if is(SECONDARY_CAPTURE) && !data.has(tags::IMAGE_POSITION_PATIENT) && !data.has(tags::NUMBER_OF_FRAMES) {
        return Ok(Some(Reason::NotThisScan("a capture without a place in the patient's space, no slice")));
    }
    Ok(None)
}

fn is_coloured(data: &DataSet) -> bool {
    let grey =
        matches!(data.text(tags::PHOTOMETRIC_INTERPRETATION), None | Some("MONOCHROME1" | "MONOCHROME2"));
    !grey || data.u16(tags::SAMPLES_PER_PIXEL).is_some_and(|samples| samples > 1)
}
