//! What a voxel's place means: three kinds of coordinates, the affine between them, and which voxel axis is which in the body.
//!
//! A [`VoxelIndex`] counts along the file's own axes (first axis fastest in memory). A [`PatientMm`] is in the patient's
//! space, x to the Right, y to the Anterior, z to the Superior (RAS+, the convention of NIfTI; DICOM's LPS is turned at
//! the border). A [`PlanePixel`] is a place in one plane. They are three types so that none is taken for another.

use blindscan_input_spec::Axis;

/// Counts along the file's own three axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoxelIndex(pub [usize; 3]);

/// Millimetres to the patient's right, front and head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatientMm(pub [f64; 3]);

/// A plane's number along its axis, counted as the file stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaneIndex(pub usize);

/// A place in one plane of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanePixel {
    /// Which plane.
    pub plane: PlaneIndex,
    /// Downwards.
    pub row: usize,
    /// To the right of the picture (not of the patient).
    pub column: usize,
}

/// The coordinate of [`PatientMm`] along which planes follow one another.
pub(crate) fn coordinate(axis: Axis) -> usize {
    match axis {
        Axis::Sagittal => 0,
        Axis::Coronal => 1,
        Axis::Axial => 2,
    }
}

/// From voxel indices to [`PatientMm`]: the first three rows of a 4x4 matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine(pub [[f64; 4]; 3]);

impl Affine {
    /// Spacings along the three axes, no turn, corner at the origin: what one writes when nothing is known.
    pub fn from_spacing_mm(spacing: [f64; 3]) -> Affine {
        let [x, y, z] = spacing;
        Affine([[x, 0.0, 0.0, 0.0], [0.0, y, 0.0, 0.0], [0.0, 0.0, z, 0.0]])
    }

    /// Where the centre of a voxel lies.
    pub fn apply(&self, voxel: VoxelIndex) -> PatientMm {
        let v = voxel.0.map(|i| i as f64);
        PatientMm(self.0.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2] + row[3]))
    }

    /// The step of one voxel along a file axis.
    pub fn step_mm(&self, file_axis: usize) -> [f64; 3] {
        self.0.map(|row| row[file_axis])
    }

    /// The lengths of the three steps.
    pub fn spacing_mm(&self) -> [f64; 3] {
        [0, 1, 2].map(|axis| length(self.step_mm(axis)))
    }

    /// Whether it places voxels in space: all numbers finite, no axis of length zero, axes independent.
    pub(crate) fn is_regular(&self) -> bool {
        let finite = self.0.iter().flatten().all(|x| x.is_finite());
        let spacing = self.spacing_mm();
        let box_volume: f64 = spacing.iter().product();
        finite && spacing.iter().all(|&s| s > 1e-6) && self.determinant().abs() > 1e-3 * box_volume
    }

    fn determinant(&self) -> f64 {
        let [a, b, c] = [0, 1, 2].map(|axis| self.step_mm(axis));
        dot(a, cross(b, c))
    }

    /// Whether the grid only scales and has a corner at the origin: what tools write when the place was lost, and what a
    /// scan may honestly have.
    pub(crate) fn looks_made_up(&self, size: [usize; 3]) -> bool {
        let body = best_match(self);
        let only_scales =
            (0..3).all(|b| (0..3).all(|file| file == body[b].axis || self.0[b][file].abs() < 1e-6));
        let at_origin = |far: usize| {
            let corner =
                [0, 1, 2].map(|file| if far >> file & 1 == 1 { size[file].saturating_sub(1) } else { 0 });
            self.apply(VoxelIndex(corner)).0.iter().all(|mm| mm.abs() < 1e-4)
        };
        only_scales && (0..8).any(at_origin)
    }

    /// The grid whose steps are at right angles and which agrees in rows and columns: the third step is the normal, as
    /// long as the step itself. `None` when rows and columns are not at a right angle.
    pub(crate) fn unsheared(&self) -> Option<Affine> {
        let [row, column, step] = [0, 1, 2].map(|axis| self.step_mm(axis));
        if dot(row, column).abs() > 1e-4 * length(row) * length(column) {
            return None;
        }
        let normal = cross(row, column);
        let scale = length(step) / length(normal) * dot(step, normal).signum();
        let mut affine = *self;
        for (r, c) in affine.0.iter_mut().zip(normal) {
            r[2] = c * scale;
        }
        Some(affine)
    }

    /// Whether two affines agree to a thousandth of a voxel or of a millimetre.
    pub(crate) fn is_close_to(&self, other: &Affine) -> bool {
        self.0.iter().flatten().zip(other.0.iter().flatten()).all(|(a, b)| (a - b).abs() <= 1e-3)
    }
}

pub(crate) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(crate) fn length(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

/// How far two directions are from unit vectors at a right angle: the largest error of the lengths and of the cosine.
pub(crate) fn skew([a, b]: [[f64; 3]; 2]) -> f64 {
    (length(a) - 1.0).abs().max((length(b) - 1.0).abs()).max(dot(a, b).abs())
}

/// Unit vectors at a right angle in the same plane, each as near to its own direction: the sum and the difference of two unit
/// vectors are at a right angle, and theirs again lie halfway.
pub(crate) fn orthonormal([a, b]: [[f64; 3]; 2]) -> [[f64; 3]; 2] {
    let unit = |v: [f64; 3]| v.map(|c| c / length(v));
    let blend = |v: [f64; 3], w: [f64; 3], sign: f64| unit([0, 1, 2].map(|c| v[c] + sign * w[c]));
    let (a, b) = (unit(a), unit(b));
    let (sum, difference) = (blend(a, b, 1.0), blend(a, b, -1.0));
    [blend(sum, difference, 1.0), blend(sum, difference, -1.0)]
}

/// A file axis, and whether counting along it goes the way of the anatomical axis that it is matched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileAxis {
    /// 0, 1 or 2.
    pub axis: usize,
    /// True when the index grows to the Right, the Anterior or the Superior.
    pub ascending: bool,
}

