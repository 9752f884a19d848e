//! PNG and JPEG files: single grey images without a place in space.
//!
//! Colour becomes grey as Pillow's mode `L` does it (ITU-R BT.601 weights in 16-bit fixed point), for the networks were
//! trained behind Pillow; 16-bit grey stays 16-bit. Whether the file really *showed* colours is remembered, so that a
//! photograph is refused where an X-ray saved as RGB is welcome.

use std::fmt;
use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::error::At;
use crate::files::{Format, read_capped};
use crate::kind::GreyKind;
use crate::kind::KnownBy;
use crate::limits::{PICTURE_PIXELS_MAX, PICTURE_SIDE_MAX};
use crate::origin::{LeftAside, Origin, overruled};
use crate::voxels::{Voxels, ends};
use crate::{ImagingError, jpeg};

/// A single grey image.
#[derive(Clone)]
pub struct Picture {
    rows: usize,
    columns: usize,
    grey: Voxels,
    kind: GreyKind,
    coloured: bool,
    /// Grey values that mark padding.
    padding: Option<[f32; 2]>,
    /// The values that the file asks to be shown as black and white.
    window: Option<[f32; 2]>,
    origin: Box<Origin>,
}

impl Picture {
    /// Grey values row by row. 8-bit values make an 8-bit picture.
    ///
    /// # Panics
    /// When the number of values is not rows x columns.
    pub fn new(rows: usize, columns: usize, grey: Voxels, kind: GreyKind) -> Picture {
        assert_eq!(grey.len(), rows * columns, "a picture has one value per pixel");
        Picture {
            rows,
            columns,
            grey,
            kind,
            coloured: false,
            padding: None,
            window: None,
            origin: Box::default(),
        }
    }

    /// Rows and columns.
    pub fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The grey values, row by row.
    pub fn grey(&self) -> &Voxels {
        &self.grey
    }

    /// What the grey values mean.
    pub fn kind(&self) -> GreyKind {
        self.kind
    }

    /// What the reader noticed and could live with: sentences for the user.
    pub fn notes(&self) -> &[String] {
        &self.origin.notes
    }

    /// The window that the file asks to be shown through: its black and its white, in grey values.
    pub fn window(&self) -> Option<[f32; 2]> {
        self.window
    }

    /// The values that are no padding.
    pub(crate) fn shown(&self) -> impl Iterator<Item = f32> + '_ {
        let is_padding = |v: f32| self.padding.is_some_and(|[low, high]| (low..=high).contains(&v));
        (0..self.grey.len()).map(|index| self.grey.get(index)).filter(move |&v| !is_padding(v))
    }

    /// The smallest and the largest value that is no padding; zeros where there is none.
    pub fn grey_range(&self) -> (f32, f32) {
        ends(self.shown())
    }

    /// Remembers which grey values are padding, from the first to the second.
    pub(crate) fn with_padding(mut self, padding: Option<[f32; 2]>) -> Picture {
        self.padding = padding;
        self
    }

    /// Remembers the window that the file asks to be shown through.
    pub(crate) fn with_window(mut self, window: Option<[f32; 2]>) -> Picture {
        self.window = window;
        self
    }

    /// Remembers which files beside it were not read.
    pub(crate) fn with_left_aside(mut self, left_aside: Vec<LeftAside>) -> Picture {
        self.origin.left_aside = left_aside;
        self
    }

    /// Where it came from.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Remembers where it came from.
    pub(crate) fn with_origin(mut self, origin: Origin) -> Picture {
        self.origin = Box::new(origin);
        self
    }

    /// Takes the user's word for what the grey values mean.
    pub(crate) fn state_kind(&mut self, kind: GreyKind) {
        self.origin.notes.extend(overruled(self.kind, kind, &self.origin.known_by));
        self.kind = kind;
        self.origin.known_by = KnownBy::Stated;
    }

    /// Whether the file showed colours: in more than one pixel of a hundred the channels differ by more than a JPEG's
    /// rounding does.
    pub fn is_coloured(&self) -> bool {
        self.coloured
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} rows x {} columns, {}, pixels not shown)", self.rows, self.columns, self.kind)
    }
}

/// Reads a PNG or a JPEG.
pub(crate) fn open(path: &Path) -> Result<Picture, ImagingError> {
    let at = At(path);
    let format = Format::of(path)?;
    let bytes = read_capped(path)?;
    if format == Format::Jpeg {
        jpeg::frame(&bytes).map_err(|what| at.damaged(what))?;
    }
    let coding = if format == Format::Jpeg { ImageFormat::Jpeg } else { ImageFormat::Png };
    let (image, is_turned) = decode(&bytes, coding, &at)?;
    let turned = is_turned.then(|| {
        "the file asks to be turned or mirrored when it is shown (EXIF orientation), which is not done: its pixels are taken as stored"
            .to_string()
    });
    let (rows, columns) = (image.height() as usize, image.width() as usize);
    let (grey, kind, coloured) = match image {
        DynamicImage::ImageLuma8(grey) => (Voxels::U8(grey.into_raw()), GreyKind::EightBit, false),
        DynamicImage::ImageLumaA8(_) => (Voxels::U8(image.to_luma8().into_raw()), GreyKind::EightBit, false),
        DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_) => {
            let grey = image.to_luma16().into_raw();
            (Voxels::compact(grey.into_iter().map(f32::from).collect()), GreyKind::Other, false)
        }
        // Deeper colour channels give their high byte, as Pillow reads them.
        DynamicImage::ImageRgb16(rgb) => {
            from_rgb(rgb.into_raw().chunks_exact(3).map(|p| [0, 1, 2].map(|c| (p[c] >> 8) as u8)))
        }
        DynamicImage::ImageRgba16(rgb) => {
            from_rgb(rgb.into_raw().chunks_exact(4).map(|p| [0, 1, 2].map(|c| (p[c] >> 8) as u8)))
        }
        DynamicImage::ImageRgba8(rgb) => from_rgb(rgb.into_raw().chunks_exact(4).map(|p| [p[0], p[1], p[2]])),
        other => from_rgb(other.into_rgb8().into_raw().chunks_exact(3).map(|p| [p[0], p[1], p[2]])),
    };
    let origin = Origin { notes: turned.into_iter().collect(), ..Origin::default() };
    Ok(Picture { coloured, ..Picture::new(rows, columns, grey, kind) }.with_origin(origin))
}

