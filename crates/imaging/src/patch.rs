//! Patches: what a network is run on at a time, a plane or a block, and how blocks cover a scan.
//!
//! A block is placed by depth, row and column in the network's own order ([`Slicing`] says which voxel that is). It may reach beyond
//! the scan's ends: there is no voxel, a tensor holds 0 and labels are dropped. A plane is a block of depth one that covers rows
//! and columns; the two differ in what networks take: a plane's tensor has no axis of depth, and may be resized.

use blindscan_input_spec::InputSpec;

use crate::error::misfit;
use crate::geometry::{PlaneIndex, PlanePixel, VoxelIndex};
use crate::slicing::Slicing;
use crate::{ImagingError, fit};

/// A part of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// A plane of a volume, or a picture.
    Plane {
        /// How the scan is laid.
        slicing: Slicing,
        /// Which plane.
        index: PlaneIndex,
    },
    /// A block of voxels.
    Block {
        /// How the scan is laid.
        slicing: Slicing,
        /// Depth, row and column of its first voxel; below 0 before the scan's ends.
        origin: [i64; 3],
        /// How many voxels deep, high and wide.
        size: [usize; 3],
    },
}

impl Patch {
    /// How the scan is laid.
    pub fn slicing(&self) -> &Slicing {
        match self {
            Patch::Plane { slicing, .. } | Patch::Block { slicing, .. } => slicing,
        }
    }

    /// How many voxels deep, high and wide.
    pub fn size(&self) -> [usize; 3] {
        match *self {
            Patch::Plane { slicing, .. } => {
                let (rows, columns) = slicing.plane_size();
                [1, rows, columns]
            }
            Patch::Block { size, .. } => size,
        }
    }

    /// Refuses a plane that is not there, and a block without voxels or of more than one can count.
    pub(crate) fn check(&self) -> Result<(), ImagingError> {
        match self {
            Patch::Plane { slicing, index } => slicing.check(*index),
            Patch::Block { size, .. } => fit::check_values(1, size),
        }
    }

    /// The planes' numbers, from the first depth to the last; they may lie beyond the scan's ends.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = i64> + '_ {
        let (start, count) = match *self {
            Patch::Plane { slicing, index } => (slicing.number_at(index.0 as i64), 1),
            Patch::Block { origin, size, .. } => (origin[0], size[0]),
        };
        (0..count as i64).map(move |depth| self.slicing().number_at(start.saturating_add(depth)))
    }

    /// The pixels of the patch in one of its planes, row by row; none where the scan has none.
    pub(crate) fn pixels(&self, plane: PlaneIndex) -> impl Iterator<Item = Option<PlanePixel>> + '_ {
        let [first_row, first_column] = match *self {
            Patch::Plane { .. } => [0; 2],
            Patch::Block { origin: [_, row, column], .. } => [row, column],
        };
        let [_, rows, columns] = self.size();
        let (row_end, column_end) = self.slicing().plane_size();
        (0..rows).flat_map(move |row| {
            let row = place(first_row, row, row_end);
            (0..columns).map(move |column| {
                let column = place(first_column, column, column_end);
                row.zip(column).map(|(row, column)| PlanePixel { plane, row, column })
            })
        })
    }

    /// The voxels, depth by depth, row by row; none where the scan has none.
    pub(crate) fn voxels(&self) -> impl Iterator<Item = Option<VoxelIndex>> + '_ {
        let slicing = self.slicing();
        let [_, rows, columns] = self.size();
        self.numbers().flat_map(move |number| {
            let plane = place(number, 0, slicing.plane_count());
            let pixels = plane.map(|plane| self.pixels(PlaneIndex(plane)));
            let missing = if plane.is_none() { rows * columns } else { 0 };
            let voxels = pixels.into_iter().flatten().map(|pixel| pixel.map(|pixel| slicing.voxel(pixel)));
            voxels.chain(std::iter::repeat_n(None, missing))
        })
    }
}

