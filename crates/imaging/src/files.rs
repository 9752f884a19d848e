//! Bytes from and to disk: formats recognised by content, capped reading, and files that appear whole or not at all.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use crate::ImagingError;
use crate::error::At;
use crate::limits::{FILE_BYTES_MAX, INFLATION_MAX};

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Nifti,
    Dicom,
    Png,
    Jpeg,
}

/// Bytes that are enough to recognise a format: a NIfTI header.
const START_BYTES: u64 = 352;

impl Format {
    /// Looks at the first bytes of a file; its name counts only when they say nothing, so that the error can be exact.
    pub(crate) fn of(path: &Path) -> Result<Format, ImagingError> {
        let mut start = Vec::new();
        let file = File::open(path).map_err(|e| At(path).read(e))?;
        file.take(START_BYTES).read_to_end(&mut start).map_err(|e| At(path).read(e))?;
        if let Some(format) = Self::of_bytes(&start) {
            return Ok(format);
        }
        if start.is_empty() {
            return Err(At(path).damaged("it is empty"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if name.ends_with(".nii") {
            return Ok(Format::Nifti);
        }
        if name.ends_with(".dcm") {
            return Ok(Format::Dicom);
        }
        Err(ImagingError::UnknownFormat { path: path.into() })
    }

    /// What the first bytes say.
    pub(crate) fn of_bytes(start: &[u8]) -> Option<Format> {
        if start.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Format::Png)
        } else if start.starts_with(&[0xff, 0xd8, 0xff]) {
            Some(Format::Jpeg)
        } else if dicom_head(start).is_some() {
            Some(Format::Dicom)
        } else if start.starts_with(&[0x1f, 0x8b])
            || start.get(344..347).is_some_and(|m| m == b"n+1" || m == b"ni1")
        {
            Some(Format::Nifti)
        } else {
            None
        }
    }
}

/// Where the head (group 0002) of a DICOM file begins: behind the mark, or at once in a file that lost its first 128 or 132 bytes.
pub(crate) fn dicom_head(file: &[u8]) -> Option<usize> {
    let is_mark = |place: usize| file.get(place..place + 4) == Some(b"DICM");
    // An element of group 0002 in explicit VR: group, element, two letters.
    let is_head = file.starts_with(&[2, 0])
        && file.get(3) == Some(&0)
        && file.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase));
    match () {
        () if is_mark(128) => Some(132),
        () if is_mark(0) => Some(4),
        () if is_head => Some(0),
        () => None,
    }
}

/// A whole file, unless it is larger than the cap.
pub(crate) fn read_capped(path: &Path) -> Result<Vec<u8>, ImagingError> {
    let at = At(path);
    let file = File::open(path).map_err(|e| at.read(e))?;
    let bytes_declared = file.metadata().map_err(|e| at.read(e))?.len();
    at.at_most("its bytes", bytes_declared, FILE_BYTES_MAX)?;
    let mut bytes = Vec::new();
    // The length that the system declares is not trusted either: pipes and growing files exist.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| at.read(e))?;
    at.at_most("its bytes", bytes.len() as u64, FILE_BYTES_MAX)?;
    Ok(bytes)
}

/// Inflates to at most `bytes_max` bytes; memory grows with what really comes.
pub(crate) fn inflate(compressed: impl Read, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    compressed.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether `compressed` bytes can hold `inflated` bytes at all.
pub(crate) fn can_inflate_to(compressed: u64, inflated: u64) -> bool {
    inflated <= compressed.saturating_mul(INFLATION_MAX)
}

/// Writes a file so that it appears whole or not at all: into a temporary file beside it, synced, then renamed.
/// On any error the temporary file is removed and what stood under the name before is untouched.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ImagingError> {
    let at = At(path);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file =
        tempfile::Builder::new().prefix(".blindscan-").tempfile_in(folder).map_err(|e| at.write(e))?;
    file.write_all(bytes).map_err(|e| at.write(e))?;
    file.as_file().sync_all().map_err(|e| at.write(e))?;
    file.persist(path).map_err(|e| at.write(e.error))?;
    Ok(())
}

/// Encodes in memory, then writes whole.
pub(crate) fn write_png(image: image::DynamicImage, path: &Path) -> Result<(), ImagingError> {
    if !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        return Err(ImagingError::WrongEnding { path: path.into(), expected: ".png" });
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| At(path).write(std::io::Error::other(e)))?;
    write_whole(path, bytes.get_ref())
}

/// Byte order of a file's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endian {
    Little,
    Big,
}

impl Endian {
    /// The `N` bytes at `offset` in little-endian order; `None` behind the end.
    pub(crate) fn bytes<const N: usize>(self, from: &[u8], offset: usize) -> Option<[u8; N]> {
        let mut bytes: [u8; N] = from.get(offset..offset.checked_add(N)?)?.try_into().ok()?;
        if self == Endian::Big {
            bytes.reverse();
        }
        Some(bytes)
    }

    pub(crate) fn u16(self, from: &[u8], offset: usize) -> Option<u16> {
        self.bytes(from, offset).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(self, from: &[u8], offset: usize) -> Option<u32> {
        self.bytes(from, offset).map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_recognised_by_their_bytes() {
        assert_eq!(Format::of_bytes(b"\x89PNG\r\n\x1a\n...."), Some(Format::Png));
        assert_eq!(Format::of_bytes(&[0xff, 0xd8, 0xff, 0xe0]), Some(Format::Jpeg));
        assert_eq!(Format::of_bytes(&[0x1f, 0x8b]), Some(Format::Nifti));
        let mut dicom = vec![0; 128];
        dicom.extend(b"DICM");
        assert_eq!(Format::of_bytes(&dicom), Some(Format::Dicom));
        assert_eq!(Format::of_bytes(b"GIF89a"), None);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let occupied = folder.path().join("mask.nii");
        std::fs::create_dir(&occupied).unwrap();
        assert!(matches!(write_whole(&occupied, b"x"), Err(ImagingError::Io { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(matches!(
            write_whole(&folder.path().join("no/such/mask.nii"), b"x"),
            Err(ImagingError::Io { .. })
        ));
    }

    #[test]
    fn numbers_are_read_in_both_orders_and_never_behind_the_end() {
        assert_eq!(Endian::Little.u16(&[1, 2], 0), Some(0x0201));
        assert_eq!(Endian::Big.u16(&[1, 2], 0), Some(0x0102));
        assert_eq!(Endian::Big.u32(&[1, 2, 3], 0), None);
        assert_eq!(Endian::Little.u32(&[0; 8], usize::MAX), None);
    }
}
