//! A plane with a mask's outline in colour, for a person to look at.

use std::path::Path;

use image::{Rgb, RgbImage};

use crate::ImagingError;
use crate::files::write_png;
use crate::planes::{GreyPlane, PatchLabels};

/// Planes with no side of this length are enlarged, so that a person can see them.
const SMALL: usize = 256;
/// How much.
const ENLARGED_BY: usize = 4;
/// Outlines by label: 1 red, 2 green, 3 blue, 4 yellow, 5 magenta, 6 cyan, then from the start.
const COLOURS: [[u8; 3]; 6] =
    [[255, 48, 48], [48, 220, 48], [80, 120, 255], [255, 220, 0], [255, 64, 255], [0, 220, 220]];

/// Writes a PNG: the grey plane, enlarged four times when it is small, and around each label's area a line of one pixel.
/// A mask of another size is resized to the plane's by nearest neighbour.
pub fn overlay_png(plane: &GreyPlane, mask: &PatchLabels, path: &Path) -> Result<(), ImagingError> {
    write_png(drawn(plane, mask).into(), path)
}

fn drawn(plane: &GreyPlane, mask: &PatchLabels) -> RgbImage {
    let factor = if plane.rows.max(plane.columns) <= SMALL { ENLARGED_BY } else { 1 };
    let (rows, columns) = (plane.rows * factor, plane.columns * factor);
    let grey = plane.to_screen();
    let labels = mask.resized(rows, columns);
    RgbImage::from_fn(columns as u32, rows as u32, |x, y| {
        let (row, column) = (y as usize, x as usize);
        match labels.label([0, row, column]) {
            label if label != 0 && is_edge(&labels, row, column) => {
                Rgb(COLOURS[(usize::from(label) - 1) % COLOURS.len()])
            }
            _ => Rgb([grey[row / factor * plane.columns + column / factor]; 3]),
        }
    })
}

/// Whether one of the four neighbours has another label; beyond the image is label 0.
fn is_edge(labels: &PatchLabels, row: usize, column: usize) -> bool {
    let [_, rows, columns] = labels.size();
    let at = |row, column| labels.label([0, row, column]);
    let label = at(row, column);
    row == 0
        || column == 0
        || row + 1 == rows
        || column + 1 == columns
        || at(row - 1, column) != label
        || at(row + 1, column) != label
        || at(row, column - 1) != label
        || at(row, column + 1) != label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::GreyKind;

    #[test]
    fn a_small_plane_is_enlarged_and_its_mask_outlined() {
        let plane = GreyPlane { rows: 3, columns: 3, values: vec![100.0; 9], kind: GreyKind::EightBit };
        let mask = PatchLabels::plane(3, 3, vec![0, 0, 0, 0, 1, 0, 0, 0, 0]);
        let image = drawn(&plane, &mask);
        assert_eq!(image.dimensions(), (12, 12));
        let red = image.pixels().filter(|p| p.0 == COLOURS[0]).count();
        assert_eq!(red, 12, "the edge of a square of 4 x 4");
        assert_eq!(image.get_pixel(5, 5).0, [100; 3], "inside the outline the scan stays visible");
        assert_eq!(image.get_pixel(4, 4).0, COLOURS[0]);
        assert_eq!(image.get_pixel(0, 0).0, [100; 3]);
    }

    #[test]
    fn the_file_is_a_png_that_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overlay.png");
        let plane = GreyPlane { rows: 2, columns: 300, values: vec![0.0; 600], kind: GreyKind::Hounsfield };
        overlay_png(&plane, &PatchLabels::plane(1, 150, vec![2; 150]), &path).unwrap();
        let image = image::open(&path).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), (300, 2));
        assert_eq!(image.get_pixel(9, 1).0, COLOURS[1]);
    }
}
