//! Planes of a volume: cut out for a network or a person, and put back voxel by voxel.
//!
//! A plane's *number* counts as the file stores it, so that "slice 135" is the slice 135 of any viewer. What lies
//! right and down in the plane, and which neighbour is the *next* one, is decided by [`InPlane`].

use std::fmt;

use crate::geometry::{Axis, PlaneIndex, PlanePixel, VoxelIndex};
use crate::volume::Volume;
use crate::voxels::{Kind, Voxels};
use crate::{ImagingError, Picture};

/// How a plane is laid before the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InPlane {
    /// As radiologists look at it: axial columns run to the patient's left and rows to the back (coronal: left, feet;
    /// sagittal: back, feet), and the next plane is the one nearer the head (front, right). The same scan gives the same
    /// planes in whatever order and direction its file is stored. Of a volume whose file does not say how the patient lies
    /// the first axis makes the columns, the second the rows, both as stored.
    #[default]
    Display,
    /// The file's order: of the two axes in the plane the first makes the columns, the second the rows.
    AsStored,
}

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

    /// How many planes there are.
    pub fn plane_count(&self) -> usize {
        self.size[self.plane.axis]
    }

    /// Rows and columns of each.
    pub fn plane_size(&self) -> (usize, usize) {
        (self.size[self.row.axis], self.size[self.column.axis])
    }

    /// The plane `offset` steps towards head, front or right (as stored: behind) of `plane`, when there is one.
    pub fn neighbour(&self, plane: PlaneIndex, offset: i32) -> Option<PlaneIndex> {
        let offset = if self.plane.reversed { -i64::from(offset) } else { i64::from(offset) };
        let index = usize::try_from(plane.0 as i64 + offset).ok()?;
        (index < self.plane_count()).then_some(PlaneIndex(index))
    }

    /// The plane nearest to the place `planes` steps (and parts of a step) towards head, front or right of `plane`, when it lies
    /// within half a step of one.
    pub(crate) fn nearest(&self, plane: PlaneIndex, planes: f64) -> Option<PlaneIndex> {
        let sign = if self.plane.reversed { -1.0 } else { 1.0 };
        let index = (plane.0 as f64 + sign * planes).round();
        (0.0..self.plane_count() as f64).contains(&index).then_some(PlaneIndex(index as usize))
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

/// Grey values of one plane, row by row.
#[derive(Clone, PartialEq)]
pub struct GreyPlane {
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
    /// One value a pixel.
    pub values: Vec<f32>,
    /// What they mean.
    pub kind: Kind,
}

impl GreyPlane {
    /// A picture is one plane.
    pub fn of_picture(picture: &Picture) -> GreyPlane {
        let (rows, columns) = picture.size();
        let values = (0..rows * columns).map(|i| picture.grey().get(i)).collect();
        GreyPlane { rows, columns, values, kind: picture.kind() }
    }

    /// Grey for a screen: 8-bit values as they are; Hounsfield units from -1000 (black) to 400 (white), which shows
    /// lung and soft tissue alike; other scales from their smallest to their largest value.
    pub fn to_screen(&self) -> Vec<u8> {
        let (low, high) = match self.kind {
            Kind::EightBit => (0.0, 255.0),
            Kind::Hounsfield => (-1000.0, 400.0),
            Kind::Other => Voxels::F32(self.values.clone()).range(),
        };
        let scale = if high > low { 255.0 / (high - low) } else { 0.0 };
        self.values.iter().map(|&v| ((v - low) * scale).round().clamp(0.0, 255.0) as u8).collect()
    }
}

impl fmt::Debug for GreyPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GreyPlane({} rows x {} columns, values not shown)", self.rows, self.columns)
    }
}

/// Labels of one plane, row by row; what a network answers.
#[derive(Clone, PartialEq, Eq)]
pub struct LabelPlane {
    rows: usize,
    columns: usize,
    labels: Vec<u8>,
}

impl LabelPlane {
    /// # Panics
    /// When the number of labels is not rows x columns.
    pub fn new(rows: usize, columns: usize, labels: Vec<u8>) -> LabelPlane {
        assert_eq!(labels.len(), rows * columns, "a plane has one label a pixel");
        LabelPlane { rows, columns, labels }
    }

    /// Rows and columns.
    pub fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The labels, row by row.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The label of one pixel.
    pub fn label(&self, row: usize, column: usize) -> u8 {
        assert!(row < self.rows && column < self.columns, "a pixel lies within its plane");
        self.labels[row * self.columns + column]
    }

    /// The same labels on another grid over the same area: each pixel takes the label under its centre. The way back
    /// from a network's size to the scan's.
    pub fn resized(&self, rows: usize, columns: usize) -> LabelPlane {
        if (rows, columns) == self.size() {
            return self.clone();
        }
        assert!(self.rows > 0 && self.columns > 0, "there is a label to take");
        let under =
            |to: usize, to_count: usize, from_count: usize| (2 * to + 1) * from_count / (2 * to_count);
        let labels = (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .map(|(row, column)| {
                self.label(under(row, rows, self.rows), under(column, columns, self.columns))
            })
            .collect();
        LabelPlane { rows, columns, labels }
    }
}

impl fmt::Debug for LabelPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LabelPlane({} rows x {} columns, labels not shown)", self.rows, self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Affine;

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
        Volume::new(Voxels::F32(values), size, affine, Kind::Other)
    }

    fn display(volume: &Volume, axis: Axis) -> Slicing {
        Slicing::new(volume, axis, InPlane::Display)
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
        assert_eq!(display(&feet_first, Axis::Axial).neighbour(PlaneIndex(4), 2), Some(PlaneIndex(6)));
        assert_eq!(display(&head_first, Axis::Axial).neighbour(PlaneIndex(4), 2), Some(PlaneIndex(2)));
        assert_eq!(display(&head_first, Axis::Axial).neighbour(PlaneIndex(1), 2), None);
        assert_eq!(display(&feet_first, Axis::Axial).neighbour(PlaneIndex(8), 1), None);
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

    #[test]
    fn labels_come_back_to_the_scans_size_by_the_nearest_centre() {
        let small = LabelPlane::new(1, 2, vec![1, 2]);
        assert_eq!(small.resized(2, 4).labels(), [1, 1, 2, 2, 1, 1, 2, 2]);
        assert_eq!(small.resized(1, 3).labels(), [1, 2, 2]);
        assert_eq!(small.resized(2, 4).resized(1, 2), small);
    }
}
