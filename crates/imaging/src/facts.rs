//! What the reader found and what it assumed, in words and numbers for the user and for reports.
//!
//! | fact | from |
//! |---|---|
//! | kind of grey values, and how it is known | the header, a rescale, the user's word, or a guess from the values |
//! | modality | the file's code, when it has one |
//! | axes, grid, spacing, steps | the header's positions and directions |
//! | slices | number, place in mm, instance number: what a PACS shows beside each |
//! | files | how many were read; which were left aside, and why |
//! | notes | what the reader noticed and could live with |
//!
//! Nothing here says who the patient is, and nothing here is a voxel. A path does, when its owner wrote it so.

use blindscan_input_spec::Axis;

use crate::geometry::PlaneIndex;
use crate::kind::GreyKind;
use crate::kind::KnownBy;
use crate::origin::{LeftAside, Origin, SliceSource, Steps};
use crate::picture::Picture;
use crate::scan::Scan;
use crate::volume::Volume;

/// Everything that the reader found and assumed about a scan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Facts {
    /// Whether it is a volume; else it is a single picture.
    pub is_volume: bool,
    /// Voxels along the file's three axes; of a picture columns, rows and 1.
    pub size: [usize; 3],
    /// What the grey values mean.
    pub kind: GreyKind,
    /// How this is known.
    pub kind_known_by: KnownBy,
    /// The DICOM code of the modality (`CT`, `MR`, ...), when the file names one.
    pub modality: Option<String>,
    /// Where the three file axes run, as three of the letters R L A P S I; `None` when the file does not say.
    pub axes: Option<String>,
    /// Millimetres between voxels along the file's three axes; of a picture none.
    pub spacing_mm: Option<[f64; 3]>,
    /// From voxel indices to the patient's millimetres (RAS): three rows of four numbers.
    pub grid: Option<[[f64; 4]; 3]>,
    /// The steps between the slices of a stack of two or more; of a DICOM series only.
    pub steps: Option<Steps>,
    /// How many files the scan was read from.
    pub files_read: usize,
    /// Files that were left aside, each with the reason.
    pub left_aside: Vec<LeftAside>,
    /// What the reader noticed and could live with: sentences for the user.
    pub notes: Vec<String>,
}

/// One slice of a volume.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SliceFact {
    /// Its number, counted from 0: what `--slices` takes.
    pub number: usize,
    /// Millimetres along the normal of the slices, towards head (axial), front (coronal) or right (sagittal).
    pub place_mm: f64,
    /// The InstanceNumber of its DICOM file: what a PACS shows.
    pub instance: Option<i64>,
    /// Its frame in a file of several, counted from 1.
    pub frame: Option<usize>,
}

impl Scan {
    /// Everything that the reader found and assumed.
    pub fn facts(&self) -> Facts {
        match self {
            Scan::Volume(volume) => of_volume(volume),
            Scan::Picture(picture) => of_picture(picture),
        }
    }

    /// The slices along `axis`, by number; none of a picture.
    pub fn slices(&self, axis: Axis) -> Vec<SliceFact> {
        match self {
            Scan::Volume(volume) => slices(volume, axis),
            Scan::Picture(_) => Vec::new(),
        }
    }
}

fn of_volume(volume: &Volume) -> Facts {
    let orientation = volume.orientation();
    Facts {
        is_volume: true,
        size: volume.size(),
        axes: orientation.physical.then(|| orientation.letters()),
        spacing_mm: Some(volume.affine().spacing_mm()),
        grid: Some(volume.affine().0),
        ..of_origin(volume.origin(), volume.kind())
    }
}

fn of_picture(picture: &Picture) -> Facts {
    let (rows, columns) = picture.size();
    Facts { size: [columns, rows, 1], ..of_origin(picture.origin(), picture.kind()) }
}

fn of_origin(origin: &Origin, kind: GreyKind) -> Facts {
    Facts {
        is_volume: false,
        size: [0; 3],
        kind,
        kind_known_by: origin.known_by.clone(),
        modality: origin.modality.clone(),
        axes: None,
        spacing_mm: None,
        grid: None,
        steps: origin.steps,
        files_read: origin.files_read,
        left_aside: origin.left_aside.clone(),
        notes: origin.notes.clone(),
    }
}

fn slices(volume: &Volume, axis: Axis) -> Vec<SliceFact> {
    let along = volume.file_axis(axis).axis;
    let source = |number: usize| match along {
        2 => volume.origin().sources.get(number).copied().unwrap_or_default(),
        _ => SliceSource::default(),
    };
    (0..volume.plane_count(axis))
        .map(|number| SliceFact {
            number,
            place_mm: volume.place_mm(axis, PlaneIndex(number)),
            instance: source(number).instance,
            frame: source(number).frame,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Affine;
    use crate::voxels::Voxels;

    fn volume(affine: [[f64; 4]; 3]) -> Scan {
        Scan::Volume(Volume::new(Voxels::U8(vec![0; 24]), [2, 3, 4], Affine(affine), GreyKind::EightBit))
    }

    #[test]
    fn a_slice_lies_where_its_header_says_whichever_way_the_file_counts() {
        let feet_first = volume([[1.0, 0.0, 0.0, 9.0], [0.0, 1.0, 0.0, 8.0], [0.0, 0.0, 5.0, -300.0]]);
        let places: Vec<f64> = feet_first.slices(Axis::Axial).iter().map(|s| s.place_mm).collect();
        assert_eq!(places, [-300.0, -295.0, -290.0, -285.0]);
        let head_first = volume([[-1.0, 0.0, 0.0, 9.0], [0.0, -1.0, 0.0, 8.0], [0.0, 0.0, -5.0, -285.0]]);
        let places: Vec<f64> = head_first.slices(Axis::Axial).iter().map(|s| s.place_mm).collect();
        assert_eq!(places, [-285.0, -290.0, -295.0, -300.0]);
        let places: Vec<f64> = head_first.slices(Axis::Sagittal).iter().map(|s| s.place_mm).collect();
        assert_eq!(places, [9.0, 8.0]);
    }

    #[test]
    fn facts_name_the_axes_the_grid_and_how_the_unit_is_known() {
        let facts = volume([[1.0, 0.0, 0.0, 9.0], [0.0, 1.0, 0.0, 8.0], [0.0, 0.0, 5.0, -300.0]]).facts();
        assert_eq!((facts.axes.as_deref(), facts.spacing_mm), (Some("RAS"), Some([1.0, 1.0, 5.0])));
        assert_eq!((facts.size, facts.kind_known_by), ([2, 3, 4], KnownBy::Header));
        assert!(KnownBy::Guess("it is so").to_string().contains("guess: it is so"));
    }
}
