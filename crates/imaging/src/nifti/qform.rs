//! The qform: a turn as a quaternion, spacings and an offset (method 2 of `nifti1.h`), read and written.

use super::header::GridFields;
use crate::geometry::{Affine, cross, dot};

impl GridFields {
    /// The same with a qform, for programs that open no sheared sform: row, column and their normal, from the same corner.
    /// Unchanged when rows and columns are not at a right angle, for then there is none.
    pub(super) fn with_qform(self, affine: &Affine) -> GridFields {
        let Some(straight) = affine.unsheared() else { return self };
        let spacing = straight.spacing_mm();
        let mut turn = [0, 1, 2].map(|r| [0, 1, 2].map(|c| straight.0[r][c] / spacing[c]));
        let handedness = determinant(&turn).signum();
        turn.iter_mut().for_each(|row| row[2] *= handedness);
        let [b, c, d] = quaternion(&turn);
        let corner = straight.0.map(|row| row[3]);
        GridFields {
            pixdim: [handedness, spacing[0], spacing[1], spacing[2]].map(|x| x as f32),
            qform_code: self.sform_code,
            qform: [b, c, d, corner[0], corner[1], corner[2]].map(|x| x as f32),
            ..self
        }
    }

    /// What a mask on the same grid carries: the very same fields, and a qform where a sheared sform stands alone.
    pub(crate) fn for_mask(self) -> GridFields {
        let affine = self.affine();
        let is_sheared = affine.unsheared().is_some_and(|straight| !straight.is_close_to(&affine));
        if self.sform_code > 0 && self.qform_code == 0 && is_sheared {
            self.with_qform(&affine)
        } else {
            self
        }
    }

    /// The affine that the qform gives.
    pub(super) fn qform_affine(&self, spacing: [f64; 3]) -> Affine {
        let [b, c, d, x, y, z] = self.qform.map(f64::from);
        // The quaternion has length 1; the file leaves out its first part.
        let a = (1.0 - (b * b + c * c + d * d)).max(0.0).sqrt();
        let turn = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
            [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
            [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ];
        let handedness = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let steps = [spacing[0], spacing[1], spacing[2] * handedness];
        let offsets = [x, y, z];
        Affine(
            [0, 1, 2]
                .map(|r| [turn[r][0] * steps[0], turn[r][1] * steps[1], turn[r][2] * steps[2], offsets[r]]),
        )
    }
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    dot(m[0], cross(m[1], m[2]))
}

/// Parts b, c, d of the unit quaternion of a turn, with a part a that is not negative, as `nifti1.h` has it. The largest of the four
/// is worked out first, so that nothing is divided by a small number.
fn quaternion(turn: &[[f64; 3]; 3]) -> [f64; 3] {
    let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = *turn;
    // Four times the products of a, b, c, d with each other.
    let squares = [1.0 + xx + yy + zz, 1.0 + xx - yy - zz, 1.0 - xx + yy - zz, 1.0 - xx - yy + zz];
    let rows = [
        [squares[0], zy - yz, xz - zx, yx - xy],
        [zy - yz, squares[1], xy + yx, xz + zx],
        [xz - zx, xy + yx, squares[2], yz + zy],
        [yx - xy, xz + zx, yz + zy, squares[3]],
    ];
    let largest = (0..4).max_by(|&i, &j| squares[i].total_cmp(&squares[j])).expect("four parts");
    let sign = if rows[largest][0] < 0.0 { -1.0 } else { 1.0 };
    let scale = sign / (2.0 * squares[largest].sqrt());
    [1, 2, 3].map(|part| rows[largest][part] * scale)
}
