//! A volume: voxels on a grid in the patient's space.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use blindscan_input_spec::Axis;

use crate::geometry::{
    Affine, FileAxis, Orientation, PlaneIndex, VoxelIndex, coordinate, cross, dot, length,
};
use crate::kind::GreyKind;
use crate::kind::KnownBy;
use crate::origin::{LeftAside, Origin, overruled};
use crate::voxels::{Voxels, ends};

/// A three-dimensional image.
#[derive(Clone)]
pub struct Volume {
    voxels: Voxels,
    size: [usize; 3],
    affine: Affine,
    kind: GreyKind,
    orientation: Orientation,
    /// The fields of the file that placed the grid, in a form that the format's own reader and writer know.
    grid_source: Option<Arc<dyn Any + Send + Sync>>,
    /// Grey values that mark padding, for each place along the third axis; empty when none do.
    padding: Vec<Option<[f32; 2]>>,
    origin: Box<Origin>,
}

impl Volume {
    /// Joins voxels (first axis fastest) and their grid.
    ///
    /// # Panics
    /// When the number of voxels is not the product of the sizes, or the affine places no voxels: readers check both.
    pub fn new(voxels: Voxels, size: [usize; 3], affine: Affine, kind: GreyKind) -> Volume {
        assert_eq!(voxels.len(), size.iter().product::<usize>(), "a volume has one value per voxel");
        assert!(affine.is_regular(), "a volume's affine has an inverse");
        let orientation = Orientation::of(&affine);
        Volume {
            voxels,
            size,
            affine,
            kind,
            orientation,
            grid_source: None,
            padding: Vec::new(),
            origin: Box::default(),
        }
    }

    /// Remembers the fields of the file that placed the grid, so that a mask in the same format is placed by the very same ones.
    pub(crate) fn with_grid_source(mut self, fields: impl Any + Send + Sync) -> Volume {
        self.grid_source = Some(Arc::new(fields));
        self
    }

    /// Takes the axes as stored: the file does not say how the patient lies.
    pub(crate) fn without_orientation(mut self) -> Volume {
        self.orientation = Orientation::unknown();
        self
    }

    /// Remembers which grey values of each slice (along the third axis) are padding, from the first to the second.
    pub(crate) fn with_padding(mut self, padding: Vec<Option<[f32; 2]>>) -> Volume {
        assert_eq!(padding.len(), self.size[2], "each slice says what its padding is");
        self.padding = if padding.iter().all(Option::is_none) { Vec::new() } else { padding };
        self
    }

    /// Remembers how many files it was read from, and which were not read.
    pub(crate) fn with_files(mut self, files_read: usize, left_aside: Vec<LeftAside>) -> Volume {
        self.origin.files_read = files_read;
        self.origin.left_aside = left_aside;
        self
    }

    /// Remembers where it came from.
    pub(crate) fn with_origin(mut self, origin: Origin) -> Volume {
        self.origin = Box::new(origin);
        self
    }

    /// Adds sentences for the user.
    pub(crate) fn with_notes(mut self, notes: Vec<String>) -> Volume {
        self.origin.notes.extend(notes);
        self
    }

    /// The grey values, first axis fastest.
    pub fn voxels(&self) -> &Voxels {
        &self.voxels
    }

    /// Voxels along the file's three axes.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// From voxel indices to the patient's millimetres.
    pub fn affine(&self) -> &Affine {
        &self.affine
    }

    /// What grey values mean: the file's word, or a guess from the values.
    pub fn kind(&self) -> GreyKind {
        self.kind
    }

    /// Which file axis runs along which body axis.
    pub fn orientation(&self) -> &Orientation {
        &self.orientation
    }

    /// What the reader noticed and could live with: sentences for the user.
    pub fn notes(&self) -> &[String] {
        &self.origin.notes
    }

    /// How many planes follow one another along `axis`.
    pub fn plane_count(&self, axis: Axis) -> usize {
        self.size[self.file_axis(axis).axis]
    }

