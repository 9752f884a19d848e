//! Masks: labels on a scan's own grid, written, read and compared.

use std::fmt;
use std::path::Path;

use crate::error::At;
use crate::files::write_whole;
use crate::geometry::{Affine, Axis, PlaneIndex};
use crate::planes::{InPlane, LabelPlane, Slicing};
use crate::volume::Volume;
use crate::{ImagingError, Picture, nifti};

/// One label a voxel, on a volume's grid, in the file's own order.
#[derive(Clone, PartialEq)]
pub struct Mask {
    labels: Vec<u8>,
    size: [usize; 3],
    /// `None` for the mask of a picture.
    affine: Option<Affine>,
}

impl Mask {
    /// A mask of zeros on the grid of `volume`.
    pub fn empty(volume: &Volume) -> Mask {
        let size = volume.size();
        Mask { labels: vec![0; size.iter().product()], size, affine: Some(*volume.affine()) }
    }

    /// Lays planes of labels onto the grid of `volume`; voxels of planes that are not given are 0. Planes of another size
    /// (a network's) are resized by nearest neighbour.
    pub fn from_planes(
        volume: &Volume,
        axis: Axis,
        in_plane: InPlane,
        planes: &[(PlaneIndex, LabelPlane)],
    ) -> Result<Mask, ImagingError> {
        let slicing = Slicing::new(volume, axis, in_plane);
        let mut mask = Mask::empty(volume);
        for (index, plane) in planes {
            mask.set_plane(&slicing, *index, plane)?;
        }
        Ok(mask)
    }

    /// Which voxels lie in the planes `which`: 1 there, 0 elsewhere. Written beside the mask of some slices only, it tells
    /// "not segmented" from "nothing found".
    pub fn coverage(volume: &Volume, axis: Axis, which: &[PlaneIndex]) -> Result<Mask, ImagingError> {
        let slicing = Slicing::new(volume, axis, InPlane::AsStored);
        let (rows, columns) = slicing.plane_size();
        let whole = LabelPlane::new(rows, columns, vec![1; rows * columns]);
        let mut mask = Mask::empty(volume);
        for &index in which {
            mask.set_plane(&slicing, index, &whole)?;
        }
        Ok(mask)
    }

    /// Lays one plane of labels onto the grid.
    pub fn set_plane(
        &mut self,
        slicing: &Slicing,
        index: PlaneIndex,
        plane: &LabelPlane,
    ) -> Result<(), ImagingError> {
        slicing.check(index)?;
        let (rows, columns) = slicing.plane_size();
        let plane = plane.resized(rows, columns);
        for (voxel, &label) in slicing.voxels_of(index).zip(plane.labels()) {
            let [i, j, k] = voxel.0;
            self.labels[i + self.size[0] * (j + self.size[1] * k)] = label;
        }
        Ok(())
    }

    /// Cuts one plane out.
    pub fn plane(&self, slicing: &Slicing, index: PlaneIndex) -> Result<LabelPlane, ImagingError> {
        slicing.check(index)?;
        let (rows, columns) = slicing.plane_size();
        let at = |[i, j, k]: [usize; 3]| self.labels[i + self.size[0] * (j + self.size[1] * k)];
        Ok(LabelPlane::new(rows, columns, slicing.voxels_of(index).map(|voxel| at(voxel.0)).collect()))
    }

    /// The labels, first axis fastest.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Voxels along the three axes.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Refuses a mask that does not lie on the grid of `volume`: other sizes, or another place in space.
    pub fn check_grid(&self, volume: &Volume) -> Result<(), ImagingError> {
        let same_place = self.affine.is_none_or(|affine| affine.is_close_to(volume.affine()));
        if self.size == volume.size() && same_place {
            return Ok(());
        }
        let [x, y, z] = self.size;
        let [vx, vy, vz] = volume.size();
        Err(ImagingError::GridMismatch {
            what: "the mask",
            came: format!(
                "{x} x {y} x {z}{}",
                if same_place { "" } else { " at another place or turn in space" }
            ),
            expected: format!("{vx} x {vy} x {vz}, as the scan has"),
        })
    }

    pub(crate) fn from_parts(labels: Vec<u8>, size: [usize; 3], affine: Option<Affine>) -> Mask {
        Mask { labels, size, affine }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.size;
        write!(f, "Mask({x} x {y} x {z}, labels not shown)")
    }
}

/// Writes a mask as NIfTI (`.nii` or `.nii.gz`, 8 bits) with the very grid of `volume`: the same sizes, and for a scan
/// that was NIfTI the same bytes in every field that places it. The file appears whole or not at all.
pub fn write_mask(volume: &Volume, mask: &Mask, path: &Path) -> Result<(), ImagingError> {
    write_labelled_mask(volume, mask, &MaskWords::default(), path)
}

/// What a mask's file says about itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct MaskWords<'a> {
    /// The names of the labels 0, 1, 2, ...: a header extension (a comment, which readers pass over) lists them.
    pub label_names: &'a [String],
    /// Up to 79 bytes for the header's description, for instance which slices were segmented.
    pub description: &'a str,
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
    let grid = match volume.grid_fields() {
        Some(fields) => fields.for_mask(),
        None => nifti::grid_of(volume.affine()),
    };
    let bytes =
        nifti::mask_bytes(&mask.labels, mask.size, &grid, words, gzip).map_err(|e| At(path).write(e))?;
    write_whole(path, &bytes)
}