/// `start + step`, when it lies below `end`.
fn place(start: i64, step: usize, end: usize) -> Option<usize> {
    let place = usize::try_from(start.checked_add(i64::try_from(step).ok()?)?).ok()?;
    (place < end).then_some(place)
}

/// Into which patches a scan is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Every plane, by its number.
    Planes,
    /// Blocks that cover the scan, depth first: from 0 in even steps along each axis. The last is moved back so that it ends with
    /// the scan; along an axis that is shorter than the block there is one, from 0 on.
    Blocks {
        /// How many voxels deep, high and wide.
        size: [usize; 3],
        /// How many voxels lie between the beginnings of two; steps below the size make blocks overlap.
        step: [usize; 3],
    },
}

impl Cut {
    /// Refuses blocks that cover nothing, leave gaps, or are not of the network's size.
    pub(crate) fn check(&self, spec: &InputSpec) -> Result<(), ImagingError> {
        const ADVICE: &str = "check the size and the step of the blocks";
        let Cut::Blocks { size, step } = self else { return Ok(()) };
        fit::check_values(spec.channels(), size)?;
        if (0..3).any(|axis| step[axis] == 0 || step[axis] > size[axis]) {
            return Err(misfit(
                format!("blocks of {size:?} voxels in steps of {step:?}"),
                "steps of 1 voxel up to the block's size".into(),
                ADVICE,
            ));
        }
        match spec.size {
            Some((rows, columns)) if [rows, columns] != size[1..] => Err(misfit(
                format!("blocks of {} rows and {} columns", size[1], size[2]),
                format!("{rows} rows and {columns} columns"),
                ADVICE,
            )),
            _ => Ok(()),
        }
    }

    /// How many patches cover the scan.
    pub(crate) fn count(&self, slicing: &Slicing) -> usize {
        match self {
            Cut::Planes => slicing.plane_count(),
            Cut::Blocks { size, step } => counts(slicing, size, step).iter().product(),
        }
    }

    /// The patch of this number.
    pub(crate) fn patch(&self, slicing: &Slicing, number: usize) -> Patch {
        let slicing = *slicing;
        let Cut::Blocks { size, step } = *self else {
            return Patch::Plane { slicing, index: PlaneIndex(number) };
        };
        let [_, rows, columns] = counts(&slicing, &size, &step);
        let places = [number / columns / rows, number / columns % rows, number % columns];
        let extents = slicing.extents();
        let start =
            |axis: usize| (places[axis] * step[axis]).min(extents[axis].saturating_sub(size[axis])) as i64;
        Patch::Block { slicing, origin: [start(0), start(1), start(2)], size }
    }
}

/// How many blocks lie along each axis.
fn counts(slicing: &Slicing, size: &[usize; 3], step: &[usize; 3]) -> [usize; 3] {
    let extents = slicing.extents();
    [0, 1, 2].map(|axis| 1 + extents[axis].saturating_sub(size[axis]).div_ceil(step[axis]))
}

#[cfg(test)]
mod tests {
    use blindscan_input_spec::{Axis, InPlane};

    use super::*;
    use crate::geometry::Affine;
    use crate::kind::GreyKind;
    use crate::volume::Volume;
    use crate::voxels::Voxels;

    /// Turned, mirrored, sheared: 3 x 4 x 5 voxels.
    fn slicings() -> Vec<Slicing> {
        let grids = [
            [[1.0, 0.0, 0.0, 5.0], [0.0, 1.0, 0.0, 6.0], [0.0, 0.0, 1.0, 7.0]],
            [[-1.0, 0.0, 0.0, 5.0], [0.0, -1.0, 0.0, 6.0], [0.0, 0.0, -1.0, 7.0]],
            [[0.1, 0.0, 2.0, 3.0], [-1.0, 0.2, 0.0, 5.0], [0.0, -1.0, 0.1, 7.0]],
        ];
        let volume = |grid| Volume::new(Voxels::U8(vec![0; 60]), [3, 4, 5], Affine(grid), GreyKind::EightBit);
        let axes = [Axis::Axial, Axis::Coronal, Axis::Sagittal];
        let ways = [InPlane::Display, InPlane::AsStored];
        grids
            .into_iter()
            .flat_map(|grid| axes.into_iter().flat_map(move |axis| ways.map(|way| (grid, axis, way))))
            .map(|(grid, axis, way)| Slicing::new(&volume(grid), axis, way))
            .collect()
    }