/// The image, and whether it asks to be turned.
fn decode(bytes: &[u8], format: ImageFormat, at: &At) -> Result<(DynamicImage, bool), ImagingError> {
    let broken = |e: image::ImageError| at.damaged(format!("its picture cannot be decoded ({e})"));
    let mut limits = Limits::default();
    limits.max_image_width = Some(PICTURE_SIDE_MAX);
    limits.max_image_height = Some(PICTURE_SIDE_MAX);
    limits.max_alloc = Some(8 * PICTURE_PIXELS_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (columns, rows) = decoder.dimensions();
    at.at_most("its pixels", u64::from(columns) * u64::from(rows), PICTURE_PIXELS_MAX)?;
    let is_turned = decoder.orientation().is_ok_and(|orientation| orientation != Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder).map_err(broken)?, is_turned))
}

fn from_rgb(pixels: impl Iterator<Item = [u8; 3]>) -> (Voxels, GreyKind, bool) {
    /// Chroma of a grey picture that went through a JPEG stays below.
    const SPREAD_OF_GREY: u8 = 16;
    let mut coloured = 0usize;
    let grey: Vec<u8> = pixels
        .map(|[r, g, b]| {
            coloured += usize::from(r.max(g).max(b) - r.min(g).min(b) > SPREAD_OF_GREY);
            luma(r, g, b)
        })
        .collect();
    let shows_colour = coloured * 100 > grey.len();
    (Voxels::U8(grey), GreyKind::EightBit, shows_colour)
}

/// 0.299, 0.587 and 0.114 in 16 fraction bits, rounded to nearest: Pillow's `Convert.c`, macro `L24`.
fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(image: impl Into<DynamicImage>, name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        image.into().save(&path).unwrap();
        (folder, path)
    }

    #[test]
    fn grey_pngs_keep_their_8_or_16_bits() {
        let (_folder, path) =
            saved(image::GrayImage::from_raw(3, 2, vec![0, 1, 2, 3, 4, 255]).unwrap(), "a.png");
        let picture = open(&path).unwrap();
        assert_eq!((picture.size(), picture.kind()), ((2, 3), GreyKind::EightBit));
        assert_eq!(picture.grey(), &Voxels::U8(vec![0, 1, 2, 3, 4, 255]));

        let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(2, 1, vec![7u16, 60000]).unwrap();
        let (_folder, path) = saved(deep, "b.png");
        let picture = open(&path).unwrap();
        assert_eq!((picture.grey(), picture.kind()), (&Voxels::F32(vec![7.0, 60000.0]), GreyKind::Other));
    }

    #[test]
    fn colour_becomes_grey_by_the_known_weights_and_is_remembered() {
        // Pillow: Image.new("RGB", (1, 1), c).convert("L") for these four colours.
        assert_eq!(
            [luma(255, 0, 0), luma(0, 255, 0), luma(0, 0, 255), luma(200, 100, 50)],
            [76, 150, 29, 124]
        );
        let (_folder, path) =
            saved(image::RgbImage::from_raw(2, 1, vec![255, 0, 0, 9, 9, 9]).unwrap(), "a.png");
        let picture = open(&path).unwrap();
        assert_eq!(picture.grey(), &Voxels::U8(vec![76, 9]));
        assert!(picture.is_coloured());
        let (_folder, path) =
            saved(image::RgbImage::from_raw(2, 1, vec![10, 12, 9, 9, 9, 9]).unwrap(), "b.png");
        assert!(!open(&path).unwrap().is_coloured());
    }

    #[test]
    fn pictures_cut_at_any_byte_are_errors() {
        for name in ["a.png", "a.jpg"] {
            let pixels = (0..120).map(|i| (i * 37) as u8).collect();
            let (folder, path) = saved(image::GrayImage::from_raw(12, 10, pixels).unwrap(), name);
            let whole = std::fs::read(&path).unwrap();
            let cut = folder.path().join("cut");
            // A PNG's last 12 bytes are the empty end mark: without it all pixels and their check sums are there.
            let end = if name == "a.png" { whole.len() - 12 } else { whole.len() };
            for length in 0..end {
                std::fs::write(&cut, &whole[..length]).unwrap();
                assert!(crate::Scan::open(&cut).is_err(), "{name} cut to {length} bytes");
            }
        }
    }

    #[test]
    fn a_png_that_declares_a_huge_size_is_refused_before_it_is_decoded() {
        let (_folder, path) = saved(image::GrayImage::from_raw(1, 1, vec![0]).unwrap(), "a.png");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
        let check = flate2_crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&check.to_be_bytes());
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(open(&path), Err(ImagingError::TooLarge { .. })));
    }

    fn flate2_crc(bytes: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }
}