    /// The file axis along which planes of `axis` follow one another.
    pub fn file_axis(&self, axis: Axis) -> FileAxis {
        self.orientation.body[coordinate(axis)]
    }

    /// The value of one voxel.
    pub fn value(&self, voxel: VoxelIndex) -> f32 {
        self.voxels.get(self.offset(voxel))
    }

    /// Where it came from.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Takes the user's word for what the grey values mean.
    pub(crate) fn state_kind(&mut self, kind: GreyKind) {
        self.origin.notes.extend(overruled(self.kind, kind, &self.origin.known_by));
        self.kind = kind;
        self.origin.known_by = KnownBy::Stated;
    }

    /// Whether the file marks this voxel as padding: it shows nothing, and counts in no statistics.
    pub fn is_padding(&self, voxel: VoxelIndex) -> bool {
        let marked = self.padding.get(voxel.0[2]).copied().flatten();
        marked.is_some_and(|[low, high]| (low..=high).contains(&self.value(voxel)))
    }

    /// The values that are no padding.
    pub(crate) fn shown(&self) -> impl Iterator<Item = f32> + '_ {
        let in_slice = self.size[0] * self.size[1];
        (0..self.voxels.len()).filter_map(move |index| {
            let value = self.voxels.get(index);
            let marked = self.padding.get(index / in_slice).copied().flatten();
            marked.is_none_or(|[low, high]| !(low..=high).contains(&value)).then_some(value)
        })
    }

    /// The smallest and the largest value that is no padding; zeros where there is none.
    pub fn grey_range(&self) -> (f32, f32) {
        #[cfg(test)]
        ENDS_WORKED_OUT.set(ENDS_WORKED_OUT.get() + 1);
        if self.padding.is_empty() { self.voxels.range() } else { ends(self.shown()) }
    }

    /// The fields of the file that placed the grid, when it was of the format that has these.
    pub(crate) fn grid_source<T: Any>(&self) -> Option<&T> {
        self.grid_source.as_deref()?.downcast_ref()
    }

    /// Where a plane lies along the normal of the planes of `axis`, in millimetres towards head, front or right.
    pub(crate) fn place_mm(&self, axis: Axis, plane: PlaneIndex) -> f64 {
        let along = self.file_axis(axis).axis;
        let mut corner = [0; 3];
        corner[along] = plane.0;
        dot(self.affine.apply(VoxelIndex(corner)).0, self.normal(along, axis))
    }

    /// The unit vector at a right angle to the planes, on the side of the body's axis.
    fn normal(&self, along: usize, axis: Axis) -> [f64; 3] {
        let across = cross(self.affine.step_mm((along + 1) % 3), self.affine.step_mm((along + 2) % 3));
        let sign = if across[coordinate(axis)] < 0.0 { -1.0 } else { 1.0 };
        across.map(|c| sign * c / length(across))
    }

    fn offset(&self, voxel: VoxelIndex) -> usize {
        let [i, j, k] = voxel.0;
        assert!(
            i < self.size[0] && j < self.size[1] && k < self.size[2],
            "a voxel index lies within the volume"
        );
        i + self.size[0] * (j + self.size[1] * k)
    }
}

#[cfg(test)]
thread_local! {
    static ENDS_WORKED_OUT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How often this thread has walked through a whole volume for its ends.
#[cfg(test)]
pub(crate) fn ends_worked_out() -> usize {
    ENDS_WORKED_OUT.get()
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.size;
        write!(f, "Volume({x} x {y} x {z}, {}, {}, voxels not shown)", self.orientation.letters(), self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_voxel() {
        let volume = Volume::new(
            Voxels::U8(vec![77]),
            [1, 1, 1],
            Affine::from_spacing_mm([1.0; 3]),
            GreyKind::EightBit,
        );
        let shown = format!("{volume:?} {:?}", volume.voxels());
        assert!(!shown.contains("77"), "{shown}");
    }
}
