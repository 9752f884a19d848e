//! How a volume is laid before a network or a person: which voxel lies under which pixel, and which plane is the next one.
//!
//! | count | grows |
//! |---|---|
//! | a plane's *number* | as the file stores planes, so that "slice 135" is the slice 135 of any viewer |
//! | depth | towards head, front or right (as stored: as numbers do) |
//! | row, column | downwards and to the right in the picture, as [`InPlane`] lays it |

use blindscan_input_spec::{Axis, InPlane};

use crate::ImagingError;
use crate::geometry::{PlaneIndex, PlanePixel, VoxelIndex};
use crate::picture::Picture;
use crate::planes::GreyPlane;
use crate::volume::Volume;

/// A file axis and the way it is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Walk {
    axis: usize,
    reversed: bool,
}

impl Walk {
    fn index(self, step: usize, size: [usize; 3]) -> usize {
        if self.reversed { size[self.axis] - 1 - step } else { step }
    }
}

/// How a volume is cut: a bijection between [`PlanePixel`] and [`VoxelIndex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slicing {
    axis: Axis,
    size: [usize; 3],
    plane: Walk,
    row: Walk,
    column: Walk,
}

impl Slicing {
    /// How `volume` is cut across `axis`.
    pub fn new(volume: &Volume, axis: Axis, in_plane: InPlane) -> Slicing {
        let size = volume.size();
        let plane_axis = volume.file_axis(axis);
        if in_plane == InPlane::AsStored {
            let [column, row] =
                [[1, 2], [0, 2], [0, 1]][plane_axis.axis].map(|axis| Walk { axis, reversed: false });
            return Slicing {
                axis,
                size,
                plane: Walk { axis: plane_axis.axis, reversed: false },
                row,
                column,
            };
        }
        let orientation = volume.orientation();
        // Where nothing is known the file's own order stays; a real grid is laid out towards left, back and feet.
        let walk = |body: usize| {
            let side = orientation.body[body];
            Walk { axis: side.axis, reversed: side.ascending == orientation.physical }
        };
        let [column, row] = match axis {
            Axis::Axial => [walk(0), walk(1)],
            Axis::Coronal => [walk(0), walk(2)],
            Axis::Sagittal => [walk(1), walk(2)],
        };
        Slicing {
            axis,
            size,
            plane: Walk { axis: plane_axis.axis, reversed: !plane_axis.ascending },
            row,
            column,
        }
    }

    /// A picture is one plane; `axis` names it in errors.
    pub fn of_picture(picture: &Picture, axis: Axis) -> Slicing {
        let (rows, columns) = picture.size();
        let [column, row, plane] = [0, 1, 2].map(|axis| Walk { axis, reversed: false });
        Slicing { axis, size: [columns, rows, 1], plane, row, column }
    }

    /// Across which axis planes are cut.
    pub fn axis(&self) -> Axis {
        self.axis
    }

    /// Voxels along the file's three axes.
    pub(crate) fn size(&self) -> [usize; 3] {
        self.size
    }

    /// How many planes there are.
    pub fn plane_count(&self) -> usize {
        self.size[self.plane.axis]
    }

    /// Rows and columns of each.
    pub fn plane_size(&self) -> (usize, usize) {
        (self.size[self.row.axis], self.size[self.column.axis])
    }

    /// Depth, rows and columns of the whole scan.
    pub(crate) fn extents(&self) -> [usize; 3] {
        [self.plane, self.row, self.column].map(|walk| self.size[walk.axis])
    }

    /// How deep a plane lies.
    pub fn depth_of(&self, plane: PlaneIndex) -> usize {
        self.plane.index(plane.0, self.size)
    }

    /// The number of the plane at a depth; both may lie beyond the ends.
    pub(crate) fn number_at(&self, depth: i64) -> i64 {
        if self.plane.reversed { (self.plane_count() as i64 - 1).saturating_sub(depth) } else { depth }
    }

    /// The plane that lies so far from the one of this number, when there is one.
    pub(crate) fn shifted(&self, number: i64, shift: Shift) -> Option<PlaneIndex> {
        match shift {
            Shift::Planes(offset) => {
                let offset = if self.plane.reversed { -i64::from(offset) } else { i64::from(offset) };
                let index = usize::try_from(number.saturating_add(offset)).ok()?;
                (index < self.plane_count()).then_some(PlaneIndex(index))
            }
            Shift::Steps(steps) => {
                let sign = if self.plane.reversed { -1.0 } else { 1.0 };
                let index = (number as f64 + sign * steps).round();
                (0.0..self.plane_count() as f64).contains(&index).then_some(PlaneIndex(index as usize))
            }
        }
    }