    #[test]
    fn a_plane_is_a_block_of_depth_one() {
        for slicing in slicings() {
            let (rows, columns) = slicing.plane_size();
            for number in 0..slicing.plane_count() {
                let index = PlaneIndex(number);
                let plane = Patch::Plane { slicing, index };
                let origin = [slicing.depth_of(index) as i64, 0, 0];
                let block = Patch::Block { slicing, origin, size: [1, rows, columns] };
                assert!(plane.voxels().eq(block.voxels()));
                assert!(plane.voxels().map(Option::unwrap).eq(slicing.voxels_of(index)));
            }
        }
    }

    #[test]
    fn blocks_that_touch_cover_every_voxel_once_and_overlapping_ones_all() {
        for slicing in slicings() {
            let covered = |cut: Cut| {
                let mut seen = std::collections::HashMap::new();
                for number in 0..cut.count(&slicing) {
                    let patch = cut.patch(&slicing, number);
                    for voxel in patch.voxels().flatten() {
                        *seen.entry(voxel.0).or_insert(0) += 1;
                    }
                }
                (seen.len(), seen.into_values().max().unwrap())
            };
            let [depth, rows, columns] = slicing.extents();
            assert_eq!(covered(Cut::Blocks { size: [1, rows, columns], step: [1, rows, columns] }), (60, 1));
            assert_eq!(covered(Cut::Blocks { size: [depth, 1, 1], step: [1, 1, 1] }), (60, 1));
            let (voxels, times) = covered(Cut::Blocks { size: [2, 2, 3], step: [2, 1, 2] });
            assert!(voxels == 60 && times > 1);
            assert_eq!(covered(Cut::Blocks { size: [9, 9, 9], step: [9, 9, 9] }), (60, 1));
        }
    }

    #[test]
    fn the_last_block_ends_with_the_scan_and_one_larger_than_it_begins_with_it() {
        let slicing = slicings()[0];
        assert_eq!(slicing.extents(), [5, 4, 3]);
        let cut = Cut::Blocks { size: [2, 3, 4], step: [2, 3, 4] };
        assert_eq!(cut.count(&slicing), 6);
        let origins: Vec<_> = (0..6)
            .map(|number| match cut.patch(&slicing, number) {
                Patch::Block { origin, .. } => origin,
                Patch::Plane { .. } => panic!("a block"),
            })
            .collect();
        assert_eq!(origins, [[0, 0, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0], [3, 0, 0], [3, 1, 0]]);
    }

    #[test]
    fn depth_grows_towards_the_head_in_whatever_order_the_file_is_stored() {
        let [feet_first, head_first] = [slicings()[0], slicings()[6]];
        let first = |slicing: Slicing| {
            let block = Patch::Block { slicing, origin: [0; 3], size: [2, 1, 1] };
            block.voxels().map(|voxel| voxel.unwrap().0[2]).collect::<Vec<_>>()
        };
        assert_eq!(first(feet_first), [0, 1]);
        assert_eq!(first(head_first), [4, 3]);
    }

    #[test]
    fn blocks_of_nothing_of_gaps_and_of_another_size_are_refused() {
        let spec = InputSpec { size: Some((4, 4)), ..InputSpec::tensor((0.0, 1.0)) };
        let refused = |size, step| Cut::Blocks { size, step }.check(&spec).is_err();
        assert!(!refused([2, 4, 4], [1, 4, 2]));
        assert!(refused([0, 4, 4], [1, 4, 4]));
        assert!(refused([2, 4, 4], [3, 4, 4]));
        assert!(refused([2, 4, 4], [1, 0, 4]));
        assert!(refused([2, 4, 5], [1, 4, 4]));
        assert!(refused([usize::MAX, 4, 4], [1, 4, 4]));
    }
}
