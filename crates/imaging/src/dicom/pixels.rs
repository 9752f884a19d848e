//! Pixel data to grey values: native, run-length coded, or JPEG.
//!
//! | transfer syntax | decoded by |
//! |---|---|
//! | uncompressed, deflated | here, in either byte order |
//! | RLE Lossless | here: the known decoder indexes by declared sizes and panics on short segments |
//! | JPEG baseline, extended of 8 bits, lossless | `jpeg-decoder` (pure Rust), after the stream's frame header was held against the image's own size |
//! | JPEG 2000, JPEG-LS, HTJ2K, JPEG XL, video | refused, with what to do |

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::dictionary::{tags, uids};
use super::elements::{Content, DataSet};
use super::instance::ImageObject;
use super::pixel_format::{PixelFormat, Sample, low_bits};
use crate::error::At;
use crate::files::Endian;
use crate::limits::RUN_LENGTHS_MAX;
use crate::picture::Picture;
use crate::voxels::Voxels;
use crate::{ImagingError, jpeg};

/// Grey values of all frames, rescaled.
pub(crate) fn decode(
    content: &Content,
    data: &DataSet,
    instance: &ImageObject,
    at: &At,
) -> Result<Vec<Voxels>, ImagingError> {
    let format = &instance.pixels;
    let count = instance.frames.len();
    let mut frames = Vec::new();
    if let Some(fragments) = data.fragments(tags::PIXEL_DATA) {
        for (number, coded) in coded_frames(fragments, count, at)?.into_iter().enumerate() {
            let (stored, endian) = match content.transfer_syntax.as_str() {
                uids::RLE_LOSSLESS => (run_lengths(&coded, format, at)?, Endian::Little),
                uids::JPEG_BASELINE8_BIT
                | uids::JPEG_EXTENDED12_BIT
                | uids::JPEG_LOSSLESS
                | uids::JPEG_LOSSLESS_SV1 => {
                    (jpeg_frame(&coded, &content.transfer_syntax, format, at)?, NATIVE)
                }
                other => return Err(unknown_coding(other, at)),
            };
            frames.push(grey(&stored, endian, instance, number));
        }
    } else {
        let stored = native(data, format, count, at)?;
        for (number, stored) in stored.chunks_exact(frame_bytes(format)).take(count).enumerate() {
            frames.push(grey(stored, data.endian, instance, number));
        }
    }
    if frames.iter().any(|frame| frame.not_finite() > 0) {
        return Err(
            at.unsupported("some of its voxels are not numbers (NaN or infinite)", "export it without them")
        );
    }
    Ok(frames)
}

/// A picture: the smallest value is black, also where the file counts the other way (MONOCHROME1).
pub(crate) fn as_picture(frames: Vec<Voxels>, instance: &ImageObject) -> Picture {
    let (rows, columns) = (instance.pixels.rows, instance.pixels.columns);
    let (mut grey, mut padding, mut voi) = (Voxels::concat(frames), instance.padding(0), instance.voi);
    if let Some(mirror) = mirror(instance) {
        grey = Voxels::compact((0..grey.len()).map(|i| mirror - grey.get(i)).collect());
        padding = padding.map(|[low, high]| [mirror - high, mirror - low]);
        voi = voi.mirrored(mirror);
    }
    Picture::new(rows, columns, grey, instance.unit.kind)
        .with_padding(padding)
        .with_window(voi.window)
        .with_origin(instance.origin())
}

/// What mirrored grey values are subtracted from, when they are mirrored. Smallest and largest storable value add up to
/// it; mirroring commutes with the rescaling.
fn mirror(instance: &ImageObject) -> Option<f32> {
    let Sample::Integer { bits_stored, signed, .. } = instance.pixels.sample else { return None };
    let ends = if signed { -1.0 } else { 2f64.powi(bits_stored as i32) - 1.0 };
    let [slope, intercept] = instance.frames[0].rescale.unwrap_or([1.0, 0.0]);
    instance.pixels.inverted.then_some((slope * ends + 2.0 * intercept) as f32)
}

fn frame_bytes(format: &PixelFormat) -> usize {
    format.rows * format.columns * format.sample.bytes()
}