/// Writes the labels of a picture as a grey PNG of the picture's size: the pixel's value is the label. The file appears
/// whole or not at all.
pub fn write_picture_mask(picture: &Picture, plane: &LabelPlane, path: &Path) -> Result<(), ImagingError> {
    let (rows, columns) = picture.size();
    let labels = plane.resized(rows, columns).labels().to_vec();
    let image = image::GrayImage::from_raw(columns as u32, rows as u32, labels).expect("one label a pixel");
    write_png(image.into(), path)
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

/// Reads a mask: a NIfTI file of whole numbers from 0 to 255, or a grey PNG (one plane, without a place in space).
pub fn read_mask(path: &Path) -> Result<Mask, ImagingError> {
    use crate::files::Format;
    let at = At(path);
    match Format::of(path)? {
        Format::Nifti => nifti::read_labels(path),
        Format::Png => {
            let picture = crate::picture::open(path)?;
            let (rows, columns) = picture.size();
            match picture.grey() {
                crate::Voxels::U8(labels) if !picture.is_coloured() => {
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

/// How well two masks agree on what is not 0: twice the common voxels by the sum of both; 1 when both are empty.
pub fn dice(a: &[u8], b: &[u8]) -> Result<f64, ImagingError> {
    if a.len() != b.len() {
        return Err(ImagingError::GridMismatch {
            what: "the first mask",
            came: format!("{} voxels", a.len()),
            expected: format!("{} voxels, as the second has", b.len()),
        });
    }
    let count = |mask: &[u8]| mask.iter().filter(|&&label| label != 0).count();
    let both = a.iter().zip(b).filter(|&(&x, &y)| x != 0 && y != 0).count();
    let sum = count(a) + count(b);
    Ok(if sum == 0 { 1.0 } else { 2.0 * both as f64 / sum as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voxels::{Kind, Voxels};

    #[test]
    fn dice_is_twice_the_common_part_by_the_sum() {
        assert_eq!(dice(&[1, 1, 0, 0], &[1, 0, 2, 0]).unwrap(), 0.5);
        assert_eq!(dice(&[0, 0], &[0, 0]).unwrap(), 1.0);
        assert_eq!(dice(&[3, 0], &[0, 3]).unwrap(), 0.0);
        assert!(dice(&[1], &[1, 1]).is_err());
    }

    #[test]
    fn planes_laid_on_a_turned_grid_come_back_as_they_were() {
        let affine = Affine([[0.0, 0.0, 2.0, 3.0], [-1.0, 0.0, 0.0, 5.0], [0.0, -1.0, 0.0, 7.0]]);
        let volume = Volume::new(Voxels::U8(vec![0; 60]), [3, 4, 5], affine, Kind::EightBit);
        for axis in [Axis::Axial, Axis::Coronal, Axis::Sagittal] {
            let slicing = Slicing::new(&volume, axis, InPlane::Display);
            let (rows, columns) = slicing.plane_size();
            let plane = LabelPlane::new(rows, columns, (0..rows * columns).map(|i| i as u8 + 1).collect());
            let mask = Mask::from_planes(&volume, axis, InPlane::Display, &[(PlaneIndex(2), plane.clone())])
                .unwrap();
            assert_eq!(mask.plane(&slicing, PlaneIndex(2)).unwrap(), plane);
            assert!(mask.plane(&slicing, PlaneIndex(1)).unwrap().labels().iter().all(|&label| label == 0));
        }
    }

    #[test]
    fn a_picture_mask_is_a_png_of_its_labels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let picture = Picture::new(2, 4, Voxels::U8(vec![0; 8]), Kind::EightBit);
        write_picture_mask(&picture, &LabelPlane::new(1, 2, vec![1, 2]), &path).unwrap();
        let mask = read_mask(&path).unwrap();
        assert_eq!((mask.size(), mask.labels()), ([4, 2, 1], &[1, 1, 2, 2, 1, 1, 2, 2][..]));
    }

    #[test]
    fn coverage_is_one_in_the_planes_that_were_segmented() {
        let affine = Affine([[0.0, 0.0, 2.0, 3.0], [-1.0, 0.0, 0.0, 5.0], [0.0, -1.0, 0.0, 7.0]]);
        let volume = Volume::new(Voxels::U8(vec![0; 60]), [3, 4, 5], affine, Kind::EightBit);
        let covered = Mask::coverage(&volume, Axis::Axial, &[PlaneIndex(1), PlaneIndex(3)]).unwrap();
        let slicing = Slicing::new(&volume, Axis::Axial, InPlane::Display);
        for number in 0..4 {
            let expected = u8::from(number % 2 == 1);
            let plane = covered.plane(&slicing, PlaneIndex(number)).unwrap();
            assert!(plane.labels().iter().all(|&label| label == expected), "plane {number}");
        }
        assert!(Mask::coverage(&volume, Axis::Axial, &[PlaneIndex(4)]).is_err());
    }

    #[test]
    fn a_mask_of_another_grid_and_a_name_of_another_kind_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let volume = |n| {
            Volume::new(Voxels::U8(vec![0; n]), [n, 1, 1], Affine::from_spacing_mm([1.0; 3]), Kind::EightBit)
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
