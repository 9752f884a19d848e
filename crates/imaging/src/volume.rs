//! A volume: voxels on a grid in the patient's space, and what their grey values mean.

use std::fmt;

use crate::facts::{KnownBy, LeftAside, Origin};
use crate::geometry::{Affine, Axis, FileAxis, Orientation, VoxelIndex};
use crate::nifti::GridFields;

/// What grey values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Hounsfield units: air is -1000, water 0.
    Hounsfield,
    /// Whole numbers from 0 to 255.
    EightBit,
    /// Neither: MR, 16-bit pictures, doses and so on.
    Other,
}

impl std::str::FromStr for Kind {
    type Err = String;

    /// `hu`, `eight-bit` or `other`.
    fn from_str(text: &str) -> Result<Kind, String> {
        match text {
            "hu" | "hounsfield" => Ok(Kind::Hounsfield),
            "eight-bit" => Ok(Kind::EightBit),
            "other" => Ok(Kind::Other),
            _ => Err(format!("{text:?} is no unit known here; give hu, eight-bit or other")),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Hounsfield => "Hounsfield units",
            Kind::EightBit => "8-bit grey values (0 to 255)",
            Kind::Other => "grey values of another scale",
        })
    }
}

/// Grey values, first axis fastest, in the smallest type that holds them exactly.
#[derive(Clone, PartialEq)]
pub enum Voxels {
    /// Whole numbers from 0 to 255.
    U8(Vec<u8>),
    /// Whole numbers of 16 bits with sign.
    I16(Vec<i16>),
    /// Anything else; integers beyond 2^24 are rounded.
    F32(Vec<f32>),
}

impl Voxels {
    /// Takes the smallest type that holds all values exactly.
    pub fn compact(values: Vec<f32>) -> Voxels {
        if values.iter().all(|&v| v as u8 as f32 == v) {
            return Voxels::U8(values.into_iter().map(|v| v as u8).collect());
        }
        if values.iter().all(|&v| v as i16 as f32 == v) {
            return Voxels::I16(values.into_iter().map(|v| v as i16).collect());
        }
        Voxels::F32(values)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Voxels::U8(v) => v.len(),
            Voxels::I16(v) => v.len(),
            Voxels::F32(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One value.
    pub fn get(&self, index: usize) -> f32 {
        match self {
            Voxels::U8(v) => f32::from(v[index]),
            Voxels::I16(v) => f32::from(v[index]),
            Voxels::F32(v) => v[index],
        }
    }

    /// The smallest and the largest value; zeros where there are no voxels.
    pub fn range(&self) -> (f32, f32) {
        fn ends<T: Copy + PartialOrd + Default>(values: &[T]) -> (T, T) {
            let first = values.first().copied().unwrap_or_default();
            values.iter().fold((first, first), |(low, high), &v| {
                (if v < low { v } else { low }, if v > high { v } else { high })
            })
        }
        match self {
            Voxels::U8(v) => (ends(v).0.into(), ends(v).1.into()),
            Voxels::I16(v) => (ends(v).0.into(), ends(v).1.into()),
            Voxels::F32(v) => ends(v),
        }
    }

    /// How many values are no numbers.
    pub(crate) fn not_finite(&self) -> usize {
        match self {
            Voxels::F32(v) => v.iter().filter(|x| !x.is_finite()).count(),
            _ => 0,
        }
    }

    /// Strings parts together, in the smallest type that holds them all.
    pub(crate) fn concat(parts: Vec<Voxels>) -> Voxels {
        let count = parts.iter().map(Voxels::len).sum();
        if parts.iter().all(|p| matches!(p, Voxels::U8(_))) {
            let mut all = Vec::with_capacity(count);
            for part in parts {
                all.extend((0..part.len()).map(|i| part.get(i) as u8));
            }
            return Voxels::U8(all);
        }
        if parts.iter().all(|p| !matches!(p, Voxels::F32(_))) {
            let mut all = Vec::with_capacity(count);
            for part in parts {
                all.extend((0..part.len()).map(|i| part.get(i) as i16));
            }
            return Voxels::I16(all);
        }
        let mut all = Vec::with_capacity(count);
        for part in parts {
            all.extend((0..part.len()).map(|i| part.get(i)));
        }
        Voxels::F32(all)
    }

    /// The kind as far as values alone tell, and why.
    pub(crate) fn guess_kind(&self) -> (Kind, KnownBy) {
        let (kind, reason) = match self {
            Voxels::U8(_) => (Kind::EightBit, "all its values are whole numbers from 0 to 255"),
            _ if self.range().0 < -500.0 => (Kind::Hounsfield, "it has values below -500, as a CT's air has"),
            _ => (Kind::Other, "it has values beyond 0 to 255, but none below -500 as a CT's air has"),
        };
        (kind, KnownBy::Guess(reason))
    }
}

impl fmt::Debug for Voxels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Voxels::U8(_) => "U8",
            Voxels::I16(_) => "I16",
            Voxels::F32(_) => "F32",
        };
        write!(f, "Voxels::{name}({} values, not shown)", self.len())
    }
}

