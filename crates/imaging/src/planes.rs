//! Grey values of a plane, and labels of a plane or a block: what goes to a person, and what comes from a network.

use std::fmt;

use crate::kind::GreyKind;
use crate::picture::Picture;
use crate::voxels::Voxels;

/// Grey values of one plane, row by row.
#[derive(Clone, PartialEq)]
pub struct GreyPlane {
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
    /// One value per pixel.
    pub values: Vec<f32>,
    /// What they mean.
    pub kind: GreyKind,
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
            GreyKind::EightBit => (0.0, 255.0),
            GreyKind::Hounsfield => (-1000.0, 400.0),
            GreyKind::Other => Voxels::F32(self.values.clone()).range(),
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

/// Labels of a plane or a block, plane by plane, row by row; what a network answers. A plane is a block of depth one.
#[derive(Clone, PartialEq, Eq)]
pub struct PatchLabels {
    size: [usize; 3],
    labels: Vec<u8>,
}

impl PatchLabels {
    /// Labels of a plane.
    ///
    /// # Panics
    /// When the number of labels is not rows x columns.
    pub fn plane(rows: usize, columns: usize, labels: Vec<u8>) -> PatchLabels {
        PatchLabels::block([1, rows, columns], labels)
    }

    /// Labels of a block; `size` is depth, rows and columns.
    ///
    /// # Panics
    /// When the number of labels is not the product of the sizes.
    pub fn block(size: [usize; 3], labels: Vec<u8>) -> PatchLabels {
        assert_eq!(labels.len(), size.iter().product::<usize>(), "there is one label per voxel");
        PatchLabels { size, labels }
    }

    /// Depth, rows and columns.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// The labels, plane by plane, row by row.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The label of one voxel.
    pub fn label(&self, [depth, row, column]: [usize; 3]) -> u8 {
        let [depths, rows, columns] = self.size;
        assert!(depth < depths && row < rows && column < columns, "a voxel lies within its block");
        self.labels[(depth * rows + row) * columns + column]
    }

    /// The same labels on another grid over the same area of each plane: each pixel takes the label under its centre. The way
    /// back from a network's size to the scan's.
    pub fn resized(&self, rows: usize, columns: usize) -> PatchLabels {
        let [depths, from_rows, from_columns] = self.size;
        if [rows, columns] == [from_rows, from_columns] {
            return self.clone();
        }
        assert!(from_rows > 0 && from_columns > 0, "there is a label to take");
        let under =
            |to: usize, to_count: usize, from_count: usize| (2 * to + 1) * from_count / (2 * to_count);
        let pixels = (0..depths).flat_map(|depth| {
            (0..rows).flat_map(move |row| (0..columns).map(move |column| (depth, row, column)))
        });
        let label = |(depth, row, column)| {
            self.label([depth, under(row, rows, from_rows), under(column, columns, from_columns)])
        };
        PatchLabels::block([depths, rows, columns], pixels.map(label).collect())
    }
}

impl fmt::Debug for PatchLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [depths, rows, columns] = self.size;
        write!(f, "PatchLabels({depths} x {rows} x {columns}, not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_back_to_the_scans_size_by_the_nearest_centre() {
        let small = PatchLabels::plane(1, 2, vec![1, 2]);
        assert_eq!(small.resized(2, 4).labels(), [1, 1, 2, 2, 1, 1, 2, 2]);
        assert_eq!(small.resized(1, 3).labels(), [1, 2, 2]);
        assert_eq!(small.resized(2, 4).resized(1, 2), small);
        let block = PatchLabels::block([2, 1, 2], vec![1, 2, 3, 4]);
        assert_eq!(block.resized(1, 4).labels(), [1, 1, 2, 2, 3, 3, 4, 4]);
    }
}
