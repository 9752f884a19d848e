//! Masks in files: NIfTI on the scan's own grid, PNG for pictures.

use std::path::Path;

use crate::error::At;
use crate::files::{Format, write_png, write_whole};
use crate::mask::{Mask, MaskWords};
use crate::picture::Picture;
use crate::planes::PatchLabels;
use crate::volume::Volume;
use crate::voxels::Voxels;
use crate::{ImagingError, nifti};

/// Writes a mask as NIfTI (`.nii` or `.nii.gz`, 8 bits) with the very grid of `volume`: the same sizes, and for a scan
/// that was NIfTI the same bytes in every field that places it. The file appears whole or not at all.
pub fn write_mask(volume: &Volume, mask: &Mask, path: &Path) -> Result<(), ImagingError> {
    write_labelled_mask(volume, mask, &MaskWords::default(), path)
}

/// Writes a mask as [`write_mask`] does, with words about it.
pub fn write_labelled_mask(
    volume: &Volume,
    mask: &Mask,
    words: &MaskWords<'_>,
    path: &Path,
) -> Result<(), ImagingError> {
    mask.check_grid(volume)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let gzip = name.ends_with(".nii.gz");
    if !gzip && !name.ends_with(".nii") {
        return Err(ImagingError::WrongEnding { path: path.into(), expected: ".nii.gz or .nii" });
    }
    let bytes = nifti::mask_bytes(volume, mask, words, gzip).map_err(|e| At(path).write(e))?;
    write_whole(path, &bytes)
}

/// Writes the labels of a picture as a grey PNG of the picture's size: the pixel's value is the label. The file appears
/// whole or not at all.
pub fn write_picture_mask(picture: &Picture, labels: &PatchLabels, path: &Path) -> Result<(), ImagingError> {
    let (rows, columns) = picture.size();
    let labels = labels.resized(rows, columns).labels().to_vec();
    let image = image::GrayImage::from_raw(columns as u32, rows as u32, labels).expect("one label per pixel");
    write_png(image.into(), path)
}

/// Reads a mask: a NIfTI file of whole numbers from 0 to 255, or a grey PNG (one plane, without a place in space).
pub fn read_mask(path: &Path) -> Result<Mask, ImagingError> {
    let at = At(path);
    match Format::of(path)? {
        Format::Nifti => nifti::read_labels(path),
        Format::Png => {
            let picture = crate::picture::open(path)?;
            let (rows, columns) = picture.size();
            match picture.grey() {
                Voxels::U8(labels) if !picture.is_coloured() => {
                    Ok(Mask::from_parts(labels.clone(), [columns, rows, 1], None))
                }
                _ => Err(at.unsupported(
                    "a mask has 8-bit grey pixels, one label each",
                    "save it as an 8-bit grey PNG",
                )),
            }
        }
        Format::Dicom | Format::Jpeg => Err(at.unsupported(
            "masks are read from NIfTI and PNG files",
            "convert the mask to NIfTI on the scan's grid",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Affine;
    use crate::kind::GreyKind;

    #[test]
    fn a_picture_mask_is_a_png_of_its_labels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let picture = Picture::new(2, 4, Voxels::U8(vec![0; 8]), GreyKind::EightBit);
        write_picture_mask(&picture, &PatchLabels::plane(1, 2, vec![1, 2]), &path).unwrap();
        let mask = read_mask(&path).unwrap();
        assert_eq!((mask.size(), mask.labels()), ([4, 2, 1], &[1, 1, 2, 2, 1, 1, 2, 2][..]));
    }

    #[test]
    fn a_mask_of_another_grid_and_a_name_of_another_kind_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let volume = |n| {
            Volume::new(
                Voxels::U8(vec![0; n]),
                [n, 1, 1],
                Affine::from_spacing_mm([1.0; 3]),
                GreyKind::EightBit,
            )
        };
        let mask = Mask::empty(&volume(3));
        assert!(matches!(
            write_mask(&volume(4), &mask, &folder.path().join("m.nii")),
            Err(ImagingError::GridMismatch { .. })
        ));
        let error = write_mask(&volume(3), &mask, &folder.path().join("m.dcm")).unwrap_err().to_string();
        assert!(error.contains(".nii.gz"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