/// Which file axis runs along which axis of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation {
    /// The file axes that run left-right, back-front and foot-head, in this order.
    pub body: [FileAxis; 3],
    /// False when the file does not say how the patient lies; the axes are then taken as stored.
    pub physical: bool,
}

impl Orientation {
    /// Matches file axes and body axes so that the cosines between them are largest in sum. The affine is taken at its
    /// word, wherever its corner lies.
    pub fn of(affine: &Affine) -> Orientation {
        Orientation { body: best_match(affine), physical: true }
    }

    /// An orientation that the file does not give: the axes as stored.
    pub(crate) fn unknown() -> Orientation {
        let body = [0, 1, 2].map(|axis| FileAxis { axis, ascending: true });
        Orientation { body, physical: false }
    }

    /// The three letters by which other tools name it, for instance `LPS`.
    pub fn letters(&self) -> String {
        let mut letters = ['?'; 3];
        for (pair, side) in [('R', 'L'), ('A', 'P'), ('S', 'I')].into_iter().zip(self.body) {
            letters[side.axis] = if side.ascending { pair.0 } else { pair.1 };
        }
        letters.iter().collect()
    }
}

fn best_match(affine: &Affine) -> [FileAxis; 3] {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let spacing = affine.spacing_mm();
    let cosine = |body: usize, file: usize| affine.0[body][file] / spacing[file];
    let fit = |order: &[usize; 3]| (0..3).map(|body| cosine(body, order[body]).abs()).sum::<f64>();
    let mut best = ORDERS[0];
    for order in &ORDERS[1..] {
        // Only a clear gain moves away from the file's own order, so that a tie at 45 degrees is settled the same way always.
        if fit(order) > fit(&best) + 1e-9 {
            best = *order;
        }
    }
    [0, 1, 2].map(|body| FileAxis { axis: best[body], ascending: cosine(body, best[body]) > 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 3] = [10, 20, 30];

    #[test]
    fn a_flipped_and_a_turned_affine_name_their_axes() {
        let lps = Affine([[-0.8, 0.0, 0.0, 100.0], [0.0, -0.8, 0.0, 90.0], [0.0, 0.0, 5.0, -300.0]]);
        assert_eq!(Orientation::of(&lps).letters(), "LPS");
        assert!(Orientation::of(&lps).physical);

        let sagittal_first = Affine([[0.0, 0.0, -3.0, 40.0], [1.0, 0.0, 0.0, 7.0], [0.0, -1.0, 0.0, 9.0]]);
        let orientation = Orientation::of(&sagittal_first);
        assert_eq!(orientation.letters(), "AIL");
        assert_eq!(orientation.body[coordinate(Axis::Axial)], FileAxis { axis: 1, ascending: false });
    }

    #[test]
    fn an_oblique_affine_takes_the_nearest_axes() {
        let (sin, cos) = 0.3f64.sin_cos();
        let tilted = Affine([[1.0, 0.0, 0.0, 5.0], [0.0, cos, -sin, 5.0], [0.0, sin, cos, 5.0]]);
        assert_eq!(Orientation::of(&tilted).letters(), "RAS");
    }

    #[test]
    fn a_grid_that_only_scales_from_the_origin_looks_made_up_however_it_is_turned() {
        assert!(Affine::from_spacing_mm([0.5, 0.5, 1.0]).looks_made_up(SIZE));
        let mirrored = Affine([[-1.0, 0.0, 0.0, 9.0], [0.0, -1.0, 0.0, 19.0], [0.0, 0.0, 1.0, 0.0]]);
        assert!(mirrored.looks_made_up(SIZE));
        assert_eq!(Orientation::of(&mirrored).letters(), "LPS", "it is taken at its word all the same");
        let placed = Affine([[1.0, 0.0, 0.0, -120.0], [0.0, 1.0, 0.0, -90.0], [0.0, 0.0, 1.0, 30.0]]);
        assert!(!placed.looks_made_up(SIZE));
    }

    #[test]
    fn a_sheared_grid_has_a_straight_one_beside_it() {
        let tilted = Affine([[1.0, 0.0, 0.0, 5.0], [0.0, 2.0, 3.0, 6.0], [0.0, 0.0, -4.0, 7.0]]);
        let straight = tilted.unsheared().unwrap();
        assert_eq!(straight.step_mm(2), [0.0, 0.0, -5.0]);
        assert_eq!((straight.step_mm(0), straight.step_mm(1)), (tilted.step_mm(0), tilted.step_mm(1)));
        let skewed = Affine([[1.0, 0.5, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);
        assert!(skewed.unsheared().is_none());
    }

    #[test]
    fn a_degenerate_affine_is_not_regular() {
        assert!(Affine::from_spacing_mm([1.0, 1.0, 1.0]).is_regular());
        assert!(!Affine::from_spacing_mm([1.0, 0.0, 1.0]).is_regular());
        assert!(!Affine::from_spacing_mm([1.0, f64::NAN, 1.0]).is_regular());
        assert!(!Affine([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]).is_regular());
    }
}