    /// The file axes along which rows, columns and planes follow one another.
    pub(crate) fn file_axes(&self) -> [usize; 3] {
        [self.row, self.column, self.plane].map(|walk| walk.axis)
    }

    /// The voxel under a pixel.
    ///
    /// # Panics
    /// When the pixel lies outside.
    pub fn voxel(&self, pixel: PlanePixel) -> VoxelIndex {
        let (rows, columns) = self.plane_size();
        assert!(
            pixel.plane.0 < self.plane_count() && pixel.row < rows && pixel.column < columns,
            "a pixel lies within its plane"
        );
        let mut index = [0; 3];
        index[self.plane.axis] = pixel.plane.0;
        index[self.row.axis] = self.row.index(pixel.row, self.size);
        index[self.column.axis] = self.column.index(pixel.column, self.size);
        VoxelIndex(index)
    }

    /// The grey values of one plane.
    pub fn grey(&self, volume: &Volume, plane: PlaneIndex) -> Result<GreyPlane, ImagingError> {
        self.check(plane)?;
        assert_eq!(volume.size(), self.size, "a slicing serves the volume that it was made for");
        let (rows, columns) = self.plane_size();
        let values = self.voxels_of(plane).map(|voxel| volume.value(voxel)).collect();
        Ok(GreyPlane { rows, columns, values, kind: volume.kind() })
    }

    /// The error of a plane that is not there.
    pub(crate) fn check(&self, plane: PlaneIndex) -> Result<(), ImagingError> {
        if plane.0 < self.plane_count() {
            return Ok(());
        }
        Err(ImagingError::NoSuchPlane { index: plane.0, count: self.plane_count(), axis: self.axis })
    }

    /// All voxels of a plane, row by row.
    pub(crate) fn voxels_of(&self, plane: PlaneIndex) -> impl Iterator<Item = VoxelIndex> + '_ {
        let (rows, columns) = self.plane_size();
        (0..rows).flat_map(move |row| {
            (0..columns).map(move |column| self.voxel(PlanePixel { plane, row, column }))
        })
    }
}