/// A three-dimensional image.
#[derive(Clone)]
pub struct Volume {
    voxels: Voxels,
    size: [usize; 3],
    affine: Affine,
    kind: Kind,
    orientation: Orientation,
    /// Boxed for its size: only NIfTI files have it.
    grid_fields: Option<Box<GridFields>>,
    /// Grey values that mark padding, for each place along the third axis; empty when none do.
    padding: Vec<Option<[f32; 2]>>,
    origin: Box<Origin>,
}

impl Volume {
    /// Joins voxels (first axis fastest) and their grid.
    ///
    /// # Panics
    /// When the number of voxels is not the product of the sizes, or the affine places no voxels: readers check both.
    pub fn new(voxels: Voxels, size: [usize; 3], affine: Affine, kind: Kind) -> Volume {
        assert_eq!(voxels.len(), size.iter().product::<usize>(), "a volume has one value a voxel");
        assert!(affine.is_regular(), "a volume's affine has an inverse");
        let orientation = Orientation::of(&affine);
        Volume {
            voxels,
            size,
            affine,
            kind,
            orientation,
            grid_fields: None,
            padding: Vec::new(),
            origin: Box::default(),
        }
    }

    /// Remembers the header fields of the NIfTI file it came from, so that masks carry the same ones.
    pub(crate) fn with_grid_fields(mut self, fields: GridFields) -> Volume {
        if !fields.is_oriented() {
            self.orientation = Orientation::unknown();
        }
        self.grid_fields = Some(Box::new(fields));
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
    pub fn kind(&self) -> Kind {
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
        self.orientation.body[axis.coordinate()]
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
    pub(crate) fn state_kind(&mut self, kind: Kind) {
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
        if self.padding.is_empty() { self.voxels.range() } else { ends(self.shown()) }
    }

    /// The header fields of the NIfTI file it came from.
    pub(crate) fn grid_fields(&self) -> Option<&GridFields> {
        self.grid_fields.as_deref()
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

/// The smallest and the largest; zeros where there are none.
pub(crate) fn ends(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let wider =
        |ends: Option<(f32, f32)>, v: f32| Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v))));
    values.fold(None, wider).unwrap_or_default()
}

/// What is said when the user's word stands against the file's.
pub(crate) fn overruled(was: Kind, stated: Kind, known_by: &KnownBy) -> Option<String> {
    (was != stated && !matches!(known_by, KnownBy::Guess(_))).then(|| {
        format!("the values are taken as {stated}, as stated; by the file they are {was} ({known_by})")
    })
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
    fn values_take_the_smallest_type_that_holds_them() {
        assert_eq!(Voxels::compact(vec![0.0, 255.0]), Voxels::U8(vec![0, 255]));
        assert_eq!(Voxels::compact(vec![-1.0, 256.0]), Voxels::I16(vec![-1, 256]));
        assert_eq!(Voxels::compact(vec![0.5]), Voxels::F32(vec![0.5]));
        assert_eq!(Voxels::compact(vec![40000.0]), Voxels::F32(vec![40000.0]));
        assert_eq!(Voxels::compact(vec![f32::NAN]).not_finite(), 1);
    }

    #[test]
    fn the_kind_is_guessed_from_the_values() {
        assert_eq!(Voxels::U8(vec![3]).guess_kind().0, Kind::EightBit);
        assert_eq!(Voxels::I16(vec![-1000, 40]).guess_kind().0, Kind::Hounsfield);
        assert_eq!(Voxels::I16(vec![-3, 400]).guess_kind().0, Kind::Other);
    }

    #[test]
    fn parts_are_strung_together_in_a_type_that_holds_them_all() {
        let parts = vec![Voxels::U8(vec![1]), Voxels::I16(vec![-2])];
        assert_eq!(Voxels::concat(parts), Voxels::I16(vec![1, -2]));
        let parts = vec![Voxels::U8(vec![1]), Voxels::F32(vec![0.5])];
        assert_eq!(Voxels::concat(parts), Voxels::F32(vec![1.0, 0.5]));
    }

    #[test]
    fn debug_shows_no_voxel() {
        let volume =
            Volume::new(Voxels::U8(vec![77]), [1, 1, 1], Affine::from_spacing_mm([1.0; 3]), Kind::EightBit);
        let shown = format!("{volume:?} {:?}", volume.voxels());
        assert!(!shown.contains("77"), "{shown}");
    }
}