fn native<'a>(
    data: &DataSet<'a>,
    format: &PixelFormat,
    count: usize,
    at: &At,
) -> Result<&'a [u8], ImagingError> {
    let tag = match format.sample {
        Sample::Integer { .. } => tags::PIXEL_DATA,
        Sample::Float => tags::FLOAT_PIXEL_DATA,
        Sample::Double => tags::DOUBLE_FLOAT_PIXEL_DATA,
    };
    let stored = data.bytes(tag).unwrap_or_default();
    let needed = frame_bytes(format) as u64 * count as u64;
    if (stored.len() as u64) < needed {
        return Err(
            at.damaged(format!("its pixels take {needed} bytes, but only {} are there", stored.len()))
        );
    }
    Ok(stored)
}

/// The coded bytes of each frame: one fragment per frame, or all fragments for the only frame.
fn coded_frames(fragments: &[&[u8]], count: usize, at: &At) -> Result<Vec<Vec<u8>>, ImagingError> {
    if fragments.is_empty() {
        return Err(at.damaged("its encapsulated pixel data hold no fragment"));
    }
    if count == 1 {
        return Ok(vec![fragments.concat()]);
    }
    if fragments.len() == count {
        return Ok(fragments.iter().map(|fragment| fragment.to_vec()).collect());
    }
    Err(at.unsupported(
        format!("its {count} frames are spread over {} fragments", fragments.len()),
        "convert it to Explicit VR Little Endian, for instance with dcmdjpeg, dcmdrle or gdcmconv --raw",
    ))
}

fn unknown_coding(transfer_syntax: &str, at: &At) -> ImagingError {
    let name = match transfer_syntax
        .strip_prefix("1.2.840.10008.1.2.4.")
        .and_then(|tail| tail.parse::<u32>().ok())
    {
        Some(80 | 81) => "JPEG-LS",
        Some(90..=93) => "JPEG 2000",
        Some(100..=108) => "a video coding",
        Some(110..=112) => "JPEG XL",
        Some(201..=203) => "High-Throughput JPEG 2000",
        _ => "a coding that is not known here",
    };
    at.unsupported(
        format!("its pixels are compressed with {name} (transfer syntax {transfer_syntax})"),
        "convert it to Explicit VR Little Endian, for instance with gdcmconv --raw",
    )
}

/// PackBits segments, one per byte of the sample, most significant first (PS3.5 annex G); the answer is little endian.
fn run_lengths(coded: &[u8], format: &PixelFormat, at: &At) -> Result<Vec<u8>, ImagingError> {
    let damaged = || at.damaged("its run-length coded pixels (RLE) do not fill the image");
    let width = format.sample.bytes();
    let pixels = format.rows * format.columns;
    let header = |index: usize| Endian::Little.u32(coded, 4 * index).map(|n| n as usize).ok_or_else(damaged);
    let segments = header(0)?;
    if segments != width {
        return Err(at.damaged(format!("its run-length coding has {segments} segments, expected {width}")));
    }
    if (pixels * width) as u64 > RUN_LENGTHS_MAX * coded.len() as u64 {
        return Err(damaged());
    }
    let mut stored = vec![0; pixels * width];
    for segment in 0..width {
        let start = header(1 + segment)?;
        let end = if segment + 1 < width { header(2 + segment)? } else { coded.len() };
        let bytes = coded.get(start..end).and_then(|packed| unpack(packed, pixels)).ok_or_else(damaged)?;
        for (pixel, byte) in bytes.into_iter().enumerate() {
            stored[pixel * width + (width - 1 - segment)] = byte;
        }
    }
    Ok(stored)
}

/// `count` bytes of a PackBits stream; `None` when it ends before.
fn unpack(packed: &[u8], count: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut place = 0;
    while bytes.len() < count {
        let control = *packed.get(place)? as i8;
        place += 1;
        match control {
            0.. => {
                let length = control as usize + 1;
                bytes.extend_from_slice(packed.get(place..place + length)?);
                place += length;
            }
            -128 => {}
            _ => {
                let length = 1 - control as isize;
                bytes.resize(bytes.len() + length as usize, *packed.get(place)?);
                place += 1;
            }
        }
    }
    bytes.truncate(count);
    Some(bytes)
}

/// The machine's own byte order, in which decoded JPEG samples of 16 bits come.
const NATIVE: Endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };

/// One JPEG frame. The stream's own header must declare the image's size and depth, for the decoder allocates by it.
/// As a last line against a fault in the decoder a panic becomes an error; nothing outlives the closure that a panic
/// could leave half changed.
fn jpeg_frame(
    coded: &[u8],
    transfer_syntax: &str,
    format: &PixelFormat,
    at: &At,
) -> Result<Vec<u8>, ImagingError> {
    let Sample::Integer { bytes: width @ (1 | 2), .. } = format.sample else {
        return Err(at.damaged("JPEG pixels have 8 or 16 bits, this image declares others"));
    };
    let frame = jpeg::frame(coded).map_err(|what| at.damaged(what))?;
    let depth_fits = frame.precision_bits.div_ceil(8) as usize == width;
    let size = (usize::from(frame.rows), usize::from(frame.columns), frame.components);
    if size != (format.rows, format.columns, 1) || !depth_fits {
        return Err(at.damaged(format!(
            "its JPEG stream declares {} x {} pixels, {} components and {} bits, the image itself {} x {}, 1 and {}",
            frame.rows,
            frame.columns,
            frame.components,
            frame.precision_bits,
            format.rows,
            format.columns,
            8 * width,
        )));
    }
    if frame.precision_bits == 12 && transfer_syntax == uids::JPEG_EXTENDED12_BIT {
        return Err(at.unsupported(
            "its pixels are compressed with lossy JPEG of 12 bits",
            "convert it to Explicit VR Little Endian, for instance with dcmdjpeg",
        ));
    }
    let decoded = catch_unwind(AssertUnwindSafe(|| jpeg_decoder::Decoder::new(coded).decode()));
    match decoded {
        Ok(Ok(stored)) if stored.len() == frame_bytes(format) => Ok(stored),
        Ok(Ok(_)) => Err(at.damaged("its JPEG stream does not fill the image")),
        Ok(Err(what)) => Err(at.damaged(format!("its JPEG stream cannot be decoded ({what})"))),
        Err(_) => Err(at.damaged("its JPEG stream stops the decoder")),
    }
}

/// Stored bytes to grey values.
fn grey(stored: &[u8], endian: Endian, instance: &ImageObject, number: usize) -> Voxels {
    let [slope, intercept] = instance.frames[number].rescale.unwrap_or([1.0, 0.0]);
    let sample = instance.pixels.sample;
    let values = stored
        .chunks_exact(sample.bytes())
        .map(|bytes| (number_of(bytes, endian, sample) * slope + intercept) as f32)
        .collect();
    Voxels::compact(values)
}

fn number_of(bytes: &[u8], endian: Endian, sample: Sample) -> f64 {
    const LENGTH: &str = "a chunk has the sample's width";
    match sample {
        Sample::Float => f32::from_le_bytes(endian.bytes(bytes, 0).expect(LENGTH)).into(),
        Sample::Double => f64::from_le_bytes(endian.bytes(bytes, 0).expect(LENGTH)),
        Sample::Integer { bytes: width, bits_stored, signed } => {
            let raw = match width {
                1 => u32::from(bytes[0]),
                2 => endian.u16(bytes, 0).expect(LENGTH).into(),
                _ => endian.u32(bytes, 0).expect(LENGTH),
            };
            low_bits(raw, bits_stored, signed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_above_the_stored_ones_are_dropped_and_signs_are_drawn_down() {
        let sample = |signed| Sample::Integer { bytes: 2, bits_stored: 12, signed };
        assert_eq!(number_of(&[0xff, 0xff], Endian::Little, sample(false)), 4095.0);
        assert_eq!(number_of(&[0xff, 0xff], Endian::Little, sample(true)), -1.0);
        assert_eq!(number_of(&[0x08, 0x00], Endian::Big, sample(true)), -2048.0);
        let wide = Sample::Integer { bytes: 4, bits_stored: 32, signed: true };
        assert_eq!(number_of(&[0xfe, 0xff, 0xff, 0xff], Endian::Little, wide), -2.0);
    }

    #[test]
    fn packed_bits_are_literals_and_runs_and_may_not_end_early() {
        assert_eq!(unpack(&[1, 7, 8, 0xfe, 9, 0x80], 5), Some(vec![7, 8, 9, 9, 9]));
        assert_eq!(unpack(&[1, 7, 8], 3), None);
        assert_eq!(unpack(&[5, 7, 8], 3), None);
        assert_eq!(unpack(&[0xfe], 3), None);
        assert_eq!(unpack(&[0xff; 0], 0), Some(vec![]));
    }
}
