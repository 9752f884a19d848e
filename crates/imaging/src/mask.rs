//! Masks: labels on a scan's own grid, laid there patch by patch, cut out again and compared.

use std::fmt;

use crate::ImagingError;
use crate::geometry::{Affine, VoxelIndex};
use crate::patch::Patch;
use crate::planes::PatchLabels;
use crate::volume::Volume;

/// One label per voxel, on a volume's grid, in the file's own order.
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

    /// Which voxels lie in the patches: 1 there, 0 elsewhere. Written beside the mask of a part of the scan, it tells
    /// "not segmented" from "nothing found".
    pub fn coverage(volume: &Volume, patches: &[Patch]) -> Result<Mask, ImagingError> {
        let mut mask = Mask::empty(volume);
        for patch in patches {
            patch.check()?;
            let ones = vec![1; patch.size().iter().product()];
            mask.lay(patch, &PatchLabels::block(patch.size(), ones))?;
        }
        Ok(mask)
    }

    /// Lays the labels of a patch onto the grid. Where patches overlap, the one laid later counts; what of a block lies beyond the
    /// scan's ends is dropped. The labels of a plane may have another size (a network's) and are resized by nearest neighbour; those
    /// of a block must have its own.
    pub fn lay(&mut self, patch: &Patch, labels: &PatchLabels) -> Result<(), ImagingError> {
        self.check_patch(patch)?;
        let [depth, rows, columns] = patch.size();
        let labels = match patch {
            Patch::Plane { .. } => &labels.resized(rows, columns),
            Patch::Block { .. } => labels,
        };
        if labels.size() != patch.size() {
            let [d, r, c] = labels.size();
            return Err(ImagingError::GridMismatch {
                what: "a patch of labels",
                came: format!("{d} x {r} x {c}"),
                expected: format!("{depth} x {rows} x {columns}"),
            });
        }
        for (voxel, &label) in patch.voxels().zip(labels.labels()) {
            if let Some(voxel) = voxel {
                let place = self.place(voxel);
                self.labels[place] = label;
            }
        }
        Ok(())
    }

    /// Cuts the labels of a patch out; beyond the scan's ends they are 0.
    pub fn cut(&self, patch: &Patch) -> Result<PatchLabels, ImagingError> {
        self.check_patch(patch)?;
        let label = |voxel: Option<VoxelIndex>| voxel.map_or(0, |voxel| self.labels[self.place(voxel)]);
        Ok(PatchLabels::block(patch.size(), patch.voxels().map(label).collect()))
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

    /// Refuses a patch that is not there, or is one of another grid.
    fn check_patch(&self, patch: &Patch) -> Result<(), ImagingError> {
        patch.check()?;
        if patch.slicing().size() == self.size {
            return Ok(());
        }
        let grid = |[x, y, z]: [usize; 3]| format!("{x} x {y} x {z}");
        Err(ImagingError::GridMismatch {
            what: "the scan that a patch was cut from",
            came: grid(patch.slicing().size()),
            expected: format!("{}, as the mask has", grid(self.size)),
        })
    }

    fn place(&self, VoxelIndex([i, j, k]): VoxelIndex) -> usize {
        i + self.size[0] * (j + self.size[1] * k)
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

/// What a mask's file says about itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct MaskWords<'a> {
    /// The names of the labels 0, 1, 2, ...: a header extension (a comment, which readers pass over) lists them.
    pub label_names: &'a [String],
    /// Up to 79 bytes for the header's description, for instance which slices were segmented.
    pub description: &'a str,
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
    use blindscan_input_spec::{Axis, InPlane};

    use super::*;
    use crate::geometry::PlaneIndex;
    use crate::kind::GreyKind;
    use crate::slicing::Slicing;
    use crate::voxels::Voxels;

    #[test]
    fn dice_is_twice_the_common_part_by_the_sum() {
        assert_eq!(dice(&[1, 1, 0, 0], &[1, 0, 2, 0]).unwrap(), 0.5);
        assert_eq!(dice(&[0, 0], &[0, 0]).unwrap(), 1.0);
        assert_eq!(dice(&[3, 0], &[0, 3]).unwrap(), 0.0);
        assert!(dice(&[1], &[1, 1]).is_err());
    }

    /// A turned, mirrored and sheared grid: head, left, front, with a tilt.
    fn turned() -> Volume {
        let affine = Affine([[0.1, 0.0, 2.0, 3.0], [-1.0, 0.2, 0.0, 5.0], [0.0, -1.0, 0.1, 7.0]]);
        Volume::new(Voxels::U8(vec![0; 60]), [3, 4, 5], affine, GreyKind::EightBit)
    }

    fn numbered(size: [usize; 3]) -> PatchLabels {
        PatchLabels::block(size, (1..=size.iter().product::<usize>()).map(|i| i as u8).collect())
    }

    #[test]
    fn planes_laid_on_a_turned_grid_come_back_as_they_were() {
        let volume = turned();
        for axis in [Axis::Axial, Axis::Coronal, Axis::Sagittal] {
            let slicing = Slicing::new(&volume, axis, InPlane::Display);
            let plane = |number| Patch::Plane { slicing, index: PlaneIndex(number) };
            let labels = numbered(plane(2).size());
            let mut mask = Mask::empty(&volume);
            mask.lay(&plane(2), &labels).unwrap();
            assert_eq!(mask.cut(&plane(2)).unwrap(), labels);
            assert!(mask.cut(&plane(1)).unwrap().labels().iter().all(|&label| label == 0));
        }
    }

    #[test]
    fn blocks_laid_on_a_turned_grid_come_back_and_nothing_else_is_touched() {
        let volume = turned();
        for axis in [Axis::Axial, Axis::Coronal, Axis::Sagittal] {
            for in_plane in [InPlane::Display, InPlane::AsStored] {
                let slicing = Slicing::new(&volume, axis, in_plane);
                let block = Patch::Block { slicing, origin: [1, 0, 1], size: [2, 3, 2] };
                let mut mask = Mask::empty(&volume);
                mask.lay(&block, &numbered([2, 3, 2])).unwrap();
                assert_eq!(mask.cut(&block).unwrap(), numbered([2, 3, 2]));
                assert_eq!(mask.labels().iter().filter(|&&label| label != 0).count(), 12);
                // Depth 1 of the block is the plane at depth 2, rows 0 to 2, columns 1 and 2.
                let index = PlaneIndex(slicing.depth_of(PlaneIndex(2)));
                let plane = mask.cut(&Patch::Plane { slicing, index }).unwrap();
                assert_eq!([plane.label([0, 0, 1]), plane.label([0, 2, 2])], [7, 12]);
            }
        }
    }

    #[test]
    fn what_lies_beyond_the_ends_is_dropped_and_the_later_of_two_patches_counts() {
        let volume = turned();
        let slicing = Slicing::new(&volume, Axis::Axial, InPlane::Display);
        let (rows, columns) = slicing.plane_size();
        let block = |origin, size| Patch::Block { slicing, origin, size };
        let mut mask = Mask::empty(&volume);
        let corner = block([-1, -1, -1], [2, 2, 2]);
        mask.lay(&corner, &numbered([2, 2, 2])).unwrap();
        assert_eq!(mask.cut(&corner).unwrap().labels(), [0, 0, 0, 0, 0, 0, 0, 8]);
        assert_eq!(mask.labels().iter().map(|&label| usize::from(label)).sum::<usize>(), 8);
        let whole = block([0, 0, 0], [slicing.plane_count(), rows, columns]);
        mask.lay(&whole, &PatchLabels::block(whole.size(), vec![3; 60])).unwrap();
        mask.lay(&corner, &PatchLabels::block([2, 2, 2], vec![0; 8])).unwrap();
        assert_eq!(mask.labels().iter().filter(|&&label| label == 3).count(), 59);
        let far = block([i64::MIN, i64::MAX, 0], [1, 1, 1]);
        mask.lay(&far, &numbered([1, 1, 1])).unwrap();
        assert!(!mask.labels().contains(&1));
    }

    #[test]
    fn labels_of_another_size_than_their_block_and_patches_of_another_grid_are_refused() {
        let volume = turned();
        let slicing = Slicing::new(&volume, Axis::Axial, InPlane::Display);
        let block = Patch::Block { slicing, origin: [0; 3], size: [1, 2, 2] };
        let mut mask = Mask::empty(&volume);
        assert!(matches!(mask.lay(&block, &numbered([2, 2, 1])), Err(ImagingError::GridMismatch { .. })));
        let empty = Patch::Block { slicing, origin: [0; 3], size: [1, 0, 2] };
        assert!(mask.lay(&empty, &numbered([1, 0, 2])).is_err());
        let other = Volume::new(
            Voxels::U8(vec![0; 8]),
            [2; 3],
            Affine::from_spacing_mm([1.0; 3]),
            GreyKind::EightBit,
        );
        let mut small = Mask::empty(&other);
        assert!(matches!(small.lay(&block, &numbered([1, 2, 2])), Err(ImagingError::GridMismatch { .. })));
        assert!(small.cut(&block).is_err());
    }

    #[test]
    fn coverage_is_one_in_the_patches_that_were_segmented() {
        let volume = turned();
        let slicing = Slicing::new(&volume, Axis::Axial, InPlane::AsStored);
        let plane = |number| Patch::Plane { slicing, index: PlaneIndex(number) };
        let covered = Mask::coverage(&volume, &[plane(1), plane(3)]).unwrap();
        for number in 0..4 {
            let expected = u8::from(number % 2 == 1);
            let labels = covered.cut(&plane(number)).unwrap();
            assert!(labels.labels().iter().all(|&label| label == expected), "plane {number}");
        }
        assert!(Mask::coverage(&volume, &[plane(4)]).is_err());
        let block = Patch::Block { slicing, origin: [3, 0, 0], size: [9, 1, 1] };
        let covered = Mask::coverage(&volume, &[block]).unwrap();
        assert_eq!(covered.labels().iter().filter(|&&label| label == 1).count(), 1);
    }
}