/// How far a channel's plane lies from the target, towards head, front or right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shift {
    /// In planes.
    Planes(i32),
    /// In steps between planes and parts of one; the plane within half a step is taken.
    Steps(f64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Affine;
    use crate::kind::GreyKind;
    use crate::voxels::Voxels;

    /// A volume whose voxel values are functions of the place in the patient alone.
    fn phantom(affine: [[f64; 4]; 3], size: [usize; 3]) -> Volume {
        let affine = Affine(affine);
        let mut values = Vec::new();
        for k in 0..size[2] {
            for j in 0..size[1] {
                for i in 0..size[0] {
                    let [x, y, z] = affine.apply(VoxelIndex([i, j, k])).0;
                    values.push((x + 10.0 * y + 100.0 * z) as f32);
                }
            }
        }
        Volume::new(Voxels::F32(values), size, affine, GreyKind::Other)
    }

    fn display(volume: &Volume, axis: Axis) -> Slicing {
        Slicing::new(volume, axis, InPlane::Display)
    }

    /// The plane `offset` planes towards head, front or right.
    fn neighbour(volume: &Volume, plane: i64, offset: i32) -> Option<PlaneIndex> {
        display(volume, Axis::Axial).shifted(plane, Shift::Planes(offset))
    }

    const RAS: [[f64; 4]; 3] = [[1.0, 0.0, 0.0, 50.0], [0.0, 1.0, 0.0, 60.0], [0.0, 0.0, 1.0, 70.0]];

    #[test]
    fn the_same_scan_gives_the_same_planes_however_its_file_is_stored() {
        let ras = phantom(RAS, [3, 4, 5]);
        // The same voxels stored left, back, feet first, and in the order head, left, front.
        let lpi =
            phantom([[-1.0, 0.0, 0.0, 52.0], [0.0, -1.0, 0.0, 63.0], [0.0, 0.0, -1.0, 74.0]], [3, 4, 5]);
        let sla = phantom([[0.0, -1.0, 0.0, 52.0], [0.0, 0.0, 1.0, 60.0], [1.0, 0.0, 0.0, 70.0]], [5, 3, 4]);
        for axis in [Axis::Axial, Axis::Coronal, Axis::Sagittal] {
            let count = ras.plane_count(axis);
            let reference = display(&ras, axis).grey(&ras, PlaneIndex(1)).unwrap();
            let flipped = display(&lpi, axis).grey(&lpi, PlaneIndex(count - 2)).unwrap();
            assert_eq!(flipped.values, reference.values, "{axis}");
            let number = if axis == Axis::Sagittal { count - 2 } else { 1 };
            let turned = display(&sla, axis).grey(&sla, PlaneIndex(number)).unwrap();
            assert_eq!(turned.values, reference.values, "{axis}");
        }
    }

    #[test]
    fn axial_planes_show_the_patients_left_at_the_right_and_the_back_below() {
        let volume = phantom(RAS, [3, 4, 5]);
        let plane = display(&volume, Axis::Axial).grey(&volume, PlaneIndex(0)).unwrap();
        assert_eq!(plane.values[0] - plane.values[1], 1.0, "x falls along columns");
        assert_eq!(plane.values[0] - plane.values[3], 10.0, "y falls along rows");
    }

    #[test]
    fn neighbours_follow_the_body_and_numbers_follow_the_file() {
        let feet_first = phantom(RAS, [2, 2, 9]);
        let head_first =
            phantom([[1.0, 0.0, 0.0, 50.0], [0.0, 1.0, 0.0, 60.0], [0.0, 0.0, -1.0, 70.0]], [2, 2, 9]);
        assert_eq!(neighbour(&feet_first, 4, 2), Some(PlaneIndex(6)));
        assert_eq!(neighbour(&head_first, 4, 2), Some(PlaneIndex(2)));
        assert_eq!(neighbour(&head_first, 1, 2), None);
        assert_eq!(neighbour(&feet_first, 8, 1), None);
    }

    #[test]
    fn an_origin_at_zero_makes_nothing_void() {
        let at = |mm: f64| [[1.0, 0.0, 0.0, mm], [0.0, 1.0, 0.0, mm], [0.0, 0.0, 1.0, mm]];
        let zero = phantom(at(0.0), [3, 4, 5]);
        let slicing = |volume: &Volume| display(volume, Axis::Axial);
        assert_eq!(slicing(&zero), slicing(&phantom(at(0.001), [3, 4, 5])));
        let plane = slicing(&zero).grey(&zero, PlaneIndex(2)).unwrap();
        assert_eq!((plane.values[0], plane.values[1]), (232.0, 231.0), "columns run to the left");
    }

    #[test]
    fn a_grid_of_unknown_turn_is_taken_as_it_is_stored() {
        let volume = phantom(Affine::from_spacing_mm([1.0; 3]).0, [3, 4, 5]).without_orientation();
        let plane = display(&volume, Axis::Axial).grey(&volume, PlaneIndex(2)).unwrap();
        assert_eq!((plane.rows, plane.columns), (4, 3));
        assert_eq!((plane.values[1], plane.values[3]), (201.0, 210.0));
    }

    #[test]
    fn every_voxel_is_under_exactly_one_pixel() {
        let volume = phantom(RAS, [3, 4, 5]);
        for axis in [Axis::Axial, Axis::Coronal, Axis::Sagittal] {
            for in_plane in [InPlane::Display, InPlane::AsStored] {
                let slicing = Slicing::new(&volume, axis, in_plane);
                let mut seen = std::collections::HashSet::new();
                for plane in 0..slicing.plane_count() {
                    assert!(slicing.voxels_of(PlaneIndex(plane)).all(|voxel| seen.insert(voxel.0)));
                }
                assert_eq!(seen.len(), 60);
            }
        }
    }

    #[test]
    fn a_plane_that_is_not_there_is_an_error_with_the_count() {
        let volume = phantom(RAS, [3, 4, 5]);
        let error = display(&volume, Axis::Axial).grey(&volume, PlaneIndex(5)).unwrap_err().to_string();
        assert!(error.contains("5 planes") && error.contains("0 to 4"), "{error}");
    }
}
