//! A walk over a JPEG's markers before any decoder sees it: what its frame header declares, and whether it is complete.
//!
//! Decoders allocate by the declared size, and some fill what a cut file lacks with grey: both are unfit for patients.
//! Source: ITU-T T.81, annex B.

use crate::limits::{JPEG_PIXELS_MAX, LOSSLESS_JPEG_PIXELS_MAX};

/// What a frame header (SOF) declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// SOF3: each pixel is predicted from its neighbours.
    pub(crate) is_lossless: bool,
    pub(crate) precision_bits: u8,
    pub(crate) rows: u16,
    pub(crate) columns: u16,
    pub(crate) components: u8,
}

impl Frame {
    /// Whether so many bytes can hold the pixels at all.
    fn can_come_of(self, bytes: usize) -> bool {
        let of_one_byte = if self.is_lossless { LOSSLESS_JPEG_PIXELS_MAX } else { JPEG_PIXELS_MAX };
        u64::from(self.rows) * u64::from(self.columns) <= of_one_byte * bytes as u64
    }
}

/// The frame header of a complete JPEG; otherwise what is wrong with it.
pub(crate) fn frame(bytes: &[u8]) -> Result<Frame, &'static str> {
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return Err("the mark of a JPEG's start is missing");
    }
    let mut place = 2;
    let mut frame: Option<Frame> = None;
    loop {
        let (marker, after) = next_marker(bytes, place).ok_or("its JPEG stream breaks off")?;
        place = after;
        match marker {
            0xd9 => {
                let frame = frame.ok_or("its JPEG stream has no frame header")?;
                return if frame.can_come_of(place) {
                    Ok(frame)
                } else {
                    Err("its JPEG stream declares more pixels than its bytes can hold")
                };
            }
            0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let length = bytes.get(place..place + 2).map(|b| usize::from(b[0]) << 8 | usize::from(b[1]));
        let body = length.and_then(|length| bytes.get(place + 2..place.checked_add(length)?));
        let body = body.ok_or("its JPEG stream breaks off within a segment")?;
        place += 2 + body.len();
        if matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf)
            && frame.replace(parse(marker, body).ok_or("its JPEG frame header is too short")?).is_some()
        {
            return Err("its JPEG stream has two frame headers");
        }
    }
}

fn parse(marker: u8, body: &[u8]) -> Option<Frame> {
    let &[precision_bits, r1, r0, c1, c0, components, ..] = body else { return None };
    Some(Frame {
        is_lossless: marker == 0xc3,
        precision_bits,
        rows: u16::from_be_bytes([r1, r0]),
        columns: u16::from_be_bytes([c1, c0]),
        components,
    })
}

/// The next marker at or behind `place`, and the place behind it; entropy-coded bytes and fill bytes are skipped.
fn next_marker(bytes: &[u8], mut place: usize) -> Option<(u8, usize)> {
    loop {
        place += bytes.get(place..)?.iter().position(|&b| b == 0xff)?;
        match *bytes.get(place + 1)? {
            0x00 => place += 2,
            0xff => place += 1,
            marker => return Some((marker, place + 2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Vec<u8> {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new(&mut bytes)
            .encode(&[9; 6 * 4], 6, 4, image::ExtendedColorType::L8)
            .unwrap();
        bytes
    }

    #[test]
    fn the_frame_header_is_read() {
        assert_eq!(
            frame(&small()),
            Ok(Frame { is_lossless: false, precision_bits: 8, rows: 4, columns: 6, components: 1 })
        );
    }

    #[test]
    fn a_small_stream_that_declares_a_huge_image_is_refused_before_anything_is_allocated() {
        let mut bytes = small();
        let header = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        bytes[header + 5..header + 9].copy_from_slice(&[0x7f, 0xff, 0x7f, 0xff]);
        assert!(frame(&bytes).unwrap_err().contains("more pixels than its bytes can hold"));
        // 100 x 100 pixels are few for blocks, and too many where each takes a bit.
        bytes[header + 5..header + 9].copy_from_slice(&[0, 100, 0, 100]);
        assert!(frame(&bytes).is_ok());
        bytes[header + 1] = 0xc3;
        assert!(frame(&bytes).is_err());
    }

    #[test]
    fn an_even_image_is_as_small_as_jpegs_get_and_is_read() {
        let mut bytes = Vec::new();
        let side = 4096;
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 1)
            .encode(&vec![0; side * side], side as u32, side as u32, image::ExtendedColorType::L8)
            .unwrap();
        assert_eq!(frame(&bytes).map(|frame| usize::from(frame.rows)), Ok(side));
    }

    #[test]
    fn a_jpeg_cut_at_any_byte_is_incomplete() {
        let whole = small();
        for length in 0..whole.len() {
            assert!(frame(&whole[..length]).is_err(), "{length}");
        }
    }
}
